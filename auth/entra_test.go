package auth_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"software.sslmate.com/src/go-pkcs12"

	"graphproxy/auth"
	"graphproxy/auth/entratest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m) // Run, attempts and connections leave no goroutine
}

const (
	tenantID = "11111111-2222-3333-4444-555555555555"
	clientID = "66666666-7777-8888-9999-000000000000"
	issuer   = "https://kubernetes.contoso.com"
	subject  = "system:serviceaccount:apps:graphproxy"
	audience = "api://AzureADTokenExchange"
)

// entra starts a sign-in server that knows one app, with every kind of credential. https needs options too.
func entra(t *testing.T, https bool) (*entratest.Server, auth.Options) {
	t.Helper()
	o, options := entratest.Options{Lifetime: time.Hour}, auth.Options{Poll: 5 * time.Millisecond}
	if https {
		ca, err := entratest.NewCA()
		if err != nil {
			t.Fatal(err)
		}
		o.CA, options.Roots = ca, ca.Pool()
	}
	srv, err := entratest.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	srv.Add(registration(canary))
	return srv, options
}

func registration(secret string, certs ...*x509.Certificate) entratest.App {
	keys := testKeys()
	return entratest.App{
		TenantID:     tenantID,
		ClientID:     clientID,
		Secret:       secret,
		Certificates: certs,
		Roles:        []string{"User.Read.All"},
		Federated:    []entratest.Federated{{Issuer: issuer, Subject: subject, Audience: audience, Key: keys[0].Public()}},
	}
}

// federated is a token of the issuer that the registration trusts. Two tokens differ by id.
func federated(t *testing.T, id string) string {
	t.Helper()
	now := time.Now()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": issuer, "sub": subject, "aud": audience, "jti": id,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	})
	signed, err := token.SignedString(testKeys()[0])
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func appAt(srv *entratest.Server, change func(*auth.App)) auth.App {
	a := auth.App{TenantID: tenantID, ClientID: clientID, AuthorityHost: srv.URL(), InstanceDiscovery: true}
	change(&a)
	return a
}

func secretAt(srv *entratest.Server) auth.App {
	return appAt(srv, func(a *auth.App) { a.Secret = auth.NewSecret(canary) })
}

func source(t *testing.T, a auth.App, o auth.Options) *auth.Source {
	t.Helper()
	s, err := auth.NewSource(a, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// eventually waits for something that happens on another goroutine.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it did not happen: %s", what)
		}
	}
}

func TestCredentials(t *testing.T) {
	keys := testKeys()
	root := certificate(t, keys[1], -time.Hour, time.Hour)
	cert := issue(t, keys[0], -time.Hour, time.Hour, root, keys[1])
	pfx, err := pkcs12.Modern.Encode(keys[0], cert, []*x509.Certificate{root}, canary)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*auth.App)
		form   map[string]string // of the token request; "?" stands for any value
	}{
		{"a secret", func(a *auth.App) { a.Secret = auth.NewSecret(canary) }, map[string]string{"client_secret": canary}},
		{"a secret in a file", func(a *auth.App) { a.SecretFile = writeFile(t, canary+"\n") },
			map[string]string{"client_secret": canary}},
		{"a certificate as PEM", func(a *auth.App) { a.CertificatePath = writeFile(t, pemFile(t, keys[0], cert)) },
			map[string]string{"client_assertion": "?"}},
		{"a certificate as PFX with its chain", func(a *auth.App) {
			a.CertificatePath, a.CertificatePassword, a.SendChain = writeFile(t, string(pfx)), auth.NewSecret(canary), true
		}, map[string]string{"client_assertion": "?"}},
		{"a federated token", func(a *auth.App) { a.FederatedTokenFile = writeFile(t, "\n"+federated(t, "1")+"\n") },
			map[string]string{"client_assertion": "?"}},
	}
	for _, scheme := range []string{"http", "https"} {
		for _, tt := range tests {
			t.Run(tt.name+" over "+scheme, func(t *testing.T) {
				srv, options := entra(t, scheme == "https")
				srv.Add(registration(canary, cert))
				a := appAt(srv, tt.change)
				s := source(t, a, options)
				access, err := bearer(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				claims, err := srv.Verify(access)
				if err != nil || claims.TenantID != tenantID || claims.ClientID != clientID {
					t.Errorf("claims %+v, error %v", claims, err)
				}
				if st := s.Status(); !st.Ready || len(st.Roles) != 1 || st.Roles[0] != "User.Read.All" || st.Acquisitions != 1 {
					t.Errorf("status %+v", st)
				}
				form := srv.LastForm()
				if form.Get("grant_type") != "client_credentials" ||
					!strings.Contains(form.Get("scope"), "https://graph.microsoft.com/.default") ||
					form.Get("claims") != `{"access_token":{"xms_cc":{"values":["CP1"]}}}` {
					t.Errorf("grant %q, scope %q, claims %q", form.Get("grant_type"), form.Get("scope"), form.Get("claims"))
				}
				for k, want := range tt.form {
					if got := form.Get(k); got != want && (want != "?" || got == "") {
						t.Errorf("the form's %s is not the one wanted", k)
					}
				}
				wantChain(t, form.Get("client_assertion"), a.SendChain)
			})
		}
	}
}

