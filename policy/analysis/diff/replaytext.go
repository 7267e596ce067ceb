package diff

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"graphproxy/policy/analysis/audit"
)

// WriteText writes one fact a line: the number of requests, the groups of changed requests ("-" denied now, "+"
// allowed now, "?" unknown), and the lines that were not replayed. The error is the writer's.
func (r Replayed) WriteText(w io.Writer) error {
	var b strings.Builder
	count := make(map[Outcome]int)
	for i := range r.Groups {
		count[r.Groups[i].Change] += r.Groups[i].Count
	}
	fmt.Fprintf(&b, "%s replayed: %d unchanged, %d denied now, %d allowed now, %d not known\n",
		counted(r.Requests, "request"), r.Unchanged, count[OutcomeDenied], count[OutcomeAllowed], count[OutcomeUnknown])
	for i := range r.Groups {
		r.Groups[i].write(&b)
	}
	writeSkipped(&b, r.Skipped, r.Unreadable)
	_, err := io.WriteString(w, b.String())
	return err
}

func (g *Group) write(b *strings.Builder) {
	sign := map[Outcome]string{OutcomeDenied: "-", OutcomeAllowed: "+", OutcomeUnknown: "?"}[g.Change]
	fmt.Fprintf(b, "  %s %s\n", sign, g.Text())
}

// Text returns the group as a sentence: what was asked, how it was answered and is now, and an example.
func (g *Group) Text() string {
	request := fmt.Sprintf("%d × %s %s %s", g.Count, g.Caller, g.Method, strings.TrimPrefix(g.Path, "/v1.0"))
	what := "was " + g.Old.text() + ", is now " + g.New.text()
	if g.Change == OutcomeUnknown {
		what = "depends on the values of " + strings.Join(g.Options, " and ") +
			", which the audit log does not hold: perhaps it was " +
			g.Old.text() + ", and is now " + g.New.text()
	}
	return fmt.Sprintf("%s: %s; such as %s", request, what, g.Example)
}

func (r *Ruling) text() string {
	switch {
	case r.Allow && r.Rule != "":
		return "allowed by " + r.Rule
	case r.Allow:
		return "allowed"
	case !r.Caller:
		return "refused as of no known caller"
	}
	text := "denied, no rule allows it"
	if r.Rule != "" {
		text = "denied by " + r.Rule
	}
	if r.Report {
		text += " (let through in report mode)"
	}
	return text
}

// writeSkipped reports skipped lines: the counts do not include the whole log.
func writeSkipped(b *strings.Builder, s audit.Skipped, unreadable int) {
	for _, reason := range slices.Sorted(maps.Keys(s.Refused)) {
		fmt.Fprintf(b, "  not replayed: %s refused before a judgement, %s\n", counted(s.Refused[reason], "request"), reason)
	}
	if s.Own > 0 {
		fmt.Fprintf(b, "  not replayed: %s that graphproxy answered itself\n", counted(s.Own, "request"))
	}
	if s.Lost > 0 {
		fmt.Fprintf(b, "  not in the log: %s that could not be written\n", counted(s.Lost, "line"))
	}
	for _, part := range []struct {
		n    int
		what string
	}{
		{unreadable, "whose target cannot be read back"},
		{s.Broken, "broken or cut off"},
		{s.TooLong, "too long"},
		{s.Other, "not of the audit log"},
	} {
		if part.n > 0 {
			fmt.Fprintf(b, "  not replayed: %s %s\n", counted(part.n, "line"), part.what)
		}
	}
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
