package entratest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"graphproxy/auth/entratest"
)

// assertion describes a client assertion to make.
type assertion struct {
	method jwt.SigningMethod
	key    crypto.PrivateKey
	header map[string]any
	claims jwt.MapClaims
}

func (a assertion) form(t *testing.T) url.Values {
	t.Helper()
	token := jwt.NewWithClaims(a.method, a.claims)
	maps.Copy(token.Header, a.header)
	text, err := token.SignedString(a.key)
	must(t, err)
	return form("client_secret=", "client_assertion="+text,
		"client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
}

func long(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func short(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func x5c(chain ...*x509.Certificate) (out []string) {
	for _, c := range chain {
		out = append(out, base64.StdEncoding.EncodeToString(c.Raw))
	}
	return out
}

func TestCertificateAssertions(t *testing.T) {
	key, stranger := newKey(t), newKey(t)
	cert, unregistered, expired := selfSigned(t, key, now), selfSigned(t, stranger, now), selfSigned(t, key,
		now.Add(-48*time.Hour))
	r := newRig(t, fixedClock())
	app := contoso()
	app.Certificates = []*x509.Certificate{expired, cert}
	r.Add(app)
	good := func() assertion {
		return assertion{jwt.SigningMethodPS256, key, map[string]any{"x5t#S256": long(cert)}, jwt.MapClaims{
			"iss": clientID,
			"sub": clientID,
			"aud": r.URL() + tokenPath(tenantID),
			"jti": "1",
			"nbf": now.Unix(),
			"exp": now.Add(10 * time.Minute).Unix(),
		}}
	}
	tests := []struct {
		name   string
		change func(*assertion)
		code   int // 0: granted
	}{
		{"as it should be", func(*assertion) {}, 0},
		{"RS256 and a SHA-1 thumbprint", func(a *assertion) {
			a.method, a.header = jwt.SigningMethodRS256, map[string]any{"x5t": short(cert)}
		}, 0},
		{"a chain instead of a thumbprint", func(a *assertion) { a.header = map[string]any{"x5c": x5c(cert, unregistered)} },
			0},
		{"made out to the issuer", func(a *assertion) { a.claims["aud"] = r.URL() + "/" + tenantID + "/v2.0" }, 0},
		{"a clock that is four minutes slow", func(a *assertion) { a.claims["exp"] = now.Add(-4 * time.Minute).Unix() }, 0},
		{"a clock that is four minutes fast", func(a *assertion) { a.claims["nbf"] = now.Add(4 * time.Minute).Unix() }, 0},

		{"no word about the certificate", func(a *assertion) { a.header, a.key = nil, stranger }, 700027},
		{"a certificate that is not registered",
			func(a *assertion) { a.header, a.key = map[string]any{"x5t#S256": long(unregistered)}, stranger }, 700027},
		{"a chain from a certificate that is not registered",
			func(a *assertion) { a.header, a.key = map[string]any{"x5c": x5c(unregistered, cert)}, stranger }, 700027},
		{"a thumbprint and a chain that differ", func(a *assertion) { a.header["x5c"] = x5c(unregistered) }, 700027},
		{"two thumbprints that differ", func(a *assertion) { a.header["x5t"] = short(unregistered) }, 700027},
		{"a certificate that has expired", func(a *assertion) { a.header["x5t#S256"] = long(expired) }, 700027},
		{"another key's signature", func(a *assertion) { a.key = stranger }, 700027},
		{"a signature by HMAC", func(a *assertion) { a.method, a.key = jwt.SigningMethodHS256, []byte("canary") }, 700027},
		{"no signature", func(a *assertion) { a.method, a.key = jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType },
			700027},
		{"a chain that cannot be read", func(a *assertion) { a.header["x5c"] = []string{"canary"} }, 50012},
		{"an empty chain", func(a *assertion) { a.header["x5c"] = []string{} }, 50012},
		{"another issuer", func(a *assertion) { a.claims["iss"] = "other" }, 50013},
		{"another subject", func(a *assertion) { a.claims["sub"] = "other" }, 50013},
		{"made out to somebody else",
			func(a *assertion) { a.claims["aud"] = "https://login.fabrikam.com" + tokenPath(tenantID) }, 50013},
		{"made out to nobody", func(a *assertion) { delete(a.claims, "aud") }, 50013},
		{"expired", func(a *assertion) { a.claims["exp"] = now.Add(-5 * time.Minute).Unix() }, 500133},
		{"without end", func(a *assertion) { delete(a.claims, "exp") }, 500133},
		{"not yet valid", func(a *assertion) { a.claims["nbf"] = now.Add(6 * time.Minute).Unix() }, 500133},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := good()
			tt.change(&a)
			answer := r.token(t, a.form(t))
			if tt.code != 0 {
				wantError(t, answer, http.StatusUnauthorized, "invalid_client", tt.code)
				return
			}
			if acr := payload(t, r.wantToken(t, answer))["appidacr"]; acr != "2" {
				t.Errorf("appidacr %v", acr)
			}
		})
	}
	t.Run("an app without certificates", func(t *testing.T) {
		r.Add(contoso())
		wantError(t, r.token(t, good().form(t)), http.StatusUnauthorized, "invalid_client", 700027)
	})
}

func TestAssertionThatIsNone(t *testing.T) {
	r := newRig(t, fixedClock())
	t.Run("not a JWT", func(t *testing.T) {
		a := r.token(t, form("client_secret=", "client_assertion=canary",
			"client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer"))
		wantError(t, a, http.StatusUnauthorized, "invalid_client", 50013)
	})
}

func TestFederatedAssertions(t *testing.T) {
	key, stranger := newKey(t), newKey(t)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	const issuer, subject = "https://kubernetes.contoso.com", "system:serviceaccount:hr:sync"
	r := newRig(t, fixedClock())
	app := contoso()
	app.Federated = []entratest.Federated{
		{Issuer: issuer, Subject: subject, Key: key.Public()},
		{Issuer: issuer + "/ec", Subject: subject, Audience: "api://contoso", Key: curve.Public()},
	}
	r.Add(app)
	tests := []struct {
		name   string
		change func(*assertion)
		code   int
	}{
		{"as it should be", func(*assertion) {}, 0},
		{"by a key on a curve, for an audience of its own", func(a *assertion) {
			a.method, a.key, a.claims["iss"], a.claims["aud"] = jwt.SigningMethodES256, curve, issuer+"/ec", "api://contoso"
		}, 0},
		{"another issuer", func(a *assertion) { a.claims["iss"] = issuer + "/" }, 70021},
		{"another subject, by letter case", func(a *assertion) { a.claims["sub"] = "system:serviceaccount:HR:sync" }, 70021},
		{"another audience", func(a *assertion) { a.claims["aud"] = r.URL() }, 70021},
		{"another key", func(a *assertion) { a.key = stranger }, 700027},
		{"expired", func(a *assertion) { a.claims["exp"] = now.Add(-6 * time.Minute).Unix() }, 500133},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := assertion{jwt.SigningMethodRS256, key, map[string]any{"kid": "1"}, jwt.MapClaims{
				"iss": issuer,
				"sub": subject,
				"aud": []string{"other", "api://AzureADTokenExchange"},
				"exp": now.Add(time.Hour).Unix(),
			}}
			tt.change(&a)
			if answer := r.token(t, a.form(t)); tt.code == 0 {
				r.wantToken(t, answer)
			} else {
				wantError(t, answer, http.StatusUnauthorized, "invalid_client", tt.code)
			}
		})
	}
}
