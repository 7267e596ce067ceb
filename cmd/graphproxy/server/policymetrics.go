package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"graphproxy/policy"
)

// policyCollector shows the policy in force as metrics, read at each scrape.
type policyCollector struct {
	file                              *PolicyFile
	info, inForce, age, mode, callers *prometheus.Desc
}

func newPolicyCollector(p *PolicyFile) policyCollector {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("graphproxy_policy_"+name, help, labels, nil)
	}
	return policyCollector{
		file:    p,
		info:    describe("info", "1, labelled with the hash of the policy in force.", "hash"),
		inForce: describe("file_in_force", "1 while the policy file as it is now is the policy in force, else 0."),
		age:     describe("age_seconds", "How long the policy has been in force."),
		mode: describe("mode", "1 for the mode of the policy in force (enforce, report, or mixed), 0 for the others.",
			"mode"),
		callers: describe("callers", "Callers of the policy in force, by mode.", "mode"),
	}
}

// Describe implements prometheus.Collector.
func (c policyCollector) Describe(to chan<- *prometheus.Desc) {
	to <- c.info
	to <- c.inForce
	to <- c.age
	to <- c.mode
	to <- c.callers
}

// Collect implements prometheus.Collector.
func (c policyCollector) Collect(to chan<- prometheus.Metric) {
	now := c.file.state()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(c.info, 1, now.policy().Hash())
	gauge(c.inForce, number(now.isFile()))
	gauge(c.age, time.Since(now.since).Seconds())
	for _, mode := range [...]string{modeEnforce, modeReport, modeMixed} {
		gauge(c.mode, number(modeOf(now.policy()) == mode), mode)
	}
	report := reporting(now.policy())
	gauge(c.callers, float64(len(now.policy().Callers())-report), modeEnforce)
	gauge(c.callers, float64(report), modeReport)
}

// number is 1 for yes and 0 for no.
func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// The modes of a policy.
const (
	modeEnforce = "enforce"
	modeReport  = "report"
	modeMixed   = "mixed" // some callers are in report mode
)

// modeOf returns the policy's mode.
func modeOf(p *policy.Policy) string {
	switch reporting(p) {
	case 0:
		return modeEnforce
	case len(p.Callers()):
		return modeReport
	}
	return modeMixed
}

// reporting returns how many callers are in report mode.
func reporting(p *policy.Policy) int {
	n := 0
	for _, c := range p.Callers() {
		if p.Reports(c.Name) {
			n++
		}
	}
	return n
}
