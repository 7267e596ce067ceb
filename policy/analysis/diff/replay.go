package diff

import (
	"cmp"
	"io"
	"slices"
	"strings"

	"graphproxy/policy"
	"graphproxy/policy/analysis/audit"
	"graphproxy/policy/graph/odata"
)

// Replayed is the outcome of the requests of an audit log under two policies.
type Replayed struct {
	Old        string        `json:"old"` // name of the file
	New        string        `json:"new"`
	Requests   int           `json:"requests"`   // requests that were replayed: Unchanged and those in Groups
	Unchanged  int           `json:"unchanged"`  // both policies answer them alike
	Groups     []Group       `json:"groups"`     // the others, most frequent first
	Unreadable int           `json:"unreadable"` // requests whose recorded target cannot be read back
	Skipped    audit.Skipped `json:"skipped"`    // lines of the log without a decision
}

// Group is recorded requests of one caller that the same rules decide.
type Group struct {
	Change  Outcome  `json:"change"`
	Count   int      `json:"count"`
	Caller  string   `json:"caller"`
	Method  string   `json:"method"`            // HEAD is judged as GET
	Path    string   `json:"path"`              // template of the rule that allows, in the old policy or the new
	Example string   `json:"example"`           // target of the first of them
	Options []string `json:"options,omitempty"` // of OutcomeUnknown: those whose values would decide
	Old     Ruling   `json:"old"`
	New     Ruling   `json:"new"`
}

// Ruling is how one policy decides the requests of a group.
type Ruling struct {
	Allow  bool   `json:"allow"`            // in either mode; of OutcomeUnknown: whether it may be so
	Report bool   `json:"report,omitempty"` // the caller is in report mode, which lets through what is denied
	Caller bool   `json:"caller"`           // the policy knows the caller; else its requests are 401
	Rule   string `json:"rule,omitempty"`   // file:line of the rule that decides; "" if none does
	Text   string `json:"text,omitempty"`   // of the rule
}

// Outcome is what changes for a request.
type Outcome string

// The values of Outcome.
const (
	OutcomeDenied  Outcome = "allowed to denied"
	OutcomeAllowed Outcome = "denied to allowed"
	OutcomeUnknown Outcome = "unknown" // the decision depends on values of query options, which are not in the log
)

// Empty reports whether no recorded request changes its answer, or may do so.
func (r Replayed) Empty() bool { return len(r.Groups) == 0 }

// Gains reports whether a recorded request may be allowed now that was denied.
func (r Replayed) Gains() bool {
	return slices.ContainsFunc(r.Groups, func(g Group) bool { return g.Change != OutcomeDenied })
}

// Replay decides each request of an audit log by both policies. A request that the old policy denies and lets
// through in report mode counts as allowed before, if the new policy denies it and does not let it through;
// otherwise their modes do not count. The log has the names of query options and not their values. If the decision
// depends on values, the request is counted as unknown, unless one of the policies was in force or the candidate when
// the log was written, so that it has its decision, or the conditions are the same in both. The error is the reader's.
func Replay(old, newer *policy.Policy, r io.Reader) (Replayed, error) {
	p := &replay{
		result: Replayed{Old: old.File(), New: newer.File()},
		old:    newJudge(old),
		newer:  newJudge(newer),
		groups: make(map[string]*Group),
	}
	var err error
	p.result.Skipped, err = audit.Read(r, p.line)
	for _, g := range p.groups {
		p.result.Groups = append(p.result.Groups, *g)
	}
	slices.SortFunc(p.result.Groups, func(a, b Group) int {
		return cmp.Or(b.Count-a.Count, strings.Compare(a.Caller, b.Caller), strings.Compare(a.key(), b.key()))
	})
	return p.result, err
}

type replay struct {
	result     Replayed
	old, newer *judge
	groups     map[string]*Group
}

func (p *replay) line(l audit.Line) error {
	if l.Parsed == nil {
		p.result.Unreadable++
		return nil
	}
	p.result.Requests++
	method := judgedMethod(l.Method)
	old, newer := p.old.outlook(l.Caller, method, l.Parsed), p.newer.outlook(l.Caller, method, l.Parsed)
	reported := (old.book.reports || l.WouldDeny) && !newer.book.reports
	a := compareAnswers(&old, &newer, reported, p.recorded(l))
	if a.change == "" {
		p.result.Unchanged++
		return nil
	}
	g := Group{
		Change:  a.change,
		Caller:  l.Caller,
		Method:  method,
		Path:    a.path(l.Parsed),
		Example: l.Target,
		Options: a.options,
		Old:     rulingOf(a.old, old.book),
		New:     rulingOf(a.newer, newer.book),
	}
	g.Old.Report = g.Old.Report || reported && !g.Old.Allow && g.Change == OutcomeDenied
	p.count(g)
	return nil
}

