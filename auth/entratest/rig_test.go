package entratest_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"graphproxy/auth/entratest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	tenantID = "11111111-2222-3333-4444-555555555555"
	domain   = "contoso.onmicrosoft.com"
	clientID = "66666666-7777-8888-9999-000000000000"
	secret   = "canary~secret/with+signs&=%"
	graph    = "https://graph.microsoft.com"
	scope    = graph + "/.default"
)

// now is the time of the servers' clock, unless a test needs the machine's.
var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// rig is a server with Contoso's app, and a client of it.
type rig struct {
	*entratest.Server
	client *http.Client
}

func newRig(t *testing.T, o entratest.Options) *rig {
	t.Helper()
	ca, err := entratest.NewCA()
	must(t, err)
	o.CA = ca
	s, err := entratest.NewServer(o)
	must(t, err)
	t.Cleanup(s.Close)
	s.Add(contoso())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}}
	t.Cleanup(transport.CloseIdleConnections)
	return &rig{s, &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       2 * time.Minute, // a test that hangs fails
	}}
}

func fixedClock() entratest.Options { return entratest.Options{Now: func() time.Time { return now }} }

func contoso() entratest.App {
	return entratest.App{
		TenantID: tenantID,
		Domain:   domain,
		ClientID: clientID,
		Name:     "HR sync",
		Secret:   secret,
		Roles:    []string{"User.Read.All"},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// answer is the response to a client.
type answer struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

func (r *rig) do(t *testing.T, req *http.Request) answer {
	t.Helper()
	res, err := r.client.Do(req)
	must(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(t, err)
	a := answer{status: res.StatusCode, header: res.Header, text: string(body)}
	_ = json.Unmarshal(body, &a.json)
	return a
}

func (r *rig) get(t *testing.T, path string, header ...string) answer {
	t.Helper()
	return r.do(t, request(t, http.MethodGet, r.URL()+path, "", header...))
}

// request makes a request; header is given as "Name: value" lines.
func request(t *testing.T, method, target, body string, header ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	must(t, err)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	return req
}

// form is a good token request with a secret, changed: "name=value" sets, "name=" removes.
func form(changes ...string) url.Values {
	f := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {clientID},
		"client_secret": {secret},
		"scope":         {scope},
	}
	for _, change := range changes {
		name, value, _ := strings.Cut(change, "=")
		f.Set(name, value)
		if value == "" {
			f.Del(name)
		}
	}
	return f
}

func tokenPath(tenant string) string { return "/" + tenant + "/oauth2/v2.0/token" }

func (r *rig) token(t *testing.T, f url.Values, header ...string) answer {
	t.Helper()
	header = append([]string{"Content-Type: application/x-www-form-urlencoded"}, header...)
	return r.do(t, request(t, http.MethodPost, r.URL()+tokenPath(tenantID), f.Encode(), header...))
}

// wantToken checks that an answer is a token for Contoso's app, and returns it.
func (r *rig) wantToken(t *testing.T, a answer) string {
	t.Helper()
	token, _ := a.json["access_token"].(string)
	if a.status != http.StatusOK || token == "" {
		t.Fatalf("status %d: %s", a.status, a.text)
	}
	claims, err := r.Verify(token)
	if err != nil || claims.ClientID != clientID || claims.TenantID != tenantID {
		t.Fatalf("claims %+v, error %v", claims, err)
	}
	return token
}

// wantError checks that an answer is Entra's error, and that the secret is not in it.
func wantError(t *testing.T, a answer, status int, oauth string, code int) {
	t.Helper()
	codes, _ := a.json["error_codes"].([]any)
	if a.status != status || a.json["error"] != oauth || len(codes) != 1 || codes[0] != float64(code) {
		t.Errorf("want %d %s %d, got %d: %s", status, oauth, code, a.status, a.text)
	}
	if strings.Contains(a.text, "canary") {
		t.Errorf("the error shows a secret: %s", a.text)
	}
}

// payload reads the claims of a token without checking it.
func payload(t *testing.T, token string) jwt.MapClaims {
	t.Helper()
	claims := jwt.MapClaims{}
	_, _, err := jwt.NewParser().ParseUnverified(token, claims)
	must(t, err)
	return claims
}

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	return key
}

// selfSigned is a certificate that is valid for an hour around at.
func selfSigned(t *testing.T, key *rsa.PrivateKey, at time.Time) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hr-sync"},
		NotBefore: at.Add(-time.Hour), NotAfter: at.Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return cert
}
