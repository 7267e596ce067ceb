package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graphproxy/auth/caller/pkitest"
)

// asks runs whoami, and returns its status and what it wrote.
func asks(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	err := run(t.Context(), append([]string{"whoami"}, args...), environ, strings.NewReader(""), &out, &problems)
	if strings.Contains(out.String()+problems.String(), "canary-key") {
		t.Errorf("the key is shown:\n%s\n%s", &out, &problems)
	}
	return status(err), out.String(), problems.String()
}

// A real process answers, over TCP; the command shows rules, limits and refusals, and 401 is status 1.
func TestWhoamiAsksAProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	w.write(t, "policy.yaml", strings.Replace(onlyUsers, "    allow:", "    limit: 100/s\n    allow:", 1))
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret")
	p.get(t, p.callers+"/v1.0/groups/secret-plans?$filter=canary-value")
	code, out, problems := asks(t, nil, "--address", p.callers)
	for _, want := range []string{
		"caller     local", "mode       enforce", "allow      GET /users/{id}  policy.yaml:",
		"limit      callers.local.limit, 100", "/v1.0/groups/secret-plans 403 policyDenied",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
	if code != 0 || problems != "" || strings.Contains(out, "canary") {
		t.Errorf("status %d, %s", code, problems)
	}
	code, out, _ = asks(t, nil, "--address", p.callers+"/", "--json")
	if code != 0 || !strings.HasPrefix(out, `{"caller":"local"`) {
		t.Errorf("status %d, %s", code, out)
	}
	p.stop(t)
}

func TestWhatWhoamiRefuses(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 20)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.URL.Path + " " + r.Header.Get("X-Api-Key")
		switch r.Header.Get("X-Api-Key") {
		case "canary-key-401":
			w.Header().Set("Proxy-Status", `graphproxy; error=http_request_denied; details="keyUnknown"`)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":{"message":"the key is not one of any caller"}}`))
		case "canary-key-302":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		default:
			_, _ = w.Write([]byte(`{"caller":"x"}`))
		}
	}))
	defer server.Close()
	withKey := []string{"GRAPHPROXY_KEY=canary-key"}
	keyFile := filepath.Join(t.TempDir(), "key")
	must(t, os.WriteFile(keyFile, []byte("canary-key-401\n"), 0o600))
	for _, tt := range []struct {
		name    string
		environ []string
		args    []string
		status  int
		problem string
	}{
		{"no address", nil, nil, 2, "--address: write the scheme"},
		{"an address with a path", nil, []string{"--address", "https://x/v1.0"}, 2, "--address: write the scheme"},
		{"nothing answers", nil, []string{"--address", "http://127.0.0.1:1"}, 2, "nothing answers"},
		{"a key over http to another machine", withKey, []string{"--address", "http://192.0.2.1"}, 2,
			"use https://"},
		{"a key over http to a name", withKey, []string{"--address", "http://localhost.evil.example"}, 2,
			"use https://"},
		{"another server", withKey, []string{"--address", server.URL}, 2, "is not graphproxy"},
		{"a redirect", []string{"GRAPHPROXY_KEY=canary-key-302"}, []string{"--address", server.URL}, 2, "is not graphproxy"},
		{"401", []string{"GRAPHPROXY_KEY=canary-key-401"}, []string{"--address", server.URL}, 1, "not one of any caller"},
		{"401 by the key of a file", nil, []string{"--address", server.URL, "--key-file", keyFile}, 1,
			"not one of any caller"},
		{"a key file that is not there", nil, []string{"--address", server.URL, "--key-file", "/nowhere"}, 2, "--key-file"},
		{"a key with blanks", []string{"GRAPHPROXY_KEY=canary-key x"}, []string{"--address", server.URL}, 2, "it is no key"},
		{"a certificate without its key", nil, []string{"--address", "https://x", "--cert", keyFile}, 2, "belong together"},
		{"a certificate over http", nil, []string{"--address", server.URL, "--cert", keyFile, "--key", keyFile}, 2,
			"needs https://"},
		{"an argument", nil, []string{"canary"}, 2, "takes no arguments"},
	} {
		code, out, problems := asks(t, tt.environ, tt.args...)
		if code != tt.status || !strings.Contains(problems, tt.problem) || out != "" {
			t.Errorf("%s: status %d, %q, %q", tt.name, code, out, problems)
		}
	}
	close(seen)
	for path := range seen {
		if strings.HasPrefix(path, "/elsewhere") {
			t.Error("a redirect was followed")
		}
	}
}

// A server's certificate is checked against --cacert, and a unix socket is asked by its path.
func TestWhoamiAsksOverTLSAndAtAUnixSocket(t *testing.T) {
	t.Parallel()
	answers := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Proxy-Status", "graphproxy")
		_, _ = w.Write([]byte(`{"caller":"by-` + r.Header.Get("X-Api-Key")[len("canary-key-"):] + `","mode":"report"}`))
	})
	server := httptest.NewTLSServer(answers)
	defer server.Close()
	dir := t.TempDir()
	ca, path := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "socket")
	block := pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	must(t, os.WriteFile(ca, pem.EncodeToMemory(&block), 0o600))
	l, err := net.Listen("unix", path)
	must(t, err)
	local := httptest.NewUnstartedServer(answers)
	local.Listener.Close()
	local.Listener = l
	local.Start()
	defer local.Close()
	key := []string{"GRAPHPROXY_KEY=canary-key-x"}
	for _, args := range [][]string{{"--address", server.URL, "--cacert", ca}, {"--address", "unix:" + path}} {
		if code, out, problems := asks(t, key, args...); code != 0 || !strings.Contains(out, "mode       report") {
			t.Errorf("%v: status %d, %s, %s", args, code, out, problems)
		}
	}
	code, _, problems := asks(t, key, "--address", server.URL)
	if code != 2 || !strings.Contains(problems, "nothing answers") {
		t.Errorf("a certificate of an unknown CA: status %d, %s", code, problems)
	}
}

// A real process asks for a client certificate: whoami shows the caller that it proves, and 401 for another.
func TestWhoamiAsksWithAClientCertificate(t *testing.T) {
	t.Parallel()
	e := newEvidence(t)
	for uri, want := range map[string]struct {
		status int
		text   string
	}{
		"spiffe://contoso.example/ns/hr/sync": {0, "caller     workload"},
		"spiffe://contoso.example/ns/it/sync": {1, "certificate"},
	} {
		made := e.leaf(e.signer, pkitest.Leaf{URIs: []string{uri}})
		var chain []byte
		for _, raw := range made.Certificate {
			chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})...)
		}
		key, err := x509.MarshalPKCS8PrivateKey(made.PrivateKey)
		must(t, err)
		e.w.write(t, "client.pem", string(chain))
		e.w.write(t, "client.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
		code, out, problems := asks(t, nil, "--address", e.p.callers, "--cacert", e.w.path("ca.pem"),
			"--cert", e.w.path("client.pem"), "--key", e.w.path("client.key"))
		if code != want.status || !strings.Contains(out+problems, want.text) {
			t.Errorf("%s: status %d\n%s\n%s", uri, code, out, problems)
		}
	}
	e.p.stop(t)
}
