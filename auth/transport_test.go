package auth_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/auth"
)

// hostile is a sign-in server that answers what a test wants, and keeps what it received.
type hostile struct {
	*httptest.Server
	mu       sync.Mutex
	posts    []string
	requests []string
	token    http.HandlerFunc // nil: a good token
}

func newHostile(t *testing.T) *hostile {
	h := &hostile{}
	h.Server = httptest.NewUnstartedServer(h)
	h.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	t.Cleanup(h.Close)
	return h
}

func (h *hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	h.requests = append(h.requests, r.Method+" "+r.URL.Path)
	if r.Method == http.MethodPost {
		h.posts = append(h.posts, string(body))
	}
	h.mu.Unlock()
	switch {
	case h.token != nil:
		h.token(w, r)
	default:
		_, _ = io.WriteString(w, `{"token_type":"Bearer","expires_in":3599,"access_token":"good"}`)
	}
}

func (h *hostile) sent() (posts []string, requests []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.posts, h.requests
}

// canaryApp is an app whose secret is the canary.
func canaryApp(authority string) auth.App {
	return auth.App{TenantID: "contoso.com", ClientID: "app", Secret: auth.NewSecret(canary), AuthorityHost: authority}
}

// failing asks for a token once, expects an error, and searches everything that can be seen for the canary.
func failing(t *testing.T, a auth.App, o auth.Options) *auth.Error {
	t.Helper()
	var log bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := auth.NewSource(a, o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Token(t.Context())
	var e *auth.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v", err)
	}
	if e.Cause == "" || e.Cure == "" {
		t.Errorf("error %#v lacks a cause or a cure", e)
	}
	st := s.Status()
	for _, v := range []any{err, st, *e, s} {
		for sink, out := range sinks(v) {
			if leaks(out) {
				t.Errorf("%T by %s shows the secret: %s", v, sink, out)
			}
		}
	}
	for wrapped := err; wrapped != nil; wrapped = errors.Unwrap(wrapped) {
		if out := fmt.Sprintf("%v %+v %#v", wrapped, wrapped, wrapped); leaks(out) {
			t.Errorf("%T shows the secret: %s", wrapped, out)
		}
	}
	if leaks(log.String()) {
		t.Errorf("the log shows the secret: %s", &log)
	}
	if !strings.Contains(log.String(), e.Cause) {
		t.Errorf("the log does not tell the cause %q:\n%s", e.Cause, &log)
	}
	return e
}

func wantError(t *testing.T, e *auth.Error, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(e.Error(), w) {
			t.Errorf("error %q does not say %q", e, w)
		}
	}
}

