package match

import (
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
)

// Key restricts one variable of a template to values.
type Key struct {
	Reason   string // "where: id"
	Variable string // of the template: "id"

	segment int // of the template
	arg     string
	texts   []string
	values  patterns
}

// Values returns the values unchanged.
func (k *Key) Values() []string { return k.texts }

// Segment returns the index of the template's segment that holds the variable.
func (k *Key) Segment() int { return k.segment }

// NewKey returns the condition that the template's variable has one of the values, in which a star stands for a
// run of characters: "*" for any but slashes, "**" for any. It is false if the template has no such variable.
func NewKey(t *odata.Template, name string, values []string) (Key, bool) {
	v, found := findVariable(t, name)
	isPath := found && t.Segments[v.segment].Kind == odata.Path
	return Key{
		Reason:   "where: " + name,
		Variable: name,
		segment:  v.segment,
		arg:      v.arg,
		texts:    values,
		values:   newPatterns(values, false, isPath),
	}, found
}

// IsPath reports whether the variable is a path in a template.
func (k *Key) IsPath(t *odata.Template) bool { return t.Segments[k.segment].Kind == odata.Path }

// For returns the condition that the variable of another condition has one of k's values. Both variables must be paths,
// or neither.
func (k *Key) For(other Key) Key {
	other.texts, other.values = k.texts, k.values
	return other
}

func (k *Key) met(t *odata.Target) bool { return k.metBy(&t.Segments[k.segment]) }

// metBy reports whether the segment in the variable's place meets the condition.
func (k *Key) metBy(s *odata.Segment) bool {
	if k.arg != "" {
		a := argument(s.Args, k.arg)
		return a != nil && k.allows(a.FoldValue(), false)
	}
	return k.allows(s.FoldText(), s.Kind == odata.Path)
}

// allows reports whether one of the values matches a text. It must also match the part before a semicolon,
// which is the key for a server that takes the rest for a parameter, unless the whole text is one of the
// values.
func (k *Key) allows(folded string, isPath bool) bool {
	if !k.values.allows(folded) {
		return false
	}
	before, _, cut := strings.Cut(folded, ";")
	return !cut || isPath || k.values.allows(before) || k.isLiterally(folded)
}

func (k *Key) isLiterally(folded string) bool {
	for i := range k.values.narrow {
		if p := &k.values.narrow[i]; len(p.stars) == 0 && p.match(folded) {
			return true
		}
	}
	return false
}

// touched reports whether the segment in the variable's place may name one of the values. A key may be written
// as a segment, in parentheses, as an alternate key of any name, and with its tenant.
func (k *Key) touched(s *odata.Segment) bool {
	if s.Kind != odata.Args {
		return k.names(s.Spellings())
	}
	if a := argument(s.Args, k.arg); a != nil {
		return k.namesAny(a)
	}
	for i := range s.Args {
		if k.namesAny(&s.Args[i]) {
			return true
		}
	}
	return false
}

// namesAny reports whether an argument, or an element of it where it is a list, may name one of the values.
func (k *Key) namesAny(a *odata.Arg) bool {
	return k.names(a.FoldValue(), a.WideValue(), bareValue(a)) || slices.ContainsFunc(a.Items, k.namesText)
}

// names reports whether a text may name one of the values. A key may also be read without the characters around it, see
// odata.Bare, and up to a semicolon, after which some servers read a parameter. bare is "" for a text that is no key.
func (k *Key) names(folded, wide, bare string) bool {
	if k.values.mayMean(folded, wide) {
		return true
	}
	if bare == "" {
		return false
	}
	if bare != wide && k.values.mayMean(bare, bare) {
		return true
	}
	end := strings.IndexByte(wide, ';')
	return end >= 0 && k.values.mayMean(wide[:end], odata.Bare(wide[:end]))
}

// namesText is names for a key of a rule.
func (k *Key) namesText(text string) bool {
	wide := odata.Wide(text)
	return k.names(odata.Fold(text), wide, odata.Bare(wide))
}

func argument(args []odata.Arg, fold string) *odata.Arg {
	for i := range args {
		if args[i].Fold == fold {
			return &args[i]
		}
	}
	return nil
}

// bareValue returns the form of an argument for lookup, which is the same for all texts that may be read as the same.
func bareValue(a *odata.Arg) string { return odata.Bare(a.WideValue()) }

// bareItems does this for the elements of a list.
func bareItems(a *odata.Arg) []string {
	var items []string
	for _, item := range a.Items {
		items = append(items, odata.Bare(odata.Wide(item)))
	}
	return items
}
