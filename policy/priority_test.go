package policy_test

import "testing"

func TestThePriorityIsThatOfTheRuleOrElseOfTheCaller(t *testing.T) {
	p := load(t, `version: 1
callers:
  batch:
    identity: [{network: 10.1.0.0/16}]
    priority: low
    mode: report
    allow:
      - GET /users
      - GET /users/{id}: {priority: high}
    deny: [GET /groups]
  plain:
    identity: [{network: 10.2.0.0/16}]
    allow:
      - GET /users
      - GET /users/{id}: {priority: normal}
`)
	for _, tt := range []struct{ name, caller, request, want string }{
		{"a rule without one has the caller's", "batch", "GET /users", "low"},
		{"a rule's own wins", "batch", "GET /users/7", "high"},
		{"what report mode lets through has the caller's", "batch", "GET /groups", "low"},
		{"none names none", "plain", "GET /users", ""},
		{"normal is named when it is written", "plain", "GET /users/7", "normal"},
		{"an unknown caller has none", "nobody", "GET /users", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := request(t, tt.caller, tt.request)
			if d := p.Decide(r); d.Priority != tt.want {
				t.Errorf("priority %q, want %q", d.Priority, tt.want)
			}
			if e := p.Explain(r); e.Priority != tt.want {
				t.Errorf("explained as %q, want %q", e.Priority, tt.want)
			}
		})
	}
}

func TestLimitsAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]struct {
		unit  string
		burst int
		wait  string
	}{
		"20/s":         {"requests", 20, "0s"},
		"{rate: 20/s}": {"requests", 20, "0s"},
		"{rate: 20/s, wait: 500ms, unit: requests}":          {"requests", 20, "500ms"},
		"{rate: 3500/10s, wait: 5m, unit: resource-units}":   {"resource-units", 350, "5m0s"},
		"{rate: 1/s, unit: resource-units}":                  {"resource-units", 6, "0s"}, // the cost of one request
		"{rate: 1/s, burst: 7, unit: resource-units}":        {"resource-units", 7, "0s"},
		"{concurrency: 2, wait: 10s}":                        {"requests", 0, "10s"},
		"{rate: 10/s, concurrency: 2, unit: resource-units}": {"resource-units", 10, "0s"},
	} {
		l := app(t, "limit: "+text+"\nallow: [GET /users]").CallerLimit("app")
		if l.Unit.String() != want.unit || l.Burst != want.burst || l.Wait.String() != want.wait {
			t.Errorf("%s is %+v", text, *l)
		}
	}
}

func TestBucketsOfEachTenant(t *testing.T) {
	p := load(t, `version: 1
limits:
  directory: {rate: 3500/10s, unit: resource-units, per: [app, tenant]}
callers:
  app:
    identity: [anyone]
    app: hr
    tenant: Contoso.example
    allow:
      - GET /users
      - GET /groups: {app: writer}
`)
	for text, want := range map[string]string{
		"GET /users": "app=hr&tenant=contoso.example", "GET /groups": "app=writer&tenant=default",
	} {
		r := request(t, "app", text)
		if got := p.Charges(nil, r, p.Decide(r)); len(got) != 1 || got[0].Key != want {
			t.Errorf("%s claims %+v, want %q", text, got, want)
		}
	}
	r := request(t, "app", "GET /users")
	room := p.Charges(nil, r, p.Decide(r))[:0]
	plain := load(t,
		"version: 1\nlimits: {units: {rate: 10/s, unit: resource-units}}\ncallers: {app: {identity: [anyone], allow: [GET "+
			"/users]}}")
	d := plain.Decide(r)
	if n := testing.AllocsPerRun(100, func() { room = plain.Charges(room[:0], r, d) }); n != 0 {
		t.Errorf("a claim in resource units allocates %v times", n)
	}
}
