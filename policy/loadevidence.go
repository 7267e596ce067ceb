package policy

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"graphproxy/policy/yamlfile"
)

var evidenceKinds = [...]string{"certificate", "token", "key", "unix", "network"}

// testEvidence reads the evidence of a test; false if it has a problem.
func (l *loader) testEvidence(v yamlfile.Value, caller string) (*Evidence, bool) {
	e, before := &Evidence{}, l.report.Len()
	if !v.IsMapping() { // the value may be a key, so it is not quoted
		v.Errorf("expected a mapping such as {key: NAME}, or {} for a request without evidence")
		return nil, false
	}
	if v.Flow() == "{}" {
		return e, true
	}
	for _, f := range v.Fields("evidence") {
		switch f.Key {
		case "certificate":
			e.Certificate = certificateEvidence(f.Value)
		case "token":
			e.Token = l.tokenEvidence(f.Value)
		case "key":
			e.Keys = l.keyEvidence(f.Value, caller)
		case "unix":
			e.Unix = l.unixEvidence(f.Value)
		case "network":
			e.Address = networkEvidence(f.Value)
		case "all":
			f.Value.Errorf("evidence of several kinds stands side by side; write {key: NAME, network: ADDRESS}")
		case "anyone":
			f.Value.Errorf("anyone needs no evidence; write evidence: {}")
		default:
			l.report.Add(f.Line, v.Where(), "%s", yamlfile.Unknown("kind of evidence", f.Key, evidenceKinds[:]))
		}
	}
	switch {
	case e.Unix != nil && e.Address.IsValid():
		v.Errorf("the peer of a unix socket has no address, so unix and network never come together; write one of them")
	case len(e.Keys) > 2 || len(e.Keys) > 1 && e.Token != nil:
		v.Errorf("a request has one Authorization header and one X-Api-Key header; write at most two keys, and one beside " +
			"a token")
	}
	return e, l.report.Len() == before
}

func certificateEvidence(v yamlfile.Value) *CertificateEvidence {
	keys := v.Mapping("uri", "dns", "common_name")
	c := &CertificateEvidence{}
	if keys["uri"].IsSet() {
		c.URIs = keys["uri"].Texts("the URIs in the certificate")
	}
	for _, text := range c.URIs {
		u, err := url.Parse(text)
		if err != nil || u.Scheme == "" || u.Host == "" && u.Opaque == "" || strings.Contains(text, "*") {
			keys["uri"].Errorf("%.80q is no URI of one certificate; write it whole, such as spiffe://contoso.example/hr-sync",
				text)
		}
	}
	if keys["dns"].IsSet() {
		c.DNS = keys["dns"].Texts("the DNS names in the certificate")
	}
	for _, text := range c.DNS {
		if !isHostName(strings.TrimPrefix(text, "*.")) {
			keys["dns"].Errorf("%.80q is no DNS name", text)
		}
	}
	if keys["common_name"].IsSet() {
		c.CommonNames = keys["common_name"].Texts("the common name of the certificate")
	}
	return c
}

func (l *loader) tokenEvidence(v yamlfile.Value) *TokenEvidence {
	keys := v.Mapping("issuer", "audience", "subject", "claims")
	if !v.IsMapping() {
		return nil
	}
	t := &TokenEvidence{}
	l.require(v.Line(), v.Where(), keys, "issuer", "every token has one")
	l.require(v.Line(), v.Where(), keys, "audience", "every token that is accepted has one")
	var ok bool
	if t.Issuer, ok = keys["issuer"].Text("the issuer of the token"); ok && !isIssuer(t.Issuer) {
		keys["issuer"].Errorf("%.80q is no issuer: write an https:// address without query, or http:// on loopback", t.Issuer)
	}
	if keys["audience"].IsSet() {
		t.Audiences = keys["audience"].Texts("the audiences of the token")
	}
	if t.Subject, _ = keys["subject"].Text("the subject of the token"); strings.Contains(t.Subject, "*") {
		keys["subject"].Errorf("%.80q is no subject of one token; write it whole, without *", t.Subject)
	}
	if keys["claims"].IsSet() {
		t.Claims = l.claims(keys["claims"])
	}
	return t
}

// claims reads the claims of a token. A name that begins with / leads to a claim within objects, as in an identity.
func (l *loader) claims(v yamlfile.Value) map[string]json.RawMessage {
	root := map[string]any{}
	for _, f := range v.Fields("claims with their values") {
		if short := map[string]string{"iss": "issuer", "sub": "subject", "aud": "audience"}[f.Key]; short != "" {
			f.Value.Errorf("write it as %s: beside claims", short)
			continue
		}
		text, ok := f.Value.JSON()
		if !ok {
			continue
		}
		path := []string{f.Key}
		if strings.HasPrefix(f.Key, "/") {
			path = strings.Split(f.Key[1:], "/")
		}
		if !put(root, path, text) {
			f.Value.Errorf("another claim says what stands here already; write the objects once")
		}
	}
	all := make(map[string]json.RawMessage, len(root))
	for name, value := range root {
		text, err := json.Marshal(value)
		if err != nil { // made of valid JSON: cannot happen
			v.Errorf("%v", err)
		}
		all[name] = text
	}
	return all
}

// put puts JSON where a path in objects leads. It returns false if something else is there.
func put(object map[string]any, path []string, text json.RawMessage) bool {
	name := strings.ReplaceAll(strings.ReplaceAll(path[0], "~1", "/"), "~0", "~")
	if len(path) == 1 {
		_, found := object[name]
		object[name] = json.RawMessage(bytes.Clone(text))
		return !found
	}
	if object[name] == nil {
		object[name] = map[string]any{}
	}
	next, ok := object[name].(map[string]any)
	return ok && put(next, path[1:], text)
}

