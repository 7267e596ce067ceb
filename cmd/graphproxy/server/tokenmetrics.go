package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"graphproxy/auth"
)

// tokenCollector shows the state of all sources as metrics, read when they are asked for.
type tokenCollector struct {
	apps                                  *apps
	ready, expiry, acquisitions, failures *prometheus.Desc
}

func newTokenCollector(a *apps) tokenCollector {
	describe := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("graphproxy_token_"+name, help, []string{"app", "tenant"}, nil)
	}
	return tokenCollector{
		apps:  a,
		ready: describe("ready", "1 while there is an access token that can be used, else 0."),
		expiry: describe("expiry_timestamp_seconds",
			"When the access token in hand expires, in seconds since 1970; 0 if there is none."),
		acquisitions: describe("acquisitions_total", "Access tokens acquired."),
		failures:     describe("failures_total", "Attempts to acquire an access token that failed."),
	}
}

// Describe implements prometheus.Collector.
func (c tokenCollector) Describe(to chan<- *prometheus.Desc) {
	to <- c.ready
	to <- c.expiry
	to <- c.acquisitions
	to <- c.failures
}

// Collect implements prometheus.Collector.
func (c tokenCollector) Collect(to chan<- prometheus.Metric) {
	for _, source := range c.apps.all() {
		c.collect(to, source.Status())
	}
}

func (c tokenCollector) collect(to chan<- prometheus.Metric, s auth.Status) {
	var ready, expiry float64
	if s.Ready {
		ready = 1
	}
	if !s.Expires.IsZero() {
		expiry = float64(s.Expires.Unix())
	}
	to <- prometheus.MustNewConstMetric(c.ready, prometheus.GaugeValue, ready, s.App, s.Tenant)
	to <- prometheus.MustNewConstMetric(c.expiry, prometheus.GaugeValue, expiry, s.App, s.Tenant)
	to <- prometheus.MustNewConstMetric(c.acquisitions, prometheus.CounterValue, float64(s.Acquisitions), s.App, s.Tenant)
	to <- prometheus.MustNewConstMetric(c.failures, prometheus.CounterValue, float64(s.Failures), s.App, s.Tenant)
}
