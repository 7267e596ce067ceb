package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"graphproxy/policy/yamlfile"
)

// identities reads the evidence of a caller. It leaves out an identity with a problem, so that EvidenceCheck
// does not report it again.
func (l *loader) identities(v yamlfile.Value) []Identity {
	const expected = "a list of certificate, token, key, unix, network, anyone or all"
	if !v.IsSet() {
		return nil
	}
	var all []Identity
	for _, item := range v.Items(expected) {
		before := l.report.Len()
		if id, ok := l.identity(item); ok && l.report.Len() == before {
			all = append(all, id)
		}
	}
	return all
}

var identityKinds = [...]string{"certificate", "token", "key", "unix", "network", "anyone", "all"}

func (l *loader) identity(v yamlfile.Value) (id Identity, ok bool) {
	id = Identity{File: v.File(), Line: v.Line()}
	if !v.IsMapping() {
		text, ok := v.Text("one of certificate, token, key, unix, network, anyone or all")
		switch {
		case !ok:
			return id, false
		case text != "anyone" && slices.Contains(identityKinds[:], text):
			v.Errorf("%s: has settings, which say what proves the caller; write them under it", text)
			return id, false
		case text != "anyone":
			v.Errorf("%s", yamlfile.Unknown("identity", text, identityKinds[:]))
			return id, false
		}
		id.Kind = text
		return id, true
	}
	fields := l.identityName(&id, v.Fields("one kind of evidence"))
	if len(fields) == 0 && id.Name != "" {
		v.Errorf("a name alone proves nothing; write the kind of evidence beside it")
	}
	if len(fields) > 1 {
		l.severalKinds(v, fields)
		return id, false
	}
	for _, f := range fields {
		id.Kind = f.Key
		switch f.Key {
		case "certificate":
			return id, l.certificate(&id, f.Value)
		case "token":
			return id, l.token(&id, f.Value)
		case "key":
			return id, l.key(&id, f.Value)
		case "unix":
			return id, l.unix(&id, f.Value)
		case "network":
			return id, l.network(&id, f.Value)
		case "all":
			return id, l.allOf(&id, f.Value)
		case "anyone":
			v.Errorf("anyone has no settings; write: - anyone")
		default:
			l.report.Add(f.Line, v.Where(), "%s", yamlfile.Unknown("identity", f.Key, identityKinds[:]))
		}
	}
	return id, false
}

// severalKinds reports an identity that has more than one key besides its name.
func (l *loader) severalKinds(v yamlfile.Value, fields []yamlfile.Field) {
	known := append(identityKinds[:], "name")
	for _, f := range fields {
		if !slices.Contains(known, f.Key) {
			l.report.Add(f.Line, v.Where(), "%s", yamlfile.Unknown("key", f.Key, known))
			return
		}
	}
	a, b := fields[0].Key, fields[1].Key
	cure := "If both must hold, write - all: with a list of the two"
	if a != b && (a == "unix" || a == "network") && (b == "unix" || b == "network") {
		cure = "They never hold together, because the peer of a unix socket is in no network; keep the one that is meant"
	}
	v.Errorf("%q and %q stand in one item. %s. Each item proves the caller alone, so as two items either would do", a, b,
		cure)
}

// allOf reads the evidence that must hold together, strongest first.
func (l *loader) allOf(id *Identity, v yamlfile.Value) bool {
	const expected = "a list of two or more of certificate, token, key, unix and network, which must hold together"
	items := v.Items(expected)
	for _, item := range items {
		before := l.report.Len()
		member, ok := l.identity(item)
		switch {
		case !ok || l.report.Len() > before:
			continue
		case member.Kind == "anyone":
			item.Errorf("anyone adds nothing to other evidence, so all: with it proves what the rest proves; take it out")
		case member.Kind == "all":
			item.Errorf("all: stands in all:; write its items here")
		case member.Name != "":
			item.Errorf("the name stands beside all: and names the whole; write it there")
		case slices.ContainsFunc(id.All, func(other Identity) bool { return other.Kind == member.Kind }):
			item.Errorf("a second %s, and a request has one; write each kind of evidence once", member.Kind)
		}
		id.All = append(id.All, member)
	}
	if len(items) == 1 {
		v.Errorf("all: has one item, which proves the caller alone; write the item without all:, or what must hold besides")
	}
	slices.SortStableFunc(id.All, func(a, b Identity) int {
		return slices.Index(identityKinds[:], a.Kind) - slices.Index(identityKinds[:], b.Kind)
	})
	has := func(kind string) bool {
		return slices.ContainsFunc(id.All, func(m Identity) bool { return m.Kind == kind })
	}
	if has("unix") && has("network") {
		v.Errorf("the peer of a unix socket is in no network, so unix and network never hold together; write one of them")
	}
	return len(id.All) > 1
}

