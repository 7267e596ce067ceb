package meter

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Service is what Graph reported about the limits of one of its services.
type Service struct {
	Name       string
	Throttled  uint64  // answers that refused a request: 429, 503 and 509
	Held       uint64  // requests that were not sent because of that
	Holding    int     // scopes that are refused now: an app in a tenant, a mailbox, a site …
	Percentage float64 // x-ms-throttle-limit-percentage, the greatest of a minute: 1 is the whole limit; 0: not reported
}

// descs are the metrics of a Meter, except the durations.
type descs struct {
	requests, items, refusals, resends, wouldDeny  *prometheus.Desc
	inFlight, waiting, held, ending                *prometheus.Desc
	limitRequests, limitWaiting, limitFill         *prometheus.Desc
	throttled, throttleHeld, holding, percentage   *prometheus.Desc
	dialled, dialFailed, reused, openConns, idling *prometheus.Desc
	differing                                      *prometheus.Desc
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("graphproxy_"+name, help, labels, nil)
}

func descriptions() descs {
	of := []string{"caller", "rule", "method", "decision", "status_class"}
	return descs{
		requests: desc("requests_total", "Requests answered, by caller (empty: not known), rule that decided (file:line; "+
			"empty: none), method, decision (allow, deny, limit, refuse) and class of the HTTP status.", of...),
		items: desc("batch_items_total", "Items of $batch requests answered, with the labels of "+
			"graphproxy_requests_total, where the batches themselves count.", of...),
		refusals: desc("refusals_total", "Requests and items of batches that graphproxy answered itself or cut off, "+
			"by the reason in the audit line.", "reason"),
		resends: desc("graph_resends_total", "Requests sent to Microsoft Graph again, by reason: connect, unsent, "+
			"reset or token.", "reason"),
		wouldDeny: desc("policy_would_deny_total", "Requests and items of batches that report mode let through and "+
			"enforce mode would deny.", "caller", "rule"),
		differing: desc("candidate_differences_total", "Requests and items of batches that the candidate policy would "+
			"decide otherwise, by caller, what the policy in force decided, and what the candidate would.", "caller", "active",
			"candidate"),
		inFlight: desc("requests_in_flight", "Requests in flight now."),
		waiting:  desc("requests_waiting", "Requests that wait for capacity of a limit now."),
		held:     desc("held_bytes", "Bytes of bodies that are held now."),
		ending: desc("ending_grant_requests_total", "Requests and items of batches that were allowed by a rule or to a "+
			"caller whose until comes within a day. The audit lines of these have until."),
		limitRequests: desc("limit_requests_total", "Requests and items of batches that a limit of the policy counted, "+
			"by result: allowed or refused.", "limit", "result"),
		limitWaiting: desc("limit_waiting", "Requests that wait for capacity of a limit of the policy now.", "limit"),
		limitFill: desc("limit_fill_ratio", "Free part of a limit of the policy, from 0 (none) to 1 (all); "+
			"of several buckets, the least.", "limit"),
		throttled: desc("throttle_responses_total", "Answers of Microsoft Graph that refused a request because of "+
			"Graph's own limits.", "service"),
		throttleHeld: desc("throttle_held_total", "Requests and items of batches that were held back (429 "+
			"graphThrottled) because Microsoft Graph throttles.", "service"),
		holding: desc("throttle_holds", "Scopes (an app in a tenant, a mailbox, a site) that are held back now.", "service"),
		percentage: desc("throttle_limit_percentage_ratio", "x-ms-throttle-limit-percentage, the greatest of the last "+
			"minute: 1 is the whole limit, 0 that Microsoft Graph said nothing.", "service"),
		dialled:    desc("graph_connections_dialled_total", "Connections made to Microsoft Graph."),
		dialFailed: desc("graph_connections_failed_total", "Attempts to make a connection to Microsoft Graph that failed."),
		reused:     desc("graph_connections_reused_total", "Requests sent on a connection that had carried one before."),
		openConns:  desc("graph_connections_open", "Connections to Microsoft Graph that are open now."),
		idling:     desc("graph_connections_idle", "Connections to Microsoft Graph that are kept for a next request now."),
	}
}

