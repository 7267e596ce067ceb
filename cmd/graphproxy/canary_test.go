package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"graphproxy/auth/entratest"
)

// canary is part of every secret in these tests. No output of graphproxy may contain it.
const canary = "canary7f3a"

// keyed is a policy in which a caller has a key, beside a caller that needs only an address.
const keyed = `
version: 1
callers:
  local:
    identity: [{network: [127.0.0.0/8]}]
    allow: [GET /users, "POST /users/{id}/sendMail"]
  keyed:
    identity: [{key: {sha256: 7b51eab7778620007e560bea6a98a68b29390d46d985592fd3426f5824201db8}}]
    allow: [GET /users]
`

// failure is a way to fail while secrets are set.
type failure struct {
	name    string
	environ func(t *testing.T, w *world) []string
	provoke func(t *testing.T, w *world, p *process) // nil: the failure is at start
}

// noToken waits until the first attempt to get a token has failed, and asks for users, which is 503.
func noToken(t *testing.T, _ *world, p *process) {
	t.Helper()
	until(t, "failed token request", func() bool { _, r := p.ready(t); return r.app().Cause != "" })
	p.expect(t, 503)
}

// withSecret registers a secret that the proxy has, and has Entra ID fail.
func withSecret(f entratest.Fault) func(*testing.T, *world) []string {
	return func(_ *testing.T, w *world) []string {
		w.registerSecret(canary + "-secret")
		if f != (entratest.Fault{}) {
			w.entra.Fail(f)
		}
		return []string{"AZURE_CLIENT_SECRET=" + canary + "-secret"}
	}
}

// fromFile names a credential's file whose content Entra ID does not accept.
func fromFile(variable, content string, more ...string) func(*testing.T, *world) []string {
	return func(t *testing.T, w *world) []string {
		w.registerSecret("another")
		return append(more, variable+"="+w.write(t, "credential", content))
	}
}

func entraFailures() []failure {
	good := withSecret(entratest.Fault{})
	return []failure{
		{"the secret is wrong", func(_ *testing.T, w *world) []string {
			w.registerSecret("another")
			return []string{"AZURE_CLIENT_SECRET=" + canary}
		}, noToken},
		{"the secret in a file is wrong", fromFile("AZURE_CLIENT_SECRET_FILE", canary+"\n"), noToken},
		{"the federated token is none", fromFile("AZURE_FEDERATED_TOKEN_FILE", canary), noToken},
		{"the managed identity's header is wrong", func(_ *testing.T, w *world) []string {
			w.entra.Add(app())
			return []string{"GRAPHPROXY_MANAGED_IDENTITY=true", "IDENTITY_ENDPOINT=" + w.entra.ManagedIdentityURL(),
				"IDENTITY_HEADER=" + canary}
		}, noToken},
		{"Entra ID repeats the secret in its error",
			withSecret(entratest.Fault{
				Status: 401,
				Body: `{"error":"invalid_client","error_description":"AADSTS7000215: ` + canary +
					`-secret is wrong","error_codes":[7000215]}`,
			}), noToken},
		{"Entra ID answers a page with the secret",
			withSecret(entratest.Fault{Status: 500, Body: "<html>" + canary + "-secret</html>"}), noToken},
		{"Entra ID's token is broken JSON",
			withSecret(entratest.Fault{Body: `{"access_token":"` + canary + `","token_type":"Bearer","expires_in":`}), noToken},
		{"Entra ID's token has a line break",
			withSecret(entratest.Fault{
				Body: `{"access_token":"` + canary + `\nX-Evil: 1","token_type":"Bearer","expires_in":3599}`,
			}), noToken},
		{"Entra ID is throttling", withSecret(entratest.Fault{RetryAfter: "1"}), noToken},
		{"Entra ID cuts the connection", withSecret(entratest.Fault{Reset: true}), noToken},
		{"the secret's file is replaced by a wrong one, and removed", func(t *testing.T, w *world) []string {
			w.registerSecret("good")
			return []string{"AZURE_CLIENT_SECRET_FILE=" + w.write(t, "credential", "good")}
		}, func(t *testing.T, w *world, p *process) {
			p.expect(t, 200)
			w.write(t, "credential", canary)
			p.signal(t, syscall.SIGHUP)
			p.awaitCount(t, `graphproxy_token_failures_total{app="default",tenant="`+tenantID+`"}`)
			must(t, os.Remove(w.path("credential")))
			p.signal(t, syscall.SIGHUP)
			until(t, "word of the missing file", func() bool { _, r := p.ready(t); return r.app().CredentialFile != "" })
			p.expect(t, 200)
		}},
		{"Graph refuses the token and repeats it", good, func(t *testing.T, w *world, p *process) {
			w.graph.Handle("GET /v1.0/users", func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Set("WWW-Authenticate",
					`Bearer error="invalid_token", token="`+r.Header.Get("Authorization")+canary+`"`)
				rw.WriteHeader(http.StatusUnauthorized)
				fmt.Fprintf(rw, "%s %s", r.Header.Get("Authorization"), canary)
			})
			p.expect(t, 502)
		}},
		{"Graph cuts the connection", good, func(t *testing.T, w *world, p *process) {
			w.graph.Handle("GET /v1.0/users", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
			p.expect(t, 502)
		}},
		{"Graph is not there", func(t *testing.T, w *world) []string {
			return append(good(t, w), "GRAPHPROXY_GRAPH_URL=http://"+freeAddress(t))
		}, func(t *testing.T, _ *world, p *process) { p.expect(t, 502) }},
		{"the policy is replaced by a bad one", good, func(t *testing.T, w *world, p *process) {
			w.write(t, "policy.yaml", "version: 1\n"+canary+"\n")
			p.signal(t, syscall.SIGHUP)
			p.awaitMetric(t, `graphproxy_policy_reloads_total{result="failure"}`, "1")
		}},
	}
}

