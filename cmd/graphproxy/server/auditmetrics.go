package server

import "github.com/prometheus/client_golang/prometheus"

// auditCollector shows the audit log in /metrics.
type auditCollector struct {
	audit                  *AuditLog
	written, waiting, lost *prometheus.Desc
}

func newAuditCollector(a *AuditLog) *auditCollector {
	describe := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("graphproxy_audit_lines_"+name, help, nil, nil)
	}
	return &auditCollector{
		audit:   a,
		written: describe("written_total", "Audit lines written."),
		waiting: describe("waiting", "Audit lines that wait to be written."),
		lost:    describe("lost_total", "Audit lines dropped because they could not be written."),
	}
}

// Describe implements prometheus.Collector.
func (c *auditCollector) Describe(to chan<- *prometheus.Desc) {
	to <- c.written
	to <- c.waiting
	to <- c.lost
}

// Collect implements prometheus.Collector.
func (c *auditCollector) Collect(to chan<- prometheus.Metric) {
	s := c.audit.State()
	to <- prometheus.MustNewConstMetric(c.written, prometheus.CounterValue, float64(s.Written))
	to <- prometheus.MustNewConstMetric(c.waiting, prometheus.GaugeValue, float64(s.Waiting))
	to <- prometheus.MustNewConstMetric(c.lost, prometheus.CounterValue, float64(s.Lost))
}