// identityName reads the name that stands beside the kind of evidence, and returns the other fields.
func (l *loader) identityName(id *Identity, fields []yamlfile.Field) []yamlfile.Field {
	i := slices.IndexFunc(fields, func(f yamlfile.Field) bool { return f.Key == "name" })
	if i < 0 {
		return fields
	}
	l.nameIdentity(id, fields[i].Value)
	return slices.Delete(slices.Clone(fields), i, i+1)
}

// nameIdentity reads the name of an identity in the audit log. It may stand beside the kind of evidence or
// within.
func (l *loader) nameIdentity(id *Identity, v yamlfile.Value) {
	if !v.IsSet() {
		return
	}
	text, ok := v.Text("a name such as laptop-2027")
	switch {
	case !ok:
	case id.Name != "":
		v.Errorf("this identity has the name %q already; write one", id.Name)
	case !yamlfile.IsName(text) || len(text) > longestName:
		v.Errorf("the name %.80q of an identity is not made of at most %d letters, digits, \"-\", \"_\" and \".\"", text,
			longestName)
	default:
		id.Name = text
	}
}

// uniqueNames refuses two identities of one caller with the same name: the audit log could not distinguish
// them.
func (l *loader) uniqueNames(c *Caller) {
	first := make(map[string]int)
	for _, id := range c.Identities {
		line, found := first[id.Name]
		if found && id.Name != "" {
			l.report.Add(id.Line, "callers."+c.Name+".identity",
				"the name %q stands on line %d, too; give each identity of a caller "+
					"a name of its own", id.Name, line)
			continue
		}
		first[id.Name] = id.Line
	}
}

func (l *loader) certificate(id *Identity, v yamlfile.Value) bool {
	keys := v.Mapping("uri", "dns", "common_name", "name")
	if !v.IsMapping() || len(keys) == 0 {
		return false
	}
	l.nameIdentity(id, keys["name"])
	delete(keys, "name")
	if len(keys) != 1 {
		v.Errorf("a certificate is known by one of uri, dns and common_name; write the one that no other certificate has")
		return false
	}
	var okURI, okDNS, okName bool
	l.checkEdges(keys["uri"])
	if id.URI, okURI = keys["uri"].Text("a URI such as spiffe://contoso.example/hr-sync"); okURI {
		if problem := uriProblem(id.URI); problem != "" {
			keys["uri"].Errorf("%.80q %s", id.URI, problem)
		}
	}
	if id.DNS, okDNS = keys["dns"].Text("a DNS name"); okDNS && !isHostName(id.DNS) {
		keys["dns"].Errorf("%.80q is no DNS name; wildcards are not read", id.DNS)
	}
	id.CommonName, okName = keys["common_name"].Text("a common name")
	l.checkProof(keys["common_name"])
	if name, isDN := strings.CutPrefix(strings.ToUpper(id.CommonName), "CN="); isDN && name != "" {
		l.warnings.AddIn(keys["common_name"].File(), keys["common_name"].Line(), keys["common_name"].Where(),
			"%.80q is compared as it stands; a common name is written without CN=", id.CommonName)
	}
	return okURI || okDNS || okName
}

// uriProblem returns what is wrong with the URI of a certificate, or "". A final /* stands for one segment or
// more.
func uriProblem(text string) string {
	base, below := strings.CutSuffix(text, "/*")
	u, err := url.Parse(base)
	switch {
	case strings.Contains(base, "*"):
		return "has a star elsewhere than at its end, after a slash; write such as spiffe://contoso.example/hr/*"
	case err != nil || u.Scheme == "" || u.Host == "" && u.Opaque == "":
		return "is no URI with a scheme, such as spiffe://contoso.example/hr-sync"
	case u.User != nil || below && (u.Host == "" || strings.ContainsAny(base, "?#%")):
		return "has more than a scheme, a host and a path; write such as spiffe://contoso.example/hr/*"
	}
	return ""
}

func isHostName(s string) bool {
	return yamlfile.IsName(s) && !strings.Contains(s, "_") && !strings.Contains(s, "..") && strings.Trim(s, ".-") == s
}

func (l *loader) token(id *Identity, v yamlfile.Value) bool {
	keys := v.Mapping("issuer", "audience", "subject", "claims", "jwks_file", "name")
	if !v.IsMapping() {
		return false
	}
	l.nameIdentity(id, keys["name"])
	l.require(v.Line(), v.Where(), keys, "issuer", "write the issuer's https address")
	l.require(v.Line(), v.Where(), keys, "audience", "write the audience that tokens for graphproxy carry")
	if !keys["subject"].IsSet() && !keys["claims"].IsSet() {
		v.Errorf("the key \"subject\" is missing, or \"claims\"; without one every token of the issuer would do")
	}
	var ok bool
	if id.Issuer, ok = keys["issuer"].Text("an https address"); ok && !isIssuer(id.Issuer) {
		keys["issuer"].Errorf("%.80q is no issuer: write an https:// address without query, or http:// on loopback",
			id.Issuer)
	}
	id.Audience, _ = keys["audience"].Text("an audience")
	id.Subject, _ = keys["subject"].Text("a subject")
	l.checkProof(keys["issuer"])
	l.checkProof(keys["audience"])
	l.checkProof(keys["subject"])
	id.JWKSFile, _ = keys["jwks_file"].Text("the path of a file with the issuer's keys")
	if keys["claims"].IsSet() {
		id.Claims = make(map[string][]string)
		for _, f := range keys["claims"].Fields("claims with their values") {
			id.Claims[f.Key] = f.Value.Texts("a value or a list of values")
			l.checkProof(f.Value)
		}
	}
	return true
}

