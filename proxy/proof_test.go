package proxy_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	"graphproxy/auth/caller"
	"graphproxy/auth/caller/oidc"
	"graphproxy/auth/caller/oidc/oidctest"
	"graphproxy/auth/caller/pkitest"
	"graphproxy/policy"
	"graphproxy/proxy"
)

// proofRig makes random policies, and random evidence both as a test writes it and as a request presents it.
type proofRig struct {
	*rand.Rand
	t                 *testing.T
	issuer            *oidctest.Server
	ca                *x509.Certificate
	authorities       *caller.Authorities
	tokens            *oidc.Keys
	signed            map[string]string
	accepted, refused int
}

type object = map[string]any

func newProofRig(t *testing.T) *proofRig {
	rig := &proofRig{
		Rand:        rand.New(rand.NewPCG(17, 4)),
		t:           t,
		authorities: new(caller.Authorities),
		tokens:      oidc.NewKeys(oidc.Options{}),
		signed:      map[string]string{},
	}
	var err error
	if rig.issuer, err = oidctest.New(oidctest.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rig.issuer.Close)
	authority, err := pkitest.New("evidence")
	if err != nil {
		t.Fatal(err)
	}
	rig.ca = authority.Certificate()
	rig.authorities.Use([]*x509.Certificate{rig.ca})
	return rig
}

func (g *proofRig) one(texts ...string) string { return texts[g.IntN(len(texts))] }

func (g *proofRig) chance(percent int) bool { return g.IntN(100) < percent }

func keyText(i int) string { return "key-number-" + strconv.Itoa(i) }

func keyHash(i int) string {
	sum := sha256.Sum256([]byte(keyText(i)))
	return hex.EncodeToString(sum[:])
}

// identity returns evidence of one kind that proves a caller. The number makes that of several callers differ, mostly.
func (g *proofRig) identity(kind string, n int) object {
	name := string(rune('a' + n))
	switch kind {
	case "certificate":
		return object{kind: []object{
			{"uri": "spiffe://contoso.example/" + name},
			{"uri": "spiffe://Contoso.example/" + name + "/*"},
			{"dns": name + ".Contoso.example"},
			{"common_name": name},
		}[g.IntN(4)]}
	case "token":
		token := object{"issuer": g.issuer.Issuer(), "audience": "graphproxy", "subject": name + g.one("", "*")}
		if g.chance(30) {
			token["claims"] = object{g.one("role", "/nested/role"): []string{"admin", name}}
		}
		return object{kind: token}
	case "key":
		return object{kind: object{"sha256": keyHash(n)}}
	case "unix":
		user := object{"uid": n}
		if g.chance(30) {
			user["gid"] = g.IntN(2)
		}
		return object{kind: user}
	}
	return object{"network": []string{"10.0." + strconv.Itoa(n) + ".0/24"}}
}

func (g *proofRig) identities(n int) []any {
	kinds := []string{"certificate", "token", "key", "unix", "network"}
	var ids []any
	for range 1 + g.IntN(3) {
		kind := g.one(kinds...)
		other := g.one(kinds...)
		switch {
		case g.chance(30) && kind != other:
			ids = append(ids, object{"all": []any{g.identity(kind, n), g.identity(other, n)}})
		case n == 0 && g.chance(30):
			ids = append(ids, "anyone")
		default:
			ids = append(ids, g.identity(kind, n))
		}
	}
	return ids
}

// text returns the text of a policy with a few callers, and tests. JSON is YAML.
func (g *proofRig) text(callers object, tests ...object) []byte {
	text, err := json.Marshal(object{"version": 1, "callers": callers, "tests": append([]object{}, tests...)})
	if err != nil {
		g.t.Fatal(err)
	}
	return text
}

func (g *proofRig) callers() object {
	all := object{}
	for n := range 2 + g.IntN(3) {
		all["caller"+strconv.Itoa(n)] = object{"identity": g.identities(n), "allow": []any{}}
	}
	return all
}

// evidence returns what a test says, and the request that presents it.
func (g *proofRig) evidence() (object, *http.Request) {
	e, r := object{}, httptest.NewRequest(http.MethodGet, "/v1.0/users", nil)
	r.RemoteAddr = "192.0.2.7:1234"
	if g.chance(40) {
		e["certificate"] = g.certificate(r)
	}
	credential := "Bearer "
	if g.chance(30) {
		e["token"] = g.token(r)
		credential = ""
	}
	if g.chance(40) {
		i := g.IntN(6)
		e["key"] = object{"sha256": keyHash(i)}
		if credential == "" || g.chance(50) {
			r.Header.Set("X-Api-Key", keyText(i))
		} else {
			r.Header.Set("Authorization", credential+keyText(i))
		}
	}
	switch g.IntN(3) {
	case 0:
		uid, gid := g.IntN(6), g.IntN(2)
		e["unix"] = object{"uid": uid, "gid": gid}
		r.RemoteAddr = "@"
		*r = *r.WithContext(caller.WithPeer(context.Background(), caller.Peer{UID: uint32(uid), GID: uint32(gid)}))
	case 1:
		address := "10.0." + strconv.Itoa(g.IntN(6)) + ".9"
		e["network"] = address
		r.RemoteAddr = address + ":1234"
	}
	return e, r
}

