package diff_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"graphproxy/policy"
	"graphproxy/policy/analysis/diff"
)

var (
	methods   = []string{"GET", "POST", "GET,POST", "DELETE", "ANY", "PATCH,GET"}
	templates = []string{
		"/users", "/users/{id}", "/users/{user}", "/users/{u}/**", "/users/ceo", "/users/**", "/users/{id}/messages",
		"/users/{id}/messages/{m}", "/users/delta", "/beta/users/{id}", "/groups/{id}/members/$ref",
		"/drives/{d}/root:/{path}:/children", "/drives/{d}/**", "/reports/f(period={period})",
		"/users/{id}/microsoft.graph.manager", "/groups/{id}/members/microsoft.graph.user", "/groups/**", "/groups/foo()",
		"/groups/foo/bar", "/groups/{id}/bar", "/users/getX", "/users/getX/**", "/users(userPrincipalName={upn})",
	}
	values       = []string{"a", "b", "a*", "*", "**", "ceo", "*@contoso.com", "Reports/**", "D7"}
	allowOptions = []string{
		"$top: 5", "$top: 50", "$top: none", "$select: [id]", "$select: [id, mail]", "$select: none", "$expand: [members]",
		"$expand: [members, manager]", "$expand: ['members($select=id)']", "$expand: none", "$filter: [\"a eq '*'\"]",
		"$filter: ['**']", "$search: none", "$apply: ['x']", "$compute: none",
	}
	denyOptions = []string{"$select: [mail]", "$select: [id, mail]", "$expand: [members]", "$filter: [\"a eq '*'\"]",
		"$search: ['**']", "$top: ['**']", "$apply: ['**']"}

	targets = []string{
		"/users", "/users/a", "/users/b", "/users/ceo", "/users('ceo')", "/users/ab", "/users/x@contoso.com",
		"/users/a/messages", "/users/ceo/messages/1", "/users/b/manager", "/users/delta()", "/users/delta", "/beta/users/a",
		"/groups/a/members/$ref", "/drives/a/root:/Reports/x/y:/children", "/drives/b/root:/Salaries:/children",
		"/drives/a/items/1", "/reports/f(period='D7')", "/reports/f(period='b')", "/users(userPrincipalName='ceo')",
		"/users/a/microsoft.graph.user/manager", "/users/a/microsoft.graph.manager", "/groups/b/members/graph.user",
		"/users/$count", "/$batch", "/beta/$batch", "/groups/foo()", "/groups/foo/bar", "/groups/microsoft.graph.foo/bar",
		"/groups/microsoft.graph.foo", "/users/getX(a='b')", "/users/getX/messages",
	}
	queries = []string{
		"", "", "$top=5", "$top=40", "$top=99", "$select=id", "$select=id,mail", "$select=mail", "$expand=members",
		"$expand=members($select=id)", "$expand=manager", "$filter=a eq 'x'", "$filter=a eq 'x' or b", "$search=x",
		"$select=id&$top=5", "$select=id&$expand=members&$top=50", "$select=&$search=", "$expand=members&$filter=a eq 'y'",
		"$expand=*", "$apply=x", "compute=y", "apply=y&$select=id",
	}
)

func drawRule(t *rapid.T, options []string, templates ...string) string {
	template := rapid.SampledFrom(templates).Draw(t, "template")
	rule := rapid.SampledFrom(methods).Draw(t, "methods") + " " + template
	var settings []string
	if _, after, found := strings.Cut(template, "{"); found && rapid.Bool().Draw(t, "where") {
		name, _, _ := strings.Cut(after, "}")
		list := rapid.SliceOfNDistinct(rapid.SampledFrom(values), 1, 2, rapid.ID).Draw(t, "values")
		text := fmt.Sprintf("[\"%s\"]", strings.Join(list, `", "`))
		switch rapid.IntRange(0, 3).Draw(t, "how") {
		case 0:
			text = "{not: " + text + "}"
		case 1:
			text = "{" + rapid.SampledFrom([]string{"list: few", "not_list: few", "not_list: [few, more]",
				"list: more, not: " + text}).Draw(t, "list") + "}"
		}
		settings = append(settings, fmt.Sprintf("where: {%s: %s}", name, text))
	}
	if rapid.Bool().Draw(t, "query") {
		list := rapid.SliceOfNDistinct(rapid.SampledFrom(options), 1, 2, func(s string) string { return s[:4] }).Draw(t,
			"options")
		settings = append(settings, "query: {"+strings.Join(list, ", ")+"}")
	}
	if &options[0] == &denyOptions[0] { // these templates do not all exist in Graph
		settings = append(settings, "unknown: true")
	}
	if len(settings) == 0 {
		return `"` + rule + `"`
	}
	return `"` + rule + `": {` + strings.Join(settings, ", ") + "}"
}

