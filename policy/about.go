package policy

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"

	"graphproxy/policy/yamlfile"
)

// About is what the file has for people about a caller, a rule or a list. It decides nothing. Each field is one line
// of visible characters; "" where the file has none.
type About struct {
	Description string // at most 200 bytes
	Owner       string // who answers questions, at most 100 bytes
	Ticket      string // under which it was asked for, at most 64 bytes; audit lines have it
}

// The bounds of About, in bytes. Refusals and audit lines hold them.
const (
	maxDescription = 200
	maxOwner       = 100
	maxTicket      = 64
)

// String returns the fields that are there on one line: "pay slips, owner hr-team, ticket HR-12".
func (a About) String() string {
	var parts []string
	if a.Description != "" {
		parts = append(parts, a.Description)
	}
	if a.Owner != "" {
		parts = append(parts, "owner "+a.Owner)
	}
	if a.Ticket != "" {
		parts = append(parts, "ticket "+a.Ticket)
	}
	return strings.Join(parts, ", ")
}

// aboutKeys are the keys that about reads.
func aboutKeys() []string { return []string{"description", "owner", "ticket"} }

// about reads what a caller, a rule or a list has for people.
func about(keys map[string]yamlfile.Value) About {
	return About{
		Description: aboutText(keys["description"], maxDescription, "one line for people"),
		Owner:       aboutText(keys["owner"], maxOwner, "who answers questions, such as hr-team@contoso.com"),
		Ticket:      aboutText(keys["ticket"], maxTicket, "the ticket under which it was asked for, such as SEC-1234"),
	}
}

func aboutText(v yamlfile.Value, most int, expected string) string {
	if !v.IsSet() {
		return ""
	}
	text, ok := v.Text(expected)
	text = strings.TrimSpace(text)
	switch {
	case !ok:
		return ""
	case text == "":
		v.Errorf("this is empty; expected %s", expected)
	case len(text) > most:
		v.Errorf("it has %d bytes; at most %d are read", len(text), most)
	case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		v.Errorf("%.80q is not one line of visible characters and spaces", text)
	}
	return text
}

// About returns what the file has for people about the rule.
func (r *Rule) About() About {
	if r == nil {
		return About{}
	}
	return r.about
}

// ListAbout is what the file has for people about a list.
type ListAbout struct {
	Name string
	About
}

// AboutLists returns what the file has for people about the lists that the rule uses. Must not be changed.
func (r *Rule) AboutLists() []ListAbout {
	if r == nil {
		return nil
	}
	return r.aboutLists
}

// ticket returns the ticket of a decision by the rule, or without one: the rule's before the caller's.
func (b *ruleBook) ticket(r *Rule) string {
	if r != nil && r.about.Ticket != "" {
		return r.about.Ticket
	}
	return b.about.Ticket
}

// aboutDenial returns the part of a refusal that the file has about the rule that denies a request, or that comes
// nearest, and else about the caller; "" if it has nothing.
func (p *Policy) aboutDenial(r Request, d Decision) string {
	if a := cmp.Or(d.Rule, d.Near).About(); a != (About{}) {
		return fmt.Sprintf(" (about the rule: %s)", a)
	}
	if book := p.rules[r.Caller]; book != nil && book.about != (About{}) {
		return fmt.Sprintf(" (about the caller: %s)", book.about)
	}
	return ""
}