// wantChain checks whether the assertion carries the certificates.
func wantChain(t *testing.T, assertion string, want bool) {
	t.Helper()
	if assertion == "" {
		return
	}
	token, _, err := jwt.NewParser().ParseUnverified(assertion, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	chain, _ := token.Header["x5c"].([]any)
	if n := len(chain); (n == 2) != want || (n == 0) == want {
		t.Errorf("the assertion carries %d certificates", n)
	}
}

func TestTokenRequests(t *testing.T) {
	t.Run("100 cold callers are one", func(t *testing.T) {
		srv, options := entra(t, true)
		s := source(t, secretAt(srv), options)
		var wg sync.WaitGroup
		var failed atomic.Int32
		for range 100 {
			wg.Go(func() {
				if _, err := s.Token(t.Context()); err != nil {
					failed.Add(1)
				}
			})
		}
		wg.Wait()
		if failed.Load() != 0 || srv.TokenRequests() != 1 {
			t.Errorf("%d failed, %d token requests", failed.Load(), srv.TokenRequests())
		}
	})
	t.Run("a renewal comes when refresh_in says and brings another token", func(t *testing.T) {
		srv, options := entra(t, false)
		srv.SetLifetime(time.Hour, time.Second)
		s := source(t, secretAt(srv), options)
		running(t, s)
		first, err := bearer(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "another token", func() bool { got, err := bearer(t.Context(), s); return err == nil && got != first })
	})
	t.Run("tokens of seconds are kept too", func(t *testing.T) {
		srv, options := entra(t, false)
		srv.SetLifetime(time.Minute, 0)
		s := source(t, secretAt(srv), options)
		for range 50 {
			if _, err := s.Token(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := srv.TokenRequests(); n != 1 {
			t.Errorf("%d token requests", n)
		}
	})
	t.Run("a revoked token is replaced at once", func(t *testing.T) {
		srv, options := entra(t, false)
		s := source(t, secretAt(srv), options)
		old, err := s.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		srv.Revoke()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				s.Refused(old, auth.Refusal{Invalid: true})
				access, err := bearer(t.Context(), s)
				if err != nil {
					t.Error(err)
				} else if _, err := srv.Verify(access); err != nil {
					t.Errorf("the new token: %v", err)
				}
			})
		}
		wg.Wait()
		if n := srv.TokenRequests(); n != 2 {
			t.Errorf("%d token requests", n)
		}
	})
}

