package console_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"graphproxy/auth/caller"
	"graphproxy/cmd/graphproxy/console"
	"graphproxy/policy"
	"graphproxy/proxy"
)

const (
	lookKey = "look-4e0b5d0d5e6f4b5c9a7d3c1f2a"
	callKey = "call-9f8e7d6c5b4a39281706f5e4d3"
)

// base is a policy whose visitors are known by lookKey, and whose caller is known by callKey.
func base(consoleItems string) string {
	text := "version: 1\n"
	if consoleItems != "" {
		text += "console:\n" + consoleItems
	}
	return text + fmt.Sprintf(`callers:
  app:
    identity:
      - key: {sha256: %x}
    allow:
      - GET /users
      - GET /users/{id}:
          query: {$top: 10}
      - GET /groups/{id}/members:
          limit: {rate: 10/s, burst: 20}
    deny:
      - ANY /users/{id}/**:
          where: {id: [ceo@contoso.com]}
tests:
  - caller: app
    allow: [GET /users]
    deny: [GET /users/ceo@contoso.com/messages]
`, sha256.Sum256([]byte(callKey)))
}

func keyItem(key string) string {
	return fmt.Sprintf("  - key: {sha256: %x, name: ann}\n", sha256.Sum256([]byte(key)))
}

// fakeProxy is a console.Source.
type fakeProxy struct {
	t             testing.TB
	options       caller.Options
	authorization atomic.Pointer[proxy.Authorization]
	text          atomic.Pointer[string]
	state         console.State // besides the policy
}

func (f *fakeProxy) load(text string) {
	f.t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(text), proxy.CheckEvidence)
	if err != nil {
		f.t.Fatal(err)
	}
	a, err := proxy.NewAuthorization(p, f.options)
	if err != nil {
		f.t.Fatal(err)
	}
	f.text.Store(&text)
	f.authorization.Store(a)
}

func (f *fakeProxy) Authorization() *proxy.Authorization { return f.authorization.Load() }

func (f *fakeProxy) State() console.State {
	s := f.state
	s.Policy = console.PolicyState{
		File:   "policy.yaml",
		Policy: f.Authorization().Policy(),
		Files:  policy.Files{All: []policy.File{{Name: "policy.yaml", Data: []byte(*f.text.Load())}}},
		Since:  time.Now(),
	}
	return s
}

// logs is a log that is read while it is written.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// site is a console that is served.
type site struct {
	*console.Console
	t      testing.TB
	server *httptest.Server
	source *fakeProxy
	log    *logs
	client *http.Client // without cookies, and follows no redirect
}

// newConsole makes a console of a policy without serving it.
func newConsole(t testing.TB, text string, isOpen bool, o caller.Options) (*console.Console, *fakeProxy, *logs) {
	t.Helper()
	source := &fakeProxy{t: t, options: o}
	source.load(text)
	hosts, err := proxy.NewHosts("", []string{"console.contoso.example"})
	if err != nil {
		t.Fatal(err)
	}
	log := &logs{}
	c, err := console.New(console.Options{
		Source: source,
		Hosts:  hosts,
		Open:   isOpen,
		Log:    slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, source, log
}

// open serves a console that needs no sign-in.
func open(t testing.TB) *site {
	t.Helper()
	s := &site{t: t}
	s.Console, s.source, s.log = newConsole(t, base(""), true, caller.Options{})
	s.server = httptest.NewServer(s.Console)
	s.serve()
	return s
}

// guarded serves a console over TLS whose visitors must prove who they are.
func guarded(t testing.TB, items string) *site {
	t.Helper()
	s := &site{t: t}
	s.Console, s.source, s.log = newConsole(t, base(items), false, caller.Options{})
	s.server = httptest.NewTLSServer(s.Console)
	s.serve()
	return s
}

func (s *site) serve() {
	s.t.Cleanup(s.server.Close)
	s.client = s.server.Client()
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
}

// answer is what the console answered.
type answer struct {
	*http.Response
	text string
}

// do sends a request. Header fields are pairs of names and values.
func (s *site) do(method, path string, body io.Reader, fields ...string) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, s.server.URL+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == "Host" {
			r.Host = fields[i+1]
		}
		r.Header.Add(fields[i], fields[i+1])
	}
	res, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{res, string(text)}
}

func (s *site) get(path string, fields ...string) answer {
	s.t.Helper()
	return s.do(http.MethodGet, path, nil, fields...)
}

// post sends a form.
func (s *site) post(path string, form url.Values, fields ...string) answer {
	s.t.Helper()
	return s.do(http.MethodPost, path, strings.NewReader(form.Encode()),
		append(fields, "Content-Type", "application/x-www-form-urlencoded")...)
}

// signIn returns the cookie that the form gives for a key, as a Cookie header.
func (s *site) signIn(key string) string {
	s.t.Helper()
	a := s.post("/sign-in", url.Values{"key": {key}}, "Origin", s.server.URL)
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/" {
		s.t.Fatalf("sign-in is answered %s: %s", a.Status, a.text)
	}
	cookies := a.Cookies()
	if len(cookies) != 1 {
		s.t.Fatalf("%d cookies", len(cookies))
	}
	return cookies[0].Name + "=" + cookies[0].Value
}

// record writes an audit line with some members changed.
func (s *site) record(members map[string]any) { record(s.t, s.Console, members) }

func record(t testing.TB, c *console.Console, members map[string]any) {
	t.Helper()
	l := map[string]any{
		"time":              time.Now().UTC(),
		"caller":            "app",
		"evidence":          "key",
		"client":            "127.0.0.1",
		"app":               "default",
		"method":            "GET",
		"version":           "v1.0",
		"path":              "/v1.0/users/{id}",
		"target":            "/v1.0/users/adele@contoso.com",
		"query":             []string{"$top"},
		"decision":          "allow",
		"status":            200,
		"ms":                1.25,
		"bytes_in":          0,
		"bytes_out":         334,
		"request_id":        "7a7f2c3e-0000-4000-8000-000000000001",
		"client_request_id": "c",
		"policy":            "0123456789ab",
	}
	for name, value := range members {
		l[name] = value
	}
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Records().Write(append(text, '\n')); err != nil {
		t.Fatal(err)
	}
}
