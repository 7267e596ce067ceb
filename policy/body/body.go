// Package body decides whether the JSON body of a request meets a rule's conditions: which properties and
// values it may have, and to whom it may send or share.
//
// It reads a body once, from front to end, with package strictjson, and judges the same bytes that are sent. It
// compares names without regard to letter case, as Graph does. A body that the package does not understand does
// not meet the conditions of an allow rule, and does meet those of a deny rule. Package policy reads the
// conditions from a file; policy/graph/odata and policy/match read paths of Graph.
package body

import (
	"fmt"
	"slices"
	"strings"

	"graphproxy/policy/match"
	"graphproxy/policy/strictjson"
)

// MaxPaths is how many properties the conditions of one rule may name.
const MaxPaths = 64

// Condition is a condition on one property.
type Condition struct {
	Path     string        // names of properties with "/" between them: "message/importance"
	Values   []string      // what a text, number or boolean may be, with stars as in match.Values; nil: anything
	None     bool          // it must be absent, null or empty
	Required bool          // it must be there, and not null or empty
	Max      int           // the length of a list or the value of a number at most; -1: no bound
	Targets  Targets       // a text must be the path of one of these; nil: anything
	Only     []string      // the properties that an object may have, as paths from here; nil: any
	values   *match.Values // of Values; nil if there are none
	booleans bool          // all of Values are true or false, so a text is none of them
}

// Targets are the resources of Graph that a text may name.
type Targets interface {
	Allow(path string) bool   // reports whether the text is certainly the path of one
	MayMean(path string) bool // reports whether it may be
	Texts() []string          // as the file has them
	Cover(others Targets) bool
}

// Bounds are all conditions of a rule on the body. They implement match.Bounds. They are safe for concurrent use and
// must not be copied.
type Bounds struct {
	root       *node
	conditions []Condition
	recipients *match.Values // nil: any recipient
	readers    strictjson.Spare
}

// node is a place in a body, with the conditions on the property there and below.
type node struct {
	name     string // in lower case
	path     string // as in the file
	children []*node
	of       *Condition // nil: no condition on the property itself

	bounded  bool   // a condition other than only applies to it or to a property below
	required bool   // it must be there, for itself or for a property below
	closed   string // the reason of the only: that lists the allowed properties; "": any property
	named    bool   // an only: names it
	way      bool   // an only: names it, or a property below
}

// New compiles conditions. Recipients are the allowed addresses; nil allows any. The error names a path that
// cannot be read, or that occurs twice.
func New(conditions []Condition, recipients []string) (*Bounds, error) {
	b := &Bounds{root: &node{}, conditions: slices.Clone(conditions)}
	if recipients != nil {
		v := match.NewValues(recipients)
		b.recipients = &v
	}
	for _, c := range fromTheTop(b.conditions) {
		if err := b.add(c); err != nil {
			return nil, err
		}
	}
	if n := b.root.count(); n > MaxPaths {
		return nil, fmt.Errorf("the conditions name %d properties; at most %d are read", n, MaxPaths)
	}
	return b, nil
}

// fromTheTop returns the conditions, those on an object before those on its properties, so that the order in a file
// makes no difference to lists of only.
func fromTheTop(conditions []Condition) []*Condition {
	all := make([]*Condition, len(conditions))
	for i := range conditions {
		all[i] = &conditions[i]
	}
	depth := func(c *Condition) int {
		if c.Path == "" {
			return -1
		}
		return strings.Count(c.Path, "/")
	}
	slices.SortStableFunc(all, func(a, b *Condition) int { return depth(a) - depth(b) })
	return all
}

func (b *Bounds) add(c *Condition) error {
	n, err := b.root.at(c.Path)
	switch {
	case err != nil:
		return err
	case n.of != nil:
		return fmt.Errorf("the property %q is there twice, letter case does not count; keep one", c.Path)
	}
	n.of = c
	if len(c.Values) > 0 {
		v := match.NewValues(c.Values)
		c.values = &v
		c.booleans = !slices.ContainsFunc(c.Values, func(s string) bool { return !isBoolean(s) })
	}
	if c.isBound() {
		b.root.mark(c.Path, func(n *node) { n.bounded = true })
	}
	if c.Required {
		b.root.mark(c.Path, func(n *node) { n.required = true })
	}
	return n.close(c)
}

// isBound reports whether the condition bounds the property itself, and not only its child properties.
func (c *Condition) isBound() bool {
	return c.Values != nil || c.None || c.Required || c.Max >= 0 || c.Targets != nil
}

func isBoolean(s string) bool { return strings.EqualFold(s, "true") || strings.EqualFold(s, "false") }

// close makes the place of a condition with only: no other properties are allowed there.
func (n *node) close(c *Condition) error {
	if c.Only == nil {
		return nil
	}
	if n.closed != "" || n.isClosedBelow() {
		return fmt.Errorf("two lists of only: are about the properties of %q; name them all in one", n.path)
	}
	n.closed = c.reasonOnly()
	for _, path := range c.Only {
		end, err := n.at(path)
		switch {
		case err != nil:
			return err
		case path == "" || end.named:
			return fmt.Errorf("the property %q is there twice, letter case does not count; keep one", path)
		}
		end.named = true
		n.mark(path, func(on *node) {
			on.way = true
			if on != end {
				on.closed = n.closed
			}
		})
	}
	return nil
}

func (n *node) isClosedBelow() bool {
	return slices.ContainsFunc(n.children, func(next *node) bool { return next.closed != "" || next.isClosedBelow() })
}

func (c *Condition) reason() string { return match.ReasonBody + c.Path }

func (c *Condition) reasonOnly() string {
	if c.Path == "" {
		return match.ReasonBody + "only"
	}
	return match.ReasonBody + c.Path + ": only"
}

// at returns the place of a path below n, and creates it if needed.
func (n *node) at(path string) (*node, error) {
	if path == "" {
		return n, nil
	}
	for name := range strings.SplitSeq(path, "/") {
		if !isName(name) {
			return nil, fmt.Errorf("%.80q is not a path of property names such as message/importance", path)
		}
		n = n.make(name)
	}
	return n, nil
}

func (n *node) make(name string) *node {
	folded := strings.ToLower(name)
	if next := n.child(folded); next != nil {
		return next
	}
	next := &node{name: folded, path: strings.TrimPrefix(n.path+"/"+name, "/")}
	n.children = append(n.children, next)
	return next
}

func (n *node) child(folded string) *node {
	for _, next := range n.children {
		if next.name == folded {
			return next
		}
	}
	return nil
}

// mark calls do for each existing place on a path, from the first name to the last.
func (n *node) mark(path string, do func(*node)) {
	if path == "" {
		return
	}
	for name := range strings.SplitSeq(path, "/") {
		n = n.child(strings.ToLower(name))
		do(n)
	}
}

func (n *node) count() int {
	total := len(n.children)
	for _, next := range n.children {
		total += next.count()
	}
	return total
}

// isName reports whether s can be the name of a property or annotation: jobTitle, manager@odata.bind, @odata.type,
// extension_7_skypeId.
func isName(s string) bool {
	const most = 128
	isOdd := func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("_-.@$#:", c))
	}
	return s != "" && len(s) <= most && strings.Trim(s, ".") != "" && !strings.ContainsFunc(s, isOdd)
}

// Conditions returns the conditions as they were given to New. They must not be changed.
func (b *Bounds) Conditions() []Condition { return b.conditions }

// Recipients returns the allowed addresses; nil if the rule does not restrict them.
func (b *Bounds) Recipients() []string {
	if b.recipients == nil {
		return nil
	}
	return b.recipients.Texts()
}
