package policy

import (
	"strings"
	"time"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/graph/service"
	"graphproxy/policy/match"
	"graphproxy/policy/yamlfile"
)

// until reads when a grant ends: a time with its zone, or a date, whose end in UTC it is. Zero: the grant does
// not end.
func (l *loader) until(v yamlfile.Value) time.Time {
	if !v.IsSet() {
		return time.Time{}
	}
	text, ok := v.Text("a time with its zone, such as 2026-12-31T18:00:00Z, or a date")
	if !ok {
		return time.Time{}
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, 1)
	}
	return readTime(v, text)
}

// at reads when a case is judged: a time with its zone, or a date, which is its beginning in UTC.
func at(v yamlfile.Value) time.Time {
	if !v.IsSet() {
		return time.Time{}
	}
	text, ok := v.Text("a time with its zone, such as 2026-12-31T18:00:00Z, or a date")
	if !ok {
		return time.Time{}
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day
	}
	return readTime(v, text)
}

func readTime(v yamlfile.Value, text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || text[len("2006-01-02T15")] != ':' || strings.Contains(text, ",") { // what time.Parse takes besides
		v.Errorf("%.80q is not a time with its zone or a date; write 2026-12-31T18:00:00Z, 2026-12-31T18:00:00+01:00 or "+
			"2026-12-31",
			text)
		return time.Time{}
	}
	return t.UTC()
}

// ParseTime reads a time as at: in a case is read: with its zone, or a date, which is its beginning in UTC.
func ParseTime(text string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, nil
	}
	return time.Parse(time.RFC3339, text)
}

// setUntil sets when a rule ends.
func (r *Rule) setUntil(t time.Time) {
	if t.IsZero() || !r.match.Until.IsZero() && r.match.Until.Before(t) {
		return
	}
	r.match.Until = t
	r.Conditions = append(r.Conditions[:len(r.Conditions):len(r.Conditions)], "until: "+t.Format(time.RFC3339))
}

// endingWith returns copies of the rules of a set that end no later than its include.
func endingWith(rules []*Rule, t time.Time) []*Rule {
	if t.IsZero() {
		return rules
	}
	all := make([]*Rule, len(rules))
	for i, r := range rules {
		c := *r
		c.setUntil(t)
		all[i] = &c
	}
	return all
}

// Until returns when the rule ends; zero if it does not.
func (r *Rule) Until() time.Time { return r.match.Until }

// Ended reports whether a caller of the file has ended at a time. Nothing is allowed to it then, in either
// mode.
func (p *Policy) Ended(caller string, at time.Time) bool {
	book := p.rules[caller]
	return book != nil && book.hasEnded(at)
}

func (b *ruleBook) hasEnded(at time.Time) bool { return !b.until.IsZero() && !at.Before(b.until) }

// sooner returns the earlier of two ends; zero is no end.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// MethodsOf returns the methods that a request to a target is judged as. A POST that only reads also has
// match.ReadPost.
func MethodsOf(method string, t *odata.Target) match.Methods {
	m := match.MethodOf(method)
	if m == match.Post && t != nil && service.Reads(t.Segments) {
		m |= match.ReadPost
	}
	return m
}
