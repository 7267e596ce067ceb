package body

import (
	"bytes"
	"strings"

	"graphproxy/policy/match"
	"graphproxy/policy/strictjson"
)

// The reasons that are about the body as a whole.
const (
	ReasonNotJSON    = match.ReasonBody + "not JSON"
	ReasonUnreadable = match.ReasonBody + "unreadable"
)

const reasonRecipients = match.ReasonBody + "recipients"

// Failure is the first part of a body that does not meet the conditions. It contains names of properties, and
// no values.
type Failure struct {
	Reason   string // as Unmet returns it; "": the body meets all conditions
	Property string // path of the property that fails; "": the body as a whole
	Problem  Problem
	Err      error // of ReasonUnreadable: where and why the body has not one reading
}

// Problem is the kind of failure of a property.
type Problem uint8

// The problems of properties.
const (
	BadValue     Problem = iota + 1 // it is none of the values
	BadType                         // it is of another JSON type than the condition needs
	Missing                         // it is required
	NotNone                         // it must be absent
	TooMuch                         // it is greater than max
	NotNamed                        // only does not list it
	Annotated                       // an annotation may change its value
	Odd                             // its name may be read as another name
	NotAddress                      // it names a recipient who is no address of mail, and is not written in the rule
	NoRecipient                     // it names a recipient without an address
	BadRecipient                    // it is an address that the rule does not allow
)

// Unmet implements match.Bounds.
func (b *Bounds) Unmet(body *match.Body) string { return b.Judge(body).Reason }

// Judge returns the first failure of a body. Its time grows with the length of the body.
func (b *Bounds) Judge(body *match.Body) Failure {
	switch body.State {
	case match.BodyAbsent:
		if n := b.root.firstRequired(); n != nil {
			return Failure{Reason: n.of.reason(), Property: n.path, Problem: Missing}
		}
		return Failure{}
	case match.BodyJSON:
		j := judge{b: b}
		j.run(body.Text)
		return j.failure
	}
	return Failure{Reason: ReasonNotJSON}
}

// Touched implements match.Bounds.
func (b *Bounds) Touched(body *match.Body) bool {
	switch body.State {
	case match.BodyAbsent:
		return false
	case match.BodyJSON:
		j := judge{b: b, deny: true}
		j.run(body.Text)
		return j.touched || j.failure.Err != nil
	}
	return true
}

// firstRequired returns the first place below n that is required, with the condition that requires it.
func (n *node) firstRequired() *node {
	for _, next := range n.children {
		switch {
		case !next.required:
		case next.of != nil && next.of.Required:
			return next
		default:
			return next.firstRequired()
		}
	}
	return nil
}

// judge is the state of reading one body.
type judge struct {
	b       *Bounds
	r       *strictjson.Reader
	deny    bool // look for a value that a condition names, not for one that it does not
	failure Failure
	touched bool

	copies     strings.Builder // of values, see string
	recipients int             // that were named so far
	list       string          // of recipients that the judge is in: "toRecipients"
	holder     string          // of list: "message"
}

// over reports whether the result is known.
func (j *judge) over() bool { return j.touched || j.failure.Reason != "" }

// run reads the whole text, unless it fails before.
func (j *judge) run(text []byte) {
	j.r = j.b.readers.Take()
	defer j.b.readers.Put(j.r)
	p := outside
	if j.b.recipients != nil {
		p = holder
	}
	j.check(j.r.Reset(text, strictjson.Options{}))
	switch {
	case j.over():
	case j.r.Kind() != strictjson.Object:
		j.check(j.r.Skip())
		j.fail(Failure{Reason: ReasonNotJSON, Problem: BadType})
	default:
		j.value(j.b.root, p, false)
	}
	if !j.over() {
		j.check(j.r.End())
	}
}

// check records that the text cannot be read.
func (j *judge) check(err error) bool {
	if err != nil && !j.over() {
		j.failure = Failure{Reason: ReasonUnreadable, Err: err}
	}
	return err == nil
}

// fail records a failure of an allow rule. For a deny rule the body then counts as denied, because the
// condition cannot be judged.
func (j *judge) fail(f Failure) {
	if j.deny {
		j.touched = true
	} else if !j.over() {
		j.failure = f
	}
}

// fails is fail for the condition at a place.
func (j *judge) fails(n *node, problem Problem) {
	f := Failure{Property: n.path, Problem: problem}
	switch {
	case n.of != nil && n.of.isBound():
		f.Reason = n.of.reason()
	case n.bounded:
		f.Reason = match.ReasonBody + n.path
	default:
		f.Reason = n.closed
	}
	if f.Reason == "" {
		f.Reason = match.ReasonBody + "only"
	}
	j.fail(f)
}

