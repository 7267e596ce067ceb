package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/auth"
	"graphproxy/auth/entratest"
)

// otherTenantID is a tenant that the app is not configured for.
const otherTenantID = "8a0b2f64-7f0e-4d43-9c1d-2c7f2a5d9e00"

const secretValue = canary + "-secret"

// ask starts graphproxy consent on a port that is free, and waits until it prints the address.
func (w *world) ask(t *testing.T, args ...string) (p *process, address *url.URL) {
	t.Helper()
	p = start(t, w.environ("AZURE_CLIENT_SECRET="+secretValue),
		append([]string{"consent", "--port", freePort(t)}, args...)...)
	p.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.ca.Pool()}}
	until(t, "address", func() bool { return strings.Contains(p.stdout.String(), "Waiting") || p.hasEnded() })
	address = printedAddress(t, p)
	return p, address
}

// freePort returns a port on which no program listens.
func freePort(t *testing.T) string {
	t.Helper()
	_, port, err := net.SplitHostPort(freeAddress(t))
	must(t, err)
	return port
}

var addressPattern = regexp.MustCompile(`(?m)^  (https://\S+)$`)

func printedAddress(t *testing.T, p *process) *url.URL {
	t.Helper()
	m := addressPattern.FindStringSubmatch(p.stdout.String())
	if m == nil {
		t.Fatalf("no address in %q, stderr %q", p.stdout, p.stderr)
	}
	u, err := url.Parse(m[1])
	must(t, err)
	return u
}

// finished expects an exit status, and checks that the output contains neither the secret, nor a token, nor the
// state outside the address.
func (p *process) finished(t *testing.T, status int, address *url.URL, want ...string) {
	t.Helper()
	if got := p.wait(t); got != status {
		t.Errorf("exit status %d, want %d", got, status)
	}
	all := p.stdout.String() + p.stderr.String()
	for _, text := range want {
		if !strings.Contains(all, text) {
			t.Errorf("%q was not written", text)
		}
	}
	quiet(t, strings.ReplaceAll(all, address.String(), ""), address.Query().Get("state"))
}

// quiet fails if a text contains a secret.
func quiet(t *testing.T, text string, more ...string) {
	t.Helper()
	for _, secret := range append(more, canary, "eyJ") {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in\n%s", secret, text)
		}
	}
}

// back is the redirect URI with an answer to the question.
func back(address *url.URL, answer string) string {
	return address.Query().Get("redirect_uri") + "?state=" + url.QueryEscape(address.Query().Get("state")) + answer
}

func TestConsentIsRequestedAndAnswered(t *testing.T) {
	t.Parallel()
	const granted = "Consent was granted. Acquiring a token, for up to a minute, until it shows roles.\nThe token has " +
		"these roles:\n  Group.ReadWrite.All\n  Mail.ReadWrite\n  Mail.Send\n  User.ReadWrite.All\n"
	agree := func(*world) {}
	tests := []struct {
		name   string
		args   []string
		entra  func(*world)
		status int
		want   string // in the output
		page   string // in what the browser sees
	}{
		{"an administrator agrees", nil, agree, 0, granted, "Consent was granted<"},
		{"an administrator agrees on the older page", []string{"--v1"}, agree, 0, granted, "Consent was granted<"},
		{
			"an administrator declines",
			nil,
			func(w *world) { w.entra.RefuseConsent(true) },
			1,
			"Consent was not granted: an administrator declined to consent (AADSTS65004); ask for admin consent again\n",
			"an administrator declined to consent (AADSTS65004)",
		},
		{
			"an administrator declines on the older page",
			[]string{"--v1"},
			func(w *world) { w.entra.RefuseConsent(true) },
			1,
			"Consent was not granted: an administrator declined to consent; ask for admin consent again\n",
			"an administrator declined",
		},
		{
			"an administrator agrees, but the secret is wrong",
			nil,
			func(w *world) { w.registerSecret("another") },
			2,
			`graphproxy consent: consent was granted, but no token can be had: app "default": the client secret is wrong ` +
				`(AADSTS7000215); put the secret's value into AZURE_CLIENT_SECRET`,
			"Consent was granted<",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.registerSecret(secretValue)
			tt.entra(w)
			p, address := w.ask(t, tt.args...)
			if a := p.get(t, address.String()); a.status != 200 || !strings.Contains(a.body, tt.page) {
				t.Errorf("the browser saw %d: %s", a.status, a.body)
			}
			p.finished(t, tt.status, address, tt.want)
		})
	}
}

func TestConsentWaitsForTheTokenToShowIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret(secretValue)
	w.entra.SetRoles(clientID)
	p, address := w.ask(t)
	p.get(t, address.String())
	until(t, "first token", func() bool { return w.entra.TokenRequests() > 0 })
	w.entra.SetRoles(clientID, "User.Read.All")
	p.finished(t, 0, address, "The token has these roles:\n  User.Read.All\n")
}

func TestConsentTakesTheAnswerToItsOwnQuestionOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret(secretValue)
	p, address := w.ask(t)
	root := address.Query().Get("redirect_uri")
	const yes = "&admin_consent=True&tenant=" + tenantID
	for _, tt := range []struct {
		method, url string
		status      int
	}{
		{"GET", root + "favicon.ico", 404},
		{"POST", back(address, yes), 405},
		{"GET", root, 400},
		{"GET", root + "?state=" + canary + yes, 400},
		{"GET", root + "?state=" + canary + "&error=access_denied", 400},
	} {
		if a := p.do(t, tt.method, tt.url, ""); a.status != tt.status || strings.Contains(a.body, canary) {
			t.Errorf("%s %s: %d %s", tt.method, tt.url, a.status, a.body)
		}
	}
	if p.hasEnded() {
		t.Fatal("something else was taken for the answer")
	}
	p.get(t, back(address, yes))
	p.finished(t, 0, address, "User.ReadWrite.All")
}

func TestConsentInAnotherTenantIsReportedAndNoTokenRequested(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret(secretValue)
	p, address := w.ask(t)
	p.get(t, back(address, "&admin_consent=True&tenant="+otherTenantID))
	p.finished(t, 1, address, "granted, but in tenant "+otherTenantID+", and the app is configured for "+tenantID)
	if n := w.entra.TokenRequests(); n != 0 {
		t.Errorf("%d token requests", n)
	}
}

func TestAnAnswerWithoutYesOrNoIsNoGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, address := w.ask(t)
	p.get(t, back(address, "&tenant="+tenantID))
	p.finished(t, 2, address, "graphproxy consent: the answer says neither yes nor no")
}

func TestConsentGivesUp(t *testing.T) {
	t.Parallel()
	t.Run("when the time is over", func(t *testing.T) {
		t.Parallel()
		p, address := newWorld(t).ask(t, "--timeout", "50ms")
		p.finished(t, 2, address, "graphproxy consent: no answer came within 50ms: if Entra ID showed AADSTS50011, register "+
			address.Query().Get("redirect_uri")+" as a redirect URI")
	})
	t.Run("on Ctrl-C", func(t *testing.T) {
		t.Parallel()
		p, address := newWorld(t).ask(t)
		p.signal(t, syscall.SIGINT)
		p.finished(t, 2, address, "graphproxy consent: given up before an answer came")
	})
	t.Run("when a browser keeps connections that it does not use", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.registerSecret(secretValue)
		p, address := w.ask(t)
		back, err := url.Parse(address.Query().Get("redirect_uri"))
		must(t, err)
		idle, err := net.Dial("tcp", back.Host)
		must(t, err)
		defer idle.Close()
		p.get(t, address.String())
		p.finished(t, 0, address, "User.ReadWrite.All")
	})
}

