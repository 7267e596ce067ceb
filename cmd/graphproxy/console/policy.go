package console

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"graphproxy/policy"
	"graphproxy/policy/analysis/lint"
	"graphproxy/policy/operations"
)

// policyData is what policy.html shows.
type policyData struct {
	PolicyState
	Age      time.Duration
	Up       time.Duration // rules are counted since the console was started
	Days     int
	Unused   []ruleRow // not used in Days
	Callers  []callerRules
	Lists    []listRow
	Tests    []testRow
	Failed   int
	Warnings []warningRow
	Texts    []fileText
}

// callerRules are the rules of a caller.
type callerRules struct {
	Name, Mode string
	Link       string // to its line
	Rules      []ruleRow
}

// ruleRow is a rule of a caller and its use.
type ruleRow struct {
	Caller     string
	Denies     bool
	Text       string
	Conditions []string
	Where      string
	Link       string // to its line
	Hits       uint64
	Last       time.Time // zero: not since the start
	Nearby     int       // refusals in the records, for which this rule is the nearest
}

type listRow struct {
	Name   string
	Values []string
}

type testRow struct {
	Caller, Text, Want, Result string
	OK                         bool
	Where, Link                string
}

type warningRow struct{ Where, Link, Message string }

// fileText is a file of the policy with its lines.
type fileText struct {
	Name  string
	Lines []anchoredLine
}

type anchoredLine struct {
	Number       int
	Anchor, Text string
}

// mostDays bounds the days of the question for unused rules.
const mostDays = 3650

// policyPage shows the policy in force.
func (c *Console) policyPage(r *http.Request) (any, error) {
	days := 30
	if text := r.URL.Query().Get("days"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostDays {
			return nil, &answer{http.StatusBadRequest, "The number of days is a whole one from 1 to 3650."}
		}
		days = n
	}
	now, state := c.now(), c.source.State().Policy
	d := &policyData{
		PolicyState: state,
		Age:         now.Sub(state.Since),
		Up:          now.Sub(c.started),
		Days:        days,
		Texts:       texts(state.Files),
	}
	d.addRules(c, now.AddDate(0, 0, -days))
	for name, values := range state.Policy.Lists() {
		d.Lists = append(d.Lists, listRow{name, values})
	}
	slices.SortFunc(d.Lists, func(a, b listRow) int { return strings.Compare(a.Name, b.Name) })
	findings := c.findings.of(&state, now)
	d.Tests, d.Failed, d.Warnings = findings.tests, findings.failed, findings.warnings
	return d, nil
}

// addRules adds the rules by caller, and those that were not used since a time.
func (d *policyData) addRules(c *Console, since time.Time) {
	nearby := c.nearby(d.Policy)
	for _, one := range d.Policy.Callers() {
		rules := callerRules{Name: one.Name, Mode: "enforce", Link: d.link(one.File, one.Line)}
		if d.Policy.Reports(one.Name) {
			rules.Mode = "report"
		}
		allow, deny := d.Policy.Rules(one.Name)
		for i, r := range slices.Concat(allow, deny) {
			u := c.history.of(one.Name, r)
			row := ruleRow{
				Caller:     one.Name,
				Denies:     i >= len(allow),
				Text:       r.Text,
				Conditions: r.Conditions,
				Where:      r.Where(),
				Link:       d.link(r.File, r.Line),
				Hits:       u.hits,
				Last:       u.last,
				Nearby:     nearby[callersRule{one.Name, r}],
			}
			rules.Rules = append(rules.Rules, row)
			if u.last.Before(since) || u.last.IsZero() {
				d.Unused = append(d.Unused, row)
			}
		}
		d.Callers = append(d.Callers, rules)
	}
}

// link returns the address of a line on the page; "" if the files do not have it.
func (s *PolicyState) link(file string, line int) string {
	for n, f := range s.Files.All {
		if s.Files.Prefix+f.Name == file || f.Name == file {
			return "/policy#" + anchor(n, line)
		}
	}
	return ""
}

func texts(files policy.Files) []fileText {
	var all []fileText
	for n, f := range files.All {
		t := fileText{Name: f.Name}
		for i, line := range strings.Split(strings.TrimSuffix(string(f.Data), "\n"), "\n") {
			t.Lines = append(t.Lines, anchoredLine{i + 1, anchor(n, i+1), withoutHashes(line)})
		}
		all = append(all, t)
	}
	return all
}

// keyHash is the SHA-256 of a key.
var keyHash = regexp.MustCompile(`\b([0-9a-fA-F]{8})[0-9a-fA-F]{56}\b`)

// withoutHashes shortens the hash of a key in a line of a policy, because a weak key can be found from its hash. What
// is left is the credential of records.
func withoutHashes(line string) string { return keyHash.ReplaceAllString(line, "$1…") }

// findings are what the tests and the checks of the policy in force find, made once for each policy.
type findings struct {
	mu       sync.Mutex
	hash     string
	tests    []testRow
	failed   int
	warnings []warningRow
}

// of returns the findings for a policy.
func (f *findings) of(s *PolicyState, now time.Time) *findings {
	f.mu.Lock()
	defer f.mu.Unlock()
	made := &findings{hash: s.Policy.Hash(), tests: f.tests, failed: f.failed, warnings: f.warnings}
	if f.hash == made.hash {
		return made
	}
	made.tests, made.failed, made.warnings = nil, 0, nil
	made.test(s, now)
	made.check(s, now)
	f.hash, f.tests, f.failed, f.warnings = made.hash, made.tests, made.failed, made.warnings
	return made
}

func (f *findings) test(s *PolicyState, now time.Time) {
	words := map[bool]string{true: "allow", false: "deny"}
	for _, r := range s.Policy.TestAt(now) {
		f.tests = append(f.tests, testRow{
			Caller: r.Request.Caller,
			Text:   r.Text,
			Want:   words[r.Allow],
			Result: r.Explanation.String(),
			OK:     r.OK,
			Where:  r.File + ":" + strconv.Itoa(r.Line),
			Link:   s.link(r.File, r.Line),
		})
		if !r.OK {
			f.failed++
		}
	}
}

// check finds what graphproxy policy check warns of.
func (f *findings) check(s *PolicyState, now time.Time) {
	o := s.Check
	o.Now = now
	var err error
	if o.Operations, err = operations.Embedded(); err != nil {
		f.warnings = append(f.warnings, warningRow{Message: "The lists of Graph's operations cannot be read, so the file " +
			"is not checked."})
		return
	}
	for _, e := range lint.Check(s.Policy, o) {
		f.warnings = append(f.warnings, warningRow{e.Place(), s.link(e.File, e.Line), e.Message})
	}
}
