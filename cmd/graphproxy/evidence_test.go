package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"graphproxy/auth/caller/oidc/oidctest"
	"graphproxy/auth/caller/pkitest"
)

const (
	goodKey  = "hr-MN3tVn5JvzN8dN0w5tV2CkVf6cQ1d9b0u7Kx"
	wrongKey = "hr-0000000000000000000000000000000000000"
)

// evidence is a running proxy with a caller for every kind of evidence: over TLS, behind a trusted proxy (this
// machine), and over a unix socket.
type evidence struct {
	t                     *testing.T
	w                     *world
	p                     *process
	signer, stranger      *pkitest.Authority
	issuer, foreignIssuer *oidctest.Server
	socket                string
}

func newEvidence(t *testing.T) *evidence {
	t.Helper()
	e := &evidence{t: t, w: newWorld(t)}
	e.w.registerSecret("secret")
	e.w.writeKeyPair(t)
	root, err := pkitest.New("contoso root")
	must(t, err)
	e.signer, err = root.Intermediate("contoso signer")
	must(t, err)
	e.stranger, err = pkitest.New("fabrikam root")
	must(t, err)
	e.w.write(t, "clients.pem", string(root.PEM()))
	e.issuer, e.foreignIssuer = e.newIssuer(), e.newIssuer()
	dir, err := os.MkdirTemp("", "graphproxy") // a test's own is too long a path for a socket
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	e.socket = filepath.Join(dir, "s")
	e.w.write(t, "policy.yaml", e.policy(os.Getuid()))
	e.p = e.w.serve(t, "AZURE_CLIENT_SECRET=secret", "GRAPHPROXY_LISTEN=127.0.0.1:0,unix:"+e.socket,
		"GRAPHPROXY_TRUSTED_PROXIES=127.0.0.1",
		"GRAPHPROXY_TLS_CERT_FILE="+e.w.path("tls.crt"), "GRAPHPROXY_TLS_KEY_FILE="+
			e.w.path("tls.key"), "GRAPHPROXY_TLS_CLIENT_CA_FILE="+e.w.path("clients.pem"))
	return e
}

func (e *evidence) newIssuer() *oidctest.Server {
	e.t.Helper()
	s, err := oidctest.New(oidctest.Options{})
	must(e.t, err)
	e.t.Cleanup(s.Close)
	return s
}

// policy has a caller for each kind of evidence. The unix one has the uid.
func (e *evidence) policy(uid int) string {
	sum := sha256.Sum256([]byte(goodKey))
	return fmt.Sprintf(`
version: 1
rules:
  read: [GET /users]
callers:
  workload: {identity: [{certificate: {uri: "spiffe://contoso.example/ns/hr/*"}}], allow: [{include: read}]}
  pipeline: {identity: [{token: {issuer: %q, audience: graphproxy, subject: "repo:contoso/*"}}], allow: [{include: read}]}
  script: {identity: [{key: {sha256: %s}}], allow: [{include: read}]}
  neighbour: {identity: [{unix: {uid: %d}}], allow: [{include: read}]}
  lab: {identity: [{network: 10.77.0.0/16}], allow: [{include: read}]}
`, e.issuer.Issuer(), hex.EncodeToString(sum[:]), uid)
}

// presented is the evidence of a request.
type presented struct {
	certificate *tls.Certificate
	unix        bool
	headers     []string
}

// ask makes a request on a connection of its own, and returns "caller by kind", the code of a 401, or "handshake".
// It checks that the audit line has the same, and that a refused request does not reach Graph.
func (e *evidence) ask(with presented) string {
	e.t.Helper()
	wire := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: e.w.ca.Pool()}, ForceAttemptHTTP2: true}
	defer wire.CloseIdleConnections()
	if with.certificate != nil {
		wire.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return with.certificate, nil
		}
	}
	address := e.p.callers
	if with.unix {
		address = "http://graphproxy"
		wire.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", e.socket)
		}
	}
	lines, reached := len(e.p.stdout.all()), e.w.graph.Count()
	p := &process{client: &http.Client{Transport: wire}}
	a, err := p.try(http.MethodGet, address+"/v1.0/users?$top=1", "", with.headers...)
	if err != nil {
		return "handshake"
	}
	until(e.t, "audit line", func() bool { return len(e.p.stdout.all()) > lines })
	all := e.p.stdout.all()
	var rec struct {
		Caller, Evidence, Reason string
		Status                   int
	}
	must(e.t, json.Unmarshal([]byte(all[len(all)-1]), &rec))
	if len(all) != lines+1 || rec.Status != a.status || (a.status == 200) != (e.w.graph.Count() == reached+1) {
		e.t.Errorf("status %d, %d audit lines, the last %+v, %d requests to Graph", a.status, len(all)-lines, rec,
			e.w.graph.Count()-reached)
	}
	if a.status == 200 {
		return rec.Caller + " by " + rec.Evidence
	}
	var body struct {
		Error struct {
			Code       string
			InnerError struct{ Code string }
		}
	}
	must(e.t, json.Unmarshal([]byte(a.body), &body))
	code := body.Error.InnerError.Code
	if a.status != 401 || body.Error.Code != "unauthenticated" || rec.Reason != code || rec.Caller != "" ||
		rec.Evidence != "" || a.header.Get("WWW-Authenticate") != `Bearer realm="graphproxy"` {
		e.t.Errorf("status %d, %s, header %v, record %+v", a.status, a.body, a.header, rec)
	}
	return code
}