func drawRules(t *rapid.T, base []string, options []string, label string) []string {
	var rules []string
	for _, r := range base {
		switch rapid.IntRange(0, 3).Draw(t, "keep") {
		case 0:
		case 1:
			rules = append(rules, drawRule(t, options, strings.Fields(strings.Split(r, `"`)[1])[1]))
		default:
			rules = append(rules, r)
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, label) {
		rules = append(rules, drawRule(t, options, templates...))
	}
	if len(rules) > 1 && rapid.Bool().Draw(t, "reverse") {
		slices.Reverse(rules)
	}
	return rules
}

// drawPolicies draws two policies that have much in common.
func drawPolicies(t *rapid.T) (old, newer *policy.Policy) {
	var texts [2]strings.Builder
	for i := range texts {
		few := rapid.SampledFrom([]string{`[a, b]`, `[ceo]`, `["a*"]`}).Draw(t, "few")
		fmt.Fprintf(&texts[i], "version: 1\nlists:\n  few: %s\n  more: [\"*@contoso.com\", b, Reports]\n", few)
		texts[i].WriteString("callers:\n  last: {identity: [anyone], allow: []}\n")
	}
	for n, name := range []string{"hr-sync", "mailer"} {
		allow, deny := drawRules(t, nil, allowOptions, "allow"), drawRules(t, nil, denyOptions, "deny")
		for i := range texts {
			if rapid.IntRange(0, 9).Draw(t, "missing") == 0 {
				continue
			}
			fmt.Fprintf(&texts[i], "  %s:\n    identity: [{unix: {uid: %d}}]\n    allow:", name, n)
			writeRules(&texts[i], drawRules(t, allow, allowOptions, "allow"))
			rules := drawRules(t, deny, denyOptions, "deny")
			if rapid.IntRange(0, 5).Draw(t, "batch") == 0 {
				rules = append(rules, "POST /$batch")
			}
			if len(rules) > 0 {
				texts[i].WriteString("    deny:")
				writeRules(&texts[i], rules)
			}
		}
	}
	return parse(t, "old.yaml", texts[0].String()), parse(t, "new.yaml", texts[1].String())
}

func writeRules(b *strings.Builder, rules []string) {
	if len(rules) == 0 {
		b.WriteString(" []\n")
		return
	}
	b.WriteString("\n")
	for _, r := range rules {
		b.WriteString("      - " + r + "\n")
	}
}

// everyRequest calls f with every request there is here.
func everyRequest(t fataler, f func(policy.Request)) {
	for _, caller := range []string{"hr-sync", "mailer"} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			for _, target := range targets {
				for _, query := range queries {
					r, err := policy.ParseRequest(caller, strings.TrimSuffix(method+" "+target+"?"+query, "?"))
					if err != nil {
						t.Fatalf("%v", err)
					}
					f(r)
				}
			}
		}
	}
}

// TestNothingGainedMeansNothingAllowed checks the promise of the tool: a change without a reported gain allows
// nothing.
func TestNothingGainedMeansNothingAllowed(t *testing.T) {
	t.Run("whatever changes", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			checkPromise(t, drawPolicies)
		})
	})
	t.Run("one deny rule changes", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			checkPromise(t, drawDenials)
		})
	})
}

