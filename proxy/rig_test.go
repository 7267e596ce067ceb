package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

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
	key      = "9f2c-tests-only-7d1e" // its hash stands in the policies below
)

// everyone is a policy for one caller, identified by its address.
const everyone = `
version: 1
callers:
  app:
    identity: [{network: [127.0.0.0/8, "::1/128"]}]
    allow:
      - GET /users
      - GET /users/{id}
      - GET /users/{id}/messages
      - POST /users/{id}/sendMail
      - PATCH /users/{id}
      - DELETE /groups/{group}/members/{id}/$ref
      - GET /users/{id}/manager
      - ANY /test/**
`

// rig is graphproxy in front of an Entra ID and a Graph of its own, each on a real listener.
type rig struct {
	entra   *entratest.Server
	graph   *graphtest.Server
	source  *auth.Source
	handler *proxy.Handler
	server  *httptest.Server
	audit   *lines
	log     *lines
}

type option func(*proxy.Config, *rig)

// signingKey is the key of every rig's Entra: making one takes as long as most tests.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func newRig(t *testing.T, file string, options ...option) *rig {
	t.Helper()
	r := &rig{audit: new(lines), log: new(lines)}
	log := slog.New(slog.NewJSONHandler(r.log, nil))
	signing, err := signingKey()
	must(t, err)
	r.entra, err = entratest.NewServer(entratest.Options{Key: signing})
	must(t, err)
	t.Cleanup(r.entra.Close)
	r.entra.Add(entratest.App{
		TenantID: tenant,
		ClientID: clientID,
		Secret:   secret,
		Roles: []string{"User.ReadWrite.All", "Group.ReadWrite.All", "GroupMember.ReadWrite.All", "Directory.ReadWrite.All",
			"Mail.ReadWrite", "Mail.Send", "Files.ReadWrite.All", "Sites.Read.All", "Reports.Read.All", "Notes.Read.All"},
	})
	r.graph, err = graphtest.NewServer(graphtest.Options{Verify: r.verify})
	must(t, err)
	t.Cleanup(r.graph.Close)
	root, err := url.Parse(r.graph.URL())
	must(t, err)
	app := auth.App{
		Name:          "default",
		TenantID:      tenant,
		ClientID:      clientID,
		Secret:        auth.NewSecret(secret),
		AuthorityHost: r.entra.URL(),
		Scope:         "https://graph.microsoft.com/.default",
	}
	r.source, err = auth.NewSource(app, auth.Options{Log: log})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.source.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })

	c := proxy.Config{
		Graph:         root,
		Apps:          oneApp(r.source),
		Authorization: rules(t, file),
		Hosts:         []string{"graphproxy", "x"},
		Audit:         r.audit,
		Log:           log,
		Transport:     os.Getenv("GRAPHPROXY_TRANSPORT"),
	}
	for _, o := range options {
		o(&c, r)
	}
	r.handler, err = proxy.New(c)
	must(t, err)
	r.server = httptest.NewUnstartedServer(nil)
	r.server.Config = proxy.NewServer(r.handler, log)
	r.server.Listener = proxy.GatherWrites(r.server.Listener)
	r.server.Start()
	r.server.Client().Transport.(*http.Transport).DisableCompression = true // a test counts the bytes that were sent
	t.Cleanup(r.server.Close)
	return r
}

func (r *rig) verify(token string) ([]string, error) {
	claims, err := r.entra.Verify(token)
	var challenge *entratest.Challenge
	if errors.As(err, &challenge) {
		err = &graphtest.Challenge{Claims: challenge.Claims}
	}
	return claims.Roles, err
}

func rules(t testing.TB, file string) *proxy.Authorization {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(file))
	must(t, err)
	return authorized(t, p)
}

func authorized(t testing.TB, p *policy.Policy) *proxy.Authorization {
	t.Helper()
	r, err := proxy.NewAuthorization(p, caller.Options{})
	must(t, err)
	return r
}