func TestOutage(t *testing.T) {
	faults := map[string]entratest.Fault{
		"503":   {Status: 503},
		"hang":  {Hang: true},
		"reset": {Reset: true},
	}
	for name, fault := range faults {
		t.Run(name+": no request fails while the token lives, and it ends by itself", func(t *testing.T) {
			t.Parallel()
			srv, options := entra(t, true)
			srv.SetLifetime(time.Hour, time.Second)
			s := source(t, secretAt(srv), options)
			running(t, s)
			if _, err := bearer(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			srv.Fail(fault)
			first, err := bearer(t.Context(), s) // on a slow machine it has been renewed by now
			if err != nil {
				t.Fatal(err)
			}
			if !fault.Hang { // an attempt hangs for 8 s, which TestRecovery passes through without waiting
				eventually(t, "a renewal fails", func() bool { wantBearer(t, s, first); return s.Status().Failures > 0 })
				srv.Heal()
				eventually(t, "another token", func() bool { return s.Status().Acquisitions > 1 && s.Status().Err == nil })
				return
			}
			for range 1000 {
				wantBearer(t, s, first)
			}
		})
	}
	t.Run("a caller waits no longer than it wants while Entra hangs, and Run ends at once", func(t *testing.T) {
		srv, options := entra(t, true)
		srv.Fail(entratest.Fault{Hang: true})
		s := source(t, secretAt(srv), options)
		running(t, s)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := s.Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a cold 429 with Retry-After is one request for 50 callers, and told", func(t *testing.T) {
		srv, options := entra(t, true)
		const wish = 4 * time.Minute
		srv.Fail(entratest.Fault{Status: 429, RetryAfter: "240"})
		s, began := source(t, secretAt(srv), options), time.Now()
		running(t, s)
		for range 50 {
			var e *auth.Error
			if _, err := s.Token(t.Context()); !errors.As(err, &e) || e.Status != 429 ||
				e.RetryAfter < wish-time.Since(began)-time.Second {
				t.Fatalf("error %#v", err)
			}
		}
		if n := srv.TokenRequests(); n != 1 {
			t.Errorf("%d token requests", n)
		}
	})
}

func TestMisconfiguration(t *testing.T) {
	keys := testKeys()
	tests := []struct {
		name   string
		change func(*auth.App)
		server entratest.App
		code   int
		words  []string
	}{
		{"a wrong secret", func(a *auth.App) { a.Secret = auth.NewSecret("wrong-" + canary) }, registration(canary), 7000215,
			[]string{"AZURE_CLIENT_SECRET"}},
		{"another tenant", func(a *auth.App) { a.TenantID = "fabrikam.onmicrosoft.com"; a.Secret = auth.NewSecret(canary) },
			registration(canary), 90002, []string{"AZURE_TENANT_ID"}},
		{"another app", func(a *auth.App) {
			a.ClientID = "00000000-1111-2222-3333-444444444444"
			a.Secret = auth.NewSecret(canary)
		}, registration(canary), 700016, []string{"AZURE_CLIENT_ID"}},
		{"a certificate that was not uploaded", func(a *auth.App) {
			a.CertificatePath = writeFile(t, pemFile(t, keys[1], certificate(t, keys[1], -time.Hour, time.Hour)))
		}, registration(canary), 700027, []string{"AZURE_CLIENT_CERTIFICATE_PATH"}},
		{"an app that is disabled", func(a *auth.App) { a.Secret = auth.NewSecret(canary) },
			func() entratest.App { a := registration(canary); a.Disabled = true; return a }(), 7000112, []string{"enable it"}},
		{"a federated token of another subject", func(a *auth.App) { a.FederatedTokenFile = writeFile(t, federated(t, "1")) },
			func() entratest.App { a := registration(canary); a.Federated[0].Subject = "other"; return a }(), 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv, options := entra(t, true)
			srv.Add(tt.server)
			e := failing(t, appAt(srv, tt.change), options)
			if tt.code != 0 && e.Code != tt.code {
				t.Errorf("AADSTS%d, want %d: %v", e.Code, tt.code, e)
			}
			if e.Code == 0 || e.Status == 0 {
				t.Errorf("error %#v", e)
			}
			wantError(t, e, tt.words...)
		})
	}
	t.Run("a token without roles is told with the place of consent", func(t *testing.T) {
		srv, options := entra(t, true)
		srv.SetRoles(clientID)
		var log bytes.Buffer
		options.Log = slog.New(slog.NewTextHandler(&log, nil))
		s := source(t, secretAt(srv), options)
		if _, err := s.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := srv.URL() + "/" + tenantID + "/adminconsent?client_id=" + clientID; !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, &log)
		}
		if leaks(log.String()) {
			t.Errorf("the log shows the secret: %s", &log)
		}
	})
}

func TestFaultsShowNoSecret(t *testing.T) {
	body, err := json.Marshal(map[string]any{
		"error":             canary,
		"error_description": "AADSTS7000215: " + canary,
		"trace_id":          canary,
		"correlation_id":    canary,
		"error_uri":         canary,
		"suberror":          canary,
		"claims":            canary,
	})
	if err != nil {
		t.Fatal(err)
	}
	faults := map[string]entratest.Fault{
		"an error that echoes":       {Status: 401, Body: string(body)},
		"a page that echoes":         {Status: 500, Body: "<html>" + canary},
		"a page of 8 MiB":            {Status: 502, Body: strings.Repeat(canary, 8<<20/len(canary))},
		"a token answer that echoes": {Status: 200, Body: canary},
		"an AADSTS code":             {Status: 400, AADSTS: 50196},
		"a throttling":               {Status: 429, RetryAfter: canary},
		"a reset":                    {Reset: true},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			srv, options := entra(t, true)
			srv.Fail(fault)
			failing(t, secretAt(srv), options)
		})
	}
	t.Run("the token request has the one scope that the grant takes", func(t *testing.T) {
		srv, options := entra(t, true)
		if _, err := bearer(t.Context(), source(t, secretAt(srv), options)); err != nil {
			t.Fatal(err)
		}
		if got := srv.LastForm().Get("scope"); got != "https://graph.microsoft.com/.default" {
			t.Errorf("scope %q", got)
		}
	})
	t.Run("nobody is asked for a discovery document: its endpoints have one form", func(t *testing.T) {
		srv, options := entra(t, true)
		if _, err := bearer(t.Context(), source(t, secretAt(srv), options)); err != nil || srv.DiscoveryRequests() != 0 {
			t.Errorf("%d requests, error %v", srv.DiscoveryRequests(), err)
		}
	})
}

func TestStatusOfManySources(t *testing.T) {
	t.Run("each tells its own app", func(t *testing.T) {
		srv, options := entra(t, false)
		a := secretAt(srv)
		a.Name = "hr"
		s := source(t, a, options)
		if diff := cmp.Diff(auth.Status{App: "hr", Tenant: a.TenantID}, s.Status()); diff != "" {
			t.Error(diff)
		}
	})
}