func (e *evidence) leaf(a *pkitest.Authority, l pkitest.Leaf) *tls.Certificate {
	e.t.Helper()
	made, err := a.Leaf(l)
	must(e.t, err)
	return &made
}

// bearer is a token in a header. Claims replace those of a good token.
func (e *evidence) bearer(s *oidctest.Server, claims, header map[string]any) string {
	e.t.Helper()
	all := map[string]any{"iss": e.issuer.Issuer(), "aud": "graphproxy", "sub": "repo:contoso/graph"}
	for name, value := range claims {
		all[name] = value
	}
	raw, err := s.Sign(all, header)
	must(e.t, err)
	return "Authorization: Bearer " + raw
}

func TestEveryKindOfEvidence(t *testing.T) {
	t.Parallel()
	e := newEvidence(t)
	var (
		workload  = pkitest.Leaf{URIs: []string{"spiffe://contoso.example/ns/hr/sync"}}
		expired   = pkitest.Leaf{URIs: workload.URIs, NotAfter: time.Now().Add(-time.Minute)}
		good      = e.leaf(e.signer, workload)
		nobodys   = e.leaf(e.signer, pkitest.Leaf{URIs: []string{"spiffe://contoso.example/ns/it/sync"}})
		token     = e.bearer(e.issuer, nil, nil)
		badToken  = e.bearer(e.foreignIssuer, nil, nil)
		key       = "Authorization: Bearer " + goodKey
		apiKey    = "X-Api-Key: " + goodKey
		badKey    = "X-Api-Key: " + wrongKey
		lab       = "X-Forwarded-For: 10.77.3.4"
		elsewhere = "X-Forwarded-For: 10.77.3.4, 203.0.113.7" // the first is what the sender wrote
		headers   = func(h ...string) presented { return presented{headers: h} }
		unix      = func(h ...string) presented { return presented{unix: true, headers: h} }
		cert      = func(c *tls.Certificate, h ...string) presented { return presented{certificate: c, headers: h} }
	)
	for _, tt := range []struct {
		name string
		with presented
		want string
	}{
		{"certificate: valid", cert(good), "workload by certificate"},
		{"certificate: expired", cert(e.leaf(e.signer, expired)), "handshake"},
		{"certificate: wrong CA", cert(e.leaf(e.stranger, workload)), "handshake"},
		{"certificate: wrong name", cert(nobodys), "certificateUnknown"},
		{"certificate: absent", headers(), "callerUnknown"},

		{"token: valid", headers(token), "pipeline by token"},
		{"token: expired", headers(e.bearer(e.issuer, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}, nil)),
			"tokenExpired"},
		{"token: wrong issuer", headers(e.bearer(e.foreignIssuer, map[string]any{"iss": e.foreignIssuer.Issuer()}, nil)),
			"tokenIssuerUnknown"},
		{"token: wrong audience", headers(e.bearer(e.issuer, map[string]any{"aud": "https://graph.microsoft.com"}, nil)),
			"tokenUnknown"},
		{"token: wrong subject", headers(e.bearer(e.issuer, map[string]any{"sub": "repo:fabrikam/graph"}, nil)),
			"tokenUnknown"},
		{"token: wrong signature", headers(badToken), "tokenInvalid"},
		{"token: keys of its own in its header",
			headers(e.bearer(e.foreignIssuer, nil, map[string]any{"jku": e.foreignIssuer.Issuer() + "/keys"})), "tokenInvalid"},
		{"token: no JWT", headers("Authorization: Bearer a.b.c"), "tokenInvalid"},

		{"key: valid", headers(key), "script by key"},
		{"key: valid, in a header of its own", headers(apiKey), "script by key"},
		{"key: wrong", headers("Authorization: Bearer " + wrongKey), "keyUnknown"},
		{"key: wrong, in a header of its own", headers(badKey), "keyUnknown"},
		{"key: empty", headers("X-Api-Key: "), "keyUnknown"},

		{"unix: valid uid", unix(), "neighbour by unix"},
		{"unix: an address in a header says nothing", unix(lab), "neighbour by unix"},

		{"network: valid", headers(lab), "lab by network"},
		{"network: wrong", headers(elsewhere), "callerUnknown"},
		{"network: no address", headers("X-Forwarded-For: 10.77.3.4, nonsense"), "evidenceAmbiguous"},
		{"network: another header says nothing", headers("Forwarded: for=10.77.3.4", "X-Real-IP: 10.77.3.4"),
			"callerUnknown"},

		{"certificate and token", cert(good, token), "workload by certificate"},
		{"certificate and wrong token", cert(good, badToken), "tokenInvalid"},
		{"certificate and key", cert(good, key), "workload by certificate"},
		{"certificate and wrong key", cert(good, badKey), "keyUnknown"},
		{"certificate and network", cert(good, lab), "workload by certificate"},
		{"wrong certificate and token", cert(nobodys, token), "certificateUnknown"},
		{"wrong certificate and key", cert(nobodys, key), "certificateUnknown"},
		{"wrong certificate and network", cert(nobodys, lab), "certificateUnknown"},
		{"token and key of another caller", headers(token, apiKey), "evidenceAmbiguous"},
		{"token and wrong key", headers(token, badKey), "keyUnknown"},
		{"token and network", headers(token, lab), "pipeline by token"},
		{"wrong token and key", headers(badToken, apiKey), "tokenInvalid"},
		{"wrong token and network", headers(badToken, lab), "tokenInvalid"},
		{"token twice", headers(token, token), "evidenceAmbiguous"},
		{"key and network", headers(key, lab), "script by key"},
		{"wrong key and network", headers(badKey, lab), "keyUnknown"},
		{"unix and token", unix(token), "pipeline by token"},
		{"unix and wrong token", unix(badToken), "tokenInvalid"},
		{"unix and key", unix(key), "script by key"},
		{"unix and wrong key", unix(badKey), "keyUnknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e.t = t
			if got := e.ask(tt.with); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	e.t = t
	t.Run("unix: wrong uid", func(t *testing.T) {
		e.t = t
		e.w.write(t, "policy.yaml", e.policy(os.Getuid()+1))
		e.p.signal(t, syscall.SIGHUP)
		e.p.awaitMetric(t, `graphproxy_policy_reloads_total{result="success"}`, "1")
		for _, tt := range []struct {
			with presented
			want string
		}{{unix(), "unixUnknown"}, {unix(lab), "unixUnknown"}, {unix(key), "script by key"}} {
			if got := e.ask(tt.with); got != tt.want {
				t.Errorf("%v: got %q, want %q", tt.with.headers, got, tt.want)
			}
		}
	})
	e.t = t
	for _, secret := range []string{goodKey, wrongKey, strings.TrimPrefix(token, "Authorization: Bearer ")} {
		if strings.Contains(e.p.stderr.String()+e.p.stdout.String(), secret) {
			t.Errorf("%.12q… is in the log or the audit log", secret)
		}
	}
	if strings.Contains(e.p.stderr.String(), "10.77.3.4") { // the audit log has it as the client
		t.Error("the address that a proxy names is in the log")
	}
	e.p.stop(t)
	if _, err := os.Stat(e.socket); err == nil {
		t.Error("the socket is there after the end")
	}
}

func TestCurlOverAUnixSocket(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is missing")
	}
	e := newEvidence(t)
	info, err := os.Stat(e.socket)
	must(t, err)
	if info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v", info.Mode())
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("curl", "--silent", "--show-error", "--fail-with-body", "--unix-socket", e.socket,
		"http://graphproxy/v1.0/users?$top=1")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil || !strings.Contains(stdout.String(), `"value"`) {
		t.Errorf("%v: %s%s", err, &stdout, &stderr)
	}
	until(t, "audit line",
		func() bool { return strings.Contains(e.p.stdout.String(), `"caller":"neighbour","evidence":"unix"`) })
}

func TestEvidenceThatCannotComeIsWarnedOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	w.write(t, "policy.yaml", strings.Replace(onlyUsers, "[{network: [127.0.0.0/8]}]",
		"[{certificate: {dns: hr.contoso.example}}, {unix: {uid: 1000}}]", 1))
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret")
	for _, want := range []string{"set GRAPHPROXY_TLS_CLIENT_CA_FILE", "add unix:/path to GRAPHPROXY_LISTEN"} {
		p.logged(t, want)
	}
}