func TestConsentDoesNotShareItsPort(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
			if err != nil {
				t.Skipf("NOT CHECKED: this machine has no %s: %v", host, err)
			}
			defer l.Close()
			_, port, _ := net.SplitHostPort(l.Addr().String())
			p := start(t, newWorld(t).environ("AZURE_CLIENT_SECRET=secret"), "consent", "--port", port)
			if status := p.wait(t); status != 2 ||
				!strings.Contains(p.stderr.String(), "address already in use: stop what listens there") || p.stdout.String() != "" {
				t.Errorf("exit status %d, stdout %q, stderr %q", status, p.stdout, p.stderr)
			}
		})
	}
}

func TestTokenDescribesTheTokenAndNeverPrintsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := app()
	a.Secret, a.Name = secretValue, "Contoso HR"
	w.entra.Add(a)
	p := start(t, w.environ("AZURE_CLIENT_SECRET="+secretValue), "token", "--json")
	if status := p.wait(t); status != 0 {
		t.Fatalf("exit status %d: %s", status, p.stderr)
	}
	quiet(t, p.stdout.String()+p.stderr.String())
	var got map[string]any
	must(t, json.Unmarshal([]byte(p.stdout.String()), &got))
	for _, name := range []string{"issued", "expires"} {
		if _, err := time.Parse(time.RFC3339, fmt.Sprint(got[name])); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		delete(got, name)
	}
	want := map[string]any{
		"app":       "default",
		"cloud":     w.entra.URL() + " for https://graph.microsoft.com/.default",
		"readable":  true,
		"tenant_id": tenantID,
		"client_id": clientID,
		"app_name":  "Contoso HR",
		"audience":  "https://graph.microsoft.com",
		"version":   "1.0",
		"roles":     []any{"Group.ReadWrite.All", "Mail.ReadWrite", "Mail.Send", "User.ReadWrite.All"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTokenReportsProblems(t *testing.T) {
	t.Parallel()
	const opaque = `{"access_token":"` + canary + `","token_type":"Bearer","expires_in":3599}`
	foreign := entratest.App{
		TenantID: otherTenantID,
		Domain:   "fabrikam.com",
		ClientID: clientID,
		Secret:   secretValue,
		Roles:    []string{"User.Read.All"},
	}
	tests := []struct {
		name   string
		entra  func(*world)
		more   []string
		status int
		want   []string
	}{
		{"no role", func(w *world) { w.entra.SetRoles(clientID) }, nil, 0, []string{
			"\nroles     none\n",
			"\nproblem   the token has no roles, so that Graph will refuse every request: add application permissions for " +
				"Microsoft Graph to the app registration (API permissions) and have them granted with graphproxy consent\n"}},
		{"an opaque token", func(w *world) { w.entra.Fail(entratest.Fault{Body: opaque}) }, nil, 0, []string{
			"\nclient    the token does not show it\n", "\nroles     the token does not show it\n", "in 5"}},
		{"a secret that is wrong", func(w *world) { w.registerSecret("another") }, nil, 2, []string{
			`graphproxy token: app "default": the client secret is wrong (AADSTS7000215); put the secret's value into ` +
				`AZURE_CLIENT_SECRET`}},
		{"an answer with the secret in it", func(w *world) {
			w.entra.Fail(entratest.Fault{
				Status: 401,
				Body:   `{"error":"invalid_client","error_description":"` + secretValue + `"}`,
			})
		}, nil, 2, []string{"Entra ID refused the credential (HTTP 401)"}},
		{"a tenant by its domain", func(w *world) { w.entra.Add(foreign) }, []string{"AZURE_TENANT_ID=fabrikam.com"}, 0,
			[]string{"\ntenant    " + otherTenantID + "\n", "\nroles     1\n  User.Read.All\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.registerSecret(secretValue)
			tt.entra(w)
			p := start(t, w.environ(append(tt.more, "AZURE_CLIENT_SECRET="+secretValue)...), "token")
			if status := p.wait(t); status != tt.status {
				t.Errorf("exit status %d", status)
			}
			all := p.stdout.String() + p.stderr.String()
			for _, text := range tt.want {
				if !strings.Contains(all, text) {
					t.Errorf("want %q in\n%s", text, all)
				}
			}
			quiet(t, all)
		})
	}
}

func TestTokenOfAManagedIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := app()
	a.Roles = nil
	w.entra.Add(a)
	p := start(t, w.environ("GRAPHPROXY_MANAGED_IDENTITY=true", "AZURE_TENANT_ID=",
		"IDENTITY_ENDPOINT="+w.entra.ManagedIdentityURL(), "IDENTITY_HEADER="+w.entra.ManagedIdentityHeader()), "token")
	if status := p.wait(t); status != 0 ||
		!strings.Contains(p.stdout.String(), "refuse every request: an administrator assigns Microsoft Graph's app roles") {
		t.Errorf("exit status %d", status)
	}
	quiet(t, p.stdout.String()+p.stderr.String(), w.entra.ManagedIdentityHeader())
}

func orNil(text string) string {
	if text == "" {
		return "<nil>"
	}
	return text
}

func TestAnAppIsChosenByItsName(t *testing.T) {
	t.Parallel()
	apps := []auth.App{{Name: "default"}, {Name: "hr"}}
	tests := []struct{ name, asked, want, flag, err string }{
		{"none is the first", "", "default", "", ""},
		{"by name", "hr", "hr", " --app hr", ""},
		{"an unknown one", "sales", "", "", `--app: unknown app "sales"; known here: default, hr`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := appNamed(apps, tt.asked)
			if a.Name != tt.want || err == nil && appFlag(a) != tt.flag || fmt.Sprint(err) != orNil(tt.err) {
				t.Errorf("app %q, error %v", a.Name, err)
			}
		})
	}
}

