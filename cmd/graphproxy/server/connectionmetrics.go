package server

import "github.com/prometheus/client_golang/prometheus"

// connectionCollector shows the connections of the listeners in /metrics.
type connectionCollector struct {
	of                                         []*connections
	open, idle, most, evicted, paused, refused *prometheus.Desc
}

func newConnectionCollector(of ...*connections) *connectionCollector {
	describe := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("graphproxy_"+name, help, []string{"listener"}, nil)
	}
	return &connectionCollector{
		of:      of,
		open:    describe("connections_open", "Connections to graphproxy now, by listener: callers or admin."),
		idle:    describe("connections_idle", "Connections that wait for a next request now."),
		most:    describe("connections_max", "Connections that may be open at once."),
		evicted: describe("connections_evicted_total", "Idle connections that were closed for new ones."),
		paused: describe("accept_pauses_total",
			"Times that no connection was accepted because each of as many as may be open carried a request."),
		refused: describe("accept_errors_total", "Attempts to accept a connection that failed."),
	}
}

// Describe implements prometheus.Collector.
func (c *connectionCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.open, c.idle, c.most, c.evicted, c.paused, c.refused} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *connectionCollector) Collect(to chan<- prometheus.Metric) {
	for _, k := range c.of {
		show := func(d *prometheus.Desc, kind prometheus.ValueType, value int64) {
			to <- prometheus.MustNewConstMetric(d, kind, float64(value), k.listener)
		}
		show(c.open, prometheus.GaugeValue, k.open.Load())
		show(c.idle, prometheus.GaugeValue, k.idle.Load())
		show(c.most, prometheus.GaugeValue, k.most)
		show(c.evicted, prometheus.CounterValue, k.evicted.Load())
		show(c.paused, prometheus.CounterValue, k.paused.Load())
		show(c.refused, prometheus.CounterValue, k.failed.Load())
	}
}
