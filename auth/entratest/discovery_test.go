package entratest_test

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"graphproxy/auth/entratest"
)

func TestDiscovery(t *testing.T) {
	r := newRig(t, fixedClock())
	root := r.URL() + "/" + tenantID
	tests := []struct{ name, path, issuer, endpoint string }{
		{"version 2.0", "/" + tenantID + "/v2.0/", root + "/v2.0", root + "/oauth2/v2.0/token"},
		{"version 1.0 has the issuer of the access tokens", "/" + tenantID + "/", root + "/", root + "/oauth2/v2.0/token"},
		{"a domain leads to the tenant's GUID", "/" + domain + "/v2.0/", root + "/v2.0", root + "/oauth2/v2.0/token"},
		{"common has an issuer to be filled in", "/common/v2.0/", r.URL() + "/{tenantid}/v2.0",
			r.URL() + "/common/oauth2/v2.0/token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := r.get(t, tt.path+".well-known/openid-configuration")
			got := []any{a.status, a.json["issuer"], a.json["token_endpoint"]}
			if diff := cmp.Diff([]any{200, tt.issuer, tt.endpoint}, got); diff != "" {
				t.Error(diff)
			}
			for _, name := range []string{"authorization_endpoint", "jwks_uri"} {
				if s, _ := a.json[name].(string); !strings.HasPrefix(s, r.URL()) {
					t.Errorf("%s is %q", name, s)
				}
			}
		})
	}
	t.Run("a tenant that is not known", func(t *testing.T) {
		a := r.get(t, "/fabrikam.com/v2.0/.well-known/openid-configuration")
		wantError(t, a, http.StatusBadRequest, "invalid_tenant", 90002)
	})
	t.Run("requests are counted", func(t *testing.T) {
		before := r.DiscoveryRequests()
		r.configuration(t)
		if n := r.DiscoveryRequests() - before; n != 1 {
			t.Errorf("%d requests", n)
		}
	})
	t.Run("it answers under the name that it is asked by", func(t *testing.T) {
		named := strings.Replace(r.URL(), "127.0.0.1", "localhost", 1)
		a := r.do(t, request(t, http.MethodGet, named+"/"+tenantID+"/v2.0/.well-known/openid-configuration", ""))
		if got := a.json["issuer"]; got != named+"/"+tenantID+"/v2.0" {
			t.Errorf("issuer %v", got)
		}
	})
	t.Run("the tenant's GUID of a domain is the one in tokens", func(t *testing.T) {
		r.Add(entratest.App{TenantID: "fabrikam.onmicrosoft.com", ClientID: "payroll", Secret: secret})
		a := r.do(t, request(t, http.MethodPost, r.URL()+tokenPath("fabrikam.onmicrosoft.com"),
			form("client_id=payroll").Encode(), "Content-Type: application/x-www-form-urlencoded"))
		claims := payload(t, a.json["access_token"].(string))
		v1 := r.get(t, "/fabrikam.onmicrosoft.com/.well-known/openid-configuration")
		if claims["iss"] != v1.json["issuer"] || !strings.Contains(claims["iss"].(string), claims["tid"].(string)) {
			t.Errorf("issuer %v of the token, %v of discovery", claims["iss"], v1.json["issuer"])
		}
	})
}

func TestKeys(t *testing.T) {
	r := newRig(t, fixedClock())
	token := r.wantToken(t, r.token(t, form()))
	a := r.get(t, "/"+tenantID+"/discovery/v2.0/keys")
	published := a.json["keys"].([]any)[0].(map[string]any)
	number := func(name string) *big.Int {
		b, err := base64.RawURLEncoding.DecodeString(published[name].(string))
		must(t, err)
		return new(big.Int).SetBytes(b)
	}
	key := &rsa.PublicKey{N: number("n"), E: int(number("e").Int64())}
	t.Run("the published key verifies a token", func(t *testing.T) {
		parsed, err := jwt.NewParser(jwt.WithoutClaimsValidation()).Parse(token,
			func(*jwt.Token) (any, error) { return key, nil })
		if err != nil || parsed.Header["kid"] != published["kid"] {
			t.Errorf("header %v, error %v", parsed.Header, err)
		}
	})
	t.Run("the published certificate has the same key", func(t *testing.T) {
		der, err := base64.StdEncoding.DecodeString(published["x5c"].([]any)[0].(string))
		must(t, err)
		cert, err := x509.ParseCertificate(der)
		must(t, err)
		if !key.Equal(cert.PublicKey) {
			t.Error("it has another key")
		}
	})
}

func TestInstanceDiscovery(t *testing.T) {
	r := newRig(t, fixedClock())
	ask := func(t *testing.T, authority string) answer {
		return r.get(t, "/common/discovery/instance?api-version=1.1&authorization_endpoint="+
			url.QueryEscape(authority+"/oauth2/v2.0/authorize"))
	}
	t.Run("the server's own host is one of its clouds", func(t *testing.T) {
		a := ask(t, r.URL()+"/"+tenantID)
		if got := a.json["tenant_discovery_endpoint"]; got != r.URL()+"/"+tenantID+"/v2.0/.well-known/openid-configuration" {
			t.Error(a.text)
		}
	})
	t.Run("another host is not", func(t *testing.T) {
		wantError(t, ask(t, "https://login.fabrikam.com/"+tenantID), http.StatusBadRequest, "invalid_instance", 50049)
	})
}

// back is the redirect URI of the answer about consent.
const back = "http://localhost:4711/consent"

