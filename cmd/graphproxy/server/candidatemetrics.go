package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// candidateCollector shows the candidate policy as metrics, read at each scrape.
type candidateCollector struct {
	file              *CandidateFile
	info, loaded, age *prometheus.Desc
}

func newCandidateCollector(c *CandidateFile) candidateCollector {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("graphproxy_candidate_"+name, help, labels, nil)
	}
	return candidateCollector{
		file:   c,
		info:   describe("info", "1, labelled with the hash of the candidate policy.", "hash"),
		loaded: describe("loaded", "1 while requests are judged by the candidate policy's file as it is now, else 0."),
		age:    describe("age_seconds", "How long ago the candidate policy was loaded."),
	}
}

// Describe implements prometheus.Collector.
func (c candidateCollector) Describe(to chan<- *prometheus.Desc) {
	to <- c.info
	to <- c.loaded
	to <- c.age
}

// Collect implements prometheus.Collector.
func (c candidateCollector) Collect(to chan<- prometheus.Metric) {
	now := c.file.state()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(c.loaded, number(now.isFile()))
	if hash := now.hash(); hash != "" {
		gauge(c.info, 1, hash)
		gauge(c.age, time.Since(now.since).Seconds())
	}
}