func isIssuer(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (l *loader) key(id *Identity, v yamlfile.Value) bool {
	if v.IsScalar() { // which may be the key itself, so it is not quoted
		v.Errorf("expected a mapping with sha256; write the SHA-256 of the key, never the key")
		return false
	}
	keys := v.Mapping("sha256", "name")
	if !v.IsMapping() {
		return false
	}
	l.nameIdentity(id, keys["name"])
	l.require(v.Line(), v.Where(), keys, "sha256", "write the SHA-256 of the key, never the key")
	text, ok := keys["sha256"].Text("the SHA-256 of the key")
	if !ok {
		return false
	}
	sum, err := hex.DecodeString(text)
	if err != nil || len(sum) != len(id.KeySHA256) {
		// The text may be the key itself, put there by mistake.
		keys["sha256"].Errorf(
			"this is not the SHA-256 of a key, 64 hexadecimal digits; make it with: printf %%s \"$KEY\" | sha256sum",
		)
		return false
	}
	if copy(id.KeySHA256[:], sum); id.KeySHA256 == sha256.Sum256(nil) {
		keys["sha256"].Errorf("this is the SHA-256 of nothing; was the variable with the key empty when it was made?")
		return false
	}
	if isPattern(text) {
		v := keys["sha256"]
		l.warnings.AddIn(v.File(), v.Line(), v.Where(), "this is a pattern of digits, and surely the SHA-256 of no key that "+
			"is known; make a key and its hash with: graphproxy key")
	}
	l.keys = append(l.keys, keyPlace{id.KeySHA256, keys["sha256"]})
	return true
}

// isPattern reports whether a hash was typed and not computed. A computed one has fewer than 8 different digits with a
// chance of less than 1 to 10^15.
func isPattern(text string) bool {
	const fewest = 8
	seen := make(map[rune]bool)
	for _, c := range strings.ToLower(text) {
		seen[c] = true
	}
	return len(seen) < fewest || isRepeated(text)
}

// isRepeated reports whether a text is its first half or less, again and again.
func isRepeated(text string) bool {
	for n := 1; n <= len(text)/2; n++ {
		if len(text)%n == 0 && strings.Repeat(text[:n], len(text)/n) == text {
			return true
		}
	}
	return false
}

func (l *loader) unix(id *Identity, v yamlfile.Value) bool {
	keys := v.Mapping("uid", "user", "gid", "name")
	if !v.IsMapping() || len(keys) == 0 {
		return false
	}
	l.nameIdentity(id, keys["name"])
	delete(keys, "name")
	if len(keys) == 0 {
		v.Errorf("a name alone proves nothing; write uid, user or gid beside it")
	}
	if keys["uid"].IsSet() && keys["user"].IsSet() {
		v.Errorf("uid and user say the same in two ways; write one")
	}
	if n, ok := keys["uid"].Int(0); ok {
		id.UID = &n
	}
	if n, ok := keys["gid"].Int(0); ok {
		id.GID = &n
	}
	id.User, _ = keys["user"].Text("the name of a user")
	l.checkProof(keys["user"])
	return id.UID != nil || id.GID != nil || id.User != ""
}

func (l *loader) network(id *Identity, v yamlfile.Value) bool {
	const expected = "a network such as 10.20.0.0/16 or ::1/128"
	for _, item := range v.OneOrMore(expected) {
		text, ok := item.Text(expected)
		if !ok {
			continue
		}
		prefix, problem := parseNetwork(text)
		if problem != "" {
			item.Errorf("%.80q %s", text, problem)
			continue
		}
		id.Networks = append(id.Networks, prefix)
	}
	return len(id.Networks) > 0
}

func parseNetwork(text string) (prefix netip.Prefix, problem string) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
			return prefix, "has no length; write " + netip.PrefixFrom(ip, ip.BitLen()).String() + " for this one address"
		}
		return prefix, "is no network; write one such as 10.20.0.0/16 or ::1/128"
	}
	if masked := prefix.Masked(); masked != prefix {
		return prefix, "has bits set beyond its length; write " + masked.String() + " for the network, or " +
			netip.PrefixFrom(prefix.Addr(), prefix.Addr().BitLen()).String() + " for the one address"
	}
	if prefix.Addr().Is4In6() {
		return prefix, "is an IPv4 network in IPv6 dress, which no peer is compared as; write it as IPv4"
	}
	return prefix, ""
}