// answer is what a caller saw.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends one request as a Go client would, its body as JSON unless a header gives another type. Header is given
// as "Name: value" lines.
func (r *rig) do(t *testing.T, method, target, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequest(method, r.server.URL+target, strings.NewReader(body))
	must(t, err)
	if body != "" &&
		!slices.ContainsFunc(header, func(line string) bool { return strings.HasPrefix(line, "Content-Type: ") }) {
		header = append(header, "Content-Type: application/json")
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	res, err := r.server.Client().Transport.RoundTrip(req)
	must(t, err)
	return read(t, res)
}

// raw sends bytes unchanged, and reads one answer.
func (r *rig) raw(t *testing.T, request string) answer {
	t.Helper()
	c, err := net.Dial("tcp", r.server.Listener.Addr().String())
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(patience)))
	go func() { _, _ = io.WriteString(c, request) }()
	method, _, _ := strings.Cut(request, " ")
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	must(t, err)
	return read(t, res)
}

// readFrom reads the answer to a request other than HEAD.
func readFrom(t *testing.T, c net.Conn) answer {
	t.Helper()
	must(t, c.SetDeadline(time.Now().Add(patience)))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	must(t, err)
	return read(t, res)
}

func read(t *testing.T, res *http.Response) answer {
	t.Helper()
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	if res.Close {
		res.Header.Set("Connection", "close")
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

// graphError is the body of a refusal.
type graphError struct {
	Error struct {
		Code       string
		Message    string
		InnerError map[string]string
	}
}

// refusal checks that an answer is a refusal of graphproxy's in the documented shape, and returns its
// innerError.code.
func (a answer) refusal(t *testing.T, status int, code string) string {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d; body %s", a.status, status, a.body)
	}
	var e graphError
	if err := json.Unmarshal([]byte(a.body), &e); err != nil {
		t.Fatalf("body %q is not Graph's error shape: %v", a.body, err)
	}
	inner := e.Error.InnerError
	if e.Error.Code != code {
		t.Errorf("error.code %q, want %q", e.Error.Code, code)
	}
	if e.Error.Message == "" || inner["date"] == "" {
		t.Errorf("message or date missing in %s", a.body)
	}
	for _, name := range []string{"request-id", "client-request-id"} {
		if inner[name] == "" || inner[name] != a.header.Get(name) {
			t.Errorf("%s: %q in the body, %q in the header", name, inner[name], a.header.Get(name))
		}
	}
	if !strings.HasPrefix(a.header.Get("Proxy-Status"), "graphproxy; error=") {
		t.Errorf("Proxy-Status %q", a.header.Get("Proxy-Status"))
	}
	if hasAllow := a.header.Get("Allow") != ""; hasAllow != (status == http.StatusMethodNotAllowed) {
		t.Errorf("status %d, and Allow %q", status, a.header.Get("Allow"))
	}
	return inner["code"]
}

// holdsNothing waits until no memory is counted: some is given back only when the caller has the answer.
func (r *rig) holdsNothing(t *testing.T) {
	t.Helper()
	until(t, "all memory given back", func() bool { now, _ := r.handler.HeldBytes(); return now == 0 })
}

// one waits for exactly one audit line and returns it.
func (r *rig) one(t *testing.T) map[string]any {
	t.Helper()
	got := r.audit.wait(t, 1)
	if len(got) != 1 {
		t.Fatalf("%d audit lines, want 1: %q", len(got), got)
	}
	var rec map[string]any
	must(t, json.Unmarshal([]byte(got[0]), &rec))
	return rec
}

// sawNothing fails when Graph received anything at all.
func (r *rig) sawNothing(t *testing.T) {
	t.Helper()
	for _, q := range r.graph.Requests() {
		t.Errorf("Graph received %s %s", q.Method, q.Target)
	}
}

// lines collects whole written lines. Safe for concurrent use.
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

// wait polls until there are at least n lines: a record is written when the answer has been sent.
func (l *lines) wait(t *testing.T, n int) []string {
	t.Helper()
	until(t, fmt.Sprintf("%d lines", n), func() bool { return len(l.all()) >= n })
	return l.all()
}

// patience is how long a test waits for what must happen. Only a test that fails waits so long.
const patience = 2 * time.Minute

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within %v", what, patience)
		}
	}
}

// waits expects a Retry-After of this many seconds, less the time that has passed since then.
func (a answer) waits(t *testing.T, seconds int, since time.Time) {
	t.Helper()
	got, err := strconv.Atoi(a.header.Get("Retry-After"))
	if passed := int(time.Since(since).Seconds()); err != nil || got > seconds || got < seconds-passed-1 {
		t.Errorf("Retry-After %q, want %d, of which %d s have passed", a.header.Get("Retry-After"), seconds, passed)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (l *lines) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Reset()
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	must(t, err)
	return u
}