// recorded returns the decisions of either policy that the line has: of the policy that was in force, and of the
// candidate.
func (p *replay) recorded(l audit.Line) func(old, newer bool) bool {
	oldAllows, knowsOld := l.AllowedBy(p.old.policy.Hash())
	newAllows, knowsNew := l.AllowedBy(p.newer.policy.Hash())
	return func(old, newer bool) bool {
		return (!knowsOld || old == oldAllows) && (!knowsNew || newer == newAllows)
	}
}

func (p *replay) count(g Group) {
	key := g.key()
	if p.groups[key] == nil {
		p.groups[key] = &g
	}
	p.groups[key].Count++
}

func (g *Group) key() string {
	return strings.Join([]string{string(g.Change), g.Caller, g.Method, g.Path, g.Old.Rule, g.New.Rule,
		strings.Join(g.Options, ",")}, "\n")
}

func rulingOf(r ruling, b *book) Ruling {
	out := Ruling{Allow: r.allow, Report: b.reports, Caller: b.known}
	if r.rule != nil {
		out.Rule, out.Text = r.rule.Where(), r.rule.Text
	}
	return out
}

// answers are the answers of two policies to one request. If the answers are uncertain, old and new are the answers
// when they differ.
type answers struct {
	change     Outcome // "": they answer alike
	old, newer ruling
	options    []string
}

// maxConditions bounds the assumptions that are tried: 2 to this power.
const maxConditions = 10

// compareAnswers tries all assumptions about the conditions on values, except those that possible excludes. With
// reported, report mode let the request through before, and does not any more.
func compareAnswers(old, newer *outlook, reported bool, possible func(old, newer bool) bool) answers {
	conditions := newer.conditions(old.conditions(nil))
	if len(conditions) > maxConditions {
		return unknown(conditions, old, newer)
	}
	a, seen := answers{}, make(map[[2]bool]bool)
	pairs := make([][2]bool, 1<<len(conditions))
	for assumed := range pairs {
		holds := func(c condition) bool { return assumed>>slices.Index(conditions, c)&1 == 1 }
		o, n := old.decide(holds), newer.decide(holds)
		pairs[assumed] = [2]bool{o.allow || reported && !n.allow, n.allow}
		if !possible(o.allow, n.allow) {
			continue
		}
		if pairs[assumed][0] != n.allow && !seen[pairs[assumed]] {
			a.old, a.newer = o, n
		}
		seen[pairs[assumed]] = true
	}
	switch denied, allowed := seen[[2]bool{true, false}], seen[[2]bool{false, true}]; {
	case len(seen) == 0: // the record contradicts the present rules; the rules are compared
		return compareAnswers(old, newer, reported, func(bool, bool) bool { return true })
	case !denied && !allowed:
		return answers{}
	case len(seen) == 1 && denied:
		a.change = OutcomeDenied
	case len(seen) == 1:
		a.change = OutcomeAllowed
	default:
		a.change, a.options = OutcomeUnknown, optionsOf(deciding(conditions, pairs))
	}
	return a
}

// deciding returns the conditions that change an answer. The pairs are the answers, by assumption.
func deciding(conditions []condition, pairs [][2]bool) []condition {
	var deciding []condition
	for i, c := range conditions {
		for assumed, pair := range pairs {
			if pair != pairs[assumed^1<<i] {
				deciding = append(deciding, c)
				break
			}
		}
	}
	return deciding
}

// unknown returns the answer for a request with more conditions than are tried.
func unknown(conditions []condition, old, newer *outlook) answers {
	all := func(condition) bool { return true }
	return answers{change: OutcomeUnknown, old: old.decide(all), newer: newer.decide(all), options: optionsOf(conditions)}
}

func optionsOf(conditions []condition) []string {
	var names []string
	for _, c := range conditions {
		names = append(names, c.option)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// path returns the template by which requests are grouped: of the rule that allows, else of any rule that decides.
func (a *answers) path(t *odata.Target) string {
	for _, r := range []ruling{a.old, a.newer} {
		if r.allow && r.rule != nil {
			return r.rule.Path
		}
	}
	for _, r := range []ruling{a.old, a.newer} {
		if r.rule != nil {
			return r.rule.Path
		}
	}
	return t.Path()
}
