package caller

import (
	"slices"
	"strings"
)

// addDescribed takes an identity whose evidence is described by several fields.
func (b *builder) addDescribed(d described) {
	var what, missing, cure string
	switch d.Kind {
	case Certificate:
		b.a.certificates = true
		what, cure = "the same certificate", "give them different names, or one of them another kind of identity"
		if d.URI == "" && d.DNS == "" && d.CommonName == "" {
			missing = "uri, dns or common_name"
		}
	case Token:
		b.a.secrets = true
		what, cure = "the same token", "tell them apart by subject, audience or claims"
		if d.Issuer == "" || d.Audience == "" {
			missing = "issuer and audience"
		}
	case Unix:
		b.a.unix = true
		what, cure = "the same user", "give both a uid, and different ones"
		if d.UID == nil && d.GID == nil && d.User == "" {
			missing = "uid, gid or user"
		}
	}
	if missing != "" {
		b.problem(d.owner, "%s: names nobody: write %s", d.Kind, missing)
		return
	}
	for _, before := range b.others {
		if before.Kind == d.Kind && overlaps(before.Identity, d.Identity) {
			b.clash(d.owner, before.owner, what, cure)
		}
	}
	b.others = append(b.others, d)
}

// overlaps reports whether evidence of their kind could satisfy both identities. Certificates that share no kind of name are
// taken to be different ones; a process has a uid, a gid and a name at once.
func overlaps(a, b Identity) bool {
	switch a.Kind {
	case Certificate:
		shared := a.URI != "" && b.URI != "" || a.DNS != "" && b.DNS != "" || a.CommonName != "" && b.CommonName != ""
		return shared && either(a.URI, b.URI) && either(a.CommonName, b.CommonName) &&
			either(strings.ToLower(a.DNS), strings.ToLower(b.DNS))
	case Token:
		return a.Issuer == b.Issuer && a.Audience == b.Audience && either(a.Subject, b.Subject) && claims(a.Claims, b.Claims)
	default:
		return number(a.UID, b.UID) && number(a.GID, b.GID) && (a.User == "" || b.User == "" || a.User == b.User)
	}
}

func number(a, b *int) bool { return a == nil || b == nil || *a == *b }

// claims reports whether a token could satisfy both; a claim that only one of them names does not tell them apart.
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

// either reports whether two fields could both hold of one value; an empty one always holds.
func either(a, b string) bool { return a == "" || b == "" || intersect(a, b) }

// intersect reports whether some string matches both patterns, in which * stands for any run of characters. When both have
// a *, what stands between the first and the last never matters: the other pattern's * can take it in.
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