// docs/consent.md shows the real output of the commands, except for the times, the state, the ports and Entra ID's
// address.
func TestTheDocsOfConsentAreTrue(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../../docs/consent.md")
	must(t, err)
	w := newWorld(t)
	a := app()
	a.Secret, a.Name = secretValue, "graphproxy"
	w.entra.Add(a)
	p, address := w.ask(t)
	res, err := p.client.Get(address.String())
	must(t, err)
	_, _ = io.Copy(io.Discard, res.Body)
	must(t, res.Body.Close())
	p.finished(t, 0, address)
	w.entra.RefuseConsent(true)
	refused, address := w.ask(t)
	refused.get(t, address.String())
	refused.finished(t, 1, address)
	token := start(t, w.environ("AZURE_CLIENT_SECRET="+secretValue), "token")
	token.wait(t)
	w.entra.SetRoles(clientID)
	without := start(t, w.environ("AZURE_CLIENT_SECRET="+secretValue), "token")
	without.wait(t)
	waited := strings.LastIndex(refused.stdout.String(), "\n\n")
	for _, text := range []string{"$ graphproxy consent\n" + p.stdout.String(), refused.stdout.String()[waited+2:],
		"$ graphproxy token\n" + token.stdout.String(), "$ graphproxy token\n" + without.stdout.String()} {
		var block strings.Builder
		for line := range strings.Lines(asInDocs(w, text)) {
			if strings.TrimSpace(line) != "" {
				line = "    " + line
			}
			block.WriteString(line)
		}
		if !strings.Contains(string(docs), "\n"+block.String()) {
			t.Errorf("docs/consent.md does not show this:\n%s", block.String())
		}
	}
}

// asInDocs replaces the parts that differ from run to run by those in the docs.
func asInDocs(w *world, text string) string {
	for _, r := range []struct{ pattern, with string }{
		{regexp.QuoteMeta(w.entra.URL()) + " for https://graph.microsoft.com/.default", "public"},
		{regexp.QuoteMeta(w.entra.URL()), "https://login.microsoftonline.com"},
		{`state=[\w-]{43}`, "state=R4nd0m"},
		{`localhost(:|%3A)\d+`, "localhost${1}8400"},
		{`issued    \S+`, "issued    2026-03-02T09:09:04Z"},
		{`expires   \S+, in \S+`, "expires   2026-03-02T10:14:03Z, in 59m59s"},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.with)
	}
	return text
}
