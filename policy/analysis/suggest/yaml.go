package suggest

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"graphproxy/policy"
)

// WriteYAML writes the callers' allow lists in the form of a policy file, with uncovered requests in comments. It
// can be pasted, except that a caller needs an identity. Every text of the log in it is part of a template or
// quoted on one line. The error is the writer's.
func (s *Suggestion) WriteYAML(w io.Writer) error {
	var b strings.Builder
	if s.Nobody > 0 {
		fmt.Fprintf(&b, "# %s of unknown callers %s not covered\n", counted(s.Nobody, "request"), isOrAre(s.Nobody))
	}
	b.WriteString("callers:")
	if len(s.Callers) == 0 {
		b.WriteString(" {}")
	}
	b.WriteByte('\n')
	for i := range s.Callers {
		s.Callers[i].write(&b, "")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// write writes one caller; settings are lines that come first.
func (c *Caller) write(b *strings.Builder, settings string) {
	fmt.Fprintf(b, "  %s:\n%s", yamlText(c.Name), settings)
	c.writeLeftOut(b)
	if len(c.Rules) == 0 {
		b.WriteString("    allow: []\n")
		return
	}
	b.WriteString("    allow:\n")
	longest := 0
	for i := range c.Rules {
		if n := len(yamlText(c.Rules[i].Text)); n <= widest {
			longest = max(longest, n)
		}
	}
	for i := range c.Rules {
		c.Rules[i].write(b, longest)
	}
}

// widest is the length of the longest rule after which comments are aligned in one column.
const widest = 70

func (c *Caller) writeLeftOut(b *strings.Builder) {
	for _, note := range c.notes() {
		fmt.Fprintf(b, "    # %s\n", note)
	}
}

// notes describes the requests that the rules do not cover.
func (c *Caller) notes() []string {
	var notes []string
	for _, part := range []struct {
		n    int
		what string
	}{
		{c.Denied, "denied"},
		{c.Unreadable, "of a target that cannot be read from the log with certainty"},
		{c.Unwritable, "of a target that no rule can name"},
		{c.Unknown, "that the policy has a rule for, which decides by what is not in the log: the values of query " +
			"options, " +
			"or the body"},
		{c.Options, "that the policy has a rule for, which denies a query option such as $expand; add query: to " +
			"that rule"},
	} {
		if part.n > 0 {
			notes = append(notes, fmt.Sprintf("not covered: %s %s", counted(part.n, "request"), part.what))
		}
	}
	for _, f := range c.Forbidden {
		note := fmt.Sprintf("not covered: %s that %s denies, %s", counted(f.Requests, "request"), oneLine(f.Rule),
			oneLine(f.Path))
		if f.Allowed > 0 {
			note += fmt.Sprintf("; keep that rule, for those below would allow %d of them", f.Allowed)
		}
		notes = append(notes, note)
	}
	return notes
}

func (r *Rule) write(b *strings.Builder, column int) {
	for _, c := range r.comments() {
		fmt.Fprintf(b, "      # %s\n", c)
	}
	fmt.Fprintf(b, "      - %-*s  # %s\n", column, yamlText(r.Text), counted(r.Requests, "request"))
}

// YAML returns the rule as it stands in a list of a policy file, with its comments.
func (r *Rule) YAML() string {
	var b strings.Builder
	for _, c := range r.comments() {
		b.WriteString("# " + c + "\n")
	}
	b.WriteString("- " + yamlText(r.Text) + "\n")
	return b.String()
}

// comments are the lines of comments above the rule: what the log cannot show.
func (r *Rule) comments() []string {
	var lines []string
	if r.Expand > 0 {
		lines = append(lines, fmt.Sprintf("%s used $expand, which this rule denies; add query: {$expand: [what may "+
			"be expanded]}",
			counted(r.Expand, "request")))
	}
	for _, o := range []struct {
		name string
		n    int
	}{{"$apply", r.Apply}, {"$compute", r.Compute}} {
		if o.n > 0 {
			lines = append(lines, fmt.Sprintf("%s used %s, which this rule denies; add query: {%s: [the values "+
				"that may be used]}",
				counted(o.n, "request"), o.name, o.name))
		}
	}
	for _, name := range r.Names {
		lines = append(lines, oneLine(name)+" may be a key; write {name} in its place if any will do")
	}
	return lines
}

// yamlText returns a text in a form that YAML reads as that text: null, 5 and yes get quotes.
func yamlText(text string) string {
	spelled, err := yaml.Marshal(text)
	if err != nil {
		return strconv.QuoteToASCII(text)
	}
	return strings.TrimSuffix(string(spelled), "\n")
}

// oneLine makes text of the log fit for a comment: on one line, and ASCII, so that it cannot imitate other text.
func oneLine(s string) string {
	const most = 120
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "..."
	}
	return strconv.QuoteToASCII(s)
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func isOrAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// Verify reads the rules as a policy file and returns, as an error, the first request that they should allow but do
// not. It tests this package and the policy against each other; the log is never the cause of the error.
func (s *Suggestion) Verify() error {
	for i := range s.Callers {
		c := &s.Callers[i]
		b := new(strings.Builder)
		b.WriteString("version: 1\ncallers:\n")
		c.write(b, "    identity: [anyone]\n")
		p, err := policy.Parse("suggestion", []byte(b.String()))
		if err != nil {
			return fmt.Errorf("reading the rules for caller %q: %w", c.Name, err)
		}
		for _, it := range c.items {
			if d := p.Decide(policy.Request{Caller: c.Name, Method: it.method.String(), Target: it.target}); !d.Allow {
				return fmt.Errorf("the rules for caller %q deny %s %q, which was seen", c.Name, it.method,
					it.target.Path())
			}
		}
	}
	return nil
}
