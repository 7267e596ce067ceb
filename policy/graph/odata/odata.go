// Package odata reads Microsoft Graph's URLs.
//
// It parses a request target: its version, its segments (names, keys, arguments, drive and site paths, the
// segments that begin with "$") and its query options. A target has one reading here. Escapes are decoded
// exactly once, before anything is parsed. The target for Graph is written anew from the result, so Graph gets
// the text that was judged and not the caller's bytes; only the value of a query option keeps the caller's
// escapes. An ambiguous target is refused: dot and empty segments, an escaped slash or backslash, an escape
// within an escape, doubled options.
//
// It does not decide what a target may do. It has no permissions, it does not decide whether a plain segment is
// a name or a key (package policy decides by the place), and it compares no tenant. It uses the names of
// segments only where they decide how text is read: after which of them a path in colons may stand, and after
// which Graph has no casts. Paths, the URLs of batch items and links in answers all go through the same parser.
//
// The grammar is OData 4.01 URL Conventions (https://docs.oasis-open.org/odata/odata/v4.01/) as far as Microsoft
// Graph uses it (https://learn.microsoft.com/graph/use-the-api, .../graph/query-parameters), together with the
// path addressing of drive items and sites (https://learn.microsoft.com/graph/onedrive-addressing-driveitems).
package odata

import "fmt"

// Kind is the kind of a Segment.
type Kind uint8

const (
	Name   Kind = iota // entity set, singleton, property, cast, function, action, or a key as a segment; the place decides
	Key                // ('x'), (5), (guid): the single key of the segment before it, written in parentheses
	Args               // (a='x',b=5): named arguments, or an alternate or composite key, of the segment before it
	Path               // a drive or site path between "name:/" and ":"; Text is decoded, slashes separate its parts
	System             // $ref $value $count $metadata $batch
)

// String returns the kind's name as it stands in this package.
func (k Kind) String() string {
	switch k {
	case Name:
		return "Name"
	case Key:
		return "Key"
	case Args:
		return "Args"
	case Path:
		return "Path"
	case System:
		return "System"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Segment is one piece of a path. A segment with parentheses, users('x'), is two: the Name and its Key or Args.
type Segment struct {
	Kind Kind

	// Call reports, for a Name, that empty parentheses follow it, delta(): it is certainly a function.
	Call bool
	// Qualified reports, for a Name, that it is written with Graph's namespace: microsoft.graph.delta,
	// graph.user, microsoft.graph.security.applyHold. It is then a cast, a function or an action, and never a
	// key.
	Qualified bool
	// Quoted reports, for a Key, that it is written between single quotes.
	Quoted bool
	// Var reports, in a Template only, that the segment is {name}; Text is the name.
	Var bool

	// Text is decoded, in the caller's spelling, without quotes or colons. System segments are lower case. It
	// is empty for Args.
	Text string
	// Fold is Text for comparing: lower case, and in a Name the namespace alias "graph." as "microsoft.graph.".
	Fold string
	// Base is, for a Name, Fold without the namespace: "delta" for delta, delta(), graph.delta and
	// microsoft.graph.delta. It equals Fold for an unqualified Name and for other kinds.
	Base string

	Args []Arg // of Kind Args, in the order written

	wide spelled // see WideText
}

// Arg is one named argument of a function, or one part of an alternate or composite key.
type Arg struct {
	Name   string // as written
	Fold   string // lower case
	Value  string // decoded, without the quotes; a list as JSON, ["a","b"]
	Quoted bool   // written between single quotes
	Var    bool   // in a Template only: Value is the variable's name

	// Enum is the type, as written, of an enumeration's literal, microsoft.graph.timeZoneStandard'Iana'. It is
	// ignored when arguments are compared, because Graph takes the value without it too.
	Enum  string
	Items []string // the elements of a list, without quotes; nil if it is no list

	wide spelled // see WideValue
}

// Option is one query option.
type Option struct {
	// Name is the option's name as it is sent on: in the caller's spelling, "$select", "select" or "$Select",
	// without escapes: %24select is sent as "$select".
	Name string
	// Fold is the name for comparing: lower case, and with "$" for every system option, also for bare ones.
	Fold string
	// Value is percent-decoded once. A "+" stays "+", because Graph decides whether it means a space.
	Value string

	wide    string // see WideValue
	encoded string // Value as it is sent on, with the escapes of the caller
	bare    bool   // written without "="
}

// Target is a parsed request target. Targets from Parse are immutable and safe for concurrent use; they share
// memory with the parsed strings.
type Target struct {
	Version string // "v1.0" or "beta"

	// Tenant is the tenant of /v1.0/{tenant}/... as written, a GUID, a domain or "myOrganization", and ""
	// without one. The caller of Parse must refuse a tenant that is not the app's own: it is not sent on, so
	// ignoring it would answer a question about one tenant from another.
	Tenant string

	Segments []Segment // none for the service root
	Query    []Option  // in the order written, no two with the same Fold

	path, query string // canonical, set by Parse
}

// Error explains why a target, template or option value is refused. The caller must always correct it (400).
type Error struct {
	// Code is for programs: ambiguousTarget (it has two readings), unknownVersion, badEscape (broken percent
	// escapes or UTF-8), unsupportedTarget (OData that Graph or this package does not take), targetTooLong.
	Code string
	// Message is for people: what, where, and the cure. It may quote a path, but never the value of a query
	// option.
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }
