package proxy_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graphproxy/auth/caller"
	"graphproxy/auth/caller/oidc"
	"graphproxy/auth/caller/pkitest"
	"graphproxy/policy"
	"graphproxy/proxy"
)

// evidenceRig is a proxy whose callers have tokens, certificates and networks.
type evidenceRig struct {
	handler http.Handler
	ca      *pkitest.Authority
}

func newEvidenceRig(t *testing.T) evidenceRig {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	keys, err := json.Marshal(map[string]any{"keys": []map[string]string{
		{"kty": "RSA", "kid": "k", "alg": "RS256", "use": "sig", "n": encode(key.N.Bytes()), "e": "AQAB"},
	}})
	must(t, err)
	file := filepath.Join(t.TempDir(), "keys.json")
	must(t, os.WriteFile(file, keys, 0o600))
	p, err := policy.Parse("policy.yaml", fmt.Appendf(nil, `
version: 1
callers:
  token:
    identity: [{token: {issuer: https://issuer.contoso.com, audience: graphproxy, subject: app, jwks_file: %q}}]
    allow: [GET /users]
  certificate:
    identity: [{certificate: {uri: spiffe://contoso.com/app}}]
    allow: [GET /users]
  network:
    identity: [{network: [192.0.2.0/24]}]
    allow: [GET /users]
`, file))
	must(t, err)
	ca, err := pkitest.New("contoso")
	must(t, err)
	trusted := new(caller.Authorities)
	trusted.Use([]*x509.Certificate{ca.Certificate()})
	known, err := proxy.NewAuthorization(p, caller.Options{Authorities: trusted, Tokens: oidc.NewKeys(oidc.Options{})})
	must(t, err)
	graph := httptest.NewServer(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) }),
	)
	t.Cleanup(graph.Close)
	h, err := proxy.New(proxy.Config{
		Graph:         mustURL(t, graph.URL),
		Apps:          oneApp(fixed{}),
		Authorization: known,
		Hosts:         []string{"graphproxy"},
		Audit:         io.Discard,
	})
	must(t, err)
	return evidenceRig{h, ca}
}

// evidence are requests whose evidence has at most mostInput bytes and a high cost.
func (r evidenceRig) evidence(t *testing.T) map[string]func() *http.Request {
	t.Helper()
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	jwt := func(header, claims string) func() *http.Request {
		signature := part(strings.Repeat("s", 256))
		return func() *http.Request {
			return costly("GET", "/v1.0/users", "", "Authorization: Bearer "+part(header)+"."+part(claims)+"."+signature)
		}
	}
	certificate := func(l pkitest.Leaf, more int) func() *http.Request {
		made, err := r.ca.Leaf(l)
		must(t, err)
		chain := []*x509.Certificate{made.Leaf}
		for i := range more {
			between, err := r.ca.Intermediate(fmt.Sprintf("between %d", i))
			must(t, err)
			chain = append(chain, between.Certificate())
		}
		return func() *http.Request {
			request := costly("GET", "/v1.0/users", "")
			request.TLS = &tls.ConnectionState{PeerCertificates: chain, HandshakeComplete: true}
			return request
		}
	}
	names := make([]string, 250)
	for i := range names {
		names[i] = fmt.Sprintf("spiffe://contoso.com/app/%d", i)
	}
	head, issuer := `{"alg":"RS256","kid":"k"}`, `"iss":"https://issuer.contoso.com","aud":"graphproxy","sub":"app"`
	return map[string]func() *http.Request{
		"JWT: a wrong signature over many claims": jwt(head, `{`+issuer+`,"a":[`+strings.Repeat(`"a",`, 1_500)+`"a"]}`),
		"JWT: many audiences": jwt(head,
			`{"iss":"https://issuer.contoso.com","aud":[`+strings.Repeat(`"a",`, 1_500)+`"a"]}`),
		"JWT: doubled claims":      jwt(head, `{`+strings.Repeat(issuer+",", 90)+issuer+`}`),
		"JWT: claims that nest":    jwt(head, `{`+issuer+`,"a":`+strings.Repeat("[", 3_000)+strings.Repeat("]", 3_000)+`}`),
		"JWT: a header that nests": jwt(strings.Repeat(`{"a":`, 1_000)+"1"+strings.Repeat("}", 1_000), `{}`),
		"JWT: a long key id":       jwt(`{"alg":"RS256","kid":"`+strings.Repeat("k", 6_500)+`"}`, `{}`),
		"JWT: dots": func() *http.Request {
			return costly("GET", "/v1.0/users", "", "Authorization: Bearer "+strings.Repeat(".", 9_000))
		},
		"certificate: many names":               certificate(pkitest.Leaf{URIs: names}, 0),
		"certificate: many intermediates":       certificate(pkitest.Leaf{URIs: names[:1]}, 20),
		"certificate: of nobody's CA, and many": certificate(pkitest.Leaf{CA: true, URIs: names[:1]}, 20),
	}
}

// Evidence of 10 KiB costs no more than any other input: see TestNothingCostsMuchMoreThanItWeighs.
func TestEvidenceCostsNoMoreThanItWeighs(t *testing.T) {
	if raceDetector {
		t.Skip(
			"NOT CHECKED: the race detector multiplies the cost of some code and not of other; run this test without -race",
		)
	}
	r := newEvidenceRig(t)
	plain, _ := costOf(t, r.handler, func() *http.Request { return costly("GET", "/v1.0/users", "") }, 200)
	for name, input := range r.evidence(t) {
		cpu, allocated := costOf(t, r.handler, input, 4)
		t.Logf("%-40s %6d bytes of header: %5.1f times the CPU, %5d KiB", name, sizeOf(input()), float64(cpu)/float64(plain),
			allocated>>10)
		if sizeOf(input()) > mostInput+1024 {
			t.Errorf("%s: has %d bytes", name, sizeOf(input()))
		}
		if allocated > mostMemory || cpu > 2*mostCPU*plain {
			t.Errorf("%s: costs %.0f times the CPU of a plain GET, and %d KiB", name, float64(cpu)/float64(plain), allocated>>10)
		}
	}
}
