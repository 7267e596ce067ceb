package proxy

import (
	"strings"

	"graphproxy/policy/graph/odata"
)

// shape sets the path of a record without a decision, so that no rule gives a template.
func (rec *Record) shape(t *odata.Target) {
	if rec.Decision == decisionRefuse && rec.Path == "" && t != nil {
		rec.Path = shapeOf(t)
	}
}

// shapeOf returns the path of a target with {id} for segments in the form of a key. A segment that is a key only by
// its place, such as anna in /users/anna, stays.
func shapeOf(t *odata.Target) string {
	var b strings.Builder
	b.WriteString("/" + t.Version)
	for i := range t.Segments {
		s := &t.Segments[i]
		switch {
		case s.Kind == odata.Key, s.Kind == odata.Args:
			b.WriteString("({id})")
		case s.Kind == odata.Path:
			b.WriteString("{path}")
		case i > 0 && s.Kind == odata.Name && !s.Qualified && !s.Call && !isWord(s.Text):
			b.WriteString("/{id}")
		default:
			b.WriteString("/" + s.Text)
		}
	}
	return b.String()
}

// isWord reports whether a segment has the form of Graph's names: up to 40 letters.
func isWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
			return false
		}
	}
	return len(s) <= 40
}
