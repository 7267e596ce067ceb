package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"software.sslmate.com/src/go-pkcs12"

	"graphproxy/auth"
)

// testKeys are made once: RSA keys cost tenths of a second under the race detector.
var testKeys = sync.OnceValue(func() (keys [2]*rsa.PrivateKey) {
	for i := range keys {
		keys[i], _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	return keys
})

// certificate makes a self-signed certificate of key that is valid from and to the given times from now.
func certificate(t *testing.T, key crypto.Signer, from, to time.Duration) *x509.Certificate {
	t.Helper()
	return issue(t, key, from, to, nil, key)
}

// issue makes a certificate of key that parent signs with parentKey; a parent of nil stands for itself.
func issue(t *testing.T, key crypto.Signer, from, to time.Duration, parent *x509.Certificate,
	parentKey crypto.Signer) *x509.Certificate {
	t.Helper()
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: "graphproxy test"},
		NotBefore:             now.Add(from),
		NotAfter:              now.Add(to),
		BasicConstraintsValid: true,
		IsCA:                  parent == nil,
	}
	if parent == nil {
		parent = template
	} else {
		template.Subject.CommonName += " leaf"
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func pkcs8(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func pemBlock(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// pemFile is a key and certificates as PEM.
func pemFile(t *testing.T, key any, certs ...*x509.Certificate) string {
	t.Helper()
	text := pemBlock("PRIVATE KEY", pkcs8(t, key))
	for _, c := range certs {
		text += pemBlock("CERTIFICATE", c.Raw)
	}
	return text
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credential")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func messages(errs []error) []string {
	var out []string
	for _, err := range errs {
		out = append(out, err.Error())
	}
	return out
}

// wantProblems compares problems with the words that each must contain.
func wantProblems(t *testing.T, a auth.App, want ...[]string) {
	t.Helper()
	got := messages(a.Check())
	if len(got) != len(want) {
		t.Fatalf("%d problems, want %d: %q", len(got), len(want), got)
	}
	for i, words := range want {
		for _, w := range words {
			if !strings.Contains(got[i], w) {
				t.Errorf("problem %q does not say %q", got[i], w)
			}
		}
	}
	for _, p := range got {
		if leaks(p) {
			t.Errorf("a problem shows a secret: %s", p)
		}
	}
}

func TestCheckSettings(t *testing.T) {
	good := auth.App{TenantID: "11111111-2222-3333-4444-555555555555", ClientID: "app", Secret: auth.NewSecret(canary)}
	with := func(change func(*auth.App)) auth.App { a := good; change(&a); return a }
	tests := []struct {
		name string
		app  auth.App
		want [][]string
	}{
		{"a GUID as tenant is good", good, nil},
		{"a domain is good", with(func(a *auth.App) { a.TenantID = "contoso.onmicrosoft.com" }), nil},
		{"a single label is good", with(func(a *auth.App) { a.TenantID = "bench-tenant" }), nil},
		{"all settings of a cloud are good", with(func(a *auth.App) {
			a.AuthorityHost, a.Scope = "https://login.microsoftonline.us/", "https://graph.microsoft.us/.default"
		}), nil},
		{"an empty app has every problem at once", auth.App{}, [][]string{
			{"AZURE_TENANT_ID", "not set"},
			{"AZURE_CLIENT_ID", "not set"},
			{
				"no credential",
				"AZURE_CLIENT_SECRET,",
				"AZURE_CLIENT_SECRET_FILE",
				"AZURE_CLIENT_CERTIFICATE_PATH",
				"AZURE_FEDERATED_TOKEN_FILE",
				"GRAPHPROXY_MANAGED_IDENTITY",
			},
		}},
		{"a prefix names other variables", auth.App{Prefix: "GRAPHPROXY_APPS_0_"}, [][]string{
			{"GRAPHPROXY_APPS_0_TENANT_ID"},
			{"GRAPHPROXY_APPS_0_CLIENT_ID"},
			{"GRAPHPROXY_APPS_0_CLIENT_SECRET_FILE", "GRAPHPROXY_APPS_0_MANAGED_IDENTITY"},
		}},
		{"common is refused with the reason", with(func(a *auth.App) { a.TenantID = "common" }),
			[][]string{{"AZURE_TENANT_ID", `"common"`, "many tenants"}}},
		{"organizations too, in any case", with(func(a *auth.App) { a.TenantID = "Organizations" }),
			[][]string{{"AZURE_TENANT_ID", "many tenants"}}},
		{"consumers too", with(func(a *auth.App) { a.TenantID = "consumers" }),
			[][]string{{"AZURE_TENANT_ID", "many tenants"}}},
		{"adfs is another product", with(func(a *auth.App) { a.TenantID = "adfs" }),
			[][]string{{"AZURE_TENANT_ID", "another identity product"}}},
		{"a path is no tenant", with(func(a *auth.App) { a.TenantID = "a/b" }),
			[][]string{{"AZURE_TENANT_ID", "GUID or a domain"}}},
		{"dots up are no tenant", with(func(a *auth.App) { a.TenantID = "../x" }), [][]string{{"AZURE_TENANT_ID"}}},
		{"a query is no tenant", with(func(a *auth.App) { a.TenantID = "a?b=c" }), [][]string{{"AZURE_TENANT_ID"}}},
		{"a newline ends no tenant", with(func(a *auth.App) { a.TenantID = "contoso.com\n" }),
			[][]string{{"AZURE_TENANT_ID"}}},
		{"a secret as tenant is not shown", with(func(a *auth.App) { a.TenantID = canary + "~" }),
			[][]string{{"AZURE_TENANT_ID"}}},
		{"white space in a client ID", with(func(a *auth.App) { a.ClientID = canary + " " }),
			[][]string{{"AZURE_CLIENT_ID", "white space"}}},
		{"two credentials are listed", with(func(a *auth.App) { a.SecretFile = "x"; a.ManagedIdentity = true }), [][]string{
			{"3 credentials", "AZURE_CLIENT_SECRET and AZURE_CLIENT_SECRET_FILE and GRAPHPROXY_MANAGED_IDENTITY", "keep one"}}},
		{"a managed identity needs nothing else", auth.App{ManagedIdentity: true}, nil},
		{"http is refused", with(func(a *auth.App) { a.AuthorityHost = "http://login.contoso.com" }),
			[][]string{{"AZURE_AUTHORITY_HOST", "https://"}}},
		{"http by a name like loopback is refused",
			with(func(a *auth.App) { a.AuthorityHost = "http://localhost.contoso.com" }), [][]string{{"AZURE_AUTHORITY_HOST"}}},
		{"http on 127.0.0.0/8 is good", with(func(a *auth.App) { a.AuthorityHost = "http://127.9.9.9:8080" }), nil},
		{"http on ::1 is good", with(func(a *auth.App) { a.AuthorityHost = "http://[::1]:8080" }), nil},
		{"http on localhost is good", with(func(a *auth.App) { a.AuthorityHost = "http://localhost:8080" }), nil},
		{"an authority has no path", with(func(a *auth.App) { a.AuthorityHost = "https://login.contoso.com/tenant" }),
			[][]string{{"AZURE_AUTHORITY_HOST", "AZURE_TENANT_ID"}}},
		{"an authority has no user",
			with(func(a *auth.App) { a.AuthorityHost = "https://u:" + canary + "@login.contoso.com" }), [][]string{
				{"AZURE_AUTHORITY_HOST"},
			}},
		{"an authority has a scheme", with(func(a *auth.App) { a.AuthorityHost = "login.contoso.com" }),
			[][]string{{"AZURE_AUTHORITY_HOST", "scheme"}}},
		{"an authority is a URL", with(func(a *auth.App) { a.AuthorityHost = "https://%" + canary }),
			[][]string{{"AZURE_AUTHORITY_HOST"}}},
		{"a scope ends in /.default", with(func(a *auth.App) { a.Scope = "https://graph.microsoft.com/User.Read" }),
			[][]string{{"GRAPHPROXY_SCOPE", "/.default"}}},
		{"a scope is more than /.default", with(func(a *auth.App) { a.Scope = "/.default" }),
			[][]string{{"GRAPHPROXY_SCOPE"}}},
		{"a scope is one", with(func(a *auth.App) { a.Scope = "openid https://graph.microsoft.com/.default" }),
			[][]string{{"GRAPHPROXY_SCOPE"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantProblems(t, tt.app, tt.want...) })
	}
}

func TestCheckFiles(t *testing.T) {
	missing := filepath.Join(t.TempDir(), canary) // a secret that was put into the variable for its file
	secret := func(text string) auth.App {
		return auth.App{TenantID: "contoso.com", ClientID: "app", SecretFile: writeFile(t, text)}
	}
	tests := []struct {
		name string
		app  auth.App
		want [][]string
	}{
		{"a secret", secret(canary + "\n"), nil},
		{"an empty file is no secret", secret(""), [][]string{{"AZURE_CLIENT_SECRET_FILE", "empty"}}},
		{"a file with one line end is a secret", secret("s3cret~!\r\n"), nil},
		{"a file with two line ends is none", secret("s3cret\n\n"),
			[][]string{{"AZURE_CLIENT_SECRET_FILE", "line end", "on one line"}}},
		{"a file with a byte order mark is none", secret("\xEF\xBB\xBFs3cret"),
			[][]string{{"AZURE_CLIENT_SECRET_FILE", "byte order mark"}}},
		{"a file in UTF-16 is none", secret("\xFF\xFEs\x003\x00c\x00"), [][]string{{"AZURE_CLIENT_SECRET_FILE", "UTF-16"}}},
		{"a file in UTF-16 without a mark is none", secret("s\x003\x00c\x00\n\x00"),
			[][]string{{"AZURE_CLIENT_SECRET_FILE", "UTF-16"}}},
		{"a file with a space at its end is none", secret("s3cret "),
			[][]string{{"AZURE_CLIENT_SECRET_FILE", "white space"}}},
		{"a file with a no-break space is none", secret("s3cret\u00A0"),
			[][]string{{"AZURE_CLIENT_SECRET_FILE", "no printable ASCII"}}},
		{"a file with a newline is no secret", secret("\r\n"), [][]string{{"AZURE_CLIENT_SECRET_FILE", "empty"}}},
		{"a huge file is no secret", secret(strings.Repeat(canary, 1<<17)),
			[][]string{{"AZURE_CLIENT_SECRET_FILE", "larger than"}}},
		{"a missing file", auth.App{TenantID: "contoso.com", ClientID: "app", SecretFile: missing},
			[][]string{{"AZURE_CLIENT_SECRET_FILE", "no such file", "correct the path"}}},
		{"a directory", auth.App{TenantID: "contoso.com", ClientID: "app", SecretFile: t.TempDir()},
			[][]string{{"AZURE_CLIENT_SECRET_FILE", "a directory, a pipe or a device", "regular file"}}},
		{"a missing federated token", auth.App{TenantID: "contoso.com", ClientID: "app", FederatedTokenFile: missing},
			[][]string{{"AZURE_FEDERATED_TOKEN_FILE", "no such file"}}},
		{"an empty federated token",
			auth.App{
				TenantID:           "contoso.com",
				ClientID:           "app",
				FederatedTokenFile: writeFile(t, " \n"),
			}, [][]string{{"AZURE_FEDERATED_TOKEN_FILE", "empty"}}},
		{"a missing certificate", auth.App{TenantID: "contoso.com", ClientID: "app", CertificatePath: missing},
			[][]string{{"AZURE_CLIENT_CERTIFICATE_PATH", "no such file"}}},
		{"a file's problem comes with the others", auth.App{TenantID: "common", SecretFile: missing},
			[][]string{{"AZURE_TENANT_ID"}, {"AZURE_CLIENT_ID"}, {"AZURE_CLIENT_SECRET_FILE"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantProblems(t, tt.app, tt.want...) })
	}
}

func TestCheckCertificate(t *testing.T) {
	keys := testKeys()
	cert, other := certificate(t, keys[0], -time.Hour, time.Hour), certificate(t, keys[1], -time.Hour, time.Hour)
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(elliptical)
	if err != nil {
		t.Fatal(err)
	}
	pfx := func(e *pkcs12.Encoder, key any, c *x509.Certificate, more ...*x509.Certificate) string {
		data, err := e.Encode(key, c, more, canary)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	old := pem.EncodeToMemory(&pem.Block{
		Type:    "RSA PRIVATE KEY",
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "DES-EDE3-CBC,0102030405060708"},
		Bytes:   []byte(canary),
	})
	certPEM := pemBlock("CERTIFICATE", cert.Raw)
	const path = "AZURE_CLIENT_CERTIFICATE_PATH"
	tests := []struct {
		name, file, password string
		want                 []string // nil: good
	}{
		{"PEM with PKCS #8", pemFile(t, keys[0], cert), "", nil},
		{"PEM with PKCS #1", certPEM + pemBlock("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(keys[0])), "", nil},
		{"PEM with text around it", "Bag Attributes\n  x: y\n" + pemFile(t, keys[0], cert) + "the end\n", "", nil},
		{"PEM with a chain in any order", pemFile(t, keys[0], other, cert), "", nil},
		{"PFX as OpenSSL 3 writes it", pfx(pkcs12.Modern2023, keys[0], cert, other), canary, nil},
		{"PFX with 3DES", pfx(pkcs12.LegacyDES, keys[0], cert), canary, nil},
		{"PFX with RC2", pfx(pkcs12.LegacyRC2, keys[0], cert), canary, nil},
		{"PFX without its password", pfx(pkcs12.Modern2023, keys[0], cert), "",
			[]string{path, "protected", "set AZURE_CLIENT_CERTIFICATE_PASSWORD"}},
		{"PFX with another password", pfx(pkcs12.Modern2023, keys[0], cert), canary + "x",
			[]string{path, "does not open", "AZURE_CLIENT_CERTIFICATE_PASSWORD"}},
		{"an old PFX with another password", pfx(pkcs12.LegacyRC2, keys[0], cert), canary + "x",
			[]string{path, "does not open"}},
		{"neither", canary, "", []string{path, "neither PEM nor a PFX"}},
		{"nothing", "", "", []string{path, "neither PEM nor a PFX"}},
		{"a certificate in DER", string(cert.Raw), "", []string{path, "without its private key"}},
		{"no certificate", pemBlock("PRIVATE KEY", pkcs8(t, keys[0])), "", []string{path, "no CERTIFICATE"}},
		{"no key", certPEM, "", []string{path, "no PRIVATE KEY"}},
		{"two keys", pemFile(t, keys[0], cert) + pemBlock("PRIVATE KEY", pkcs8(t, keys[1])), "",
			[]string{path, "several private keys"}},
		{"an elliptic key", pemFile(t, elliptical, certificate(t, elliptical, -time.Hour, time.Hour)), "",
			[]string{path, "not RSA"}},
		{"an elliptic key in SEC 1", certPEM + pemBlock("EC PRIVATE KEY", sec1), "", []string{path, "not RSA"}},
		{"an elliptic key in PFX", pfx(pkcs12.Modern2023, elliptical, certificate(t, elliptical, -time.Hour, time.Hour)),
			canary, []string{path, "not RSA"}},
		{"an encrypted key", certPEM + pemBlock("ENCRYPTED PRIVATE KEY", []byte(canary)), "",
			[]string{path, "encrypted", "openssl pkcs8"}},
		{"a key encrypted the old way", certPEM + string(old), "", []string{path, "encrypted"}},
		{"a broken key", certPEM + pemBlock("PRIVATE KEY", []byte(canary)), "",
			[]string{path, "PRIVATE KEY block that cannot be read"}},
		{"a broken certificate", pemBlock("CERTIFICATE", []byte(canary)), "",
			[]string{path, "CERTIFICATE block that cannot be read"}},
		{"another certificate's key", pemFile(t, keys[1], cert), "", []string{path, "belongs to none"}},
		{"an expired certificate", pemFile(t, keys[0], certificate(t, keys[0], -48*time.Hour, -24*time.Hour)), "",
			[]string{path, "expired on " + time.Now().Add(-24*time.Hour).UTC().Format("2006-01-02"), "Certificates & secrets"}},
		{"a certificate of the future is good at start, see TestCertificateThatIsNotValidYet",
			pemFile(t, keys[0], certificate(t, keys[0], 24*time.Hour, 48*time.Hour)), "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			app := auth.App{
				TenantID:            "contoso.com",
				ClientID:            "app",
				CertificatePath:     writeFile(t, tt.file),
				CertificatePassword: auth.NewSecret(tt.password),
			}
			if tt.want == nil {
				wantProblems(t, app)
			} else {
				wantProblems(t, app, tt.want)
			}
		})
	}
}

func TestNewSource(t *testing.T) {
	t.Run("refuses what Check refuses, all at once", func(t *testing.T) {
		_, err := auth.NewSource(auth.App{Name: "hr", TenantID: "common"}, auth.Options{})
		if err == nil {
			t.Fatal("no error")
		}
		for _, want := range []string{`"hr"`, "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "no credential"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not say %q", err, want)
			}
		}
	})
	t.Run("uses no network", func(t *testing.T) {
		srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request") }))
		defer srv.Close()
		s, err := auth.NewSource(auth.App{
			Name:          "default",
			TenantID:      "contoso.com",
			ClientID:      "app",
			Secret:        auth.NewSecret(canary),
			AuthorityHost: srv.URL,
		}, auth.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(auth.Status{App: "default", Tenant: "contoso.com"}, s.Status()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestClouds(t *testing.T) {
	tests := []struct{ name, authority, graph, scope string }{
		{"public", "https://login.microsoftonline.com", "https://graph.microsoft.com",
			"https://graph.microsoft.com/.default"},
		{"usgov", "https://login.microsoftonline.us", "https://graph.microsoft.us", "https://graph.microsoft.us/.default"},
		{"usgov-dod", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us",
			"https://dod-graph.microsoft.us/.default"},
		{"china", "https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn",
			"https://microsoftgraph.chinacloudapi.cn/.default"},
	}
	for i, tt := range tests {
		t.Run(tt.name+" has its authority, Graph and scope", func(t *testing.T) {
			c, ok := auth.CloudByName(strings.ToUpper(tt.name))
			if !ok || c != (auth.Cloud{Name: tt.name, AuthorityHost: tt.authority, GraphURL: tt.graph}) ||
				c.Scope() != tt.scope {
				t.Errorf("%+v, %v", c, ok)
			}
			if auth.Clouds()[i] != c {
				t.Errorf("at %d stands %+v", i, auth.Clouds()[i])
			}
		})
	}
	t.Run("an unknown name is none", func(t *testing.T) {
		if c, ok := auth.CloudByName("germany"); ok {
			t.Errorf("%+v", c)
		}
	})
}

// freePort returns the address of a port on loopback on which no program listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
