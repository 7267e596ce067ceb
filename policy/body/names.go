package body

import (
	"bytes"
	"strings"

	"graphproxy/policy/match"
	"graphproxy/policy/strictjson"
)

// member returns the conditions on a property, its number among the properties with conditions (-1: none), and
// its meaning for Graph.
func (j *judge) member(n *node, p place, raw []byte, odd bool) (next *node, i int, q place) {
	name := raw
	var buffer [64]byte
	if odd {
		name = []byte(strictjson.Unquote(raw))
	}
	folded := buffer[:0]
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		folded = append(folded, c)
	}
	next, i = n.find(folded)
	q = j.enter(p, folded)
	switch {
	case next != nil && n.closed != "" && !next.way:
		j.fails(&node{path: next.path, closed: n.closed}, NotNamed)
	case next != nil || q != outside:
		if next == nil && n != nil && n.closed != "" {
			j.notNamed(n, name)
		}
	case odd && j.isOdd(n, p, raw, name), j.annotates(n, p, folded):
	case n != nil && n.closed != "":
		j.notNamed(n, name)
	}
	return next, i, q
}

// find returns the child with a name in lower case.
func (n *node) find(folded []byte) (next *node, i int) {
	if n == nil {
		return nil, -1
	}
	for i, next := range n.children {
		if next.name == string(folded) {
			return next, i
		}
	}
	return nil, -1
}

func (j *judge) notNamed(n *node, name []byte) {
	j.fail(Failure{Reason: n.closed, Property: below(n, name), Problem: NotNamed})
}

func below(n *node, name []byte) string {
	if n == nil || n.path == "" {
		return string(name)
	}
	return n.path + "/" + string(name)
}

// isOdd refuses a name with escapes or characters beyond ASCII that a reader may take for the name of a judged
// property. It reports whether it did.
func (j *judge) isOdd(n *node, p place, raw, name []byte) bool {
	return j.saysOf(n, p, []byte(strictjson.Fold(raw)), name, Odd)
}

// annotates refuses an annotation that may change a judged property: attachments@odata.bind gives it by
// reference, attachments@delta changes it (OData JSON Format 4.01 sections 8.5 and 15). In an object that has
// judged properties, @odata.id gives the whole object by reference. It reports whether it did.
func (j *judge) annotates(n *node, p place, folded []byte) bool {
	at := bytes.IndexByte(folded, '@')
	switch {
	case at < 0:
		return false
	case at > 0:
		return j.saysOf(n, p, bytes.TrimSpace(folded[:at]), folded, Annotated)
	case n == j.b.root || !isReference(string(folded)):
		return false
	case n != nil && len(n.children) > 0:
		return j.saysOf(n, p, []byte(n.children[0].name), folded, Annotated)
	case p != outside:
		j.fail(Failure{Reason: reasonRecipients, Property: below(n, folded), Problem: Annotated})
	}
	return p != outside
}

// saysOf refuses an annotation of the property with another name, if that property is judged. It reports
// whether it did.
func (j *judge) saysOf(n *node, p place, of, name []byte, problem Problem) bool {
	f := Failure{Property: below(n, name), Problem: problem}
	next, _ := n.find(of)
	switch {
	case next != nil && next.bounded:
		f.Reason = match.ReasonBody + next.path
	case placeBelow(p, of) != outside:
		f.Reason = reasonRecipients
	case next != nil:
		f.Reason = n.closed
	default:
		return false
	}
	j.fail(f)
	return true
}

// isReference reports whether an annotation of an object gives the object by reference.
func isReference(folded string) bool {
	switch strings.TrimPrefix(strings.TrimPrefix(folded, "@"), "odata.") {
	case "id", "bind", "delta", "readlink", "editlink":
		return true
	}
	return false
}
