package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// described is a metric as in docs/operations.md or /metrics.
type described struct {
	kind   string
	labels string // sorted, with spaces between
}

// reported lets everything through and records the requests that it would deny, and has limits.
const reported = `
version: 1
mode: report
limits:
  tenant: {rate: 1000/s, per: [caller]}
callers:
  local:
    identity: [{network: [127.0.0.0/8]}]
    allow:
      - GET /users
      - "GET /users/{id}": {limit: {concurrency: 10, wait: 1s}}
`

// busy is a process that has a value for every metric, after a little of each kind of traffic.
func busy(t *testing.T) *process {
	t.Helper()
	w := newWorld(t)
	writePEM(t, w)
	w.writeKeyPair(t)
	w.write(t, "policy.yaml", reported)
	w.write(t, "candidate.yaml", strings.Replace(reported, "mode: report", "mode: enforce", 1))
	p := w.serve(t, "AZURE_CLIENT_CERTIFICATE_PATH="+w.path("client.pem"),
		"GRAPHPROXY_POLICY_CANDIDATE="+w.path("candidate.yaml"),
		"GRAPHPROXY_TLS_CERT_FILE="+w.path("tls.crt"), "GRAPHPROXY_TLS_KEY_FILE="+w.path("tls.key"),
		"GRAPHPROXY_TLS_CLIENT_CA_FILE="+w.path("ca.pem"),
		"GRAPHPROXY_APPS_0_NAME=broken", "GRAPHPROXY_APPS_0_TENANT_ID="+tenantID,
		"GRAPHPROXY_APPS_0_CLIENT_ID="+clientID, "GRAPHPROXY_APPS_0_CLIENT_SECRET=wrong",
		"GRAPHPROXY_REDIS_URL=unix://"+w.path("no-redis"))
	p.expect(t, 200)
	p.awaitCount(t, `graphproxy_token_failures_by_code_total{aadsts="7000215",app="broken",tenant="`+tenantID+`"}`)
	p.do(t, "POST", p.callers+"/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"/not/allowed"}]}`,
		"Content-Type: application/json")
	p.get(t, p.callers+"/v1.0/users//")
	return p
}

// shown returns the metrics of graphproxy's own that a process shows.
func (p *process) shown(t *testing.T) map[string]described {
	t.Helper()
	page := p.get(t, p.admin+"/metrics").body
	found := map[string]described{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (graphproxy_\w+) (\w+)$`).FindAllStringSubmatch(page, -1) {
		name, kind := m[1], m[2]
		sample := regexp.MustCompile(`(?m)^` + name + `(?:_count)?(?:\{(.*)\})? `).FindStringSubmatch(page)
		if sample == nil {
			t.Fatalf("%s has no sample", name)
		}
		var labels []string
		for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(sample[1], -1) {
			labels = append(labels, l[1])
		}
		slices.Sort(labels)
		found[name] = described{kind, strings.Join(labels, " ")}
	}
	if len(found) < 30 {
		t.Fatalf("/metrics shows %v", found)
	}
	return found
}

// Every metric of graphproxy's own that /metrics shows is in the table of docs/operations.md, with its type and its
// labels, and the other way round.
func TestTheTableOfMetricsNamesEveryOne(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operations.md")
	must(t, err)
	_, rest, begins := strings.Cut(string(text), "<!-- metrics: begin -->")
	table, _, ends := strings.Cut(rest, "<!-- metrics: end -->")
	if !begins || !ends {
		t.Fatal("docs/operations.md has no table of metrics")
	}
	documented := map[string]described{}
	rows := regexp.MustCompile(
		"(?m)^\\| `(graphproxy_[a-z_]+)` \\| (\\w+) \\| ([a-z_` ]*)\\| .+ \\|$",
	).FindAllStringSubmatch(table, -1)
	for _, row := range rows {
		labels := strings.Fields(strings.ReplaceAll(row[3], "`", ""))
		slices.Sort(labels)
		documented[row[1]] = described{row[2], strings.Join(labels, " ")}
	}
	if n := strings.Count(table, "\n| `"); n != len(documented) {
		t.Errorf("%d rows, of which %d can be read and name a metric of their own", n, len(documented))
	}
	if diff := cmp.Diff(busy(t).shown(t), documented, cmp.AllowUnexported(described{})); diff != "" {
		t.Errorf("docs/operations.md has + where /metrics has -:\n%s", diff)
	}
}

