package entratest_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	msal "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/managedidentity"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"graphproxy/auth/entratest"
)

// msalToken is a token that MSAL got. MSAL always uses the machine's clock.
func (r *rig) msalToken(t *testing.T, cred confidential.Credential,
	options ...confidential.Option) (confidential.AuthResult, error) {
	t.Helper()
	return r.msalClient(t, cred, options...).AcquireTokenByCredential(t.Context(), []string{scope})
}

func (r *rig) msalClient(t *testing.T, cred confidential.Credential,
	options ...confidential.Option) confidential.Client {
	t.Helper()
	options = append(options, confidential.WithInstanceDiscovery(false), confidential.WithHTTPClient(r.client))
	c, err := confidential.New(r.URL()+"/"+tenantID, clientID, cred, options...)
	must(t, err)
	return c
}

func secretCredential(t *testing.T, secret string) confidential.Credential {
	t.Helper()
	cred, err := confidential.NewCredFromSecret(secret)
	must(t, err)
	return cred
}

func (r *rig) wantResult(t *testing.T, res confidential.AuthResult, err error) {
	t.Helper()
	must(t, err)
	claims, err := r.Verify(res.AccessToken)
	want := entratest.Claims{TenantID: tenantID, ClientID: clientID, Roles: []string{"User.Read.All"}}
	if diff := cmp.Diff(want, claims); diff != "" || err != nil {
		t.Errorf("error %v\n%s", err, diff)
	}
}

func TestMSAL(t *testing.T) {
	key, stranger := newKey(t), newKey(t)
	cert, other := selfSigned(t, key, time.Now()), selfSigned(t, stranger, time.Now())
	app := contoso()
	app.Certificates = []*x509.Certificate{cert}
	app.Federated = []entratest.Federated{{Issuer: "https://kubernetes.contoso.com", Subject: "hr", Key: key.Public()}}
	r := newRig(t, entratest.Options{RefreshIn: 30 * time.Minute})
	r.Add(app)

	t.Run("a secret", func(t *testing.T) {
		res, err := r.msalToken(t, secretCredential(t, secret))
		r.wantResult(t, res, err)
		if left := time.Until(res.ExpiresOn); left < 59*time.Minute || left > time.Hour {
			t.Errorf("it lives %v", left)
		}
		if left := time.Until(res.Metadata.RefreshOn); left < 29*time.Minute || left > 30*time.Minute {
			t.Errorf("it is to be refreshed in %v", left)
		}
	})
	t.Run("a certificate", func(t *testing.T) {
		cred, err := confidential.NewCredFromCert([]*x509.Certificate{cert}, key)
		must(t, err)
		res, err := r.msalToken(t, cred)
		r.wantResult(t, res, err)
		if r.LastForm().Has("client_secret") {
			t.Error("a secret was sent")
		}
	})
	t.Run("a certificate with its chain", func(t *testing.T) {
		cred, err := confidential.NewCredFromCert([]*x509.Certificate{cert, other}, key)
		must(t, err)
		res, err := r.msalToken(t, cred, confidential.WithX5C())
		r.wantResult(t, res, err)
		parsed, _, err := jwt.NewParser().ParseUnverified(r.LastForm().Get("client_assertion"), jwt.MapClaims{})
		if err != nil || len(parsed.Header["x5c"].([]any)) != 2 {
			t.Errorf("header %v, error %v", parsed.Header, err)
		}
	})
	t.Run("a federated token through the assertion callback", func(t *testing.T) {
		res, err := r.msalToken(t,
			confidential.NewCredFromAssertionCallback(func(
				context.Context, confidential.AssertionRequestOptions,
			) (string, error) {
				return jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
					"iss": "https://kubernetes.contoso.com",
					"sub": "hr",
					"aud": "api://AzureADTokenExchange",
					"exp": time.Now().Add(time.Hour).Unix(),
				}).SignedString(key)
			}))
		r.wantResult(t, res, err)
	})
	t.Run("capabilities and claims reach the token", func(t *testing.T) {
		c := r.msalClient(t, secretCredential(t, secret), confidential.WithClientCapabilities([]string{"CP1"}))
		res, err := c.AcquireTokenByCredential(t.Context(), []string{scope},
			confidential.WithClaims(`{"access_token":{"nbf":{"essential":true,"value":"1657834417"}}}`))
		r.wantResult(t, res, err)
		if got := payload(t, res.AccessToken)["xms_cc"]; !cmp.Equal(got, []any{"CP1"}) {
			t.Errorf("xms_cc %v", got)
		}
	})
}

