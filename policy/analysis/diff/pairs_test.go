package diff_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"graphproxy/policy"
	"graphproxy/policy/analysis/diff"
)

// draft is a policy as text, in parts that can be changed one by one.
type draft struct {
	lists     map[string]string
	sets      []string // rules of the set "shared"
	denyAll   []string
	callers   map[string]*draftCaller
	elsewhere bool // the callers' rules stand in a file of their own
}

type draftCaller struct {
	identities, allow, deny []string
	until, mode, about      string
}

// pairs draws drafts and changes.
type pairs struct{ *rand.Rand }

func (p pairs) of(from ...string) string { return from[p.IntN(len(from))] }

var (
	pairTemplates = []string{"/users", "/users/{id}", "/users/{u}/**", "/users/ceo", "/users/{id}/messages",
		"/beta/users/{id}", "/groups/{id}/members/$ref", "/drives/{d}/root:/{path}:/children", "/users/delta", "/groups/**"}
	pairIdentities = []string{
		"key: {sha256: %064x}", "network: 10.%d.0.0/16", "unix: {uid: %d}", "certificate: {dns: a%d.contoso.example}",
		"all: [{key: {sha256: %064x}}, {network: 10.99.0.0/16}]",
		"all: [{certificate: {dns: b%d.contoso.example}}, {unix: {uid: 7}}]",
		"all: [{certificate: {common_name: c%[1]d}}, {key: {sha256: %064[1]x}}]",
		"token: {issuer: https://oidc.contoso.example, audience: g, subject: s%d}",
		"token: {issuer: https://oidc.contoso.example, audience: g, claims: {roles: [r%d, x]}}",
	}
)

// rule draws a rule with conditions of every kind.
func (p pairs) rule(isDeny bool) string {
	template := p.of(pairTemplates...)
	var settings []string
	if _, after, found := strings.Cut(template, "{"); found && p.IntN(2) == 0 {
		name, _, _ := strings.Cut(after, "}")
		settings = append(settings, fmt.Sprintf("where: {%s: %s}", name, p.condition()))
	}
	options, conditions := allowOptions, allowBodies
	if isDeny {
		options, conditions = denyOptions, denyBodies
		settings = append(settings, "unknown: true")
	}
	if p.IntN(4) == 0 {
		settings = append(settings, "query: {"+p.of(options...)+"}")
	}
	if p.IntN(5) == 0 {
		settings = append(settings, "body: {"+p.of(conditions...)+"}")
	}
	if p.IntN(6) == 0 {
		settings = append(settings, "until: "+p.of("2026-01-01", "2026-06-01"))
	}
	if len(settings) == 0 {
		return fmt.Sprintf("%q", p.of(methods...)+" "+template)
	}
	return fmt.Sprintf("%q: {%s}", p.of(methods...)+" "+template, strings.Join(settings, ", "))
}

// condition draws the condition on a variable.
func (p pairs) condition() string {
	value := fmt.Sprintf("%q", p.of("a", "b", "a*", "ceo", "*@contoso.com", "Reports/**"))
	return p.of(value, "["+value+", b]", "{not: "+value+"}", "{list: few}", "{not_list: few}", "{not_list: [few, more]}",
		"{list: more, not: "+value+"}")
}

func (p pairs) rules(isDeny bool, most int) []string {
	var all []string
	for range p.IntN(most + 1) {
		all = append(all, p.rule(isDeny))
	}
	return all
}

func (p pairs) draft() *draft {
	d := &draft{
		lists:   map[string]string{"few": p.of("[a, b]", "[ceo]", `["a*"]`), "more": `["*@contoso.com", b]`},
		sets:    append(p.rules(false, 2), p.rule(false)),
		denyAll: p.rules(true, 2),
		callers: make(map[string]*draftCaller),
	}
	for n, name := range []string{"hr-sync", "mailer"} {
		c := &draftCaller{allow: append(p.rules(false, 4), "include: shared"), deny: p.rules(true, 2)}
		c.identities = []string{p.identity(10 * (n + 1)), p.identity(10*(n+1) + 1)}
		d.callers[name] = c
	}
	return d
}

// identity draws evidence that only the number n has.
func (p pairs) identity(n int) string { return fmt.Sprintf(p.of(pairIdentities...), n) }

