package policy_test

import (
	"strings"
	"testing"

	"graphproxy/policy"
)

func TestACallersShareOfRequestsInFlight(t *testing.T) {
	for text, want := range map[string]policy.Share{
		"200":          {Requests: 200},
		"1":            {Requests: 1},
		"1000000000":   {Requests: 1_000_000_000},
		`"200"`:        {Requests: 200},
		"25%":          {Percent: 25},
		"'100%'":       {Percent: 100},
		"1%":           {Percent: 1},
		"12 # a third": {Requests: 12},
	} {
		p := app(t, "in_flight: "+text+"\nallow: [GET /users]")
		if got := p.Callers()[0].InFlight; got != want {
			t.Errorf("%s is %+v, want %+v", text, got, want)
		}
		if e := p.Explain(request(t, "app", "GET /users")); e.InFlight != want.String() {
			t.Errorf("%s is explained as %q", text, e.InFlight)
		}
	}
	p := app(t, "allow: [GET /users]")
	if got := p.Callers()[0].InFlight; got != (policy.Share{}) || got.String() != "" {
		t.Errorf("without in_flight: %+v", got)
	}
}

func TestAShareThatIsNoneIsRefusedWithTheCure(t *testing.T) {
	for _, text := range []string{
		"0", "-1", "0%", "101%", "200%", "50 %", "'%'", "50%%", "1.5", "1.5%", "half", "1e3", "0x10", "010", "1_000", "+5",
		"1000000001", "all", `""`, "[1]", "{max: 1}", "",
	} {
		_, err := policy.Parse("policy.yaml",
			[]byte("version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow: [GET /users]\n    in_flight: "+text+"\n"))
		if err == nil || !strings.Contains(err.Error(), "policy.yaml:6: callers.app.in_flight: ") ||
			!strings.Contains(err.Error(), "such as 200") {
			t.Errorf("in_flight: %s: %v", text, err)
		}
	}
}

func TestWhatABatchTakesBeforeItsItemsAreRead(t *testing.T) {
	p := load(t, `version: 1
limits:
  all: {concurrency: 50}
  each: {concurrency: 9, rate: 5/s, per: [caller]}
  app: {concurrency: 8, per: [app]}
  both: {concurrency: 7, per: [caller, app]}
  mail: {concurrency: 2, per: [caller], covers: ["ANY /users/{id}/messages/**"]}
  rate: {rate: 1/s, per: [caller]}
callers:
  app:
    identity: [anyone]
    limit: {concurrency: 4, rate: 2/s}
    app: hr
    allow: [GET /users]
  other:
    identity: [{network: 10.0.0.0/8}]
    allow: [GET /users]
`)
	got := make(map[string]string)
	for _, c := range p.EnvelopeCharges(nil, request(t, "app", "POST /$batch")) {
		got[c.Limit.Name] = c.Key
		if !c.Slot || c.Rate() != 0 {
			t.Errorf("%s: it takes units", c.Limit.Name)
		}
	}
	want := map[string]string{"callers.app.limit": "", "limits.each": "caller=app", "limits.both": "caller=app&app=hr"}
	for name, key := range want {
		if k, found := got[name]; !found || k != key {
			t.Errorf("%s: %q %v, want %q", name, k, found, key)
		}
	}
	if len(got) != len(want) {
		t.Errorf("it claims %v", got)
	}
	if n := len(p.EnvelopeCharges(nil, request(t, "nobody", "POST /$batch"))); n != 0 {
		t.Errorf("an unknown caller claims %d", n)
	}
}