func TestMSALCache(t *testing.T) {
	r := newRig(t, entratest.Options{})
	t.Run("a token that MSAL keeps is asked for once", func(t *testing.T) {
		c, before := r.msalClient(t, secretCredential(t, secret)), r.TokenRequests()
		for range 3 {
			res, err := c.AcquireTokenByCredential(t.Context(), []string{scope})
			r.wantResult(t, res, err)
		}
		if n := r.TokenRequests() - before; n != 1 {
			t.Errorf("%d token requests", n)
		}
	})
}

func TestMSALErrors(t *testing.T) {
	r := newRig(t, entratest.Options{})
	key := newKey(t)
	other := selfSigned(t, key, time.Now())
	t.Run("a certificate that is not registered", func(t *testing.T) {
		cred, err := confidential.NewCredFromCert([]*x509.Certificate{other}, key)
		must(t, err)
		_, err = r.msalToken(t, cred)
		wantCallError(t, err, 401, "AADSTS700027")
	})
	t.Run("a wrong secret", func(t *testing.T) {
		_, err := r.msalToken(t, secretCredential(t, "canary"))
		wantCallError(t, err, 401, "AADSTS7000215")
	})
	t.Run("a tenant that is not known", func(t *testing.T) {
		c, err := confidential.New(r.URL()+"/fabrikam.com", clientID, secretCredential(t, secret),
			confidential.WithInstanceDiscovery(false), confidential.WithHTTPClient(r.client))
		must(t, err)
		_, err = c.AcquireTokenByCredential(t.Context(), []string{scope})
		wantCallError(t, err, 400, "AADSTS90002")
	})
	t.Run("a fault", func(t *testing.T) {
		r.Fail(entratest.Fault{AADSTS: 90055, RetryAfter: "7", Times: 1})
		_, err := r.msalToken(t, secretCredential(t, secret))
		if res := wantCallError(t, err, 429, "AADSTS90055"); res.Header.Get("Retry-After") != "7" {
			t.Errorf("Retry-After: %q", res.Header.Get("Retry-After"))
		}
	})
}

// wantCallError checks an error answer as MSAL returns it.
func wantCallError(t *testing.T, err error, status int, word string) *http.Response {
	t.Helper()
	var call msal.CallErr
	if !errors.As(err, &call) || call.Resp.StatusCode != status || !strings.Contains(err.Error(), word) {
		t.Fatalf("error %v", err)
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("the error shows a secret: %v", err)
	}
	return call.Resp
}

