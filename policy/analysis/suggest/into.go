package suggest

import (
	"fmt"
	"slices"
	"time"

	"graphproxy/policy"
	"graphproxy/policy/analysis/edit"
)

// Merged is the files of a policy to which the rules of a suggestion are added.
type Merged struct {
	Files   policy.Files
	Changed []int    // which of Files.All, in their order
	New     []string // callers that the policy did not have. They have no identity, so that the policy does not load
	Notes   []string // for each caller: what the rules do not cover
	// Problem is why the policy does not load with the rules, besides the missing identities of New: for example a
	// bound or a test of it. It is nil if it loads.
	Problem error
}

// Into adds the rules to the files of a policy, each to the file that has its caller, and a caller that none has to the
// main file. Only lines are added; what stands there stays as it is.
//
// The tests that the files hold are run as of now.
func (s *Suggestion) Into(now time.Time, files policy.Files, p *policy.Policy,
	checks ...policy.EvidenceCheck) (Merged, error) {
	m, err := s.Added(files, p)
	if err == nil && len(m.New) == 0 && len(m.Changed) > 0 {
		m.Problem = m.check(now, s, checks)
	}
	return m, err
}

// Added is Into without a look at whether the policy loads with the rules: Problem is nil.
func (s *Suggestion) Added(files policy.Files, p *policy.Policy) (Merged, error) {
	m := Merged{Files: policy.Files{Prefix: files.Prefix, All: slices.Clone(files.All)}}
	for i := range s.Callers {
		c := &s.Callers[i]
		for _, note := range c.notes() {
			m.Notes = append(m.Notes, c.Name+": "+note)
		}
		if len(c.Rules) == 0 {
			continue
		}
		if err := m.add(c, p); err != nil {
			return Merged{}, err
		}
	}
	slices.Sort(m.Changed)
	m.Changed = slices.Compact(m.Changed)
	return m, nil
}

// add adds the rules of one caller.
func (m *Merged) add(c *Caller, p *policy.Policy) error {
	var rules []edit.Rule
	for i := range c.Rules {
		r := &c.Rules[i]
		rules = append(rules, edit.Rule{Text: r.Text, Comment: counted(r.Requests, "request"), Comments: r.comments()})
	}
	known := slices.IndexFunc(p.Callers(), func(known policy.Caller) bool { return known.Name == c.Name })
	if known < 0 {
		m.New = append(m.New, c.Name)
		return m.change(0, func(data []byte) ([]byte, error) { return edit.AddCaller(data, c.Name, rules) })
	}
	file := p.Callers()[known].File
	at := slices.IndexFunc(m.Files.All, func(f policy.File) bool { return m.Files.Prefix+f.Name == file })
	if at < 0 {
		return fmt.Errorf("the caller %q stands in %s, which is no file of this policy", c.Name, file)
	}
	return m.change(at, func(data []byte) ([]byte, error) { return edit.AddRules(data, c.Name, rules) })
}

func (m *Merged) change(at int, change func([]byte) ([]byte, error)) error {
	f := &m.Files.All[at]
	data, err := change(f.Data)
	if err != nil {
		return fmt.Errorf("%s%s: %w", m.Files.Prefix, f.Name, err)
	}
	f.Data = data
	m.Changed = append(m.Changed, at)
	return nil
}

// check returns why the policy with the rules does not load, or does not allow what they are for.
func (m *Merged) check(now time.Time, s *Suggestion, checks []policy.EvidenceCheck) error {
	p, err := policy.ParseFiles(now, m.Files, checks...)
	if err != nil {
		return err
	}
	for i := range s.Callers {
		name := s.Callers[i].Name
		for _, it := range s.Callers[i].items {
			d := p.Decide(policy.Request{Caller: name, Method: it.method.String(), Target: it.target, At: now})
			if (!d.Allow || d.WouldDeny) && !d.ReadBody {
				return fmt.Errorf("with the rules added, %s %q of caller %q is still denied: %s", it.method,
					it.target.Path(),
					name, d.Reason)
			}
		}
	}
	return nil
}