// The canary stands in every answer, because a server may send back what it received.
func TestHostileAnswers(t *testing.T) {
	elsewhere := newHostile(t)
	elsewhere.Start()
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", elsewhere.URL+"/taken")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	raw := func(answer string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, answer)
				_ = conn.Close()
			}
		}
	}
	big := strings.Repeat(canary, 8<<20/len(canary))
	tests := []struct {
		name  string
		token http.HandlerFunc
		want  []string
	}{
		{"a 307 would send the secret again", status(307, canary), []string{"redirect (HTTP 307)"}},
		{"a 308 too", status(308, canary), []string{"redirect (HTTP 308)"}},
		{"a 302", status(302, ""), []string{"redirect (HTTP 302)"}},
		{"8 MiB of error", status(500, big), []string{"failing (HTTP 500)"}},
		{"8 MiB of token", status(200, `{"expires_in":3599,"access_token":"`+big+`"}`),
			[]string{"not an answer of Entra ID"}},
		{"HTML", status(200, "<html>"+canary+"</html>"), []string{"not an answer of Entra ID", "captive portal"}},
		{"an error in HTML", status(403, "<html>"+canary+"</html>"), []string{"HTTP 403"}},
		{"an empty object", status(200, `{}`), []string{"not an answer of Entra ID"}},
		{"no token", status(200, `{"expires_in":3599}`), []string{"AZURE_AUTHORITY_HOST"}},
		{"a token with a newline", status(200, `{"expires_in":3599,"access_token":"`+canary+`\r\nX: y"}`),
			[]string{"no token that can be used"}},
		{"a token that is over", status(200, `{"expires_in":-5,"access_token":"`+canary+`"}`),
			[]string{"no token that can be used"}},
		{"an error with status 200", status(200, `{"expires_in":1,"error":"`+canary+`","error_description":"`+canary+`"}`),
			nil},
		{"identifiers that are none",
			status(400, `{"error":"`+canary+`","error_description":"`+canary+`","trace_id":"`+canary+`","correlation_id":"`+
				canary+`"}`), []string{"HTTP 400"}},
		{"a body cut short", raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"access_token\":\"" + canary),
			[]string{"failed on its way"}},
		{"no HTTP", raw(canary + "\r\n\r\n"), []string{"failed on its way"}},
		{"a status that is none", raw("HTTP/1.1 " + canary + "\r\n\r\n"), []string{"failed on its way"}},
		{"a header that never ends", raw("HTTP/1.1 200 OK\r\nX: " + strings.Repeat(canary, 1<<15)),
			[]string{"failed on its way"}},
		{"a reset", raw(""), []string{"failed on its way"}},
	}
	for _, scheme := range []string{"http", "https"} {
		for _, tt := range tests {
			t.Run(scheme+": "+tt.name, func(t *testing.T) {
				h := newHostile(t)
				h.token = tt.token
				options := auth.Options{}
				if scheme == "https" {
					h.StartTLS()
					options.Roots = h.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
				} else {
					h.Start()
				}
				wantError(t, failing(t, canaryApp(h.URL), options), tt.want...)
				if posts, requests := elsewhere.sent(); len(requests) != 0 {
					t.Errorf("another host was sent %q, %q", requests, posts)
				}
				if posts, _ := h.sent(); len(posts) > 1 {
					t.Errorf("%d token requests in one attempt", len(posts))
				}
			})
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestDestinations(t *testing.T) {
	tests := []struct{ authority, url, sent string }{
		{"https://login.microsoftonline.com", "https://login.microsoftonline.com/t/oauth2/v2.0/token",
			"https://login.microsoftonline.com/t/oauth2/v2.0/token"},
		{"https://login.chinacloudapi.cn", "https://login.partner.microsoftonline.cn/t",
			"https://login.partner.microsoftonline.cn/t"},
		{"https://login.contoso.com", "https://login.contoso.com/t", "https://login.contoso.com/t"},
		{"https://login.contoso.com", "https://LOGIN.contoso.com/t", "https://LOGIN.contoso.com/t"},
		{"https://login.contoso.com:8443", "https://login.contoso.com:8443/t", "https://login.contoso.com:8443/t"},
		{"https://login.contoso.com", "https://login.microsoftonline.com/common/discovery/instance",
			"https://login.microsoftonline.com/common/discovery/instance"},
		{"http://127.0.0.1:81", "https://127.0.0.1:81/t", "http://127.0.0.1:81/t"},
		{"http://127.0.0.1:81", "http://127.0.0.1:81/t", "http://127.0.0.1:81/t"},
		{"http://127.0.0.1:81", "https://127.0.0.1:82/t", ""},
		{"http://127.0.0.1:81", "http://login.microsoftonline.com/t", ""},
		{"https://login.contoso.com", "http://login.contoso.com/t", ""},
		{"https://login.contoso.com", "https://login.contoso.com:8443/t", ""},
		{"https://login.contoso.com", "https://login.contoso.com.fabrikam.com/t", ""},
		{"https://login.contoso.com", "https://fabrikam.com/t/v2.0/.well-known/openid-configuration", ""},
		{"https://login.contoso.com", "https://login.contoso.com@fabrikam.com/t", ""},
		{"https://login.microsoftonline.com", "http://login.microsoftonline.com/t", ""},
		{"https://login.microsoftonline.com", "https://login.microsoftonline.com.fabrikam.com/t", ""},
		{"https://login.microsoftonline.com", "https://login.microsoftonline.com:444/t", ""},
		{"https://%", "https:///t", ""},
	}
	for _, tt := range tests {
		t.Run("of "+tt.authority+": "+tt.url, func(t *testing.T) {
			sent := ""
			next := roundTripper(func(r *http.Request) (*http.Response, error) {
				sent = r.URL.String()
				return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
			})
			body := &closing{}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, tt.url, body)
			if err != nil {
				t.Fatal(err)
			}
			res, err := auth.EntraTransport(next, tt.authority).RoundTrip(r)
			if err == nil {
				_ = res.Body.Close()
			}
			if sent != tt.sent || (err == nil) != (tt.sent != "") || r.URL.String() != tt.url {
				t.Errorf("sent to %q, error %v; want %q", sent, err, tt.sent)
			}
			if err != nil && !body.closed {
				t.Error("the body is left open")
			}
		})
	}
}

type closing struct {
	strings.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestRegion(t *testing.T) {
	t.Run("MSAL_FORCE_REGION does not move the requests", func(t *testing.T) {
		t.Setenv("MSAL_FORCE_REGION", "westeurope")
		h := newHostile(t)
		h.Start()
		s, err := auth.NewSource(canaryApp(h.URL), auth.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantBearer(t, s, "good")
		_, requests := h.sent()
		want := []string{"POST /contoso.com/oauth2/v2.0/token"}
		if diff := cmp.Diff(want, requests); diff != "" {
			t.Error(diff)
		}
	})
}