// keyEvidence reads keys: names of keys of callers, or their SHA-256.
func (l *loader) keyEvidence(v yamlfile.Value, caller string) [][32]byte {
	items := []yamlfile.Value{v}
	if v.IsList() {
		items = v.Items("names of keys")
	}
	var sums [][32]byte
	for _, item := range items {
		sum, ok := l.oneKey(item, caller)
		if ok {
			sums = append(sums, sum)
		}
	}
	return sums
}

func (l *loader) oneKey(v yamlfile.Value, caller string) (sum [32]byte, ok bool) {
	if v.IsMapping() {
		text, ok := v.Mapping("sha256")["sha256"].Text("the SHA-256 of the key")
		decoded, err := hex.DecodeString(text)
		if ok && (err != nil || len(decoded) != len(sum)) { // it may be the key itself, so it is not quoted
			v.Errorf("this is not the SHA-256 of a key, 64 hexadecimal digits; make it with: printf %%s \"$KEY\" | sha256sum")
			return sum, false
		}
		copy(sum[:], decoded)
		return sum, ok
	}
	name, ok := v.Text("the name of a key, or {sha256: HASH} for a key that no caller has")
	if !ok {
		return sum, false
	}
	return l.namedKey(v, name, caller)
}

// callerKey is a key with the names that tests know it by.
type callerKey struct {
	caller, name string // name is "" if the key has none
	sum          [32]byte
}

// namedKey finds the key that has a name, or the only key of the caller that has that name. If several callers have
// such a key, it is that of the test's caller; CALLER/NAME says it in any case.
func (l *loader) namedKey(v yamlfile.Value, name, caller string) (sum [32]byte, ok bool) {
	of, short, isWhole := strings.Cut(name, "/")
	if !isWhole {
		short = name
	}
	var found []callerKey
	for _, k := range l.callerKeys() {
		byName := k.name == short && short != "" && (!isWhole || k.caller == of)
		byCaller := !isWhole && k.caller == name && k.name == "" && l.keysOf(name) == 1
		if byName || byCaller {
			found = append(found, k)
		}
	}
	if len(found) > 1 {
		if i := slices.IndexFunc(found, func(k callerKey) bool { return k.caller == caller }); i >= 0 {
			return found[i].sum, true
		}
		v.Errorf("%d callers have a key of this name; write CALLER/NAME, such as %s/%s", len(found), found[0].caller, short)
		return sum, false
	}
	if len(found) == 0 { // the text may be the key itself, so it is not quoted
		v.Errorf("no key has this name; write the name: of a key%s, or {sha256: HASH} for a key that no caller has",
			l.someKeys())
		return sum, false
	}
	return found[0].sum, true
}

// callerKeys returns the keys of all callers. A key in all: has the name of the whole.
func (l *loader) callerKeys() []callerKey {
	if l.keyNames != nil {
		return l.keyNames
	}
	l.keyNames = []callerKey{}
	for _, c := range l.policy.callers {
		for _, id := range c.Identities {
			for _, each := range id.Each() {
				if each.Kind == "key" {
					l.keyNames = append(l.keyNames, callerKey{c.Name, id.Name, each.KeySHA256})
				}
			}
		}
	}
	return l.keyNames
}

func (l *loader) keysOf(caller string) int {
	n := 0
	for _, k := range l.callerKeys() {
		if k.caller == caller {
			n++
		}
	}
	return n
}

// someKeys returns the first names of keys, for a message.
func (l *loader) someKeys() string {
	const most = 5
	var names []string
	for _, k := range l.callerKeys() {
		if k.name != "" && len(names) < most && !slices.Contains(names, k.name) {
			names = append(names, k.name)
		}
	}
	if len(names) == 0 {
		return " (none has one yet)"
	}
	return ", such as " + strings.Join(names, ", ")
}

func (l *loader) unixEvidence(v yamlfile.Value) *UnixEvidence {
	keys := v.Mapping("uid", "user", "gid")
	if !v.IsMapping() {
		return nil
	}
	e := &UnixEvidence{}
	if n, ok := keys["uid"].Int(0); ok {
		e.UID = &n
	}
	if n, ok := keys["gid"].Int(0); ok {
		e.GID = &n
	}
	e.User, _ = keys["user"].Text("the name of a user")
	for _, c := range l.policy.callers {
		for _, id := range c.Identities {
			for _, each := range id.Each() {
				l.sameUser(v, e, c.Name, &each)
			}
		}
	}
	return e
}

// sameUser reports evidence that has the number of a user, or the name, where an identity has the other: which user of
// the machine has which number is not known here.
func (l *loader) sameUser(v yamlfile.Value, e *UnixEvidence, caller string, id *Identity) {
	switch {
	case id.User != "" && e.User == "" && e.UID != nil:
		v.Errorf("callers.%s is known by the name of a user, and which number that user has depends on the machine; "+
			"write user: beside uid:", caller)
	case id.UID != nil && e.UID == nil && e.User != "":
		v.Errorf("callers.%s is known by the number of a user, and which name that user has depends on the machine; "+
			"write uid: beside user:", caller)
	}
}

func networkEvidence(v yamlfile.Value) netip.Addr {
	text, ok := v.Text("one address, such as 10.20.0.7")
	if !ok {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(text)
	if err == nil {
		return addr
	}
	if prefix, err := netip.ParsePrefix(text); err == nil {
		v.Errorf("%q is a network, and a request comes from one address; write such as %s", text, prefix.Addr())
		return netip.Addr{}
	}
	v.Errorf("%.80q is no address; write one such as 10.20.0.7 or 2001:db8::7", text)
	return netip.Addr{}
}