// collector reads a Meter.
type collector struct {
	m *Meter
	descs
}

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.requests, c.items, c.refusals, c.resends, c.wouldDeny, c.inFlight, c.waiting, c.held, c.ending, c.limitRequests,
		c.limitWaiting, c.limitFill, c.throttled, c.throttleHeld, c.holding, c.percentage, c.dialled, c.dialFailed,
		c.reused, c.openConns, c.idling, c.differing,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	out := output{to}
	m, t := c.m, c.m.table.Load()
	for name, tally := range t.callers {
		c.collectCaller(out, name, tally)
	}
	m.reasons.each(func(word string, n uint64) { out.counter(c.refusals, n, word) })
	m.resends.each(func(word string, n uint64) { out.counter(c.resends, n, word) })
	c.collectDifferences(out)
	out.counter(c.ending, m.Ending.Load())
	out.gauge(c.inFlight, float64(m.InFlight.Load()))
	c.collectLimits(out, t)
	if m.sources.Held != nil {
		out.gauge(c.held, float64(m.sources.Held()))
	}
	c.collectServices(out)
	n := &m.Connections
	out.counter(c.dialled, n.Dialled.Load())
	out.counter(c.dialFailed, n.Failed.Load())
	out.counter(c.reused, n.Reused.Load())
	out.gauge(c.openConns, float64(n.Open.Load()))
	out.gauge(c.idling, float64(n.Idle.Load()))
}

func (c collector) collectCaller(out output, caller string, t *tally) {
	rules := t.rules.Load()
	if rules == nil {
		return
	}
	seen := make(map[*cells]bool, len(*rules)) // rules on one line share cells
	for _, cells := range *rules {
		if seen[cells] {
			continue
		}
		seen[cells] = true
		for m := range methods {
			for d := range decisions {
				for s := range classes {
					labels := []string{caller, cells.rule, methods[m], decisions[d], classes[s]}
					out.used(c.requests, cells.requests[m][d][s].Load(), labels...)
					out.used(c.items, cells.items[m][d][s].Load(), labels...)
				}
			}
		}
		out.used(c.wouldDeny, cells.wouldDeny.Load(), caller, cells.rule)
	}
}

func (c collector) collectLimits(out output, t *table) {
	s, all := c.m.sources, 0
	var waiting map[string]int
	var fill map[string]float64
	if s.Waiting != nil {
		all, waiting = s.Waiting()
	}
	if s.Fill != nil {
		fill = s.Fill()
	}
	out.gauge(c.waiting, float64(all))
	for name, l := range t.named {
		out.counter(c.limitRequests, l.allowed.Load(), l.label, "allowed")
		out.counter(c.limitRequests, l.refused.Load(), l.label, "refused")
		out.gauge(c.limitWaiting, float64(waiting[name]), l.label)
		left, known := fill[name]
		if !known {
			left = 1
		}
		out.gauge(c.limitFill, left, l.label)
	}
}

func (c collector) collectServices(out output) {
	if c.m.sources.Services == nil {
		return
	}
	for _, s := range c.m.sources.Services() {
		out.counter(c.throttled, s.Throttled, s.Name)
		out.counter(c.throttleHeld, s.Held, s.Name)
		out.gauge(c.holding, float64(s.Holding), s.Name)
		out.gauge(c.percentage, s.Percentage, s.Name)
	}
}

func (w *words) each(f func(word string, n uint64)) {
	if all := w.all.Load(); all != nil {
		for word, n := range *all {
			f(word, n.Load())
		}
	}
}

// output is the channel for a collector's metrics.
type output struct{ to chan<- prometheus.Metric }

func (o output) counter(d *prometheus.Desc, n uint64, labels ...string) {
	o.to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

// used is counter for a series that exists only when it has counted something.
func (o output) used(d *prometheus.Desc, n uint64, labels ...string) {
	if n > 0 {
		o.counter(d, n, labels...)
	}
}

func (o output) gauge(d *prometheus.Desc, value float64, labels ...string) {
	o.to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}
