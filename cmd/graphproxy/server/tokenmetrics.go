package server

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"graphproxy/auth"
)

// tokenCollector shows the state of all sources as metrics, read at each scrape.
type tokenCollector struct {
	apps                          *apps
	ready, expiry, age, left      *prometheus.Desc
	acquisitions, failures, codes *prometheus.Desc
	file                          *prometheus.Desc
}

func newTokenCollector(a *apps) tokenCollector {
	describe := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc("graphproxy_"+name, help, append([]string{"app", "tenant"}, more...), nil)
	}
	return tokenCollector{
		apps:  a,
		ready: describe("token_ready", "1 while there is an access token that can be used, else 0."),
		expiry: describe("token_expiry_timestamp_seconds",
			"When the access token in hand expires, in seconds since 1970; 0 if there is none."),
		age: describe("token_age_seconds",
			"How long ago the access token in hand was acquired; 0 if there is none."),
		left:         describe("token_left_seconds", "How long the access token in hand still lives; 0 if there is none."),
		acquisitions: describe("token_acquisitions_total", "Access tokens acquired."),
		failures:     describe("token_failures_total", "Attempts to acquire an access token that failed."),
		codes: describe("token_failures_by_code_total",
			"Attempts that failed, by number of the AADSTS error: none without one, other beyond the first fifty.", "aadsts"),
		file: describe("credential_file_in_force",
			"1 while the file of the credential as it is now is the credential in use, else 0."),
	}
}

// Describe implements prometheus.Collector.
func (c tokenCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range [...]*prometheus.Desc{c.ready, c.expiry, c.age, c.left, c.acquisitions, c.failures, c.codes,
		c.file} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c tokenCollector) Collect(to chan<- prometheus.Metric) {
	now := time.Now()
	for _, source := range c.apps.all() {
		c.collect(to, source.Status(), now)
	}
}

func (c tokenCollector) collect(to chan<- prometheus.Metric, s auth.Status, now time.Time) {
	emit := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, more ...string) {
		to <- prometheus.MustNewConstMetric(d, kind, value, append([]string{s.App, s.Tenant}, more...)...)
	}
	var expiry, age, left float64
	if !s.Expires.IsZero() {
		expiry = float64(s.Expires.Unix())
		age, left = max(0, now.Sub(s.Acquired).Seconds()), max(0, s.Expires.Sub(now).Seconds())
	}
	emit(c.ready, prometheus.GaugeValue, number(s.Ready))
	emit(c.expiry, prometheus.GaugeValue, expiry)
	emit(c.age, prometheus.GaugeValue, age)
	emit(c.left, prometheus.GaugeValue, left)
	emit(c.acquisitions, prometheus.CounterValue, float64(s.Acquisitions))
	emit(c.failures, prometheus.CounterValue, float64(s.Failures))
	for code, n := range s.FailuresByCode {
		emit(c.codes, prometheus.CounterValue, float64(n), codeLabel(code))
	}
	if s.File {
		emit(c.file, prometheus.GaugeValue, number(s.FileErr == ""))
	}
}

// codeLabel returns an AADSTS code as a label.
func codeLabel(code int) string {
	switch code {
	case 0:
		return "none"
	case auth.OtherCodes:
		return "other"
	}
	return strconv.Itoa(code)
}
