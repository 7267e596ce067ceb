package match

import (
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
)

// optionsCover reports whether every query that meets the others meets the options of an allow rule, for paths
// that the others' rule matches.
func optionsCover(options, others []Option) bool {
	for i := range options {
		if !options[i].covers(find(others, options[i].Name)) {
			return false
		}
	}
	for _, name := range RefusedUnlessNamed() {
		if other := find(others, name); other != nil && other.kind != refused && find(options, name) == nil {
			return false
		}
	}
	return find(options, optionSelect) != nil || expansionsCover(expansionsOf(options), beyond(selectedBy(others)))
}

// expansionsOf returns the entries of $expand, and selectedBy the properties of $select.
func expansionsOf(options []Option) []Expansion {
	if o := find(options, optionExpand); o != nil {
		return o.expansions
	}
	return nil
}

func selectedBy(options []Option) []string {
	if o := find(options, optionSelect); o != nil {
		return o.names
	}
	return nil
}

func find(options []Option, name string) *Option {
	i := slices.IndexFunc(options, func(o Option) bool { return o.Name == name })
	if i < 0 {
		return nil
	}
	return &options[i]
}

// covers reports whether the condition holds whenever the other holds, which is on the same option; nil is no
// condition.
func (o *Option) covers(other *Option) bool {
	switch {
	case other == nil:
		return slices.Contains(RefusedUnlessNamed(), o.Name)
	case other.kind == refused:
		return o.kind != selects
	case o.kind == oneOf && other.kind == atMost:
		return anyIncludes(o.values.narrow, []rune{star})
	case o.kind != other.kind:
		return false
	}
	switch o.kind {
	case atMost:
		return other.most <= o.most
	case oneOf:
		return patternsCover(o.values.narrow, other.values.narrow)
	case selects:
		return isSubset(other.names, o.names)
	case expands:
		return expansionsCover(o.expansions, other.expansions)
	}
	return false
}

func isSubset(names, of []string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(of, n) })
}

func expansionsCover(entries, others []Expansion) bool {
	return !slices.ContainsFunc(others, func(other Expansion) bool {
		return !slices.ContainsFunc(entries, func(e Expansion) bool { return e.coversEntry(&other) })
	})
}

// coversEntry reports whether the entry allows everything that the other allows.
func (e *Expansion) coversEntry(other *Expansion) bool {
	same := e.star == other.star && slices.Equal(e.path, other.path)
	if !same && !(e.star && len(e.path) == 0 && !other.star && len(other.path) == 1 && isPropertyName(other.path[0])) {
		return false
	}
	selected := e.names == nil && expansionsCover(e.nested, beyond(other.names)) ||
		e.names != nil && other.names != nil && isSubset(other.names, e.names)
	return selected && expansionsCover(e.nested, other.nested)
}

// isSurelyTouched reports whether every query that meets the others touches the condition of a deny rule. Only
// a condition on $select can be: all other options may be absent.
func (o *Option) isSurelyTouched(others []Option) bool {
	other := find(others, o.Name)
	switch {
	case o.kind != selects || other == nil:
		return false
	case other.kind == refused:
		return true
	}
	return other.kind == selects &&
		!slices.ContainsFunc(other.names, func(n string) bool { return !mentionsAny(n, o.words) })
}

// mayBeTouched reports whether a query that meets the others may touch the condition of a deny rule; true if
// uncertain.
func (o *Option) mayBeTouched(others []Option) bool {
	other := find(others, o.Name)
	switch {
	case o.kind == expands && mentionsAny(strings.Join(selectedPaths(others), ","), o.words):
		return true
	case other == nil:
		return !slices.Contains(RefusedUnlessNamed(), o.Name)
	case other.kind == refused:
		return o.kind == selects
	case o.kind == selects && other.kind == selects:
		return mentionsAny(strings.Join(other.names, ","), o.words)
	case o.kind == oneOf && other.kind == oneOf:
		return slices.ContainsFunc(other.values.narrow, func(p pattern) bool {
			return len(p.stars) > 0 || o.mayHold(&odata.Option{Value: p.pieces[0]})
		})
	}
	return true
}

// selectedPaths returns the properties of $select that are paths.
func selectedPaths(options []Option) []string {
	return slices.DeleteFunc(slices.Clone(selectedBy(options)),
		func(name string) bool { return strings.IndexByte(name, '/') < 0 })
}
