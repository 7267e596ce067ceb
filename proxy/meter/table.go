package meter

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"graphproxy/policy"
	"graphproxy/policy/limit"
)

// Outcome is the result of a request, or of an item of a batch, as the metrics divide requests.
type Outcome struct {
	Caller    string       // "": unknown
	Rule      *policy.Rule // that decided; nil: none did
	Method    string       // as the caller wrote it
	Decision  string       // allow, deny, limit or refuse
	Status    int          // that the caller saw
	WouldDeny bool         // report mode let a denied request through
	Refusal   string       // innerError.code of a refusal, or how an answer was cut off; "": neither
}

// other is the label of a value that is not in a list.
const other = "other"

// The values of the labels of a request besides caller and rule. They are never written to. A value that is not in
// its list counts as the last one.
var (
	methods   = [...]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", other}
	decisions = [...]string{"allow", "deny", "limit", "refuse", other}
	classes   = [...]string{"2xx", "3xx", "4xx", "5xx", other}
)

func index(list []string, word string) int {
	for i := range list {
		if list[i] == word {
			return i
		}
	}
	return len(list) - 1
}

// classOf returns the index of a status in classes.
func classOf(status int) int {
	if status < 200 || status > 599 {
		return len(classes) - 1
	}
	return status/100 - 2
}

// table has the counters of the policy in force.
type table struct {
	policy  *policy.Policy
	callers map[string]*tally // and "" for unknown callers
	limits  map[*limit.Limit]*limitCount
	named   map[string]*limitCount
}

// tally counts the requests of one caller.
type tally struct {
	mu    sync.Mutex // held to add a rule
	rules atomic.Pointer[map[*policy.Rule]*cells]
}

// cells count the requests of one caller that one rule decided.
type cells struct {
	rule            string // file:line; "": no rule
	requests, items [len(methods)][len(decisions)][len(classes)]atomic.Uint64
	wouldDeny       atomic.Uint64
}

// newTable returns the table of a policy. It goes on with the counters of an older table where the caller, the rule
// or the limit is the same.
func newTable(p *policy.Policy, old *table) *table {
	t := &table{policy: p, callers: map[string]*tally{"": {}}}
	for _, c := range p.Callers() {
		t.callers[c.Name] = &tally{}
	}
	t.setLimits(old)
	if old == nil {
		return t
	}
	for name, before := range old.callers {
		after, rules := t.callers[name], before.rules.Load()
		if after == nil || rules == nil {
			continue
		}
		kept := map[*policy.Rule]*cells{}
		for rule, c := range *rules {
			if same, ok := t.same(name, rule); ok {
				kept[same] = c
			}
		}
		after.rules.Store(&kept)
	}
	return t
}

// same returns the caller's rule that equals the given one: in the same place, and with the same text. nil equals
// nil.
func (t *table) same(caller string, rule *policy.Rule) (*policy.Rule, bool) {
	if rule == nil {
		return nil, true
	}
	allow, deny := t.policy.Rules(caller)
	for _, list := range [...][]*policy.Rule{allow, deny} {
		for _, r := range list {
			if r == rule || r.Line == rule.Line && r.File == rule.File && r.Text == rule.Text {
				return r, true
			}
		}
	}
	return nil, false
}

// cells returns the counters of a request. A request that an older policy judged counts under those of its names
// that still exist.
func (t *table) cells(caller string, rule *policy.Rule) *cells {
	c := t.callers[caller]
	if c == nil {
		c, rule = t.callers[""], nil
	}
	if rules := c.rules.Load(); rules != nil {
		if found := (*rules)[rule]; found != nil {
			return found
		}
	}
	rule, _ = t.same(caller, rule)
	return c.add(rule)
}

// add returns the counters of a rule, and creates them if needed. Rules on one line share them.
func (c *tally) add(rule *policy.Rule) *cells {
	c.mu.Lock()
	defer c.mu.Unlock()
	rules := map[*policy.Rule]*cells{}
	if now := c.rules.Load(); now != nil {
		if found := (*now)[rule]; found != nil {
			return found
		}
		maps.Copy(rules, *now)
	}
	added := &cells{}
	if rule != nil {
		added.rule = strings.ToValidUTF8(rule.Where(), "�")
	}
	for _, there := range rules {
		if there.rule == added.rule {
			added = there
			break
		}
	}
	rules[rule] = added
	c.rules.Store(&rules)
	return added
}

// Request counts a request that has ended.
func (m *Meter) Request(o Outcome) {
	c := m.table.Load().cells(o.Caller, o.Rule)
	c.requests[index(methods[:], o.Method)][index(decisions[:], o.Decision)][classOf(o.Status)].Add(1)
	m.count(c, o)
}

// Item counts an item of a batch that has ended.
func (m *Meter) Item(o Outcome) {
	c := m.table.Load().cells(o.Caller, o.Rule)
	c.items[index(methods[:], o.Method)][index(decisions[:], o.Decision)][classOf(o.Status)].Add(1)
	m.count(c, o)
}

func (m *Meter) count(c *cells, o Outcome) {
	if o.WouldDeny {
		c.wouldDeny.Add(1)
	}
	if o.Refusal != "" {
		m.reasons.add(o.Refusal, 1)
	}
}
