package auth_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/auth"
)

// hostile is a sign-in server that answers what a test wants, and keeps what it was sent.
type hostile struct {
	*httptest.Server
	mu       sync.Mutex
	posts    []string
	requests []string
	doc      func(base string) string // discovery document; nil: a good one
	token    http.HandlerFunc         // nil: a good token
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
	case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		doc := goodDocument
		if h.doc != nil {
			doc = h.doc
		}
		_, _ = io.WriteString(w, doc(h.URL))
	case h.token != nil:
		h.token(w, r)
	default:
		_, _ = io.WriteString(w, `{"token_type":"Bearer","expires_in":3599,"access_token":"good"}`)
	}
}

func goodDocument(base string) string { return document(base, base+"/contoso.com/oauth2/v2.0/token") }

func document(base, endpoint string) string {
	return fmt.Sprintf(`{"authorization_endpoint":"%s/authorize","token_endpoint":%q,"issuer":"%s/contoso.com/v2.0"}`, base, endpoint, base)
}

func (h *hostile) sent() (posts []string, requests []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.posts, h.requests
}

// canaryApp shows the canary as its secret to the authority.
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

// The canary stands in every answer, because a server may send back what it was sent.
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
		doc   func(string) string
		token http.HandlerFunc
		want  []string
	}{
		{"a 307 would send the secret again", nil, status(307, canary), []string{"redirect (HTTP 307)"}},
		{"a 308 too", nil, status(308, canary), []string{"redirect (HTTP 308)"}},
		{"a 302", nil, status(302, ""), []string{"redirect (HTTP 302)"}},
		{"8 MiB of error", nil, status(500, big), []string{"failing (HTTP 500)"}},
		{"8 MiB of token", nil, status(200, `{"expires_in":3599,"access_token":"`+big+`"}`), []string{"not an answer of Entra ID"}},
		{"8 MiB of discovery", func(string) string { return `{"issuer":"` + big + `"}` }, nil, []string{"not an answer of Entra ID"}},
		{"HTML", nil, status(200, "<html>"+canary+"</html>"), []string{"not an answer of Entra ID", "captive portal"}},
		{"an error in HTML", nil, status(403, "<html>"+canary+"</html>"), []string{"HTTP 403"}},
		{"an empty object", nil, status(200, `{}`), []string{"not an answer of Entra ID"}},
		{"no token", nil, status(200, `{"expires_in":3599}`), []string{"AZURE_AUTHORITY_HOST"}},
		{"a token with a newline", nil, status(200, `{"expires_in":3599,"access_token":"`+canary+`\r\nX: y"}`), []string{"no token that can be used"}},
		{"a token that is over", nil, status(200, `{"expires_in":-5,"access_token":"`+canary+`"}`), []string{"no token that can be used"}},
		{"an error with status 200", nil, status(200, `{"expires_in":1,"error":"`+canary+`","error_description":"`+canary+`"}`), nil},
		{"identifiers that are none", nil, status(400, `{"error":"`+canary+`","error_description":"`+canary+`","trace_id":"`+canary+`","correlation_id":"`+canary+`"}`), []string{"HTTP 400"}},
		{"a body cut short", nil, raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"access_token\":\"" + canary), []string{"failed on its way"}},
		{"no HTTP", nil, raw(canary + "\r\n\r\n"), []string{"failed on its way"}},
		{"a status that is none", nil, raw("HTTP/1.1 " + canary + "\r\n\r\n"), []string{"failed on its way"}},
		{"a header that never ends", nil, raw("HTTP/1.1 200 OK\r\nX: " + strings.Repeat(canary, 1<<15)), []string{"failed on its way"}},
		{"a reset", nil, raw(""), []string{"failed on its way"}},
		{"a token endpoint on another host", func(base string) string { return document(base, elsewhere.URL+"/taken") }, nil, []string{"another host", "was not sent"}},
		{"a token endpoint on another port of a known host", func(base string) string { return document(base, "https://login.microsoftonline.com:444/taken") }, nil, []string{"another host"}},
		{"a token endpoint with a user", func(base string) string {
			return document(base, strings.Replace(base, "://", "://"+canary+"@elsewhere.invalid\\\\", 1))
		}, nil, nil},
		{"another issuer", func(base string) string {
			return strings.Replace(goodDocument(base), `"issuer":"`+base, `"issuer":"https://`+canary, 1)
		}, nil, []string{"does not belong to the authority"}},
		{"no token endpoint", func(base string) string { return document(base, "") }, nil, []string{"does not belong to the authority"}},
		{"an empty document", func(string) string { return `{}` }, nil, []string{"does not belong to the authority"}},
	}
	for _, scheme := range []string{"http", "https"} {
		for _, tt := range tests {
			t.Run(scheme+": "+tt.name, func(t *testing.T) {
				h := newHostile(t)
				h.doc, h.token = tt.doc, tt.token
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

func TestAnswers(t *testing.T) {
	const ids = `"trace_id":"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0","correlation_id":"11111111-2222-3333-4444-555555555555"`
	tests := []struct {
		name, retryAfter, body string
		status                 int
		want                   auth.Error // RetryAfter as Status tells it
	}{
		{"a code in error_codes", "", `{"error":"invalid_client","error_codes":[7000215],` + ids + `}`, 401,
			auth.Error{Code: 7000215, Status: 401, Cause: "the client secret is wrong", TraceID: "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", CorrelationID: "11111111-2222-3333-4444-555555555555"}},
		{"a code in the text", "", `{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys are expired.\r\nTrace ID: x"}`, 401,
			auth.Error{Code: 7000222, Status: 401, Cause: "the client secret has expired"}},
		{"a code that is not in the table", "", `{"error":"invalid_request","error_codes":[999999]}`, 400,
			auth.Error{Code: 999999, Status: 400, Cause: "Entra ID refused the token request (HTTP 400)"}},
		{"no code", "", `{"error":"invalid_client"}`, 401, auth.Error{Status: 401, Cause: "Entra ID refused the credential (HTTP 401)"}},
		{"seconds", "7", ``, 429, auth.Error{Status: 429, RetryAfter: 7 * time.Second, Cause: "Entra ID holds this app's token requests back"}},
		{"decimal seconds", "2.5", ``, 429, auth.Error{Status: 429, RetryAfter: 2500 * time.Millisecond, Cause: "Entra ID holds this app's token requests back"}},
		{"a date long gone", "Mon, 02 Jan 2006 15:04:05 GMT", ``, 503, auth.Error{Status: 503, Cause: "Entra ID is failing (HTTP 503)"}},
		{"seconds below zero", "-5", ``, 503, auth.Error{Status: 503, Cause: "Entra ID is failing (HTTP 503)"}},
		{"seconds without measure", "1e300", ``, 503, auth.Error{Status: 503, RetryAfter: 24 * time.Hour, Cause: "Entra ID is failing (HTTP 503)"}},
		{"no seconds", "NaN", ``, 503, auth.Error{Status: 503, Cause: "Entra ID is failing (HTTP 503)"}},
		{"words", "soon", ``, 503, auth.Error{Status: 503, Cause: "Entra ID is failing (HTTP 503)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHostile(t)
			h.token = func(w http.ResponseWriter, _ *http.Request) {
				if tt.retryAfter != "" {
					w.Header().Set("Retry-After", tt.retryAfter)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}
			h.Start()
			s, err := auth.NewSource(canaryApp(h.URL), auth.Options{})
			if err != nil {
				t.Fatal(err)
			}
			_, _ = s.Token(t.Context())
			got := *s.Status().Err
			got.Cure = ""
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("a date", func(t *testing.T) {
		h := newHostile(t)
		h.token = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", time.Now().Add(2*time.Minute).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		h.Start()
		if e := failing(t, canaryApp(h.URL), auth.Options{}); e.RetryAfter < 110*time.Second || e.RetryAfter > 140*time.Second {
			t.Errorf("RetryAfter %s", e.RetryAfter)
		}
	})
}

func TestNetworkFailures(t *testing.T) {
	t.Run("a connection refused", func(t *testing.T) {
		e := failing(t, canaryApp("http://"+freePort(t)), auth.Options{})
		wantError(t, e, "refused the connection", "AZURE_AUTHORITY_HOST")
		if !errors.Is(e, syscall.ECONNREFUSED) {
			t.Errorf("error %#v", e.Err)
		}
	})
	t.Run("an unknown authority of the certificate", func(t *testing.T) {
		h := newHostile(t)
		h.StartTLS()
		wantError(t, failing(t, canaryApp(h.URL), auth.Options{}), "signed by an authority", "SSL_CERT_FILE")
	})
	t.Run("a certificate of another host", func(t *testing.T) {
		h := newHostile(t)
		h.StartTLS()
		options := auth.Options{Roots: h.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
		wantError(t, failing(t, canaryApp(strings.Replace(h.URL, "127.0.0.1", "localhost", 1)), options), "for another host")
	})
	t.Run("TLS older than 1.2", func(t *testing.T) {
		h := newHostile(t)
		h.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
		h.StartTLS()
		options := auth.Options{Roots: h.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
		failing(t, canaryApp(h.URL), options)
		if posts, _ := h.sent(); len(posts) != 0 {
			t.Error("the secret was sent")
		}
	})
	t.Run("no TLS", func(t *testing.T) {
		h := newHostile(t)
		h.Start()
		wantError(t, failing(t, canaryApp(strings.Replace(h.URL, "http:", "https:", 1)), auth.Options{}), "does not speak TLS")
	})
	t.Run("no such host", func(t *testing.T) {
		wantError(t, failing(t, canaryApp("https://login.contoso.invalid"), auth.Options{}), "AZURE_AUTHORITY_HOST")
	})
}

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
		want := []string{"GET /contoso.com/v2.0/.well-known/openid-configuration", "POST /contoso.com/oauth2/v2.0/token"}
		if diff := cmp.Diff(want, requests); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAADSTS(t *testing.T) {
	codes := []int{7000215, 7000222, 7000218, 700016, 700011, 7000229, 7000112, 70001, 90002, 900023, 50059, 90019, 50194, 9001023, 90010, 90130,
		90124, 700027, 50012, 50013, 500133, 700030, 70021, 70011, 1002012, 500011, 650056, 65005, 700025, 53003, 530032, 50196, 90038, 900382, 900432,
		90055, 90033, 90024, 90006, 50033, 65004}
	for _, code := range codes {
		if cause, cure, known := auth.AADSTS(code); cause == "" || cure == "" || !known {
			t.Errorf("AADSTS%d: cause %q, cure %q", code, cause, cure)
		}
	}
	t.Run("the names of variables are those of the app", func(t *testing.T) {
		h := newHostile(t)
		h.token = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error_codes":[7000215]}`)
		}
		h.Start()
		a := canaryApp(h.URL)
		wantError(t, failing(t, a, auth.Options{}), "AADSTS7000215", " AZURE_CLIENT_SECRET ")
		a.Prefix = "GRAPHPROXY_APPS_3_"
		wantError(t, failing(t, a, auth.Options{}), " GRAPHPROXY_APPS_3_CLIENT_SECRET ")
	})
}

func TestError(t *testing.T) {
	e := &auth.Error{Code: 7000215, Cause: "the client secret is wrong", Cure: "put in the right one", Err: context.Canceled}
	if got, want := e.Error(), "the client secret is wrong (AADSTS7000215): context canceled; put in the right one"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !errors.Is(e, context.Canceled) {
		t.Error("Err is not unwrapped")
	}
}