// change changes one thing in a draft, and returns what.
func (p pairs) change(d *draft) string {
	c := d.callers[p.of("hr-sync", "mailer")]
	replace := func(rules []string, isDeny bool) []string {
		rules = slices.Clone(rules)
		switch at := p.IntN(len(rules) + 1); {
		case at == len(rules):
			return append(rules, p.rule(isDeny))
		case p.IntN(3) == 0:
			return slices.Delete(rules, at, at+1)
		case strings.HasPrefix(rules[at], "include"):
			return rules
		default:
			rules[at] = p.rule(isDeny)
			return rules
		}
	}
	switch what := p.of("allow", "deny", "denyAll", "set", "list", "until", "mode", "about", "order", "file",
		"identity", "identities", "inline"); what {
	case "allow":
		c.allow = replace(c.allow, false)
		return what
	case "deny":
		c.deny = replace(c.deny, true)
		return what
	case "denyAll":
		d.denyAll = replace(d.denyAll, true)
		return what
	case "set":
		if d.sets = replace(d.sets, false); len(d.sets) == 0 {
			d.sets = []string{p.rule(false)}
		}
		return what
	case "list":
		d.lists["few"] = p.of("[a]", "[b, a]", `["a*", ceo]`, "[ceo]")
		return what
	case "until":
		c.until = p.of("2026-01-01", "2026-06-01", "")
		return what
	case "mode":
		c.mode = p.of("report", "enforce", "")
		return what
	case "about":
		c.about = p.of("owner: hr", "description: nightly", "ticket: SEC-1")
		return what
	case "order":
		slices.Reverse(c.deny)
		return what
	case "file":
		d.elsewhere = !d.elsewhere
		return what
	case "identity":
		c.identities = slices.Clone(c.identities)
		c.identities[0] = p.identity(100 + p.IntN(150))
		return what
	case "identities":
		slices.Reverse(c.identities)
		return what
	default: // the rules of the set, in place of its include
		if at := slices.Index(c.allow, "include: shared"); at >= 0 {
			c.allow = slices.Concat(c.allow[:at], d.sets, c.allow[at+1:])
		}
		return "inline"
	}
}

func (d *draft) clone() *draft {
	c := *d
	c.lists, c.callers = maps.Clone(d.lists), make(map[string]*draftCaller)
	for name, of := range d.callers {
		copied := *of
		c.callers[name] = &copied
	}
	return &c
}

// files writes a draft.
func (d *draft) files() policy.Files {
	var main, callers strings.Builder
	main.WriteString("version: 1\nlists:\n")
	for _, name := range slices.Sorted(maps.Keys(d.lists)) {
		fmt.Fprintf(&main, "  %s: %s\n", name, d.lists[name])
	}
	main.WriteString("rules:\n  shared:\n")
	list := func(b *strings.Builder, rules []string) {
		for _, r := range rules {
			b.WriteString("      - " + r + "\n")
		}
	}
	list(&main, d.sets)
	if len(d.denyAll) > 0 {
		main.WriteString("deny:\n")
		list(&main, d.denyAll)
	}
	callers.WriteString("callers:\n")
	for _, name := range slices.Sorted(maps.Keys(d.callers)) {
		c := d.callers[name]
		fmt.Fprintf(&callers, "  %s:\n    identity:\n", name)
		list(&callers, c.identities)
		callers.WriteString("    allow:\n")
		list(&callers, append([]string{"GET /sites"}, c.allow...))
		if len(c.deny) > 0 {
			callers.WriteString("    deny:\n")
			list(&callers, c.deny)
		}
		for key, value := range map[string]string{"until: ": c.until, "mode: ": c.mode, "": c.about} {
			if value != "" {
				callers.WriteString("    " + key + value + "\n")
			}
		}
	}
	if !d.elsewhere {
		return policy.Files{All: []policy.File{{Name: "policy.yaml", Data: []byte(main.String() + callers.String())}}}
	}
	return policy.Files{All: []policy.File{
		{Name: "policy.yaml", Data: []byte("include: [teams/*.yaml]\n" + main.String())},
		{Name: "teams/hr.yaml", Data: []byte("version: 1\n" + callers.String())},
	}}
}

// outcome is what a caller notices of a decision.
func outcome(p *policy.Policy, r policy.Request) string {
	d := p.Decide(r)
	return fmt.Sprint(d.Allow, d.WouldDeny, d.App, d.Tenant, d.Priority, d.Until.Unix())
}

