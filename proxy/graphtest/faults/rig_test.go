// Package faults_test breaks the way between graphproxy and Graph, and shows what a caller gets then, what Graph
// received, and what the audit line says. Faults of TCP are made by Shopify's toxiproxy, in this process; faults of
// HTTP by Graph itself, which takes the connection out of its server's hands. It is a module of its own, so that the
// product does not need toxiproxy.
package faults_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"graphproxy/auth"
	"graphproxy/auth/caller"
	"graphproxy/auth/entratest"
	"graphproxy/policy"
	"graphproxy/proxy"
	"graphproxy/proxy/graphtest"
)

const (
	tenant   = "3f1c5a52-9a3e-4f0a-9b5e-0d5c3c7a1b11"
	clientID = "6b7e0f7e-43cf-4a0e-8f5c-5b1f3f0b6c22"
	secret   = "canary-client-secret"
	patience = 2 * time.Minute
)

const everyone = `
version: 1
callers:
  app:
    identity: [{network: [127.0.0.0/8]}]
    allow:
      - GET /users
      - GET,PATCH /users/{id}
      - POST /users/{id}/sendMail
      - DELETE /groups/{group}/members/{id}/$ref
      - ANY /test/**
`

// identity is an Entra ID, and graphproxy's token of it. Several worlds share one: to make its keys takes time.
type identity struct {
	entra  *entratest.Server
	tokens *auth.Source
}

func newIdentity(t *testing.T) *identity {
	t.Helper()
	entra, err := entratest.NewServer(entratest.Options{})
	must(t, err)
	t.Cleanup(entra.Close)
	entra.Add(entratest.App{
		TenantID: tenant,
		ClientID: clientID,
		Secret:   secret,
		Roles:    []string{"User.ReadWrite.All", "Group.ReadWrite.All", "GroupMember.ReadWrite.All", "Mail.Send"},
	})
	app := auth.App{
		Name:          "default",
		TenantID:      tenant,
		ClientID:      clientID,
		Secret:        auth.NewSecret(secret),
		AuthorityHost: entra.URL(),
		Scope:         "https://graph.microsoft.com/.default",
	}
	tokens, err := auth.NewSource(app, auth.Options{Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); tokens.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return &identity{entra, tokens}
}

func (i *identity) verify(token string) ([]string, error) {
	claims, err := i.entra.Verify(token)
	return claims.Roles, err
}

// world is a Graph, and toxiproxy before that Graph.
type world struct {
	tokens *auth.Source
	graph  *graphtest.Server
	toxi   *toxiproxy.Proxy
	roots  *x509.CertPool // who signs Graph's certificate
	scheme string
}

// wires are the two ways to speak to Graph.
func wires() []string { return []string{"http", "https"} }

func newWorld(t *testing.T, who *identity, scheme string) *world {
	t.Helper()
	if scheme == "http" {
		return newWorldWith(t, who, nil, nil)
	}
	ca, err := entratest.NewCA()
	must(t, err)
	config, err := ca.TLS()
	must(t, err)
	return newWorldWith(t, who, config, ca.Pool())
}

// newWorldWith makes one whose Graph speaks TLS as config says, or none.
func newWorldWith(t *testing.T, who *identity, config *tls.Config, roots *x509.CertPool) *world {
	t.Helper()
	w := &world{tokens: who.tokens, roots: roots, scheme: "http"}
	if config != nil {
		w.scheme = "https"
	}
	var err error
	w.graph, err = graphtest.NewServer(graphtest.Options{TLS: config, Verify: who.verify, Users: 24})
	must(t, err)
	t.Cleanup(w.graph.Close)
	w.toxi = newToxiproxy(t, "127.0.0.1", w.graph.URL())
	return w
}

func newToxiproxy(t *testing.T, ip, url string) *toxiproxy.Proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	var err error
	for range 1000 { // below the ports that a system gives out: no other test gets one that a test has closed
		p := toxiproxy.NewProxy(server, "graph", fmt.Sprint(ip, ":", 10_000+rand.IntN(20_000)), host(t, url))
		if err = p.Start(); err == nil {
			t.Cleanup(p.Stop)
			return p
		}
	}
	t.Fatal(err)
	return nil
}