// promtool looks at names, types, units and help texts.
func TestPromtoolTakesTheMetrics(t *testing.T) {
	t.Parallel()
	p := busy(t)
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skipf("this machine has no promtool (Debian's package prometheus): %v", err)
	}
	var own []string
	for line := range strings.Lines(p.get(t, p.admin+"/metrics").body) {
		if strings.Contains(line, "graphproxy_") {
			own = append(own, line)
		}
	}
	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = strings.NewReader(strings.Join(own, ""))
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// value is the value of a metric.
func (p *process) value(t *testing.T, name string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(p.metric(t, name), 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// The certificate of the credential lasts for an hour, and the others for a year.
func TestCertificatesThatEndSoonShow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	writePEM(t, w)
	leaf := w.writeKeyPair(t)
	p := w.serve(t, "AZURE_CLIENT_CERTIFICATE_PATH="+w.path("client.pem"), "GRAPHPROXY_TLS_CERT_FILE="+w.path("tls.crt"),
		"GRAPHPROXY_TLS_KEY_FILE="+w.path("tls.key"), "GRAPHPROXY_TLS_CLIENT_CA_FILE="+w.path("ca.pem"))
	p.expect(t, 200)
	shown := p.value(t, `graphproxy_certificate_expiry_timestamp_seconds{app="",tenant="",use="tls"}`)
	if want := leaf.NotAfter.Unix(); int64(shown) != want {
		t.Errorf("the TLS certificate ends at %v, want %v", int64(shown), want)
	}
	for _, labels := range []string{`{app="default",tenant="` + tenantID + `",use="credential"}`,
		`{app="",tenant="",use="client_ca"}`} {
		left := p.value(t, "graphproxy_certificate_expiry_timestamp_seconds"+labels) - float64(time.Now().Unix())
		if begun := p.value(t, "graphproxy_certificate_not_before_timestamp_seconds"+labels); left <= 0 ||
			begun > float64(time.Now().Unix()) {
			t.Errorf("%s: %v s left, valid from %v", labels, left, begun)
		}
		if p.value(t, "graphproxy_certificate_file_in_force"+labels) != 1 {
			t.Errorf("%s: not the file's", labels)
		}
	}
	until(t, "a warning", func() bool { return strings.Contains(p.stderr.String(), `"msg":"a certificate expires soon"`) })
	if log := p.stderr.String(); strings.Count(log, `"a certificate `) != 1 ||
		!strings.Contains(log, `"certificate":"credential"`) {
		t.Error("the log does not have one warning, about the credential")
	}

	w.write(t, "tls.crt", "no certificate")
	p.awaitMetric(t, `graphproxy_certificate_file_in_force{app="",tenant="",use="tls"}`, "0")
	if now := p.value(t, `graphproxy_certificate_expiry_timestamp_seconds{app="",tenant="",use="tls"}`); now != shown {
		t.Errorf("the certificate in use ends at %v", now)
	}
}

// A certificate that begins tomorrow is put there today, or the clock is wrong: callers refuse it, and the log says
// why.
func TestACertificateThatIsNotValidYetIsLoggedAtStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	tomorrow := time.Now().Add(24 * time.Hour)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		DNSNames:              []string{"localhost"},
		NotBefore:             tomorrow,
		NotAfter:              tomorrow.Add(90 * 24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	keyText := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
	certText := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	w.write(t, "tls.key", keyText)
	w.write(t, "tls.crt", certText)
	w.write(t, "client.pem", keyText+certText)
	settings := []string{
		"AZURE_CLIENT_CERTIFICATE_PATH=" + w.path("client.pem"), "GRAPHPROXY_TLS_CERT_FILE=" + w.path("tls.crt"),
		"GRAPHPROXY_TLS_KEY_FILE=" + w.path("tls.key"), "GRAPHPROXY_TLS_CLIENT_CA_FILE=" + w.path("tls.crt"),
	}
	const warning = `"level":"WARN","msg":"a certificate is not valid yet"`
	check := start(t, w.environ(settings...), "serve", "--check")
	if status := check.wait(t); status != 0 || strings.Count(check.stderr.String(), warning) != 3 {
		t.Errorf("serve --check: status %d, %s", status, check.stderr)
	}
	p := w.serve(t, settings...)
	until(t, "warnings", func() bool { return strings.Count(p.stderr.String(), warning) == 3 })
	until(t, "the cause in /readyz", func() bool {
		status, r := p.ready(t)
		return status == 503 && strings.Contains(r.app().Cause, "is valid only from") && r.app().CredentialFile == ""
	})
	for use, app := range map[string]string{
		"tls": `app="",tenant=""`, "client_ca": `app="",tenant=""`, "credential": `app="default",tenant="` + tenantID + `"`,
	} {
		name := `graphproxy_certificate_not_before_timestamp_seconds{` + app + `,use="` + use + `"}`
		if got := p.value(t, name); int64(got) != tomorrow.Unix() {
			t.Errorf("%s is valid from %v", use, int64(got))
		}
	}
}

func TestThePolicyInForceShows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret")
	p.expect(t, 200)
	hash := func() string { _, r := p.ready(t); return r.Policy.Hash }
	check := func(inForce, enforce, report, callers string) {
		t.Helper()
		p.awaitMetric(t, "graphproxy_policy_file_in_force", inForce)
		for metric, want := range map[string]string{
			`graphproxy_policy_info{hash="` + hash() + `"}`: "1",
			`graphproxy_policy_mode{mode="enforce"}`:        enforce,
			`graphproxy_policy_mode{mode="report"}`:         report,
			`graphproxy_policy_callers{mode="report"}`:      callers,
		} {
			if got := p.metric(t, metric); got != want {
				t.Errorf("%s %s, want %s", metric, got, want)
			}
		}
		if _, r := p.ready(t); r.Policy.InForce != (inForce == "1") {
			t.Errorf("/readyz says in_force %v", r.Policy.InForce)
		}
	}
	check("1", "1", "0", "0")
	w.write(t, "policy.yaml", "version: 1\ncallers: {}\nno: yes\n")
	check("0", "1", "0", "0")
	w.write(t, "policy.yaml", onlyUsers)
	check("1", "1", "0", "0")
	must(t, os.Remove(w.path("policy.yaml")))
	check("0", "1", "0", "0")
	before := p.value(t, "graphproxy_policy_age_seconds")
	w.write(t, "policy.yaml", strings.Replace(onlyUsers, "version: 1", "version: 1\nmode: report", 1))
	check("1", "0", "1", "1")
	if age := p.value(t, "graphproxy_policy_age_seconds"); age < 0 || age > before+60 {
		t.Errorf("%v s, %v s before", age, before)
	}
	p.get(t, p.callers+"/v1.0/groups")
	p.awaitMetric(t, `graphproxy_policy_would_deny_total{caller="local",rule=""}`, "1")

	// Overwritten in place, the file is not in force until it has rested. It changes until the test has seen that.
	changes := 0
	until(t, "a file that is not in force", func() bool {
		changes++
		must(t, os.WriteFile(w.path("policy.yaml"), fmt.Appendf(nil, "%s# %d\n", onlyUsers, changes), 0o600))
		return p.metric(t, "graphproxy_policy_file_in_force") == "0"
	})
	check("1", "1", "0", "0")
}
