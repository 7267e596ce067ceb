package proxy

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the handler's. Labels hold only what the policy file or HTTP bounds: never a path, a key or a query.
type metrics struct {
	requests *prometheus.CounterVec
	items    *prometheus.CounterVec
	seconds  prometheus.Histogram
	graph    prometheus.Histogram
	resends  *prometheus.CounterVec
	inFlight prometheus.Gauge
}

// newMetrics makes the metrics, and registers them unless r is nil. Waiting and held are called at each scrape.
func newMetrics(r prometheus.Registerer, waiting, held func() float64) (*metrics, error) {
	labels := []string{"caller", "decision", "status"}
	m := &metrics{
		requests: counter("requests_total", "Requests answered, by caller (empty: unknown), "+
			"decision (allow, deny, limit, refuse) and HTTP status.", labels...),
		items: counter("batch_items_total", "Items of $batch requests answered, by caller, decision and HTTP status. "+
			"The batches themselves count in graphproxy_requests_total.", labels...),
		seconds: histogram("request_duration_seconds", "From a request's header to the end of its answer's body."),
		graph:   histogram("graph_duration_seconds", "Until Microsoft Graph's response header."),
		resends: counter("graph_resends_total", "Requests sent to Microsoft Graph again, by reason: connect, "+
			"unsent (none of it was sent before), reset (GET and HEAD) or token (Graph refused the one before).", "reason"),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "graphproxy_requests_in_flight", Help: "Requests in flight now.",
		}),
	}
	for _, reason := range [...]string{resendConnect, resendUnsent, resendReset, resendToken} {
		m.resends.WithLabelValues(reason)
	}
	if r == nil {
		return m, nil
	}
	all := []prometheus.Collector{
		m.requests,
		m.items,
		m.seconds,
		m.graph,
		m.resends,
		m.inFlight,
		gauge("requests_waiting", "Requests that wait for room in a limit now.", waiting),
		gauge("held_bytes", "Bytes of bodies that are held now.", held),
	}
	for _, c := range all {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "graphproxy_" + name, Help: help}, labels)
}

func histogram(name, help string) prometheus.Histogram {
	buckets := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 100}
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "graphproxy_" + name, Help: help, Buckets: buckets})
}

func gauge(name, help string, value func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "graphproxy_" + name, Help: help}, value)
}