// toxic makes toxiproxy do harm from now on, on connections that it has and on later ones. The toxics are listed at
// https://github.com/Shopify/toxiproxy#toxics.
func (w *world) toxic(t *testing.T, toxic string) {
	t.Helper()
	_, err := w.toxi.Toxics.AddToxicJson(strings.NewReader(toxic))
	must(t, err)
}

// direct is Graph's address without toxiproxy; broken is the one with it.
func (w *world) direct() string { return w.graph.URL() }
func (w *world) broken() string { return w.scheme + "://" + w.toxi.Listen }

// arrived counts the requests with this client-request-id that Graph received, in part or whole.
func (w *world) arrived(id string) int {
	n := 0
	for _, r := range w.graph.Requests() {
		if r.Header.Get("Client-Request-Id") == id && r.Item == "" {
			n++
		}
	}
	return n
}

// front is a graphproxy that has no connection yet, and a caller of it.
type front struct {
	server *httptest.Server
	client *http.Client
	audit  *lines
	log    *lines
}

// front starts a graphproxy that reaches Graph at an address. The trace, if there is one, sees its connections to
// Graph.
func (w *world) front(t *testing.T, graph string, trace *httptrace.ClientTrace) *front {
	t.Helper()
	f := &front{audit: new(lines), log: new(lines)}
	log := slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	root, err := url.Parse(graph)
	must(t, err)
	p, err := policy.Parse("policy.yaml", []byte(everyone))
	must(t, err)
	rules, err := proxy.NewAuthorization(p, caller.Options{})
	must(t, err)
	h, err := proxy.New(proxy.Config{
		Graph:         root,
		Apps:          one{&proxy.App{Tenant: tenant, Tokens: w.tokens}},
		Authorization: rules,
		Roots:         w.roots,
		Audit:         f.audit,
		Log:           log,
		Transport:     os.Getenv("GRAPHPROXY_TRANSPORT"),
	})
	must(t, err)
	f.server = httptest.NewUnstartedServer(nil)
	f.server.Config = proxy.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if trace != nil {
			r = r.WithContext(httptrace.WithClientTrace(r.Context(), trace))
		}
		h.ServeHTTP(rw, r)
	}), log)
	f.server.Start()
	f.client = &http.Client{Transport: &http.Transport{DisableCompression: true}}
	t.Cleanup(func() {
		f.client.CloseIdleConnections()
		f.server.CloseClientConnections()
		f.server.Close()
		if t.Failed() {
			t.Logf("graphproxy wrote %q and %q", f.log.all(), f.audit.all())
		}
	})
	return f
}

// request is one that a caller makes.
type request struct {
	name, method, target string
	body                 func() io.Reader // nil: none
	status               int              // Graph's answer when nothing breaks
	large                bool             // more than is held to be sent again
	length               int64            // of a large body, as it is announced; 0: chunked
}

func (q request) safe() bool { return q.method == http.MethodGet }

const largeBody = 96 << 10

// requests are those of the table: one that may be made twice, and those that must not.
func requests() []request {
	marketing, alex := graphtest.ID("Marketing"), graphtest.ID("alex@contoso.com")
	text := func(s string) func() io.Reader { return func() io.Reader { return strings.NewReader(s) } }
	return []request{
		{"a GET", "GET", "/v1.0/users?$top=20", nil, 200, false, 0},
		{
			"a POST with a small body",
			"POST",
			"/v1.0/users/adele@contoso.com/sendMail",
			text(`{"message":{"subject":"x"}}`),
			202,
			false,
			0,
		},
		{
			"a POST with a large body",
			"POST",
			"/v1.0/test/echo",
			func() io.Reader { return io.LimitReader(pattern{}, largeBody) },
			200,
			true,
			0,
		},
		{"a PATCH", "PATCH", "/v1.0/users/adele@contoso.com", text(`{"jobTitle":"x"}`), 204, false, 0},
		{"a DELETE", "DELETE", "/v1.0/groups/" + marketing + "/members/" + alex + "/$ref", nil, 204, false, 0},
	}
}

