package permissions

import (
	"slices"
	"strings"

	"graphproxy/policy"
	"graphproxy/policy/match"
	"graphproxy/policy/operations"
)

// isSelected reports whether a role covers only the resources that an administrator granted to the app, one by one:
// Sites.Selected. A token shows the role and not the resources.
func isSelected(name string) bool { return strings.HasSuffix(strings.ToLower(name), ".selected") }

// selectedFor returns the first of the app's roles for single resources that may cover what a rule names; "" if there
// is none. The file documents few paths for such a role, so the segments of the path decide.
func (c *checker) selectedFor(r *policy.Rule) string {
	var names []string
	for _, known := range c.report.PerResource {
		names = append(names, known.Name)
	}
	for i := range r.Match().Template.Segments {
		for _, name := range names {
			if slices.Contains(selectedSegments(name), r.Match().Template.Segments[i].Fold) {
				return name
			}
		}
	}
	return ""
}

// selectedSegments returns the segments of paths to what a role for single resources can be granted for, in lower case.
func selectedSegments(name string) []string {
	area, _, _ := strings.Cut(strings.ToLower(name), ".")
	switch area {
	case "sites", "lists", "listitems", "files":
		return []string{"sites", "drive", "drives", "lists", "shares"}
	case "filestoragecontainer":
		return []string{"filestorage", "drives", "drive"}
	}
	return nil
}

// noteOn says that a role in a token is not the only way to what a rule needs.
func noteOn(needs []Need) string {
	for _, n := range needs {
		area, _, _ := strings.Cut(n.Name, ".")
		if slices.Contains([]string{"Mail", "Calendars", "Contacts", "MailboxSettings"}, area) {
			return "or it is allowed for single mailboxes by RBAC for Applications in Exchange, and then no token shows " +
				"a role for it"
		}
	}
	return ""
}

// Operation is an operation of Graph that a rule names.
type Operation struct {
	Name string `json:"name"`           // in the spelling of the reference: "GET /users/{user-id}"
	Page string `json:"page,omitempty"` // address of its page in the reference
}

// named returns the operations that a rule names, by the lists that graphproxy has; nil for a rule that ends in /**.
func (c *checker) named(r *match.Rule, methods match.Methods) []Operation {
	if r.Template.Below {
		return nil
	}
	if c.operations == nil {
		var err error
		if c.operations, err = operations.Embedded(); err != nil {
			return nil
		}
	}
	var all []Operation
	for m := match.Get; m <= match.Delete; m <<= 1 {
		if m&methods == 0 {
			continue
		}
		if o, found := c.operations.Find(r.Template.Segments, r.Template.Version, m.String()); found {
			all = append(all, Operation{o.Method + " " + o.Path, o.URL(r.Template.Version)})
		}
	}
	return all
}
