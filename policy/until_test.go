package policy_test

import (
	"strings"
	"testing"
	"time"

	"graphproxy/policy"
)

const ending = `version: 1
mode: report
rules:
  set:
    - PATCH /users/{id}
callers:
  app:
    identity: [{network: [10.0.0.0/8]}]
    until: 2027-06-30
    mode: enforce
    allow:
      - GET /users/{id}: {until: "2026-12-31T18:00:00+01:00"}
      - include: set
        until: 2026-11-30
      - GET /groups
    deny:
      - GET /groups: {until: 2026-12-01}
  other:
    identity: [{network: [11.0.0.0/8]}]
    until: 2026-12-31T00:00:00Z
    allow: [{include: set}]
`

func TestAGrantEnds(t *testing.T) {
	p, err := policy.Parse("policy.yaml", []byte(ending))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, caller, request, at string
		allow                     bool
		reason                    string
	}{
		{"a rule before its end", "app", "GET /users/1", "2026-12-31T16:59:59Z", true, ""},
		{"a rule at its end", "app", "GET /users/1", "2026-12-31T17:00:00Z", false, "until"},
		{"an include on its last day", "app", "PATCH /users/1", "2026-11-30T23:59:59Z", true, ""},
		{"an include after its last day", "app", "PATCH /users/1", "2026-12-01T00:00:00Z", false, "until"},
		{"the same set without an end", "other", "PATCH /users/1", "2026-12-30T00:00:00Z", true, ""},
		{"a deny rule before its end", "app", "GET /groups", "2026-12-01T23:00:00Z", false, "denied"},
		{"a deny rule after its end", "app", "GET /groups", "2026-12-02T00:00:00Z", true, ""},
		{"a caller after its end", "app", "GET /groups", "2027-07-01T00:00:00Z", false, policy.ReasonEnded},
		{
			"a caller in report mode after its end",
			"other",
			"PATCH /users/1",
			"2026-12-31T00:00:00Z",
			false,
			policy.ReasonEnded,
		},
		{"without a time", "app", "GET /users/1", "", true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := policy.ParseRequest(c.caller, c.request)
			if err != nil {
				t.Fatal(err)
			}
			if c.at != "" {
				if r.At, err = time.Parse(time.RFC3339, c.at); err != nil {
					t.Fatal(err)
				}
			}
			d := p.Decide(r)
			if d.Allow != c.allow || d.Reason != c.reason {
				t.Errorf("Allow %v, Reason %q", d.Allow, d.Reason)
			}
			if text := p.Denial(r, d); !d.Allow && c.reason == "until" && !strings.Contains(text, "has ended at 2026-") {
				t.Errorf("denial %q", text)
			}
			if e := p.Explain(r); e.Allow != c.allow {
				t.Errorf("explained as %v: %s", e.Allow, e)
			}
		})
	}
}

func TestACaseMaySetWhenItIsJudged(t *testing.T) {
	text := ending + `tests:
  - caller: app
    at: 2026-12-31
    allow: GET /users/1
    deny: PATCH /users/1
  - caller: app
    deny: GET /users/1
`
	at := func(s string) time.Time {
		when, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	if _, err := policy.ParseAt(at("2027-01-01"), "policy.yaml", []byte(text)); err != nil {
		t.Error(err)
	}
	if _, err := policy.ParseAt(at("2026-12-31"), "policy.yaml", []byte(text)); err == nil {
		t.Error("the last test does not fail before the end")
	}
}

func TestAnEndHasAZoneOrIsADate(t *testing.T) {
	for _, bad := range []string{"2026-12-31T18:00:00", "2026-12-31 18:00", "tomorrow", "2026-13-01", "2026-12",
		"1700000000"} {
		text := strings.Replace(ending, "until: 2027-06-30", "until: "+bad, 1)
		_, err := policy.Parse("policy.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), "policy.yaml:9: callers.app.until: ") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestReadIsForWhatOnlyReads(t *testing.T) {
	p := bodyPolicy(t,
		"\n      - READ /users/**\n      - READ /directoryObjects/getByIds\n      - POST /groups/getByIds\n      - POST "+
			"/groups",
		"\n      - READ /users/ceo@contoso.com/**")
	for request, want := range map[string]bool{
		"GET /users/1":                                 true,
		"HEAD /users/1":                                true,
		"POST /users/1/getMemberGroups":                true,
		"POST /users('1')/microsoft.graph.getMailTips": true,
		"POST /users/1/sendMail":                       false,
		"PATCH /users/1":                               false,
		"POST /directoryObjects/getByIds":              true,
		"GET /directoryObjects/getByIds":               true,
		"POST /groups/getByIds":                        true,
		"POST /users":                                  false,
		"POST /users/getByIds":                         true,
		"POST /users/ceo@contoso.com/getMemberGroups":  false,
		"GET /users/ceo@contoso.com":                   false,
	} {
		if d := p.Decide(sent(t, request, "")); d.Allow != want {
			t.Errorf("%s: %v (%s)", request, d.Allow, d.Reason)
		}
	}
	allow, _ := p.Rules("app")
	if got := allow[0].Text; got != "READ /users/**" {
		t.Errorf("the rule reads %q", got)
	}
}
