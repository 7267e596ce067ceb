package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"software.sslmate.com/src/go-pkcs12"

	"graphproxy/auth/entratest"
)

// credential is a kind of credential: its settings, and how it is replaced while the proxy runs.
type credential struct {
	name    string
	environ func(t *testing.T, w *world) []string // registers the app, too
	rotate  func(t *testing.T, w *world)          // nil: there is nothing to replace
}

func credentials() []credential {
	return []credential{
		{"a client secret", func(_ *testing.T, w *world) []string {
			w.registerSecret("secret-1")
			return []string{"AZURE_CLIENT_SECRET=secret-1"}
		}, nil},
		{"a client secret in a file", func(t *testing.T, w *world) []string {
			w.registerSecret("secret-1")
			return []string{"AZURE_CLIENT_SECRET_FILE=" + w.write(t, "secret", "secret-1\n")}
		}, func(t *testing.T, w *world) {
			w.registerSecret("secret-2")
			w.write(t, "secret", "secret-2\n")
		}},
		{"a certificate as PEM", func(t *testing.T, w *world) []string {
			writePEM(t, w)
			return []string{"AZURE_CLIENT_CERTIFICATE_PATH=" + w.path("client.pem")}
		}, writePEM},
		{"a certificate as PFX, with its chain sent", func(t *testing.T, w *world) []string {
			writePFX(t, w)
			return []string{"AZURE_CLIENT_CERTIFICATE_PATH=" + w.path("client.pfx"),
				"AZURE_CLIENT_CERTIFICATE_PASSWORD=pfx-password", "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN=true"}
		}, writePFX},
		{"a federated token", func(t *testing.T, w *world) []string {
			writeFederated(t, w)
			return []string{"AZURE_FEDERATED_TOKEN_FILE=" + w.path("federated")}
		}, writeFederated},
		{"a managed identity", func(_ *testing.T, w *world) []string {
			w.entra.Add(app())
			return []string{
				"GRAPHPROXY_MANAGED_IDENTITY=true", "AZURE_TENANT_ID=", "IDENTITY_ENDPOINT=" + w.entra.ManagedIdentityURL(),
				"IDENTITY_HEADER=" + w.entra.ManagedIdentityHeader(),
			}
		}, nil},
	}
}

func TestEveryKindOfCredentialReachesGraph(t *testing.T) {
	t.Parallel()
	for _, c := range credentials() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.serve(t, c.environ(t, w)...)
			p.expect(t, 200)
			if c.rotate != nil {
				w.entra.Revoke() // the old token and the old credential are both good for nothing now
				c.rotate(t, w)
				p.signal(t, syscall.SIGHUP)
				p.awaitMetric(t, `graphproxy_token_acquisitions_total{app="default",tenant="`+tenantID+`"}`, "2")
				p.expect(t, 200)
				p.awaitMetric(t, `graphproxy_token_failures_total{app="default",tenant="`+tenantID+`"}`, "0")
			}
			p.stop(t)
		})
	}
}

func TestARotatedFileIsFoundWithoutASignal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret-1")
	p := w.serve(t, "AZURE_CLIENT_SECRET_FILE="+w.write(t, "secret", "secret-1"))
	p.expect(t, 200)
	w.registerSecret("secret-2")
	w.write(t, "secret", "secret-2")
	p.awaitMetric(t, `graphproxy_token_acquisitions_total{app="default",tenant="`+tenantID+`"}`, "2")
	if got := w.entra.LastForm().Get("client_secret"); got != "secret-2" {
		t.Errorf("the last token was asked for with %q", got)
	}
}

func (w *world) registerSecret(secret string) {
	a := app()
	a.Secret = secret
	w.entra.Add(a)
}

// newKeyAndCertificate makes a certificate for the app and registers it in place of the old one.
func newKeyAndCertificate(t *testing.T, w *world) (*rsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "graphproxy"},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	a := app()
	a.Certificates = []*x509.Certificate{cert}
	w.entra.Add(a)
	return key, cert
}

func writePEM(t *testing.T, w *world) {
	t.Helper()
	key, cert := newKeyAndCertificate(t, w)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	w.write(t, "client.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))+
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})))
}

func writePFX(t *testing.T, w *world) {
	t.Helper()
	key, cert := newKeyAndCertificate(t, w)
	pfx, err := pkcs12.Modern.Encode(key, cert, nil, "pfx-password")
	must(t, err)
	w.write(t, "client.pfx", string(pfx))
}

func writeFederated(t *testing.T, w *world) {
	t.Helper()
	const issuer, subject = "https://oidc.contoso.example", "system:serviceaccount:graph:graphproxy"
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	token, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": issuer,
		"sub": subject,
		"aud": "api://AzureADTokenExchange",
		"iat": time.Now().Unix(),
		"exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString(key)
	must(t, err)
	a := app()
	a.Federated = []entratest.Federated{{Issuer: issuer, Subject: subject, Key: key.Public()}}
	w.entra.Add(a)
	w.write(t, "federated", token+"\n")
}