// at is the same request for another target.
func (q request) at(target string, status int) request {
	q.target, q.status = target, status
	return q
}

// pattern is a body without an end.
type pattern struct{}

func (pattern) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

// answer is what a caller saw.
type answer struct {
	status int
	header http.Header
	body   string
	cut    bool // the body broke off
}

// send makes a request, with its client-request-id.
func (f *front) send(ctx context.Context, t *testing.T, q request, id string, header ...string) (answer, error) {
	t.Helper()
	var body io.Reader
	if q.body != nil {
		body = q.body()
	}
	r, err := http.NewRequestWithContext(ctx, q.method, f.server.URL+q.target, body)
	must(t, err)
	if q.length > 0 {
		r.ContentLength = q.length
	}
	r.Header.Set("Client-Request-Id", id)
	if q.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if q.large {
		r.Header.Set("Content-Type", "application/octet-stream") // JSON is read whole, for the links in it
	}
	for _, line := range header {
		if name, value, ok := strings.Cut(line, ": "); ok {
			r.Header.Set(name, value)
		}
	}
	res, err := f.client.Transport.RoundTrip(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(text), err != nil}, nil
}

// try makes a request that may end without an answer.
func (f *front) try(t *testing.T, q request, id string, header ...string) (answer, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return f.send(ctx, t, q, id, header...)
}

// do makes a request that must be answered.
func (f *front) do(t *testing.T, q request, id string, header ...string) answer {
	t.Helper()
	a, err := f.try(t, q, id, header...)
	if err != nil {
		t.Fatalf("the caller got no answer: %v", err)
	}
	return a
}

// inner is the innerError.code of a refusal of graphproxy's.
func (a answer) inner(t *testing.T) string {
	t.Helper()
	var e struct {
		Error struct {
			Code, Message string
			InnerError    map[string]string
		}
	}
	if err := json.Unmarshal([]byte(a.body), &e); err != nil {
		t.Fatalf("status %d, body %q is not Graph's error shape: %v", a.status, a.body, err)
	}
	if e.Error.Code != "serviceNotAvailable" || e.Error.Message == "" {
		t.Errorf("error %q, %q; want serviceNotAvailable and a message", e.Error.Code, e.Error.Message)
	}
	if got := a.header.Get("Proxy-Status"); !strings.HasPrefix(got, "graphproxy; error=") {
		t.Errorf("Proxy-Status %q does not name graphproxy", got)
	}
	return e.Error.InnerError["code"]
}

// record is what the tests look at in an audit line.
type record struct {
	Method, Decision, Reason, Item string
	Status                         int
	ClientRequestID                string `json:"client_request_id"`
}

// record waits for the one audit line of a request.
func (f *front) record(t *testing.T, id string) record {
	t.Helper()
	var found []record
	until(t, "audit line of "+id, func() bool {
		found = nil
		for _, line := range f.audit.all() {
			var rec record
			must(t, json.Unmarshal([]byte(line), &rec))
			if rec.ClientRequestID == id && rec.Item == "" {
				found = append(found, rec)
			}
		}
		return len(found) > 0
	})
	if len(found) != 1 {
		t.Errorf("%d audit lines, want 1: %+v", len(found), found)
	}
	return found[0]
}

// keepsSecrets checks that the report of a failure does not have the token.
func (f *front) keepsSecrets(t *testing.T) {
	t.Helper()
	for _, line := range append(f.log.all(), f.audit.all()...) {
		if strings.Contains(line, "eyJ") || strings.Contains(line, "Bearer") || strings.Contains(line, secret) {
			t.Errorf("a secret in %s", line)
		}
	}
}

// lines collects what is written in whole lines. Safe for concurrent use.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.FieldsFunc(l.buf.String(), func(r rune) bool { return r == '\n' })
}

// until waits for something that another goroutine does.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for end := time.After(patience); !ok(); {
		select {
		case <-again.C:
		case <-end:
			t.Fatalf("no %s within %v", what, patience)
		}
	}
}

func host(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	return u.Host
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// one is the one app registration that there is, whatever the policy calls it.
type one struct{ app *proxy.App }

func (o one) App(string, string) *proxy.App { return o.app }
