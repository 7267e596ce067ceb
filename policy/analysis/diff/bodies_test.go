package diff_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"graphproxy/policy"
	"graphproxy/policy/analysis/diff"
)

// What conditions on bodies, and ends of rules, are drawn from.
var (
	allowBodies = []string{
		`importance: [low]`, `importance: [low, normal]`, `importance: ["*"]`, `importance: {values: [low], required: true}`,
		`importance: none`, `recipients: ["*@contoso.com"]`, `recipients: [a@contoso.com]`, `recipients: none`,
		`recipients: ["**"]`, `only: [importance, n]`, `only: [importance]`, `only: []`, `n: {max: 5}`, `n: {max: 50}`,
		`n: {max: 5, required: true}`, `n: ["5"]`, `flag: ["true"]`, `flag: ["true", "false"]`, `flag: ["t*"]`,
		`target: {targets: ["/users/{id}"]}`, `target: {targets: ["/users/{id}/**"]}`, `o: {only: [p]}`, `o/p: [x]`,
		`o/p: {required: true}`,
	}
	denyBodies = []string{
		`importance: [high]`,
		`importance: ["*"]`,
		`recipients: ["*@evil.example"]`,
		`recipients: ["**"]`,
		`n: ["5"]`,
		`flag: ["true"]`,
		`target: {targets: ["/users/{id}"]}`,
		`o/p: [x]`,
	}
	ends = []string{"", "", "", "2026-01-01", "2026-06-01", "2026-06-01T12:00:00Z"}

	bodies = []string{
		``, `{}`, `{"importance":"low"}`, `{"Importance":"NORMAL"}`, `{"importance":"high","n":5}`, `{"importance":null}`,
		`{"importance":""}`, `{"importance":["low","high"]}`, `{"importance":{}}`, `{"n":4}`, `{"n":5}`, `{"n":49}`,
		`{"n":"5"}`, `{"n":5.0}`, `{"n":[1,2,3,4,5,6]}`, `{"flag":true}`, `{"flag":false}`, `{"flag":"true"}`,
		`{"toRecipients":[{"emailAddress":{"address":"a@contoso.com"}}]}`,
		`{"toRecipients":[{"emailAddress":{"address":"b@contoso.com"}}]}`,
		`{"toRecipients":[{"emailAddress":{"address":"x@evil.example"}}]}`, `{"toRecipients":[{}]}`,
		`{"target":"/users/1"}`, `{"target":"users('1')/messages"}`, `{"target":"/groups/1"}`, `{"o":{"p":"x"}}`,
		`{"o":{"p":"y"}}`, `{"o":{"q":"x"}}`, `{"o":"x"}`, `{"x":1}`, `[]`, `{"a":1,"a":2}`,
	}
	times = []time.Time{{}, time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 6, 1, 13, 0, 0, 0, time.UTC)}
)

func drawBodyRule(t *rapid.T, pool []string) string {
	var settings []string
	if rapid.IntRange(0, 4).Draw(t, "bounded") > 0 {
		list := rapid.SliceOfNDistinct(rapid.SampledFrom(pool), 1, 3, func(s string) string {
			return s[:1] // one of o, o/p and only: some of them exclude each other
		}).Draw(t, "conditions")
		settings = append(settings, "body: {"+strings.Join(list, ", ")+"}")
	}
	if until := rapid.SampledFrom(ends).Draw(t, "until"); until != "" {
		settings = append(settings, "until: "+until)
	}
	rule := rapid.SampledFrom([]string{"POST /users", "ANY /users", "POST /users/**"}).Draw(t, "rule")
	if len(settings) == 0 {
		return `"` + rule + `"`
	}
	return `"` + rule + `": {` + strings.Join(settings, ", ") + "}"
}

// drawBodyPolicies draws two policies whose rules bound bodies, and have much in common.
func drawBodyPolicies(t *rapid.T) (old, newer *policy.Policy) {
	drawAll := func(pool []string, least int) (was, is []string) {
		for range rapid.IntRange(least, 3).Draw(t, "rules") {
			was = append(was, drawBodyRule(t, pool))
		}
		is = slices.Clone(was)
		for i := range is {
			if rapid.Bool().Draw(t, "changed") {
				is[i] = drawBodyRule(t, pool)
			}
		}
		return was, is
	}
	allowWas, allowIs := drawAll(allowBodies, 1)
	denyWas, denyIs := drawAll(denyBodies, 0)
	text := func(allow, deny []string) string {
		var b strings.Builder
		b.WriteString("version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow:")
		writeRules(&b, allow)
		if len(deny) > 0 {
			b.WriteString("    deny:")
			writeRules(&b, deny)
		}
		return b.String()
	}
	return parse(t, "old.yaml", text(allowWas, denyWas)), parse(t, "new.yaml", text(allowIs, denyIs))
}

// everyBody calls f with a request with each body at each time.
func everyBody(t fataler, f func(policy.Request)) {
	for _, text := range bodies {
		for _, at := range times {
			r, err := policy.ParseRequest("app", "POST /users")
			if err != nil {
				t.Fatalf("%v", err)
			}
			r.At, r.Body = at, &policy.Body{State: policy.BodyAbsent}
			if text != "" {
				r.Body = &policy.Body{State: policy.BodyJSON, Text: []byte(text)}
			}
			f(r)
		}
	}
}

func TestNothingGainedMeansNoBodyAllowed(t *testing.T) {
	changed := 0
	rapid.Check(t, func(t *rapid.T) {
		old, newer := drawBodyPolicies(t)
		d := diff.Policies(old, newer)
		gains, loses := false, false
		for _, c := range d.Callers {
			gains, loses = gains || c.Gains(), loses || c.Loses()
		}
		everyBody(t, func(r policy.Request) {
			was, is := old.Explain(r).Allow, newer.Explain(r).Allow
			if was != is {
				changed++
			}
			if is && !was && !gains || was && !is && !loses {
				t.Fatalf("%s at %v: allowed %t before, %t now; reported is %+v", r.Body.Text, r.At, was, is, d)
			}
		})
	})
	if changed == 0 {
		t.Error("no decision changed")
	}
}

func TestNarrowerAndWiderBoundsOnBodies(t *testing.T) {
	for _, c := range []struct {
		narrow, wide string
	}{
		{`body: {importance: [low]}`, `body: {importance: [low, normal]}`},
		{`body: {importance: [low]}`, ``},
		{`body: {importance: {values: [low], required: true}}`, `body: {importance: [low]}`},
		{`body: {recipients: [a@contoso.com]}`, `body: {recipients: ["*@contoso.com"]}`},
		{`body: {recipients: none}`, `body: {recipients: ["*@contoso.com"]}`},
		{`body: {only: [a]}`, `body: {only: [a, b]}`},
		{`body: {n: {max: 5}}`, `body: {n: {max: 50}}`},
		{`body: {a: none}`, ``},
		{`body: {a: none, b: [x]}`, `body: {b: [x]}`},
		{`body: {r: {targets: ["/users/{id}"]}}`, `body: {r: {targets: ["/users/{id}/**"]}}`},
		{`until: 2026-01-01`, `until: 2026-02-01`},
		{`until: 2026-01-01`, ``},
	} {
		policyOf := func(settings string) *policy.Policy {
			rule := "POST /users"
			if settings != "" {
				rule += ": {" + settings + "}"
			}
			return parse(t, "policy.yaml",
				"version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow:\n      - "+rule+"\n")
		}
		for _, pair := range [][2]string{{c.narrow, c.wide}, {c.wide, c.narrow}} {
			d := diff.Policies(policyOf(pair[0]), policyOf(pair[1]))
			got := "nothing"
			if len(d.Callers) == 1 {
				got = fmt.Sprintf("gains %t, loses %t", d.Callers[0].Gains(), d.Callers[0].Loses())
			}
			want := "gains true, loses false"
			if pair[0] == c.wide {
				want = "gains false, loses true"
			}
			if got != want {
				t.Errorf("from {%s} to {%s}: %s, want %s", pair[0], pair[1], got, want)
			}
		}
	}
}
