package console

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"graphproxy/policy"
	"graphproxy/policy/analysis/audit"
	"graphproxy/policy/analysis/diff"
	"graphproxy/policy/analysis/edit"
	"graphproxy/policy/analysis/suggest"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
	"graphproxy/proxy"
)

// graphOperations are Graph's operations, read when the first proposal is made.
type graphOperations struct {
	once sync.Once
	all  *suggest.Operations
}

func (o *graphOperations) get() *suggest.Operations {
	o.once.Do(func() { o.all = suggest.Embedded() })
	return o.all
}

// complete makes the proposals for a caller, once.
func (c *Console) complete(one *deniedCaller) error {
	c.proposals.mu.Lock()
	defer c.proposals.mu.Unlock()
	if one.lines == nil {
		return nil
	}
	state := c.source.State()
	p := state.Policy.Policy
	s := suggest.New(suggest.Options{Denied: true, Into: p, Operations: c.operations.get()})
	for _, l := range one.lines {
		s.Add(l)
	}
	suggested := s.Suggest()
	one.about(p)
	if len(suggested.Callers) > 0 {
		one.propose(&suggested.Callers[0])
	}
	one.assign(&state)
	if err := one.merge(&state, c.now()); err != nil {
		return err
	}
	one.lines = nil
	return one.roles(&state, c.permissions)
}

// about sets what the policy has of the caller.
func (one *deniedCaller) about(p *policy.Policy) {
	one.Mode, one.app = "enforce", policy.DefaultApp
	if p.Reports(one.Name) {
		one.Mode = "report"
	}
	for _, known := range p.Callers() {
		if known.Name == one.Name {
			one.Known, one.app, one.tenant = true, cmp.Or(known.App, policy.DefaultApp), known.Tenant
		}
	}
}

// propose takes the suggested rules, those with the most requests first.
func (one *deniedCaller) propose(c *suggest.Caller) {
	for _, r := range c.Rules {
		one.Proposals = append(one.Proposals, &proposal{Rule: r, YAML: r.YAML(), Patch: patchAddress(one.Name, r.Text)})
	}
	slices.SortStableFunc(one.Proposals, func(a, b *proposal) int { return b.Requests - a.Requests })
	if one.More = max(0, len(one.Proposals)-mostProposals); one.More > 0 {
		one.Proposals = one.Proposals[:mostProposals]
	}
}

// assign gives each request to the proposal that would allow it, or to a group without one.
func (one *deniedCaller) assign(state *State) {
	var rules match.AllowSet
	for _, p := range one.Proposals {
		rules.Add(ruleOf(p.Text))
	}
	judge := diff.NewJudge(state.Policy.Policy)
	rest := make(map[refusedKey]*refusedGroup)
	for _, l := range one.lines {
		shown := example{l.RequestID, l.Item, l.Method + " " + l.Target}
		if i := allowing(&rules, l, judge); i >= 0 {
			one.Proposals[i].add(l, shown, state.Policy.Policy)
			continue
		}
		one.rest(rest, l, shown, judge, state)
	}
	slices.SortStableFunc(one.Refused, func(a, b *refusedGroup) int { return b.Count - a.Count })
	if one.MoreRest = max(0, len(one.Refused)-mostRefused); one.MoreRest > 0 {
		one.Refused = one.Refused[:mostRefused]
	}
}

// ruleOf is a suggested rule as package match compares it.
func ruleOf(text string) *match.Rule {
	methods, path, _ := strings.Cut(text, " ")
	r := &match.Rule{}
	if r.Template, _ = odata.ParseTemplate(path); r.Template == nil {
		r.Template = &odata.Template{} // it matches nothing
	}
	for m := range strings.SplitSeq(methods, ",") {
		r.Methods |= match.MethodOf(m)
	}
	if methods == "ANY" {
		r.Methods = match.Any
	}
	return r
}

// allowing returns which of the rules would allow a request, or -1. A deny rule wins over all of them, and what the
// policy allows by now needs none.
func allowing(rules *match.AllowSet, l audit.Line, judge *diff.Judge) int {
	if l.Parsed == nil || judge.Denies(l) != nil {
		return -1
	}
	if surely, _ := judge.Allows(l); surely {
		return -1
	}
	bare := *l.Parsed
	bare.Query = nil
	return rules.Find(&bare, policy.MethodsOf(l.Method, l.Parsed)).Index
}

func (p *proposal) add(l audit.Line, shown example, of *policy.Policy) {
	if l.WouldDeny {
		p.LetThrough++
	}
	if len(p.Reasons) < mostExamples {
		if why := nearest(of, l); !slices.Contains(p.Reasons, why) {
			p.Reasons = append(p.Reasons, why)
		}
	}
	p.Examples = newest(p.Examples, shown)
}

