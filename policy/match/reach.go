package match

import "graphproxy/policy/graph/odata"

// namedOptions are the options that reach beyond a resource and that the conditions of a rule name. A rule that
// names none allows none of them.
type namedOptions struct {
	expand, selects, apply, compute bool
	expansions                      []Expansion // of $expand
}

func namedBy(options []Option) (n namedOptions) {
	for i := range options {
		o := &options[i]
		switch o.Name {
		case optionExpand:
			n.expand, n.expansions = true, o.expansions
		case optionSelect:
			n.selects = true
		case optionApply:
			n.apply = true
		case optionCompute:
			n.compute = true
		}
	}
	return n
}

// reaches returns the reason why an option reaches further than the rule allows, "" if it does not. $expand
// returns other resources, and so does a path or a parenthesis in $select. $apply and $compute return values
// that are derived from any property.
func (r *Rule) reaches(o *odata.Option) string {
	isNamed := true
	switch o.Fold {
	case optionExpand:
		isNamed = r.named.expand
	case optionApply:
		isNamed = r.named.apply
	case optionCompute:
		isNamed = r.named.compute
	case optionSelect:
		if !r.named.selects && !staysWithin(o, r.named.expansions) {
			return "query: " + optionExpand + ", which a path in $select needs,"
		}
	}
	if isNamed {
		return ""
	}
	return "query: " + o.Fold
}

// RefusedUnlessNamed returns the options that a rule refuses unless it names them.
func RefusedUnlessNamed() []string { return []string{optionExpand, optionApply, optionCompute} }

// beyond returns the entries of $expand that a list of properties is equivalent to, as odata.ParseSelectPaths
// reads it.
func beyond(properties []string) []Expansion {
	var entries []Expansion
	for _, p := range properties {
		items, err := odata.ParseSelectPaths(p)
		if err != nil {
			continue // the list was parsed when the rule was read
		}
		for _, item := range items {
			if e, err := newExpansion(item); err == nil {
				entries = append(entries, e)
			}
		}
	}
	return entries
}