func (g *proofRig) certificate(r *http.Request) object {
	leaf := &x509.Certificate{
		Raw:         []byte("leaf"),
		NotAfter:    time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	e := object{}
	name := func() string { return string(rune('a' + g.IntN(5))) }
	if uris := g.some(func() string {
		return g.one("spiffe://contoso.example/", "SPIFFE://contoso.example/", "https://contoso.example/") + name() +
			g.one("", "", "/x", "/%78", "/../b")
	}); uris != nil {
		e["uri"] = uris
		for _, text := range uris {
			u, err := url.Parse(text)
			if err != nil {
				g.t.Fatal(err)
			}
			leaf.URIs = append(leaf.URIs, u)
		}
	}
	leaf.DNSNames = g.some(func() string { return name() + g.one(".contoso.example", ".CONTOSO.example") })
	if leaf.DNSNames != nil {
		e["dns"] = leaf.DNSNames
	}
	if names := g.some(name); names != nil || len(e) == 0 {
		names = append(names, name())
		e["common_name"] = names
		for _, text := range names {
			leaf.Subject.Names = append(leaf.Subject.Names,
				pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: text})
		}
	}
	r.TLS = &tls.ConnectionState{
		PeerCertificates: []*x509.Certificate{leaf},
		VerifiedChains:   [][]*x509.Certificate{{leaf, g.ca}},
	}
	return e
}

// some returns up to two texts, often none.
func (g *proofRig) some(text func() string) []string {
	var all []string
	for range max(0, g.IntN(5)-2) {
		all = append(all, text())
	}
	return all
}

func (g *proofRig) token(r *http.Request) object {
	claims := object{
		"iss": g.one(g.issuer.Issuer(), g.issuer.Issuer(), g.issuer.Issuer()+"/other"),
		"aud": g.one("graphproxy", "graphproxy", "other"),
		"sub": string(rune('a'+g.IntN(5))) + g.one("", "x"),
	}
	e := object{"issuer": claims["iss"], "audience": claims["aud"], "subject": claims["sub"]}
	switch role := g.one("admin", "a", "b", "none"); g.IntN(3) {
	case 0:
		claims["role"] = role
		e["claims"] = object{"role": role}
	case 1:
		claims["nested"] = object{"role": []string{role, "x"}}
		e["claims"] = object{"/nested/role": []string{role, "x"}}
	}
	key, err := json.Marshal(claims)
	if err != nil {
		g.t.Fatal(err)
	}
	if g.signed[string(key)] == "" {
		raw, err := g.issuer.Sign(claims, object{"alg": "ES256"})
		if err != nil {
			g.t.Fatal(err)
		}
		g.signed[string(key)] = raw
	}
	r.Header.Set("Authorization", "Bearer "+g.signed[string(key)])
	return e
}

// judge returns the caller that the proxy finds, or none, and the kind of evidence or the code of the refusal.
func judge(t *testing.T, a *proxy.Authorization, r *http.Request) (name, why string) {
	found, err := a.Authenticate(r)
	if err == nil {
		return found.Name, found.Evidence
	}
	var refusal *caller.Error
	if !errors.As(err, &refusal) {
		t.Fatal(err)
	}
	return policy.NoCaller, refusal.Code
}

func TestTestsOfAPolicyJudgeEvidenceAsTheProxyDoes(t *testing.T) {
	g := newProofRig(t)
	outcomes := map[string]int{}
	for g.accepted < 100 {
		callers := g.callers()
		p, err := policy.ParseUntested("policy.yaml", g.text(callers), proxy.CheckEvidence)
		if err != nil {
			if g.refused++; g.refused > 2000 {
				t.Fatalf("too many policies do not load: %v", err)
			}
			continue
		}
		g.accepted++
		a, err := proxy.NewAuthorization(p, caller.Options{Tokens: g.tokens, Authorities: g.authorities})
		if err != nil {
			t.Fatal(err)
		}
		var tests []object
		var whys []string
		for range 40 {
			e, r := g.evidence()
			name, why := judge(t, a, r)
			outcomes[why]++
			tests, whys = append(tests, object{"caller": name, "evidence": e}), append(whys, why)
		}
		g.same(callers, tests, whys)
	}
	for _, why := range []string{"certificate", "token", "key", "unix", "network", "anyone", "callerUnknown",
		"evidenceAmbiguous", "certificateUnknown", "tokenUnknown", "tokenIssuerUnknown", "tokenInvalid", "keyUnknown",
		"evidenceIncomplete", "unixUnknown"} {
		if outcomes[why] < 10 {
			t.Errorf("%s is the outcome of %d requests only", why, outcomes[why])
		}
	}
	t.Logf("%d policies, %d that do not load; %v", g.accepted, g.refused, outcomes)
}

// same checks that a policy's tests find what the proxy found, and nothing else.
func (g *proofRig) same(callers object, tests []object, whys []string) {
	g.t.Helper()
	text := g.text(callers, tests...)
	p, err := policy.Parse("policy.yaml", text, proxy.CheckEvidence)
	if err != nil {
		g.t.Fatalf("%v\n%s", err, text)
	}
	for i, r := range p.Test() {
		if got := r.Proof.Kind + r.Proof.Code; got != whys[i] {
			g.t.Errorf("%s: %s, and the proxy says %s\n%s", r.Text, got, whys[i], text)
		}
	}
	for _, test := range tests {
		test["caller"] = map[bool]string{true: policy.NoCaller, false: "caller0"}[test["caller"] == "caller0"]
	}
	p, err = policy.ParseUntested("policy.yaml", g.text(callers, tests...), proxy.CheckEvidence)
	if err != nil {
		g.t.Fatal(err)
	}
	for i, r := range p.Test() { // none of the tests names the caller that the proxy finds
		if r.OK {
			g.t.Errorf("test %d passes for another caller: %s", i, r.Message())
		}
	}
}