// requests draws requests of both callers, some with bodies.
func (p pairs) requests(t *testing.T, parsed map[string]policy.Request, most int) []policy.Request {
	t.Helper()
	var all []policy.Request
	for range most {
		caller := p.of("hr-sync", "mailer")
		text := p.of("GET", "POST", "DELETE", "PATCH") + " " + p.of(targets...) + "?" + p.of(queries...)
		text = strings.TrimSuffix(text, "?")
		r, found := parsed[caller+text]
		if !found {
			var err error
			if r, err = policy.ParseRequest(caller, text); err != nil {
				t.Fatal(err)
			}
			parsed[caller+text] = r
		}
		r.At, r.Body = times[p.IntN(len(times))], &policy.Body{State: policy.BodyAbsent}
		if body := p.of(bodies...); body != "" && r.Method != "GET" {
			r.Body = &policy.Body{State: policy.BodyJSON, Text: []byte(body)}
		}
		all = append(all, r)
	}
	return all
}

// evidenceOf returns what proves each caller, without names and in no order.
func evidenceOf(p *policy.Policy) map[string]string {
	all := make(map[string]string)
	for _, c := range p.Callers() {
		var texts []string
		for _, id := range c.Identities {
			text := ""
			for _, e := range id.Each() {
				uid := -1
				if e.UID != nil {
					uid = *e.UID
				}
				text += fmt.Sprint(e.Kind, e.DNS, e.CommonName, e.Subject, e.Claims, e.KeySHA256, e.Networks, uid, " and ")
			}
			texts = append(texts, text)
		}
		slices.Sort(texts)
		all[c.Name] = strings.Join(texts, "\n")
	}
	return all
}

// TestWhatIsNoDifferenceDecidesAlike changes random policies at one place or several, with every key that decides.
// Where diff finds nothing, everything is decided alike; what is allowed anew is a gain, and what is denied anew a
// loss.
func TestWhatIsNoDifferenceDecidesAlike(t *testing.T) {
	p := pairs{rand.New(rand.NewPCG(17, 3))}
	parsed := make(map[string]policy.Request)
	load := func(d *draft) *policy.Policy {
		loaded, err := policy.ParseFiles(time.Time{}, d.files())
		if err != nil {
			t.Fatalf("%v\n%s", err, d.files().All[0].Data)
		}
		return loaded
	}
	same, decides := 0, make(map[string]int)
	var old *draft
	var before *policy.Policy
	for n := range mostPairs {
		const changes = 8 // of each draft
		if n%changes == 0 {
			old = p.draft()
			before = load(old)
		}
		newer := old.clone()
		what := p.change(newer)
		for p.IntN(4) == 0 {
			what += ", " + p.change(newer)
		}
		after := load(newer)
		d := diff.Policies(before, after)
		isReport := strings.Contains(what, "mode")
		gains, loses := make(map[string]bool), make(map[string]bool)
		for _, c := range d.Callers {
			gains[c.Name], loses[c.Name] = c.Gains(), c.Loses()
		}
		if d.Empty() {
			same++
		}
		if was, is := evidenceOf(before), evidenceOf(after); d.Empty() && !maps.Equal(was, is) {
			t.Fatalf("%s is no difference, and other evidence proves the callers:\n%v\n%v", what, was, is)
		}
		for _, r := range p.requests(t, parsed, 20) {
			was, is := before.Decide(r), after.Decide(r)
			if outcome(before, r) == outcome(after, r) {
				continue
			}
			decides[what]++
			gained, lost := is.Allow && !was.Allow && !gains[r.Caller], was.Allow && !is.Allow && !loses[r.Caller]
			if d.Empty() || (gained || lost) && !isReport {
				t.Fatalf("%s: %s %s %s?%s %s at %v: %s before, %s now; reported is %+v\n%s\n%s", what, r.Caller, r.Method,
					r.Target.Path(), r.Target.RawQuery(), r.Body.Text, r.At, outcome(before, r), outcome(after, r), d,
					old.files().All[0].Data, newer.files().All[0].Data)
			}
		}
	}
	t.Logf("%d pairs, of which %d do not differ; decisions changed: %v", mostPairs, same, single(decides))
	if same == 0 || len(decides) == 0 {
		t.Error("all differ, or no decision changed")
	}
	for _, what := range []string{"allow", "deny", "denyAll", "set", "list", "until", "mode"} {
		if mostPairs > 10_000 && decides[what] == 0 {
			t.Errorf("no change of %s changed a decision", what)
		}
	}
	for _, what := range []string{"about", "order", "file", "identities", "inline"} {
		if decides[what] > 0 {
			t.Errorf("a change of %s changed a decision", what)
		}
	}
}

// single returns the entries for one change.
func single(all map[string]int) map[string]int {
	one := make(map[string]int)
	for what, n := range all {
		if !strings.Contains(what, ",") {
			one[what] = n
		}
	}
	return one
}
