package console_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"graphproxy/auth/caller"
	"graphproxy/auth/caller/oidc"
	"graphproxy/auth/caller/oidc/oidctest"
	"graphproxy/auth/caller/pkitest"
)

func TestAClientCertificateOpensTheConsole(t *testing.T) {
	ca, err := pkitest.New("clients")
	if err != nil {
		t.Fatal(err)
	}
	authorities := &caller.Authorities{}
	authorities.Use([]*x509.Certificate{ca.Certificate()})
	s := &site{t: t}
	const item = "  - certificate: {dns: ann.contoso.example, name: ann}\n"
	s.Console, s.source, s.log = newConsole(t, base(item), false, caller.Options{Authorities: authorities})
	s.server = httptest.NewUnstartedServer(s.Console)
	s.server.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: ca.Pool()}
	s.server.StartTLS()
	s.serve()
	if a := s.get("/"); a.StatusCode != 401 {
		t.Errorf("without a certificate: %s", a.Status)
	}
	for name, status := range map[string]int{"ann.contoso.example": 200, "bob.contoso.example": 401} {
		leaf, err := ca.Leaf(pkitest.Leaf{DNS: []string{name}})
		if err != nil {
			t.Fatal(err)
		}
		transport := s.server.Client().Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = []tls.Certificate{leaf}
		s.client = &http.Client{Transport: transport}
		a := s.get("/")
		if a.StatusCode != status || strings.Contains(a.text, "Signed in as <strong>ann") != (status == 200) {
			t.Errorf("%s: %s: %s", name, a.Status, a.text)
		}
		if strings.Contains(a.text, "Sign out") {
			t.Error("a visitor with a certificate cannot sign out")
		}
		transport.CloseIdleConnections()
	}
	s.source.load(base(""))
	if a := s.get("/"); a.StatusCode != 403 {
		t.Errorf("without console: it is %s", a.Status)
	}
}

func TestATokenOpensTheConsole(t *testing.T) {
	issuer, err := oidctest.New(oidctest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(issuer.Close)
	item := "  - token: {issuer: " + issuer.Issuer() + ", audience: console, claims: {groups: policy-owners}}\n"
	s := &site{t: t}
	s.Console, s.source, s.log = newConsole(t, base(item), false, caller.Options{Tokens: oidc.NewKeys(oidc.Options{})})
	s.server = httptest.NewTLSServer(s.Console)
	s.serve()
	claims := func(subject, audience, group string) map[string]any {
		return map[string]any{"sub": subject, "aud": audience, "groups": group}
	}
	expired := claims("ann@contoso.example", "console", "policy-owners")
	expired["exp"] = 1
	for _, test := range []struct {
		name   string
		claims map[string]any
		status int
	}{
		{"an owner", claims("ann@contoso.example", "console", "policy-owners"), 200},
		{"a name with markup", claims("<img src=x>", "console", "policy-owners"), 200},
		{"another group", claims("bob@contoso.example", "console", "others"), 401},
		{"another audience", claims("ann@contoso.example", "graphproxy", "policy-owners"), 401},
		{"a token that has expired", expired, 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			token, err := issuer.Sign(test.claims, nil)
			if err != nil {
				t.Fatal(err)
			}
			a := s.get("/", "Authorization", "Bearer "+token)
			if a.StatusCode != test.status || strings.Contains(a.text, "<img") {
				t.Errorf("%s: %s", a.Status, a.text)
			}
			if test.status == 200 && !strings.Contains(a.text, "Signed in as") {
				t.Error(a.text)
			}
			if strings.Contains(s.log.String(), token) {
				t.Error("the log has the token")
			}
			forged := token[:len(token)-4] + "AAAA"
			if a := s.get("/", "Authorization", "Bearer "+forged); a.StatusCode != 401 {
				t.Errorf("a forged token is %s", a.Status)
			}
		})
	}
	if text := s.log.String(); !strings.Contains(text, "visitor=ann@contoso.example") {
		t.Error(text)
	}
}
