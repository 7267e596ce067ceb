package entratest

import (
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// leeway is how far a client's clock may be off.
const leeway = 5 * time.Minute

// checkAssertion verifies a client assertion: one that the app signed itself with a certificate, or a federated token.
// The former names the certificate in its header, or at least the app as its issuer.
func (s *Server) checkAssertion(app *App, r *http.Request, assertion string) *refusal {
	var claims jwt.RegisteredClaims
	token, _, err := jwt.NewParser().ParseUnverified(assertion, &claims)
	if err != nil {
		return refuseWith(badAssertion, "{reason}", "It is not a JSON Web Token.")
	}
	var refused *refusal
	_, sha256Named := token.Header["x5t#S256"]
	_, sha1Named := token.Header["x5t"]
	_, chainSent := token.Header["x5c"]
	if sha256Named || sha1Named || chainSent || claims.Issuer == app.ClientID {
		refused = s.checkCertificate(app, r, token, &claims)
	} else {
		refused = checkFederated(app, assertion, &claims)
	}
	if refused != nil {
		return refused
	}
	return checkTimes(&claims, s.now())
}

// audiences returns the audiences that an assertion for this app may have: the token endpoint and the issuer.
func (s *Server) audiences(app *App, r *http.Request) []string {
	var out []string
	for _, name := range []string{app.tid(), app.TenantID, r.PathValue("tenant")} {
		root := base(r) + "/" + name
		out = append(out, root+"/oauth2/v2.0/token", root+"/v2.0")
	}
	return out
}

// checkCertificate verifies an assertion that was signed with one of the app's certificates.
// https://learn.microsoft.com/entra/identity-platform/certificate-credentials
func (s *Server) checkCertificate(app *App, r *http.Request, token *jwt.Token, claims *jwt.RegisteredClaims) *refusal {
	sent, refused := chain(token.Header)
	if refused != nil {
		return refused
	}
	cert := app.certificate(token.Header, sent)
	if cert == nil {
		return refuseWith(badSignature, "{reason}", "The key was not found.")
	}
	if now := s.now(); now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return refuseWith(badSignature, "{reason}", "The key used is expired.")
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok || !signed(token.Raw, key, "PS256", "RS256") {
		return refuseWith(badSignature, "{reason}", "The key used is known, but the signature does not match.")
	}
	if !strings.EqualFold(claims.Issuer, app.ClientID) || !strings.EqualFold(claims.Subject, app.ClientID) {
		return refuseWith(badAssertion, "{reason}", "Issuer and subject must be the application identifier.")
	}
	audiences := s.audiences(app, r)
	if !slices.ContainsFunc(claims.Audience, func(a string) bool { return containsFold(audiences, a) }) {
		return refuseWith(badAssertion, "{reason}", "The audience must be the token endpoint.")
	}
	return nil
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(one string) bool { return strings.EqualFold(one, s) })
}

// certificate returns the app's certificate that matches every one of x5t#S256, x5t and x5c in the header, or
// nil.
func (a *App) certificate(header map[string]any, sent []*x509.Certificate) *x509.Certificate {
	named := func(name string, sum []byte) bool {
		v, ok := header[name]
		return !ok || decodes(v, sum)
	}
	for _, c := range a.Certificates {
		long, short := sha256.Sum256(c.Raw), sha1.Sum(c.Raw)
		if named("x5t#S256", long[:]) && named("x5t", short[:]) && (len(sent) == 0 || sent[0].Equal(c)) {
			return c
		}
	}
	return nil
}

// decodes reports whether v is sum in base64. The standard says base64url without padding; MSAL sends plain base64.
func decodes(v any, sum []byte) bool {
	text, ok := v.(string)
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	return ok && text == base64.RawURLEncoding.EncodeToString(sum)
}

// chain returns the certificates in x5c, first the one that signed (RFC 7515, section 4.1.6); none if there is
// no x5c. The first must be a registered one, so the others need not be checked.
func chain(header map[string]any) ([]*x509.Certificate, *refusal) {
	x5c, ok := header["x5c"]
	if !ok {
		return nil, nil
	}
	list, _ := x5c.([]any)
	var out []*x509.Certificate
	for _, one := range list {
		text, _ := one.(string)
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, refuseWith(badChain)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, refuseWith(badChain)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, refuseWith(badChain)
	}
	return out, nil
}

// defaultAudience is the audience of federated tokens for Entra's public cloud.
const defaultAudience = "api://AzureADTokenExchange"

// checkFederated verifies a token of another issuer. Entra supports RS256; its documentation adds that others
// may work.
// https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations
func checkFederated(app *App, assertion string, claims *jwt.RegisteredClaims) *refusal {
	i := slices.IndexFunc(app.Federated, func(f Federated) bool {
		audience := f.Audience
		if audience == "" {
			audience = defaultAudience
		}
		return f.Issuer == claims.Issuer && f.Subject == claims.Subject && slices.Contains(claims.Audience, audience)
	})
	if i < 0 {
		return refuseWith(noFederatedRecord, "{issuer}", claims.Issuer, "{subject}", claims.Subject, "{audience}",
			strings.Join(claims.Audience, " "))
	}
	if !signed(assertion, app.Federated[i].Key, "RS256", "PS256", "ES256") {
		return refuseWith(badSignature, "{reason}", "The key was not found.")
	}
	return nil
}

// signed reports whether the assertion's signature is that of key, by one of the algorithms.
func signed(assertion string, key any, algorithms ...string) bool {
	_, err := jwt.NewParser(jwt.WithValidMethods(algorithms), jwt.WithoutClaimsValidation()).
		ParseWithClaims(assertion, &jwt.RegisteredClaims{}, func(*jwt.Token) (any, error) { return key, nil })
	return err == nil
}

// checkTimes requires an expiry, and that now lies between beginning and end, within the leeway.
func checkTimes(claims *jwt.RegisteredClaims, now time.Time) *refusal {
	var from, until time.Time
	if claims.NotBefore != nil {
		from = claims.NotBefore.Time
	}
	if claims.ExpiresAt != nil {
		until = claims.ExpiresAt.Time
	}
	if now.Add(leeway).Before(from) || !now.Add(-leeway).Before(until) {
		at := func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }
		return refuseWith(assertionTime, "{now}", at(now), "{from}", at(from), "{until}", at(until))
	}
	return nil
}
