package meter_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"graphproxy/policy"
	"graphproxy/policy/limit"
	"graphproxy/proxy/meter"
)

const twoCallers = `
version: 1
limits:
  whole: {rate: 10/s, per: [caller]}
callers:
  app:
    identity: [{network: [192.0.2.0/24]}]
    limit: 5/s
    allow:
      - GET /users
      - GET /groups: {limit: {concurrency: 3}}
    deny:
      - GET /users/{id}
  hr:
    identity: [{network: [198.51.100.0/24]}]
    allow: [GET /users, GET /sites]
`

func parse(t testing.TB, file string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// metrics are a Meter and its registry.
type metrics struct {
	*meter.Meter
	registry *prometheus.Registry
}

func newMetrics(t testing.TB, p *policy.Policy, s meter.Sources) metrics {
	t.Helper()
	m := metrics{meter.New(p, s), prometheus.NewPedanticRegistry()}
	if err := m.Register(m.registry); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m metrics) families(t testing.TB) []*dto.MetricFamily {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// read returns the series of some metrics with their values, as "name{caller=app}".
func (m metrics) read(t testing.TB, names ...string) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for _, f := range m.families(t) {
		name := strings.TrimPrefix(f.GetName(), "graphproxy_")
		if !slices.Contains(names, name) {
			continue
		}
		for _, one := range f.GetMetric() {
			var labels []string
			for _, l := range one.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			all[name+"{"+strings.Join(labels, ",")+"}"] = one.GetCounter().GetValue() + one.GetGauge().GetValue()
		}
	}
	return all
}

// series is how many series there are.
func (m metrics) series(t testing.TB) int {
	n := 0
	for _, f := range m.families(t) {
		n += len(f.GetMetric())
	}
	return n
}

// ruleOf returns a rule of a caller by its text.
func ruleOf(t testing.TB, p *policy.Policy, caller, text string) *policy.Rule {
	t.Helper()
	allow, deny := p.Rules(caller)
	for _, r := range slices.Concat(allow, deny) {
		if r.Text == text {
			return r
		}
	}
	t.Fatalf("%s has no rule %q", caller, text)
	return nil
}

func TestARequestCountsOnceByCallerRuleMethodDecisionAndClass(t *testing.T) {
	p := parse(t, twoCallers)
	users := ruleOf(t, p, "app", "GET /users")
	for _, tt := range []struct {
		name    string
		outcome meter.Outcome
		want    string
	}{
		{"an answer", meter.Outcome{Caller: "app", Rule: users, Method: "GET", Decision: "allow", Status: 200},
			"caller=app,decision=allow,method=GET,rule=policy.yaml:10,status_class=2xx"},
		{"another status of the class",
			meter.Outcome{Caller: "app", Rule: users, Method: "GET", Decision: "allow", Status: 206},
			"caller=app,decision=allow,method=GET,rule=policy.yaml:10,status_class=2xx"},
		{"not modified", meter.Outcome{Caller: "app", Rule: users, Method: "HEAD", Decision: "allow", Status: 304},
			"caller=app,decision=allow,method=HEAD,rule=policy.yaml:10,status_class=3xx"},
		{"no rule", meter.Outcome{Caller: "app", Method: "DELETE", Decision: "deny", Status: 403},
			"caller=app,decision=deny,method=DELETE,rule=,status_class=4xx"},
		{"a deny rule", meter.Outcome{
			Caller:   "app",
			Rule:     ruleOf(t, p, "app", "GET /users/{id}"),
			Method:   "GET",
			Decision: "deny",
			Status:   403,
		},
			"caller=app,decision=deny,method=GET,rule=policy.yaml:13,status_class=4xx"},
		{"a limit",
			meter.Outcome{Caller: "hr", Rule: ruleOf(t, p, "hr", "GET /sites"), Method: "GET", Decision: "limit", Status: 429},
			"caller=hr,decision=limit,method=GET,rule=policy.yaml:16,status_class=4xx"},
		{"a caller that is not known", meter.Outcome{Method: "GET", Decision: "refuse", Status: 401},
			"caller=,decision=refuse,method=GET,rule=,status_class=4xx"},
		{"a caller that the policy does not name",
			meter.Outcome{Caller: "gone", Rule: users, Method: "PUT", Decision: "allow", Status: 503},
			"caller=,decision=allow,method=PUT,rule=,status_class=5xx"},
		{"a method that Graph does not have", meter.Outcome{Method: "PROPFIND", Decision: "refuse", Status: 405},
			"caller=,decision=refuse,method=other,rule=,status_class=4xx"},
		{"a method in small letters", meter.Outcome{Method: "get", Decision: "refuse", Status: 405},
			"caller=,decision=refuse,method=other,rule=,status_class=4xx"},
		{"no status", meter.Outcome{Method: "GET", Decision: "refuse"},
			"caller=,decision=refuse,method=GET,rule=,status_class=other"},
		{"a status beyond HTTP", meter.Outcome{Method: "GET", Decision: "x", Status: 600},
			"caller=,decision=other,method=GET,rule=,status_class=other"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMetrics(t, p, meter.Sources{})
			m.Request(tt.outcome)
			want := map[string]float64{"requests_total{" + tt.want + "}": 1}
			if diff := cmp.Diff(want, m.read(t, "requests_total", "batch_items_total")); diff != "" {
				t.Error(diff)
			}
			m = newMetrics(t, p, meter.Sources{})
			m.Item(tt.outcome)
			m.Item(tt.outcome)
			want = map[string]float64{"batch_items_total{" + tt.want + "}": 2}
			if diff := cmp.Diff(want, m.read(t, "requests_total", "batch_items_total")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAReloadKeepsWhatThePoliciesHaveInCommon(t *testing.T) {
	before := parse(t, twoCallers)
	m := newMetrics(t, before, meter.Sources{})
	count := func(p *policy.Policy, caller, text string) {
		m.Request(meter.Outcome{
			Caller:   caller,
			Rule:     ruleOf(t, p, caller, text),
			Method:   "GET",
			Decision: "allow",
			Status:   200,
		})
	}
	count(before, "app", "GET /users")
	count(before, "app", "GET /groups")
	count(before, "hr", "GET /sites")
	m.Allowed([]limit.Charge{{Limit: before.CallerLimit("app")}, {Limit: before.Limits()[0].Limit}})

	after := parse(t,
		strings.NewReplacer("GET /groups:", "GET /teams: ", "  hr:", "  it:", "whole", "all").Replace(twoCallers))
	m.Use(after)
	count(before, "app", "GET /users") // it was under way
	count(before, "app", "GET /groups")
	count(before, "hr", "GET /sites")
	count(after, "app", "GET /users")
	count(after, "it", "GET /sites")
	m.Allowed([]limit.Charge{{Limit: before.CallerLimit("app")}, {Limit: before.Limits()[0].Limit}})
	m.Refused(&limit.Refusal{Limit: after.Limits()[0].Limit})

	allowed := ",decision=allow,method=GET,rule=%s,status_class=2xx}"
	want := map[string]float64{
		"requests_total{caller=app" + fmt.Sprintf(allowed, "policy.yaml:10"): 3,
		"requests_total{caller=app" + fmt.Sprintf(allowed, ""):               1, // of a removed rule
		"requests_total{caller=" + fmt.Sprintf(allowed, ""):                  1, // of a removed caller
		"requests_total{caller=it" + fmt.Sprintf(allowed, "policy.yaml:16"):  1,

		"limit_requests_total{limit=callers.app.limit,result=allowed}":         2,
		"limit_requests_total{limit=callers.app.limit,result=refused}":         0,
		"limit_requests_total{limit=policy.yaml:11 GET /teams,result=allowed}": 0,
		"limit_requests_total{limit=policy.yaml:11 GET /teams,result=refused}": 0,
		"limit_requests_total{limit=limits.all,result=allowed}":                0,
		"limit_requests_total{limit=limits.all,result=refused}":                1,
	}
	if diff := cmp.Diff(want, m.read(t, "requests_total", "limit_requests_total")); diff != "" {
		t.Error(diff)
	}
}

// Rules on one line have one name in the label, and so one series.
func TestRulesOnOneLineCountTogether(t *testing.T) {
	p := parse(t, twoCallers)
	m := newMetrics(t, p, meter.Sources{})
	for range 2 {
		for _, text := range []string{"GET /users", "GET /sites"} {
			m.Request(meter.Outcome{Caller: "hr", Rule: ruleOf(t, p, "hr", text), Method: "GET", Decision: "allow", Status: 200})
		}
		m.Use(parse(t, twoCallers))
	}
	want := map[string]float64{
		"requests_total{caller=hr,decision=allow,method=GET,rule=policy.yaml:16,status_class=2xx}": 4,
	}
	if diff := cmp.Diff(want, m.read(t, "requests_total")); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsLookedUpAtEachReading(t *testing.T) {
	m := newMetrics(t, parse(t, twoCallers), meter.Sources{
		Waiting:  func() (int, map[string]int) { return 3, map[string]int{"limits.whole": 2, "limits.gone": 1} },
		Fill:     func() map[string]float64 { return map[string]float64{"limits.whole": .25, "limits.gone": 0} },
		Held:     func() int64 { return 4096 },
		Services: func() []meter.Service { return []meter.Service{{"outlook", 1, 2, 3, 1.2}} },
	})
	m.InFlight.Store(7)
	m.Connections.Idle.Store(5)
	got := m.read(t, "requests_in_flight", "requests_waiting", "held_bytes", "limit_waiting", "limit_fill_ratio",
		"graph_connections_idle",
		"throttle_responses_total", "throttle_held_total", "throttle_holds", "throttle_limit_percentage_ratio")
	want := map[string]float64{
		"requests_in_flight{}": 7, "requests_waiting{}": 3, "held_bytes{}": 4096, "graph_connections_idle{}": 5,
		"limit_waiting{limit=limits.whole}": 2, "limit_waiting{limit=callers.app.limit}": 0,
		"limit_waiting{limit=policy.yaml:11 GET /groups}": 0,
		"limit_fill_ratio{limit=limits.whole}":            .25, "limit_fill_ratio{limit=callers.app.limit}": 1,
		"limit_fill_ratio{limit=policy.yaml:11 GET /groups}": 1,
		"throttle_responses_total{service=outlook}":          1, "throttle_held_total{service=outlook}": 2,
		"throttle_holds{service=outlook}": 3, "throttle_limit_percentage_ratio{service=outlook}": 1.2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReasonsAreBounded(t *testing.T) {
	m := newMetrics(t, parse(t, twoCallers), meter.Sources{})
	for i := range 10_000 {
		m.Request(meter.Outcome{Method: "GET", Decision: "refuse", Status: 400, Refusal: fmt.Sprintf("reason%d", i)})
	}
	got := m.read(t, "refusals_total")
	if n := got["refusals_total{reason=other}"]; len(got) > 129 || n < 9_000 {
		t.Errorf("%d series, %v of other reasons", len(got), n)
	}
	sum := 0.0
	for n := range maps.Values(got) {
		sum += n
	}
	if sum != 10_000 {
		t.Errorf("%v counted", sum)
	}
}

// A thousand policies with different names are used, each with requests: only the names of the last one remain.
func TestAThousandReloadsLeaveNoSeriesBehind(t *testing.T) {
	m := newMetrics(t, parse(t, twoCallers), meter.Sources{})
	for i := range 1000 {
		name := func(s string) string { return fmt.Sprintf("%s-%d", s, i) }
		p := parse(t, strings.NewReplacer("app", name("app"), "hr", name("hr"), "whole", name("whole")).Replace(twoCallers))
		m.Use(p)
		for _, c := range p.Callers() {
			allow, deny := p.Rules(c.Name)
			for _, r := range append(slices.Concat(allow, deny), nil) {
				m.Request(meter.Outcome{Caller: c.Name, Rule: r, Method: "GET", Decision: "allow", Status: 200})
			}
		}
		m.Refused(&limit.Refusal{Limit: p.Limits()[0].Limit})
	}
	// 3 rules on as many lines and none, 2 on one line and none; 3 limits of 4 series each; 9 others.
	if n := m.series(t); n > 4+2+12+9+10 {
		t.Errorf("%d series", n)
	}
	for series := range m.read(t, "requests_total", "limit_requests_total") {
		if !strings.Contains(series, "-999") && !strings.Contains(series, "=policy.yaml:11 GET /groups,") {
			t.Errorf("%s is left", series)
		}
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	p := parse(t, twoCallers)
	m := newMetrics(t, p, meter.Sources{})
	o := meter.Outcome{
		Caller:   "app",
		Rule:     ruleOf(t, p, "app", "GET /users"),
		Method:   "GET",
		Decision: "allow",
		Status:   200,
		Refusal:  "graphBrokeOff",
	}
	charges := []limit.Charge{{Limit: p.CallerLimit("app")}, {Limit: p.Limits()[0].Limit}}
	if n := testing.AllocsPerRun(1000, func() { count(m, o, charges) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkCounting counts everything for one request.
func BenchmarkCounting(b *testing.B) {
	p := parse(b, twoCallers)
	m := newMetrics(b, p, meter.Sources{})
	o := meter.Outcome{
		Caller:   "app",
		Rule:     ruleOf(b, p, "app", "GET /users"),
		Method:   "GET",
		Decision: "allow",
		Status:   200,
	}
	charges := []limit.Charge{{Limit: p.CallerLimit("app")}, {Limit: p.Limits()[0].Limit}}
	b.ReportAllocs()
	for b.Loop() {
		count(m, o, charges)
	}
}

func count(m metrics, o meter.Outcome, charges []limit.Charge) {
	m.InFlight.Add(1)
	m.Allowed(charges)
	m.Durations.Graph.Observe(.0123)
	m.Durations.Total.Observe(.0124)
	m.Durations.Own.Observe(.0001)
	m.Durations.Waiting.Observe(.002)
	m.Request(o)
	m.InFlight.Add(-1)
}

// A histogram has classic buckets and native ones.
func TestDurationsHaveClassicAndNativeBuckets(t *testing.T) {
	m := newMetrics(t, parse(t, twoCallers), meter.Sources{})
	m.Durations.Own.Observe(.00012)
	found := 0
	for _, f := range m.families(t) {
		if f.GetType() != dto.MetricType_HISTOGRAM {
			continue
		}
		found++
		h := f.GetMetric()[0].GetHistogram()
		if len(h.GetBucket()) < 10 || h.Schema == nil || h.GetSchema() < 3 {
			t.Errorf("%s: %d classic buckets, schema %v", f.GetName(), len(h.GetBucket()), h.Schema)
		}
	}
	if found != 4 {
		t.Errorf("%d histograms", found)
	}
}