// consent asks for consent: "name=value" changes a parameter.
func (r *rig) consent(t *testing.T, path string, changes ...string) answer {
	t.Helper()
	q := url.Values{"client_id": {clientID}, "redirect_uri": {back}, "state": {"a b&c"}, "scope": {scope}}
	for _, change := range changes {
		name, value, _ := strings.Cut(change, "=")
		q.Set(name, value)
	}
	return r.get(t, path+"?"+q.Encode())
}

// redirected returns the query of an answer's redirect.
func redirected(t *testing.T, a answer) url.Values {
	t.Helper()
	to, query, _ := strings.Cut(a.header.Get("Location"), "?")
	if a.status != http.StatusFound || to != back {
		t.Fatalf("%d to %q: %s", a.status, to, a.text)
	}
	values, err := url.ParseQuery(query)
	must(t, err)
	return values
}

const v1, v2 = "/" + tenantID + "/adminconsent", "/" + tenantID + "/v2.0/adminconsent"

func TestConsent(t *testing.T) {
	t.Run("granted, the first way", func(t *testing.T) {
		want := url.Values{"admin_consent": {"True"}, "tenant": {tenantID}, "state": {"a b&c"}}
		if diff := cmp.Diff(want, redirected(t, newRig(t, fixedClock()).consent(t, v1))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("granted, the second way, for the tenant of whoever signs in", func(t *testing.T) {
		want := url.Values{"admin_consent": {"True"}, "tenant": {tenantID}, "state": {"a b&c"}, "scope": {scope}}
		if diff := cmp.Diff(want,
			redirected(t, newRig(t, fixedClock()).consent(t, "/organizations/v2.0/adminconsent"))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("declined, the first way", func(t *testing.T) {
		r := newRig(t, fixedClock())
		r.RefuseConsent(true)
		want := url.Values{
			"error":             {"permission_denied"},
			"error_description": {"The admin canceled the request"},
			"state":             {"a b&c"},
		}
		if diff := cmp.Diff(want, redirected(t, r.consent(t, v1))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("declined, the second way, which says admin_consent=True too", func(t *testing.T) {
		r := newRig(t, fixedClock())
		r.RefuseConsent(true)
		got := redirected(t, r.consent(t, v2))
		if !strings.HasPrefix(got.Get("error_description"), "AADSTS65004: ") {
			t.Errorf("error_description %q", got.Get("error_description"))
		}
		got.Del("error_description")
		want := url.Values{"admin_consent": {"True"}, "error": {"consent_required"}, "state": {"a b&c"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRequestsForConsentThatAreRefused(t *testing.T) {
	registered := contoso()
	registered.RedirectURIs = []string{back}
	for _, tt := range []struct{ name, path, change, code string }{
		{"an address on another host", v1, "redirect_uri=https://fabrikam.com/", "AADSTS50011"},
		{"no address", v1, "redirect_uri=", "AADSTS900144"},
		{"an app that is not known", v1, "client_id=nobody", "AADSTS700016"},
		{"a tenant that is not known", "/fabrikam.com/adminconsent", "state=", "AADSTS90002"},
		{"no scope, the second way", v2, "scope=", "AADSTS900144"},
	} {
		t.Run(tt.name+" is told on the page and not sent anywhere", func(t *testing.T) {
			a := newRig(t, fixedClock()).consent(t, tt.path, tt.change)
			if a.status != http.StatusBadRequest || a.header.Get("Location") != "" || !strings.Contains(a.text, tt.code) {
				t.Errorf("%d to %q: %s", a.status, a.header.Get("Location"), a.text)
			}
		})
	}
	t.Run("an address must be exactly one that is registered, if any is", func(t *testing.T) {
		r := newRig(t, fixedClock())
		r.Add(registered)
		redirected(t, r.consent(t, v1))
		if a := r.consent(t, v1, "redirect_uri="+back+"/"); a.status != http.StatusBadRequest {
			t.Errorf("status %d", a.status)
		}
	})
}

func TestCA(t *testing.T) {
	ca, err := entratest.NewCA()
	must(t, err)
	t.Run("a server's certificate is good for this machine and for the names given", func(t *testing.T) {
		config, err := ca.TLS("graph.contoso.com", "192.0.2.1")
		must(t, err)
		for _, name := range []string{"127.0.0.1", "::1", "localhost", "graph.contoso.com", "192.0.2.1"} {
			if err := verify(t, config, ca.Pool(), name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := verify(t, config, ca.Pool(), "graph.fabrikam.com"); err == nil {
			t.Error("it is good for another name too")
		}
	})
	t.Run("who does not trust the CA does not trust the server", func(t *testing.T) {
		other, err := entratest.NewCA()
		must(t, err)
		config, err := ca.TLS()
		must(t, err)
		if err := verify(t, config, other.Pool(), "localhost"); err == nil {
			t.Error("the certificate is trusted")
		}
	})
	t.Run("the PEM file is the certificate of a CA, and has no key in it", func(t *testing.T) {
		block, rest := pem.Decode(ca.PEM())
		if block == nil || block.Type != "CERTIFICATE" || len(rest) != 0 {
			t.Fatalf("%s", ca.PEM())
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !cert.IsCA {
			t.Errorf("CA %v, error %v", cert.IsCA, err)
		}
	})
}

// verify checks the certificate of a server's configuration as a client does.
func verify(t *testing.T, server *tls.Config, roots *x509.CertPool, name string) error {
	t.Helper()
	leaf, err := x509.ParseCertificate(server.Certificates[0].Certificate[0])
	must(t, err)
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name})
	return err
}
