package odata

import (
	"slices"
	"strings"
)

// storage and shortStorage have a Target and space for the parts of most targets, so that reading one allocates once.
type (
	storage struct {
		Target
		segments [4]Segment
		query    [2]Option
	}
	shortStorage struct {
		Target
		segments [2]Segment
		query    [1]Option
	}
)

// newTarget returns a Target, and space for the parts of this path, which follows the version, and of this query.
func newTarget(path, rawQuery string) (*Target, []Segment, []Option) {
	if isShort(path, rawQuery) {
		s := new(shortStorage)
		return &s.Target, s.segments[:0], s.query[:0]
	}
	s := new(storage)
	return &s.Target, s.segments[:0], s.query[:0]
}

// isShort reports whether a path has one or two segments, counted by what stands before or between them, and the query
// one option. If a path has more after all, they get memory of their own.
func isShort(path, rawQuery string) bool {
	separators := 0
	for i := range len(path) {
		switch path[i] {
		case '/', '(', ':':
			separators++
		}
	}
	return separators <= 1 && strings.IndexByte(rawQuery, '&') < 0
}

// Parse reads a request target: the path escaped as on the wire, and the query without its "?". Do not clean or
// decode them before, or Graph will get other text than was judged.
//
// A path must begin with /v1.0 or /beta, in lower case. One trailing slash is dropped, and so is a tenant after the
// version, see Target.Tenant. A slash separates segments also between quotes.
//
// The error is an *Error. There is no partial result: a target that is not understood is refused.
func Parse(escapedPath, rawQuery string) (*Target, error) {
	escapedPath, rawQuery = oddLink(escapedPath, rawQuery)
	path, err := trimPath(escapedPath)
	if err != nil {
		return nil, err
	}
	version, rest, _ := strings.Cut(path, "/")
	if version != "v1.0" && version != "beta" {
		return nil, refuseVersion(version)
	}
	t, segments, options := newTarget(rest, rawQuery)
	t.Version = version
	r := pathReader{segments: segments, rest: rest}
	if err := r.read(); err != nil {
		return nil, err
	}
	if t.Tenant, t.Segments, err = cutTenant(r.segments); err != nil {
		return nil, err
	}
	if err := checkAlone(t.Segments); err != nil {
		return nil, err
	}
	setWide(t.Segments)
	if len(t.Segments) == 0 {
		t.Segments = nil
	}
	if t.Query, err = readQuery(options, rawQuery); err != nil {
		return nil, err
	}
	nameReference(t)
	if err := checkQuery(t); err != nil {
		return nil, err
	}
	t.path = escapedPath
	if r.odd || t.Tenant != "" || len(path) < len(escapedPath)-1 { // plain segments are written as they are read
		t.writePath(escapedPath)
	}
	t.writeQuery(rawQuery)
	if err := checkLength(t); err != nil {
		return nil, err
	}
	return t, nil
}

// writePath sets the canonical path. If it equals the caller's string, that string is used, to save the copy.
func (t *Target) writePath(escapedPath string) {
	var buffer [512]byte
	if written := appendPath(buffer[:0], t.Version, t.Segments, false); string(written) != escapedPath {
		t.path = string(written)
	}
}

// writeQuery sets the canonical query in the same way.
func (t *Target) writeQuery(rawQuery string) {
	if len(t.Query) == 0 {
		t.Query = nil
	}
	var buffer [512]byte
	written := appendQuery(buffer[:0], t.Query)
	if t.query = rawQuery; string(written) != rawQuery {
		t.query = string(written)
	}
}

// checkLength bounds the canonical text as the input is bounded: escaping makes raw text up to three times as long.
func checkLength(t *Target) error {
	switch {
	case len(t.path) > maxPath:
		return refuse(codeTooLong, "the path has %d bytes when it is escaped; at most %d are read", len(t.path), maxPath)
	case strings.Count(t.path, "/") > maxSegments: // slashes that were escaped in the input
		return refuse(codeTooLong, "the path has more than %d segments", maxSegments)
	case len(t.query) > maxQuery:
		return refuse(codeTooLong, "the query has %d bytes when it is escaped; at most %d are read", len(t.query), maxQuery)
	}
	return nil
}

func refuseVersion(version string) error {
	if strings.EqualFold(version, "v1.0") || strings.EqualFold(version, "beta") {
		return refuse(codeVersion, "the version %s is not in lower case; write /v1.0 or /beta", quote(version))
	}
	return refuse(codeVersion, "the path begins with %s and not with a version; write /v1.0/... or /beta/...",
		quote("/"+version))
}