func TestManagedIdentity(t *testing.T) {
	r := newRig(t, entratest.Options{Lifetime: 2 * time.Hour})
	r.Add(entratest.App{TenantID: tenantID, ClientID: "user-assigned", Roles: []string{"Mail.Read"}})
	t.Setenv("IDENTITY_ENDPOINT", r.ManagedIdentityURL())
	t.Setenv("IDENTITY_HEADER", r.ManagedIdentityHeader())
	for _, tt := range []struct {
		name, clientID string
		id             managedidentity.ID
	}{
		{"the system-assigned one is the first app", clientID, managedidentity.SystemAssigned()},
		{"the user-assigned one is called by its client ID", "user-assigned",
			managedidentity.UserAssignedClientID("user-assigned")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := managedidentity.New(tt.id, managedidentity.WithHTTPClient(r.client),
				managedidentity.WithRetryPolicyDisabled())
			must(t, err)
			res, err := c.AcquireToken(t.Context(), graph, managedidentity.WithClaims("{}")) // not cached
			must(t, err)
			claims, err := r.Verify(res.AccessToken)
			if err != nil || claims.ClientID != tt.clientID {
				t.Errorf("claims %+v, error %v", claims, err)
			}
			if left := time.Until(res.ExpiresOn); left < 119*time.Minute || left > 2*time.Hour {
				t.Errorf("it lives %v", left)
			}
		})
	}
	t.Run("MSAL's requests are counted and kept", func(t *testing.T) {
		if n, q := r.TokenRequests(), r.LastForm(); n != 2 || q.Get("client_id") != "user-assigned" ||
			q.Get("resource") != graph {
			t.Errorf("%d requests, the last %v", n, q)
		}
	})
	t.Run("an identity that the host does not have", func(t *testing.T) {
		c, err := managedidentity.New(managedidentity.UserAssignedClientID("nobody"),
			managedidentity.WithHTTPClient(r.client), managedidentity.WithRetryPolicyDisabled())
		must(t, err)
		_, err = c.AcquireToken(t.Context(), graph, managedidentity.WithClaims("{}")) // not cached
		wantCallError(t, err, 400, "No User Assigned")
	})
}

func TestManagedIdentityEndpoint(t *testing.T) {
	r := newRig(t, fixedClock())
	disabled := contoso()
	disabled.ClientID, disabled.Disabled = "disabled", true
	r.Add(disabled)
	header := "X-IDENTITY-HEADER: " + r.ManagedIdentityHeader()
	const query = "?api-version=2019-08-01&resource=" + graph
	t.Run("the answer has the members of App Service", func(t *testing.T) {
		a := r.get(t, "/msi/token"+query, header)
		if token, _ := a.json["access_token"].(string); token == "" {
			t.Fatalf("%d: %s", a.status, a.text)
		}
		delete(a.json, "access_token")
		want := map[string]any{"client_id": clientID, "expires_on": "1795265999", "resource": graph, "token_type": "Bearer"}
		if diff := cmp.Diff(want, a.json); diff != "" {
			t.Error(diff)
		}
	})
	tests := []struct {
		name, query, header string
		status              int
		message             string
	}{
		{"no header", query, "Accept: */*", 401, "X-IDENTITY-HEADER"},
		{"a wrong header", query, "X-IDENTITY-HEADER: canary", 401, "X-IDENTITY-HEADER"},
		{"another version", "?api-version=2017-09-01&resource=" + graph, header, 400, "api-version"},
		{"no resource", "?api-version=2019-08-01", header, 400, "resource"},
		{"an identity by its resource ID", query + "&mi_res_id=/subscriptions/1", header, 400, "No User Assigned"},
		{"a resource that is not known", "?api-version=2019-08-01&resource=https://vault.azure.net", header, 400,
			"AADSTS500011"},
		{"an identity that is disabled", query + "&client_id=disabled", header, 400, "AADSTS7000112"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := r.get(t, "/msi/token"+tt.query, tt.header)
			message, _ := a.json["message"].(string)
			if a.status != tt.status || a.json["statusCode"] != float64(tt.status) || !strings.Contains(message, tt.message) ||
				strings.Contains(a.text, "canary") {
				t.Errorf("%d: %s", a.status, a.text)
			}
		})
	}
	t.Run("faults of the token endpoint hit it too", func(t *testing.T) {
		r.Fail(entratest.Fault{AADSTS: 90033, Times: 1})
		a := r.get(t, "/msi/token"+query, header)
		if message, _ := a.json["message"].(string); a.status != 503 || !strings.HasPrefix(message, "AADSTS90033") {
			t.Errorf("%d: %s", a.status, a.text)
		}
	})
}
