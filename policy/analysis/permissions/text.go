package permissions

import (
	"fmt"
	"io"
	"strings"
)

// How much WriteText shows of long lists, unless all is set.
const (
	fewNeeds      = 3
	fewOperations = 2
)

// WriteText writes the report for people, a section for each list that is not empty. Of long lists it shows the
// beginning, and how much more there is, or all.
func (r *Report) WriteText(w io.Writer, all bool) error {
	t := &text{all: all}
	t.line("app %s: %s, %s", r.App, count(r.Rules, "rule"), count(len(r.Roles), "known role"))
	t.findings("cannot work:", r.Cannot)
	t.findings("can work only in part:", r.Partly)
	t.findings("depends on what was granted for single resources:", r.Depends)
	t.undocumented(r.Undocumented)
	t.unused(r)
	t.unknown(r.Unknown)
	t.advice(r.Advice)
	t.line("\n%d of %s covered, %d cannot work, %d in part, %d not documented; %s unused, %d unknown",
		r.Work, count(r.Rules, "rule"), len(r.Cannot), len(r.Partly), len(r.Undocumented), count(len(r.Unused), "role"),
		len(r.Unknown))
	_, err := io.WriteString(w, t.String())
	return err
}

type text struct {
	strings.Builder
	all bool
}

func (t *text) line(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

func (t *text) findings(title string, findings []Finding) {
	if len(findings) > 0 {
		t.line("\n%s", title)
	}
	for _, f := range findings {
		t.line("  %s: %s", f.Where, f.Rule)
		t.named(f)
		switch {
		case f.Reason != "":
			t.line("    %s", f.Reason)
			continue
		case f.Documented > 1:
			t.line("    %d of %s covered", f.Covered, count(f.Documented, "documented operation"))
		}
		if f.SignedIn > 0 {
			t.line("    and %s that only a signed-in user has", count(f.SignedIn, "operation"))
		}
		t.needs(f)
		if f.Note != "" {
			t.line("    %s", f.Note)
		}
	}
}

// named shows which operations a rule means, if all is shown.
func (t *text) named(f Finding) {
	for _, o := range f.Operations {
		switch {
		case !t.all:
		case o.Page == "":
			t.line("    is %s", o.Name)
		default:
			t.line("    is %s, %s", o.Name, o.Page)
		}
	}
}

func (t *text) needs(f Finding) {
	shown := t.few(len(f.Needs), fewNeeds)
	for _, n := range f.Needs[:shown] {
		role := n.Role.String()
		if n.With != "" {
			role += " with " + n.With
		}
		t.line("    needs %s%s", role, t.purpose(f, n.Operations))
	}
	if rest := f.Needs[shown:]; len(rest) > 0 {
		operations := 0
		for _, n := range rest {
			operations += len(n.Operations)
		}
		t.line("    and %s more for %s; --all shows them", count(len(rest), "role"), count(operations, "operation"))
	}
}

// purpose returns what a role is needed for, if the rule does not show it.
func (t *text) purpose(f Finding, operations []string) string {
	if f.Documented == 1 {
		return ""
	}
	shown := t.few(len(operations), fewOperations)
	purpose := " for " + strings.Join(operations[:shown], ", ")
	if rest := len(operations) - shown; rest > 0 {
		purpose += fmt.Sprintf(" and %d more", rest)
	}
	return purpose
}

// few returns how many of n lines to show. It shows one more line rather than a line that counts the rest.
func (t *text) few(n, most int) int {
	if t.all || n <= most+1 {
		return n
	}
	return most
}

func (t *text) undocumented(findings []Finding) {
	if len(findings) > 0 {
		t.line("\nnot documented: the file does not show which role they need:")
	}
	for _, f := range findings {
		methods := ""
		if !strings.HasPrefix(f.Rule, f.Methods+" ") {
			methods = f.Methods + ": "
		}
		t.line("  %s: %s\n    %s%s", f.Where, f.Rule, methods, f.Reason)
	}
}

func (t *text) unused(r *Report) {
	if len(r.Unused) == 0 {
		return
	}
	caution := ""
	if len(r.Undocumented) > 0 {
		caution = " that is documented"
	}
	t.line("\nto be removed, no rule%s needs them:", caution)
	for _, role := range r.Unused {
		t.line("  %s", role)
	}
}

func (t *text) unknown(roles []Unknown) {
	if len(roles) > 0 {
		t.line("\nunknown:")
	}
	for _, u := range roles {
		t.line("  %s: %s", u.Name, u.Reason)
	}
}

func (t *text) advice(all []Advice) {
	if len(all) > 0 {
		t.line("\nmore than is needed, perhaps (the file lists no properties, and a lesser role may read fewer):")
	}
	for _, a := range all {
		also := ""
		if a.InHand {
			also = ", which is in hand too,"
		}
		t.line("  %s: %s%s would do for %s", a.Role, a.Instead, also, usedBy(a.Rules))
	}
}

func usedBy(rules int) string {
	if rules == 1 {
		return "the rule that uses it"
	}
	return fmt.Sprintf("the %d rules that use it", rules)
}

// String returns the role's name and level.
func (r Role) String() string {
	if r.Level == 0 {
		return r.Name + " (level not known)"
	}
	return fmt.Sprintf("%s (level %d)", r.Name, r.Level)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
