package caller

import (
	"maps"
	"slices"
	"strings"
)

// addDescribed adds an identity whose evidence is described by several fields.
func (b *builder) addDescribed(d described) {
	missing, what, cure := "", "", ""
	before := len(b.problems)
	switch d.Kind {
	case Certificate:
		what, cure = "the same certificate", "give them different names, or one of them another kind of identity"
		missing = b.describeCertificate(&d)
	case Token:
		what, cure = "the same token", "make them differ by subject, audience or claims"
		missing = b.describeToken(&d)
	case Unix:
		what, cure = "the same user", "give both a uid, and different ones"
		missing = b.describeUnix(&d)
	}
	if missing != "" {
		b.problem(d.owner, "%s: names no caller: write %s", d.Kind, missing)
	}
	if len(b.problems) > before || d.Kind == Unix && d.all != nil { // a user alone proves nothing then
		return
	}
	for _, other := range b.others {
		if other.Kind == d.Kind && overlaps(&other, &d) {
			b.clash(d.owner, other.owner, what, cure)
			b.aloneAndTogether(d.owner, other.owner, what)
		}
	}
	b.others = append(b.others, d)
}

func (b *builder) describeCertificate(d *described) (missing string) {
	if d.URI == "" && d.DNS == "" && d.CommonName == "" {
		return "uri, dns or common_name"
	}
	if d.URI != "" {
		var err error
		if d.uri, err = newURIPattern(d.URI); err != nil {
			b.problem(d.owner, "certificate: uri: %.80q: %s", d.URI, err)
		}
	}
	if d.DNS = strings.ToLower(d.DNS); strings.Contains(d.DNS, "*") {
		b.problem(d.owner, "certificate: dns: %.80q has a wildcard, which no name matches: write one whole name", d.DNS)
	}
	b.a.commonNames = b.a.commonNames || d.CommonName != ""
	b.a.certificates = append(b.a.certificates, certificateOwner{d.uri, d.DNS, d.CommonName, d.found(Certificate), d.all})
	return ""
}

func (b *builder) describeToken(d *described) (missing string) {
	b.a.secrets = true
	if d.Issuer == "" || d.Audience == "" {
		return "issuer and audience"
	}
	d.Claims = maps.Clone(d.Claims)
	for claim, values := range d.Claims {
		d.Claims[claim] = slices.Clone(values)
	}
	b.a.tokens = append(b.a.tokens, tokenOwner{d.Identity, d.found(Token), d.all})
	return ""
}

func (b *builder) describeUnix(d *described) (missing string) {
	if d.UID == nil && d.GID == nil && d.User == "" {
		return "uid, gid or user"
	}
	d.UID, d.GID = clone(d.UID), clone(d.GID)
	if d.User != "" && b.lookUp != nil {
		uid, err := b.lookUp(d.User)
		switch {
		case err != nil:
			b.problem(d.owner, "unix: this machine has no user %.80q: write one that it has, or the uid", d.User)
		case d.UID != nil && *d.UID != uid:
			b.problem(d.owner, "unix: the user %.80q has another uid: write one of them", d.User)
		}
		d.User, d.UID = "", &uid
	}
	if d.all != nil {
		d.all.unix = &unixOwner{d.UID, d.GID, d.User, d.found(Unix)}
		return ""
	}
	b.a.unix = append(b.a.unix, unixOwner{d.UID, d.GID, d.User, d.found(Unix)})
	return ""
}

func clone(n *int) *int {
	if n == nil {
		return nil
	}
	return new(*n)
}

// overlaps reports whether the same evidence could match both identities. Certificates that share no kind of
// name are taken to be different ones (a certificate with both names is refused when it comes); a process has a
// uid and a gid at the same time.
func overlaps(a, b *described) bool {
	switch a.Kind {
	case Certificate:
		shared := a.URI != "" && b.URI != "" || a.DNS != "" && b.DNS != "" || a.CommonName != "" && b.CommonName != ""
		return shared && (a.URI == "" || b.URI == "" || a.uri.overlaps(b.uri)) && same(a.DNS, b.DNS) &&
			same(a.CommonName, b.CommonName)
	case Token:
		return a.Issuer == b.Issuer && a.Audience == b.Audience && either(a.Subject, b.Subject) && claims(a.Claims, b.Claims)
	default:
		return number(a.UID, b.UID) && number(a.GID, b.GID) && same(a.User, b.User)
	}
}

// same reports whether one value could be equal to both; "" stands for any value.
func same(a, b string) bool { return a == "" || b == "" || a == b }

func number(a, b *int) bool { return a == nil || b == nil || *a == *b }

// claims reports whether one token could match both. A claim that only one of them names does not distinguish
// them.
func claims(a, b map[string][]string) bool {
	for name, values := range a {
		others, ok := b[name]
		if ok && !slices.ContainsFunc(values, func(v string) bool {
			return slices.ContainsFunc(others, func(w string) bool { return intersect(v, w) })
		}) {
			return false
		}
	}
	return true
}

// either reports whether one value could match both fields; "" matches any value.
func either(a, b string) bool { return a == "" || b == "" || intersect(a, b) }

// intersect reports whether a string exists that matches both patterns, in which * stands for any run of
// characters. If both have a *, only the text before the first * and after the last * matters: the other
// pattern's * matches the text between.
func intersect(a, b string) bool {
	i, j := strings.IndexByte(a, '*'), strings.IndexByte(b, '*')
	switch {
	case i < 0 && j < 0:
		return a == b
	case i < 0:
		return match(b, a)
	case j < 0:
		return match(a, b)
	}
	head, tail := b[:j], b[strings.LastIndexByte(b, '*')+1:]
	mine, end := a[:i], a[strings.LastIndexByte(a, '*')+1:]
	return (strings.HasPrefix(mine, head) || strings.HasPrefix(head, mine)) &&
		(strings.HasSuffix(end, tail) || strings.HasSuffix(tail, end))
}

// fits reports whether s is the pattern or, if that has a *, matches it.
func fits(pattern, s string) bool {
	if strings.IndexByte(pattern, '*') < 0 {
		return pattern == s
	}
	return match(pattern, s)
}

// match reports whether s matches a pattern that has a *.
func match(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	last := len(parts) - 1
	s, ok := strings.CutPrefix(s, parts[0])
	for _, part := range parts[1:last] {
		_, rest, found := strings.Cut(s, part)
		s, ok = rest, ok && found
	}
	return ok && strings.HasSuffix(s, parts[last])
}