// value judges the next value. n has the conditions on it (nil: none), and p is its meaning for Graph. It
// reports whether the value is there, and neither null nor empty.
func (j *judge) value(n *node, p place, element bool) (there bool) {
	if n == nil && p == outside {
		j.check(j.r.Skip())
		return true
	}
	switch j.r.Kind() {
	case strictjson.Object:
		return j.object(n, p, element)
	case strictjson.Array:
		return j.array(n, p, element)
	case strictjson.String:
		raw, err := j.r.String()
		if j.check(err) {
			if bytes.IndexByte(raw, '\\') < 0 {
				j.text(n, p, j.string(raw), element)
			} else {
				j.text(n, p, strictjson.Unquote(raw), element)
			}
		}
		return len(raw) > 0
	case strictjson.Null:
		if _, err := j.r.Literal(); j.check(err) {
			j.null(n, p, element)
		}
		return false
	}
	isNumber := j.r.Kind() == strictjson.Number
	if raw, err := j.r.Literal(); j.check(err) {
		j.literal(n, p, j.string(raw), isNumber, element)
	}
	return true
}

// The sizes of the memory that values are copied into: many addresses need one allocation.
const (
	copySize    = 1 << 10 // of one piece
	longestCopy = 256     // of a value that goes into a piece
)

// string returns a copy of a value's text.
func (j *judge) string(raw []byte) string {
	if len(raw) > longestCopy {
		return string(raw)
	}
	if j.copies.Cap()-j.copies.Len() < len(raw) {
		j.copies = strings.Builder{}
		j.copies.Grow(copySize)
	}
	start := j.copies.Len()
	j.copies.Write(raw)
	return j.copies.String()[start:]
}

func (j *judge) array(n *node, p place, element bool) (there bool) {
	switch {
	case !element:
		j.listMustNotBe(p)
	case p.isRecipient():
		j.failRecipient(NoRecipient)
	case n != nil && n.bounded: // Graph has no lists in lists
		j.fails(n, BadType)
	}
	if j.over() || !j.check(j.r.Enter()) {
		return false
	}
	count, there := 0, true
	for !j.over() {
		more, err := j.r.Element()
		if !j.check(err) || !more {
			break
		}
		if count++; n != nil && n.of != nil && n.of.None {
			j.fails(n, NotNone)
		}
		there = j.value(n, p, true) && there
	}
	if n != nil && n.of != nil && n.of.Max >= 0 && count > n.of.Max {
		j.fails(n, TooMuch)
	}
	return there && count > 0
}

func (j *judge) object(n *node, p place, element bool) (there bool) {
	if j.objectMustNotBe(n, p, element); j.over() || !j.check(j.r.Enter()) {
		return false
	}
	before := j.recipients
	var seen uint64
	for !j.over() {
		raw, odd, more, err := j.r.Key()
		if !j.check(err) || !more {
			break
		}
		if there = true; n != nil && n.of != nil && n.of.None {
			j.fails(n, NotNone)
			break
		}
		next, i, q := j.member(n, p, raw, odd)
		if !j.over() && j.value(next, q, false) && i >= 0 {
			seen |= 1 << i
		}
	}
	if j.over() {
		return there
	}
	if (p == recipient || p == driveRecipient) && j.recipients == before {
		j.failRecipient(NoRecipient)
	}
	j.checkRequired(n, seen)
	return there
}

// objectMustNotBe refuses an object where the conditions need something else.
func (j *judge) objectMustNotBe(n *node, p place, element bool) {
	switch {
	case p == address || p == alias:
		j.failRecipient(NoRecipient)
	case !element && isList(j.list) && (p == recipient || p == driveRecipient || p == holder && j.list == j.holder):
		j.failRecipient(BadType)
	case n == nil:
	case n.of != nil && (n.of.values != nil || n.of.Max >= 0 && !element || n.of.Targets != nil):
		j.fails(n, BadType)
	case n.named && n.closed == "":
		j.fails(n, NotNamed)
	}
}

// checkRequired refuses an object without a required property.
func (j *judge) checkRequired(n *node, seen uint64) {
	if n == nil || j.deny {
		return
	}
	for i, next := range n.children {
		if !next.required || seen&(1<<i) != 0 {
			continue
		}
		if next.of == nil || !next.of.Required {
			next = next.firstRequired()
		}
		j.fails(next, Missing)
		return
	}
}
