package auth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/auth"
)

func TestAnswers(t *testing.T) {
	const ids = `"trace_id":"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0","correlation_id":"11111111-2222-3333-4444-555555555555"`
	tests := []struct {
		name, retryAfter, body string
		status                 int
		want                   auth.Error // RetryAfter as in Status
	}{
		{"a code in error_codes", "", `{"error":"invalid_client","error_codes":[7000215],` + ids + `}`, 401,
			auth.Error{
				Code:          7000215,
				Status:        401,
				Cause:         "the client secret is wrong",
				TraceID:       "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
				CorrelationID: "11111111-2222-3333-4444-555555555555",
			}},
		{"a code in the text", "",
			`{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys are ` +
				`expired.\r\nTrace ID: x"}`, 401,
			auth.Error{Code: 7000222, Status: 401, Cause: "the client secret has expired"}},
		{"a code that is not in the table", "", `{"error":"invalid_request","error_codes":[999999]}`, 400,
			auth.Error{Code: 999999, Status: 400, Cause: "Entra ID refused the token request (HTTP 400)"}},
		{"no code", "", `{"error":"invalid_client"}`, 401,
			auth.Error{Status: 401, Cause: "Entra ID refused the credential (HTTP 401)"}},
		{"an app without rights", "", `{"error":"unauthorized_client"}`, 400,
			auth.Error{
				Status: 400,
				Cause:  "Entra ID does not know the app, or does not allow it this kind of sign-in (HTTP 400)",
			}},
		{"a scope", "", `{"error":"invalid_scope"}`, 400,
			auth.Error{Status: 400, Cause: "Entra ID does not know the scope (HTTP 400)"}},
		{"nothing there", "", ``, 404, auth.Error{Status: 404, Cause: "there is no such tenant at this address (HTTP 404)"}},
		{"a proxy on the way", "", ``, 407,
			auth.Error{Status: 407, Cause: "the HTTPS proxy asks for a user name and a password (HTTP 407)"}},
		{"seconds", "7", ``, 429,
			auth.Error{Status: 429, RetryAfter: 7 * time.Second, Cause: "Entra ID holds this app's token requests back"}},
		{"decimal seconds", "2.5", ``, 429,
			auth.Error{
				Status:     429,
				RetryAfter: 2500 * time.Millisecond,
				Cause:      "Entra ID holds this app's token requests back",
			}},
		{"a date long gone", "Mon, 02 Jan 2006 15:04:05 GMT", ``, 503,
			auth.Error{Status: 503, Cause: "Entra ID is failing (HTTP 503)"}},
		{"seconds below zero", "-5", ``, 503, auth.Error{Status: 503, Cause: "Entra ID is failing (HTTP 503)"}},
		{"seconds without measure", "1e300", ``, 503,
			auth.Error{Status: 503, RetryAfter: 24 * time.Hour, Cause: "Entra ID is failing (HTTP 503)"}},
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
		if e := failing(t, canaryApp(h.URL), auth.Options{}); e.RetryAfter < 60*time.Second ||
			e.RetryAfter > 140*time.Second {
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
		wantError(t, failing(t, canaryApp(strings.Replace(h.URL, "http:", "https:", 1)), auth.Options{}),
			"does not speak TLS")
	})
	t.Run("no such host", func(t *testing.T) {
		wantError(t, failing(t, canaryApp("https://login.contoso.invalid"), auth.Options{}), "AZURE_AUTHORITY_HOST")
	})
}

func TestExplain(t *testing.T) {
	ask := func(t *testing.T, ctx context.Context, a auth.App, o auth.Options, proxy string) *auth.Error {
		t.Helper()
		var through *url.URL
		if proxy != "" {
			var err error
			if through, err = url.Parse(proxy); err != nil {
				t.Fatal(err)
			}
		}
		e := auth.Explain(ctx, a, o, through)
		if e == nil {
			t.Fatal("no error")
		}
		for sink, out := range sinks(e) {
			if leaks(out) {
				t.Errorf("%s shows the secret: %s", sink, out)
			}
		}
		return e
	}
	t.Run("a proxy that does not let it through", func(t *testing.T) {
		proxy := httptest.NewServer(
			http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }),
		)
		defer proxy.Close()
		e := ask(t, t.Context(), canaryApp("https://login.microsoftonline.com"), auth.Options{},
			strings.Replace(proxy.URL, "://", "://user:"+canary+"@", 1))
		wantError(t, e, "does not let the request through", "HTTP 403", "HTTPS_PROXY")
	})
	t.Run("a proxy that is not there", func(t *testing.T) {
		e := ask(t, t.Context(), canaryApp("https://login.microsoftonline.com"), auth.Options{},
			"http://user:"+canary+"@"+freePort(t))
		wantError(t, e, "proxy was not reached", "HTTPS_PROXY")
	})
	t.Run("no answer in time", func(t *testing.T) {
		h := newHostile(t)
		h.token = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		h.Start()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		wantError(t, ask(t, ctx, canaryApp(h.URL), auth.Options{}, ""), "did not answer in time", "firewall")
	})
	t.Run("given up by us", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if e := ask(t, ctx, canaryApp("http://"+freePort(t)), auth.Options{}, ""); !errors.Is(e, context.Canceled) {
			t.Errorf("error %v", e)
		}
	})
	t.Run("a federated token that is gone", func(t *testing.T) {
		h := newHostile(t)
		h.Start()
		path := writeFile(t, canary)
		a := auth.App{TenantID: "contoso.com", ClientID: "app", FederatedTokenFile: path, AuthorityHost: h.URL}
		s, err := auth.NewSource(a, auth.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = s.Token(t.Context())
		var e *auth.Error
		if !errors.As(err, &e) {
			t.Fatalf("error %v", err)
		}
		wantError(t, e, "federated token", "AZURE_FEDERATED_TOKEN_FILE", "empty")
	})
}

func TestAADSTS(t *testing.T) {
	codes := []int{7000215, 7000222, 7000218, 700016, 700011, 7000229, 7000112, 70001, 90002, 900023, 50059, 90019, 50194,
		9001023, 90010, 90130, 90124, 700027, 50012, 50013, 500133, 700030, 70021, 70011, 1002012, 500011, 650056, 65005,
		700025, 53003, 530032, 50196, 90038, 900382, 900432, 90055, 90033, 90024, 90006, 50033, 65004, 700021, 700023, 700024,
		7002137, 7002138}
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
	e := &auth.Error{
		Code:  7000215,
		Cause: "the client secret is wrong",
		Cure:  "put in the right one",
		Err:   context.Canceled,
	}
	if got, want := e.Error(), "the client secret is wrong (AADSTS7000215): context canceled; put in the "+
		"right one"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !errors.Is(e, context.Canceled) {
		t.Error("Err is not unwrapped")
	}
}
