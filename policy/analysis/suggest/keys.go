package suggest

import (
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// keyReader distinguishes keys from names by the requests in the log.
type keyReader struct {
	variable match.AllowSet // matches /x/{a}/{b}
}

func newKeyReader() *keyReader {
	r := new(keyReader)
	r.variable.Add(&match.Rule{Methods: match.Any, Template: &odata.Template{Version: "v1.0", Segments: []odata.Segment{
		{Kind: odata.Name, Text: "x", Fold: "x", Base: "x"},
		{Kind: odata.Name, Var: true, Text: "a", Fold: "a", Base: "a"},
		{Kind: odata.Name, Var: true, Text: "b", Fold: "b", Base: "b"},
	}}})
	return r
}

// isOperation reports whether a rule's variable does not match a plain name at its place, because it is a function
// or action.
func (r *keyReader) isOperation(segments []odata.Segment, i int) bool {
	if i == 0 {
		return false
	}
	before, plain := segments[i-1].Fold, segments[i]
	plain.Call, plain.Qualified = false, false
	target := odata.Target{Version: "v1.0", Segments: []odata.Segment{
		{Kind: odata.Name, Text: "x", Fold: "x", Base: "x"},
		{Kind: odata.Key, Text: before, Fold: before, Base: before},
		plain,
	}}
	return r.variable.Find(&target, match.Get).Index < 0
}

// mayBeKey reports whether segment i can be a key by the grammar alone. Keys before it must be known.
func (r *keyReader) mayBeKey(it *item, i int) bool {
	segments := it.target.Segments
	if i == 0 || i == 1 && isSingleton(segments[0].Fold) || it.keys[i-1] {
		return false // a key follows a collection
	}
	if segments[i-1].Kind != odata.Name {
		return false // what follows parentheses, drive paths and $count belongs to one resource
	}
	s := &segments[i]
	switch {
	case s.Kind == odata.Key:
		return !isWellKnown(s.Fold) || r.isOperation(segments, i)
	case s.Kind != odata.Name || s.Call || s.Qualified || hasParentheses(segments, i) || isWellKnown(s.Fold):
		return false
	}
	return !r.isOperation(segments, i)
}

func hasParentheses(segments []odata.Segment, i int) bool {
	return i+1 < len(segments) && (segments[i+1].Kind == odata.Key || segments[i+1].Kind == odata.Args)
}

// isShortKey reports whether a segment is one or two letters and then digits, as in d1 and b42. No name in Graph
// has this form.
func isShortKey(fold string) bool {
	letters := strings.TrimRight(fold, "0123456789")
	return len(letters) < len(fold) && 1 <= len(letters) && len(letters) <= 2 &&
		strings.Trim(letters, "abcdefghijklmnopqrstuvwxyz") == ""
}

// isBehindSet reports whether segment i directly follows an entity set at the root, where a name is an operation.
// These operations have no digits, except some that mayBeKey knows.
func isBehindSet(it *item, i int) bool {
	return i == 1 && strings.ContainsAny(it.target.Segments[i].Fold, "0123456789")
}

// looksLikeKey reports whether a segment has the form of a key and not that of a name. Names in Graph are letters, "_"
// and at most one number: windows10EndpointProtectionConfiguration.
func looksLikeKey(s *odata.Segment) bool {
	if s.Kind == odata.Key {
		return true
	}
	const shortest = 16 // of ids that are letters and digits only
	numbers, inNumber := 0, false
	for i := range len(s.Fold) {
		c := s.Fold[i]
		digit := '0' <= c && c <= '9'
		switch {
		case !digit && c != '_' && (c < 'a' || c > 'z'), digit && i == 0:
			return true
		case digit && !inNumber:
			numbers++
		}
		inNumber = digit
	}
	return numbers > 1 && len(s.Fold) >= shortest
}

// read finds the keys of all items together: one certain key at a place proves that the place has keys. Then a
// plain word there is one, too, because the rule for the certain key allows it anyway.
func (r *keyReader) read(items []*item) {
	longest := 0
	for _, it := range items {
		longest = max(longest, len(it.target.Segments))
		if it.keys == nil {
			it.keys = make([]bool, 0, len(it.target.Segments))
		}
	}
	places := make([]strings.Builder, len(items)) // the path up to the segment that is read, without keys
	for i := range longest {
		proven := make(map[string]bool)
		for n, it := range items {
			if i < len(it.target.Segments) && r.proves(it, i) {
				proven[places[n].String()] = true
			}
		}
		for n, it := range items {
			if i >= len(it.target.Segments) {
				continue
			}
			if i >= len(it.keys) {
				it.keys = append(it.keys, r.mayBeKey(it, i) && proven[places[n].String()])
			}
			places[n].WriteString(it.shapeOf(i))
		}
	}
}

// proves reports whether segment i of the item is certainly a key.
func (r *keyReader) proves(it *item, i int) bool {
	if i < len(it.keys) {
		return it.keys[i]
	}
	if !it.proves || !r.mayBeKey(it, i) {
		return false
	}
	s := &it.target.Segments[i]
	return looksLikeKey(s) || isShortKey(s.Fold) || isBehindSet(it, i)
}

// shapeOf returns the part of segment i that items must share for one template; for the first segment with the
// version.
func (it *item) shapeOf(i int) string {
	s := &it.target.Segments[i]
	shape := "\x00" + s.Fold
	switch {
	case it.keys[i]:
		shape = "\x00k"
	case s.Kind == odata.Path:
		shape = "\x00p"
	case s.Kind == odata.Args:
		shape = "\x00a" + strings.Join(argNames(s), "\x01")
	case s.Kind == odata.Key || s.Kind == odata.Name:
		shape = "\x00n" + s.Fold
	}
	if i == 0 {
		return it.target.Version + shape
	}
	return shape
}

// isWellKnown reports whether a name, in lower case, is one that Graph takes in a key's place. A rule with it is
// narrower and clearer than one for any key.
func isWellKnown(fold string) bool {
	switch fold {
	case "root", "approot", "documents", "photos", "cameraroll", "music", // of drives and sites
		"inbox", "drafts", "sentitems", "deleteditems", "junkemail", "outbox", "archive", "clutter", "conflicts",
		"conversationhistory",
		// mail folders
		"localfailures", "msgfolderroot", "recoverableitemsdeletions", "scheduled", "searchfolders", "serverfailures",
		"syncissues",
		"me":
		return true
	}
	return false
}

// singletons are the first segments of paths that are one resource and no collection, so that no key follows
// (https://graph.microsoft.com/v1.0/$metadata and .../beta/$metadata). Lower case, sorted.
var singletons = [...]string{
	"admin", "agentregistry", "app", "appcatalogs", "auditlogs", "authenticationmethodspolicy", "communications",
	"compliance", "copilot", "dataclassification", "deviceappmanagement", "devicemanagement", "directory", "drive",
	"education", "employeeexperience", "external", "financials", "identity", "identitygovernance", "identityprotection",
	"informationprotection", "me", "monitoring", "network", "networkaccess", "planner", "policies", "print", "privacy",
	"reports", "rolemanagement", "search", "security", "solutions", "storage", "teamwork", "templates",
	"tenantrelationships", "termstore", "threatsubmission", "trustframework", "workplace",
}

func isSingleton(fold string) bool {
	_, found := slices.BinarySearch(singletons[:], fold)
	return found
}