// drawDenials draws two policies that allow nearly everything and differ in one deny rule, usually with the same
// beginning.
func drawDenials(t *rapid.T) (old, newer *policy.Policy) {
	const allow = `version: 1
lists:
  few: [a, b]
  more: ["*@contoso.com", b, Reports]
callers:
  hr-sync:
    identity: [anyone]
    allow:
      - ANY /users/**: {query: {$expand: [members, manager, "*"]}}
      - ANY /groups/**
      - ANY /drives/**
    deny:
`
	rule := drawRule(t, denyOptions, templates...)
	path := strings.Fields(strings.Split(rule, `"`)[1])[1]
	other := rapid.SampledFrom([]string{path, strings.TrimSuffix(path, "/**"),
		strings.TrimSuffix(path, "/**") + "/**"}).Draw(t, "path")
	return parse(t, "old.yaml", allow+"      - "+rule+"\n"), parse(t, "new.yaml",
		allow+"      - "+drawRule(t, denyOptions, other)+"\n")
}

func checkPromise(t *rapid.T, draw func(*rapid.T) (old, newer *policy.Policy)) {
	old, newer := draw(t)
	gains, loses := make(map[string]bool), make(map[string]bool)
	d := diff.Policies(old, newer)
	for _, c := range d.Callers {
		gains[c.Name], loses[c.Name] = c.Gains(), c.Loses()
	}
	everyRequest(t, func(r policy.Request) {
		was, is := old.Explain(r).Allow, newer.Explain(r).Allow
		if is && !was && !gains[r.Caller] || was && !is && !loses[r.Caller] {
			t.Fatalf("%s %s %s?%s: allowed %t before, %t now; told is %+v", r.Caller, r.Method, r.Target.Path(),
				r.Target.RawQuery(), was, is, d)
		}
	})
}

func TestAPolicyDoesNotDifferFromItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, _ := drawPolicies(t)
		if d := diff.Policies(old, old); !d.Empty() {
			t.Fatalf("got %+v", d)
		}
	})
}

// TestReplayAgreesWithTheDecisions compares the report on a request without the values of its options with the
// decisions about the request as it was.
func TestReplayAgreesWithTheDecisions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, newer := drawPolicies(t)
		hash := rapid.SampledFrom([]string{old.Hash(), newer.Hash(), "another"}).Draw(t, "hash")
		judged := old
		if hash == newer.Hash() {
			judged = newer
		}
		for range 50 {
			caller := rapid.SampledFrom([]string{"hr-sync", "mailer"}).Draw(t, "caller")
			text := rapid.SampledFrom([]string{"GET ", "POST "}).Draw(t, "method") +
				rapid.SampledFrom(targets).Draw(t, "target") + "?" + rapid.SampledFrom(queries).Draw(t, "query")
			request, err := policy.ParseRequest(caller, text)
			if err != nil {
				t.Fatalf("%v", err)
			}
			checkReplay(t, old, newer, request, hash, judged.Explain(request).Allow)
		}
	})
}

func checkReplay(t *rapid.T, old, newer *policy.Policy, request policy.Request, hash string, recorded bool) {
	if request.Method != "POST" && request.Target.Segments[0].Fold == "$batch" {
		return // 405, which is no decision
	}
	decision := map[bool]string{true: "allow", false: "deny"}[recorded]
	line, err := json.Marshal(map[string]any{
		"caller":   request.Caller,
		"method":   request.Method,
		"target":   request.Target.Path(),
		"query":    request.Target.OptionNames(),
		"decision": decision,
		"policy":   hash,
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	r, err := diff.Replay(old, newer, strings.NewReader(string(line)))
	if err != nil || r.Requests != 1 {
		t.Fatalf("%s is replayed as %+v, %v", line, r, err)
	}
	was, is := old.Explain(request).Allow, newer.Explain(request).Allow
	told := diff.Outcome("unchanged")
	if len(r.Groups) > 0 {
		told = r.Groups[0].Change
	}
	ok := map[diff.Outcome]bool{
		"unchanged":         was == is,
		diff.OutcomeDenied:  was && !is,
		diff.OutcomeAllowed: !was && is,
		diff.OutcomeUnknown: true,
	}[told]
	if !ok {
		t.Fatalf("%s ?%s: allowed %t before, %t now; told is %s", line, request.Target.RawQuery(), was, is, told)
	}
	if told == diff.OutcomeUnknown && len(r.Groups[0].Options) == 0 {
		t.Fatalf("%s is not known, and no option is the reason", line)
	}
}
