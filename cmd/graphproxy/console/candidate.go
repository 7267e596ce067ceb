package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"slices"

	"graphproxy/policy"
)

// candidateData is what candidate.html shows.
type candidateData struct {
	State      *CandidateState // nil: there is no candidate
	Callers    int
	Rules      int
	Comparing  bool   // the policies are still being compared
	Difference string // as policy diff prints it; "" without a candidate
	Same       bool   // both policies decide alike
	Groups     []differenceGroup
	More       int // groups that are not shown
	Requests   int // with another decision, in the records
	Stale      int // such requests that another content of the candidate decided
	Kept       int
}

// differenceGroup is requests of one caller that both policies decide by the same rules.
type differenceGroup struct {
	Caller, Method, Path  string
	Active, Candidate     string // decisions
	ActiveRule, OtherRule string // places; "": no rule decided
	ActiveLink, OtherText string
	Count                 int
	Examples              []example
}

// example is a request in the records.
type example struct{ ID, Item, Text string }

// The bounds of the page.
const (
	mostGroups   = 100
	mostExamples = 3
)

// comparedLine is a record with what the candidate decides otherwise.
type comparedLine struct {
	entry
	Other *struct {
		Decision string `json:"decision"`
		Rule     string `json:"rule"`
		Policy   string `json:"policy"`
	} `json:"candidate"`
}

// candidatePage shows where the candidate policy would decide otherwise than the one in force.
func (c *Console) candidatePage(r *http.Request) (any, error) {
	state := c.source.State()
	d := &candidateData{State: state.Candidate, Kept: MostRecords}
	if d.State == nil {
		return d, nil
	}
	if p := d.State.Policy; p != nil {
		d.Callers = len(p.Callers())
		for _, one := range p.Callers() {
			allow, deny := p.Rules(one.Name)
			d.Rules += len(allow) + len(deny)
		}
		found := c.comparer.wait(r.Context(), state.Policy.Policy, p)
		if d.Comparing = found == nil; found != nil {
			d.Same, d.Difference = found.same, found.text
		}
	}
	d.group(c, &state)
	return d, nil
}

// group groups the records that have a decision of the candidate.
func (d *candidateData) group(c *Console, state *State) {
	groups := make(map[differenceKey]*differenceGroup)
	c.eachRecord(func(r Record) {
		if !bytes.Contains(r.Line, []byte(`"candidate":{`)) {
			return
		}
		var l comparedLine
		if json.Unmarshal(r.Line, &l) != nil || l.Other == nil {
			return
		}
		d.Requests++
		if d.State.Policy == nil || l.Other.Policy != "" && l.Other.Policy != d.State.Policy.Hash() {
			d.Stale++
		}
		key := differenceKey{l.Caller, l.Method, cmp.Or(l.Path, l.Target), l.Outcome(), l.Other.Decision, l.Rule,
			l.Other.Rule}
		g := groups[key]
		if g == nil {
			g = newGroup(key)
			groups[key] = g
		}
		g.Count++
		if len(g.Examples) == mostExamples { // the newest stay
			g.Examples = slices.Delete(g.Examples, 0, 1)
		}
		g.Examples = append(g.Examples, example{l.RequestID, l.Item, l.Method + " " + l.Asked()})
	})
	for _, g := range groups {
		d.Groups = append(d.Groups, *g)
	}
	slices.SortFunc(d.Groups, func(a, b differenceGroup) int {
		return cmp.Or(b.Count-a.Count, cmp.Compare(a.Caller, b.Caller), cmp.Compare(a.Path, b.Path),
			cmp.Compare(a.Method, b.Method), cmp.Compare(a.ActiveRule+a.OtherRule, b.ActiveRule+b.OtherRule),
			cmp.Compare(a.Active+a.Candidate, b.Active+b.Candidate))
	})
	if d.More = max(0, len(d.Groups)-mostGroups); d.More > 0 {
		d.Groups = d.Groups[:mostGroups]
	}
	for i := range d.Groups {
		d.Groups[i].quote(state)
	}
}

type differenceKey struct{ caller, method, path, active, other, rule, otherRule string }

func newGroup(key differenceKey) *differenceGroup {
	return &differenceGroup{
		Caller:     key.caller,
		Method:     key.method,
		Path:       key.path,
		Active:     key.active,
		Candidate:  key.other,
		ActiveRule: key.rule,
		OtherRule:  key.otherRule,
	}
}

// quote adds what the policies have at the places of the rules. It looks through all rules of a caller, so it is for
// groups that are shown.
func (g *differenceGroup) quote(state *State) {
	if e, ok := excerptOf(state.Policy.Files, g.ActiveRule); ok {
		g.ActiveLink = e.Link
	}
	if p := state.Candidate.Policy; p != nil && g.OtherRule != "" {
		g.OtherText = ruleAt(p, g.Caller, g.OtherRule)
	}
}

// ruleAt returns the text of a caller's rule at a place; "" if there is none.
func ruleAt(p *policy.Policy, caller, where string) string {
	allow, deny := p.Rules(caller)
	for _, r := range slices.Concat(allow, deny) {
		if r.Where() == where {
			return r.Text
		}
	}
	return ""
}