// cutTenant removes the tenant from the beginning. The canonical text does not have it, so the rest must not begin
// with text that looks like another tenant: Graph would read that as the tenant.
func cutTenant(segments []Segment) (tenant string, rest []Segment, err error) {
	if !startsWithTenant(segments) {
		return "", segments, nil
	}
	tenant, rest = segments[0].Text, segments[1:]
	if startsWithTenant(rest) {
		return "", nil, refuse(codeAmbiguous, "the path names two tenants, %s and %s; leave them out", quote(tenant),
			quote(rest[0].Text))
	}
	return tenant, rest, nil
}

// startsWithTenant reports whether the first segment is a tenant: a GUID, a domain or "myOrganization", none of which
// is the name of an entity set or singleton.
func startsWithTenant(segments []Segment) bool {
	if len(segments) == 0 {
		return false
	}
	first := &segments[0]
	if first.Kind != Name || first.Call || first.Qualified {
		return false
	}
	if len(segments) > 1 && segments[1].Kind != Name && segments[1].Kind != System {
		return false // contoso.com:/a and contoso('x') are not tenants
	}
	return first.Fold == "myorganization" || isGUID(first.Fold) || isDomain(first.Fold)
}

// isGUID reports whether s has the form 8-4-4-4-12 in lower-case hexadecimal digits.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return false
			}
		} else if hexDigit(s[i]) == 255 {
			return false
		}
	}
	return true
}

// isDomain reports whether s, in lower case, has the form of a domain: labels of letters, digits and hyphens with
// dots between them, the last with a letter, so that v1.0 is not a domain.
func isDomain(s string) bool {
	if strings.IndexByte(s, '.') < 0 {
		return false
	}
	letter := false
	for label := range strings.SplitSeq(s, ".") {
		letter = false
		for i := range len(label) {
			c := label[i]
			isLetter := 'a' <= c && c <= 'z'
			if !isLetter && c != '-' && (c < '0' || c > '9') {
				return false
			}
			letter = letter || isLetter
		}
		if label == "" {
			return false
		}
	}
	return letter
}

// checkAlone refuses $batch and $metadata anywhere but directly after the version.
func checkAlone(segments []Segment) error {
	for i := range segments {
		s := &segments[i]
		if s.Kind == System && (s.Fold == "$batch" || s.Fold == "$metadata") && len(segments) > 1 {
			return refuse(codeUnsupported, "the segment %s stands alone after the version and nowhere else; write /v1.0/%s",
				s.Text, s.Text)
		}
	}
	return nil
}

// IsBatch reports whether the target is /$batch, which stands alone after the version.
func (t *Target) IsBatch() bool {
	return len(t.Segments) > 0 && t.Segments[0].Kind == System && t.Segments[0].Fold == "$batch"
}

// EscapedPath returns the canonical path, as it is sent to Graph: "/v1.0/users/adele@contoso.com". It has the
// caller's letter case and key syntax, and no tenant prefix. Parsing it gives the same Target again.
func (t *Target) EscapedPath() string {
	if t.path != "" {
		return t.path
	}
	return string(appendPath(nil, t.Version, t.Segments, false))
}

// RawQuery returns the canonical query, as it is sent to Graph, without a "?"; "" if there is no option.
func (t *Target) RawQuery() string {
	if t.query != "" || len(t.Query) == 0 {
		return t.query
	}
	return string(appendQuery(nil, t.Query))
}

// Path returns the decoded path, for messages and the audit line. It must not be sent on.
func (t *Target) Path() string { return readable(t.Version, t.Segments) }

// Option returns the value of the option with that Fold, "$select", and whether it is there.
func (t *Target) Option(fold string) (value string, ok bool) {
	for i := range t.Query {
		if t.Query[i].Fold == fold {
			return t.Query[i].Value, true
		}
	}
	return "", false
}

// OptionNames returns the Fold of each option in the order written, ["$select", "$top"]; nil if there is none.
func (t *Target) OptionNames() []string {
	if len(t.Query) == 0 {
		return nil
	}
	names := make([]string, len(t.Query))
	for i := range t.Query {
		names[i] = t.Query[i].Fold
	}
	return names
}

// With returns the target with another value of an option that it has; name is as for Option. The error is that of
// Parse: a target may become too long.
func (t *Target) With(fold, value string) (*Target, error) {
	options := slices.Clone(t.Query)
	for i := range options {
		if options[i].Fold == fold {
			options[i].Value, options[i].encoded = value, ""
		}
	}
	return Parse(t.tenantPath(), string(appendQuery(nil, options)))
}