func callerFailures() []failure {
	good := withSecret(entratest.Fault{})
	ask := func(status int, method, target, body string, header ...string) func(*testing.T, *world, *process) {
		return func(t *testing.T, _ *world, p *process) {
			if a := p.do(t, method, p.callers+target, body, header...); a.status != status {
				t.Errorf("status %d, want %d: %s", a.status, status, a.body)
			}
		}
	}
	return []failure{
		{"a key is wrong", good, ask(401, "GET", "/v1.0/users", "", "X-Api-Key: "+canary)},
		{"a bearer is wrong", good, ask(401, "GET", "/v1.0/users", "", "Authorization: Bearer "+canary)},
		{"a bearer is a foreign token", good, ask(401, "GET", "/v1.0/users", "", "Authorization: Bearer eyJh."+canary+".x")},
		{"a password", good, ask(200, "GET", "/v1.0/users", "", "Authorization: Basic "+canary)},
		{"a denied request with secrets in it", good,
			ask(403, "POST", "/v1.0/groups?$filter="+canary, `{"password":"`+canary+`"}`, "Cookie: "+canary,
				"X-Contoso: "+canary)},
		{"a request with two readings", good, ask(400, "GET", "/v1.0/users?$filter="+canary+"&$filter="+canary, "")},
		{"a version that there is not", good, ask(400, "GET", "/v9/users?$filter="+canary, "", "Cookie: "+canary)},
		{"an allowed request with secrets in it", good,
			ask(200, "GET", "/v1.0/users?$search=%22displayName:"+canary+"%22", "", "Cookie: "+canary,
				"ConsistencyLevel: eventual")},
	}
}

func startFailures() []failure {
	return []failure{
		{"a PFX file and a wrong password", func(t *testing.T, w *world) []string {
			writePFX(t, w)
			return []string{"AZURE_CLIENT_CERTIFICATE_PATH=" + w.path("client.pfx"),
				"AZURE_CLIENT_CERTIFICATE_PASSWORD=" + canary}
		}, nil},
		{"a certificate file with something else in it",
			fromFile("AZURE_CLIENT_CERTIFICATE_PATH", "-----BEGIN PRIVATE KEY-----\n"+canary+"\n-----END PRIVATE KEY-----\n"),
			nil},
		{"two credentials", fromFile("AZURE_CLIENT_SECRET_FILE", canary, "AZURE_CLIENT_SECRET="+canary), nil},
		{"a key in the place of the TLS key's path",
			fromFile("AZURE_CLIENT_SECRET_FILE", canary, "GRAPHPROXY_TLS_CERT_FILE="+canary,
				"GRAPHPROXY_TLS_KEY_FILE=-----BEGIN PRIVATE KEY-----"+canary), nil},
		{"a TLS key that is none", func(t *testing.T, w *world) []string {
			w.writeKeyPair(t)
			w.write(t, "tls.key", canary)
			return []string{"AZURE_CLIENT_SECRET=" + canary, "GRAPHPROXY_TLS_CERT_FILE=" + w.path("tls.crt"),
				"GRAPHPROXY_TLS_KEY_FILE=" + w.path("tls.key")}
		}, nil},
		{"a password in Graph's address",
			fromFile("AZURE_CLIENT_SECRET_FILE", canary,
				"GRAPHPROXY_GRAPH_URL=https://user:"+canary+"@graph.microsoft.com/v1.0"), nil},
		{"a secret in the tenant's place",
			fromFile("AZURE_CLIENT_SECRET_FILE", canary, "AZURE_TENANT_ID=~"+canary, "AZURE_CLIENT_ID=a "+canary), nil},
	}
}

func TestNoSecretIsEverWritten(t *testing.T) {
	t.Parallel()
	for _, group := range [][]failure{entraFailures(), callerFailures(), startFailures()} {
		for _, f := range group {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				f.run(t)
			})
		}
	}
}

func (f failure) run(t *testing.T) {
	w := newWorld(t)
	w.write(t, "policy.yaml", keyed)
	environ := append(f.environ(t, w), "GRAPHPROXY_LOG_LEVEL=debug")
	if f.provoke == nil {
		p := start(t, w.environ(environ...), "serve")
		if status := p.wait(t); status != 2 || p.stderr.String() == "" {
			t.Errorf("exit status %d, stderr %q", status, p.stderr)
		}
		w.search(t, p)
		return
	}
	p := w.serve(t, environ...)
	seen := &witness{next: p.client.Transport}
	p.client.Transport = seen
	f.provoke(t, w, p)
	p.ready(t)
	p.get(t, p.admin+"/metrics")
	p.stop(t)
	w.search(t, p, seen.text.String())
}

// search fails for every secret in what the process wrote, and in what callers saw.
func (w *world) search(t *testing.T, p *process, more ...string) {
	t.Helper()
	secrets := []string{canary, "eyJ", "Bearer ey"} // every JWT begins with eyJ: tokens, assertions
	for _, r := range w.graph.Requests() {
		if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
			secrets = append(secrets, token, token[len(token)-20:])
		}
	}
	for _, text := range append(more, p.stdout.String(), p.stderr.String()) {
		for _, secret := range secrets {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%q is in: …%s…", secret, text[max(0, at-200):min(len(text), at+100)])
			}
		}
	}
}