// nearest says how far the policy is from allowing a request.
func nearest(p *policy.Policy, l audit.Line) string {
	e := p.Explain(policy.Request{Caller: l.Caller, Method: l.Method, Target: l.Parsed, At: l.Time})
	if e.Nearest == nil {
		return "no rule begins like it"
	}
	return "the nearest rule is " + e.Nearest.Where() + ", " + e.Nearest.Text + ", " + e.Differs
}

// newest adds an example, and forgets the oldest if there are too many.
func newest(all []example, one example) []example {
	if len(all) == mostExamples {
		all = slices.Delete(all, 0, 1)
	}
	return append(all, one)
}

type refusedKey struct{ method, path, reason, rule string }

// rest counts a request without a proposal.
func (one *deniedCaller) rest(groups map[refusedKey]*refusedGroup, l audit.Line, shown example, judge *diff.Judge,
	state *State) {
	key := refusedKey{l.Method, cmp.Or(l.Path, l.Target), l.Reason, ""}
	surely, may := judge.Allows(l)
	switch rule := judge.Denies(l); {
	case rule != nil:
		key.path, key.reason, key.rule = rule.Path, "a deny rule applies, which a rule to allow it does not change",
			rule.Where()
	case surely:
		key.reason = "the policy allows it by now"
	case may:
		key.reason = "a condition of a rule did not hold: " + nearest(state.Policy.Policy, l)
	case l.Parsed == nil:
		key.path, key.reason = "", "its target is too long for a record"
	default:
		key.reason = "no rule can be written for it, or it needs query: in a rule that is there; " +
			nearest(state.Policy.Policy, l)
	}
	g := groups[key]
	if g == nil {
		g = &refusedGroup{Method: key.method, Path: key.path, Reason: key.reason, Rule: key.rule}
		if e, ok := excerptOf(state.Policy.Files, key.rule); ok {
			g.Link = e.Link
		}
		groups[key] = g
		one.Refused = append(one.Refused, g)
	}
	g.Count++
	g.Examples = newest(g.Examples, shown)
}

// merge makes the patches, and what the proposals would newly allow.
func (one *deniedCaller) merge(state *State, now time.Time) error {
	rules := make([]suggest.Rule, 0, len(one.Proposals))
	for _, p := range one.Proposals {
		rules = append(rules, p.Rule)
		m, err := one.into(state, p.Rule)
		if err != nil {
			one.Problem = err.Error()
			return nil
		}
		p.patch = patchOf(state.Policy.Files, m)
	}
	if len(rules) == 0 {
		return nil
	}
	m, err := one.into(state, rules...)
	if err != nil {
		one.Problem = err.Error()
		return nil
	}
	one.patch, one.Patch = patchOf(state.Policy.Files, m), patchAddress(one.Name, "")
	if !one.Known {
		return nil
	}
	changed, err := policy.ParseFilesUntested(m.Files, proxy.CheckEvidence)
	if err != nil {
		one.Problem = err.Error()
		return nil
	}
	if _, err := policy.ParseFiles(now, m.Files, proxy.CheckEvidence); err != nil {
		one.Problem = err.Error()
	}
	one.gains(diff.Policies(state.Policy.Policy, changed), changed)
	return nil
}

// into adds rules for the caller to the files of the policy in force. The new policy is not loaded.
func (one *deniedCaller) into(state *State, rules ...suggest.Rule) (suggest.Merged, error) {
	s := suggest.Suggestion{Callers: []suggest.Caller{{Name: one.Name, Rules: rules}}}
	return s.Added(state.Policy.Files, state.Policy.Policy)
}

// gains gives each proposal what the difference has at its rule.
func (one *deniedCaller) gains(d diff.Difference, changed *policy.Policy) {
	allow, _ := changed.Rules(one.Name)
	for _, c := range d.Callers {
		if c.Name != one.Name {
			continue
		}
		for _, change := range c.Changes {
			at := slices.IndexFunc(allow, func(r *policy.Rule) bool { return r.Where() == change.Where })
			if at < 0 {
				continue
			}
			for _, p := range one.Proposals {
				if p.Text == allow[at].Text {
					p.Gains = append(p.Gains, change.Sign+" "+change.Text)
				}
			}
		}
	}
}

// patchOf is the difference of the files, with their names from the main file's directory.
func patchOf(files policy.Files, m suggest.Merged) []byte {
	var b bytes.Buffer
	for _, i := range m.Changed {
		b.Write(edit.Patch(files.All[i].Name, files.All[i].Data, m.Files.All[i].Data))
	}
	return b.Bytes()
}
