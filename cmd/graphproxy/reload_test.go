package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"strings"
	"syscall"
	"testing"

	"graphproxy/auth/entratest"
)

// onlyGroups lets programs on this machine read groups, and no longer users.
const onlyGroups = `
version: 1
callers:
  local:
    identity: [{network: [127.0.0.0/8]}]
    allow: [GET /groups]
`

func TestAChangedPolicyCountsAndABadOneDoesNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret")
	p.expect(t, 200)
	_, before := p.ready(t)

	w.write(t, "policy.yaml", onlyGroups) // without a signal: the process finds the change by itself
	p.awaitMetric(t, `graphproxy_policy_reloads_total{result="success"}`, "1")
	p.expect(t, 403)
	_, after := p.ready(t)
	if after.Policy.Hash == before.Policy.Hash {
		t.Error("the hash of the policy has not changed")
	}

	for i, bad := range []string{
		strings.Replace(onlyGroups, "allow:", "alow:", 1),
		onlyGroups + "tests: [{caller: local, allow: [GET /users]}]\n",
		strings.Replace(onlyGroups, "allow:", "app: hr\n    allow:", 1),
		"",
	} {
		w.write(t, "policy.yaml", bad)
		p.signal(t, syscall.SIGHUP)
		p.awaitMetric(t, `graphproxy_policy_reloads_total{result="failure"}`, []string{"1", "2", "3", "4"}[i])
		p.expect(t, 403)
		status, now := p.ready(t)
		if status != 200 || now.Policy.Hash != after.Policy.Hash || len(now.Policy.Errors) == 0 ||
			!strings.HasPrefix(now.Policy.Errors[0], "policy.yaml:") {
			t.Errorf("%d %+v", status, now.Policy)
		}
	}

	must(t, os.Remove(w.policy))
	p.signal(t, syscall.SIGHUP)
	p.awaitMetric(t, `graphproxy_policy_reloads_total{result="failure"}`, "5")
	w.write(t, "policy.yaml", onlyUsers)
	p.signal(t, syscall.SIGHUP)
	p.awaitMetric(t, `graphproxy_policy_reloads_total{result="success"}`, "2")
	p.expect(t, 200)
	if _, now := p.ready(t); len(now.Policy.Errors) > 0 || now.Policy.Hash != before.Policy.Hash {
		t.Errorf("%+v", now.Policy)
	}
	p.stop(t)
}

func TestAFileThatNeedsNoEvidenceIsWarnedOfWhenTheListenerIsOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	w.write(t, "policy.yaml", strings.Replace(onlyUsers, "{network: [127.0.0.0/8]}", "anyone", 1))
	open := w.serve(t, "AZURE_CLIENT_SECRET=secret", "GRAPHPROXY_LISTEN=0.0.0.0:0")
	local := w.serve(t, "AZURE_CLIENT_SECRET=secret")
	const warning = "a caller needs no evidence"
	open.logged(t, warning)
	local.logged(t, `"msg":"started"`) // warnings come before it
	if strings.Contains(local.stderr.String(), warning) {
		t.Errorf("open to this machine:\n%s", local.stderr)
	}
}

func TestTheTLSCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	first := w.writeKeyPair(t)
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret", "GRAPHPROXY_TLS_CERT_FILE="+w.path("tls.crt"),
		"GRAPHPROXY_TLS_KEY_FILE="+w.path("tls.key"))
	if a := p.get(t, p.callers+"/v1.0/users"); a.status != 200 || !strings.HasPrefix(p.callers, "https://") {
		t.Fatalf("%d from %s: %s", a.status, p.callers, a.body)
	}
	address := strings.TrimPrefix(p.callers, "https://")
	if got := peer(t, address, w.ca.Pool()); !got.Equal(first) {
		t.Error("callers are shown another certificate")
	}
	second := w.writeKeyPair(t)
	p.signal(t, syscall.SIGHUP)
	until(t, "new certificate", func() bool { return peer(t, address, w.ca.Pool()).Equal(second) })

	w.write(t, "tls.crt", "no certificate")
	p.signal(t, syscall.SIGHUP)
	until(t, "word of the bad one", func() bool {
		return strings.Contains(p.stderr.String(), "the TLS certificate from before stays in use")
	})
	if got := peer(t, address, w.ca.Pool()); !got.Equal(second) {
		t.Error("the certificate from before is not in use any more")
	}
	//nolint:gosec // that it fails is the test
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: w.ca.Pool(), MaxVersion: tls.VersionTLS11})
	if err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
	p.stop(t)
}

func (w *world) writeKeyPair(t *testing.T) *x509.Certificate {
	t.Helper()
	return w.writeKeyPairOf(t, w.ca)
}

func (w *world) writeKeyPairOf(t *testing.T, ca *entratest.CA) *x509.Certificate {
	t.Helper()
	config, err := ca.TLS()
	must(t, err)
	pair := config.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	must(t, err)
	w.write(t, "tls.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	w.write(t, "tls.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})))
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	must(t, err)
	return cert
}

func TestTheAuditLogIsAFileThatCanBeRotated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret", "GRAPHPROXY_AUDIT_LOG="+w.path("audit.log"))
	p.expect(t, 200)
	p.get(t, p.callers+"/v1.0/groups")
	p.awaitMetric(t, "graphproxy_audit_lines_written_total", "2")
	must(t, os.Rename(w.path("audit.log"), w.path("audit.log.1")))
	p.signal(t, syscall.SIGHUP)
	until(t, "new audit log", func() bool { _, err := os.Stat(w.path("audit.log")); return err == nil })
	until(t, "word of the new audit log",
		func() bool { return strings.Contains(p.stderr.String(), "the audit log is open anew") })
	p.get(t, p.callers+"/v2.0/users")
	p.stop(t)

	info, err := os.Stat(w.path("audit.log"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if p.stdout.String() != "" {
		t.Errorf("stdout has %q", p.stdout)
	}
	decisions(t, w.path("audit.log.1"), "allow", "deny")
	decisions(t, w.path("audit.log"), "refuse")
}

// decisions expects an audit log of one JSON object a line, with these decisions.
func decisions(t *testing.T, path string, want ...string) {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	var got []string
	for line := range strings.Lines(string(text)) {
		var rec struct{ Decision, Policy string }
		must(t, json.Unmarshal([]byte(line), &rec))
		got = append(got, rec.Decision)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s: decisions %q, want %q", path, got, want)
	}
}
