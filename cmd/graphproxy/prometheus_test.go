package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"graphproxy/auth/entratest"
)

// prometheusServer is a Prometheus of this machine.
type prometheusServer struct {
	url string
	log string
}

// startPrometheus starts Prometheus on a target, with the alerts of deploy/. The alerts fire without their waiting
// time, so that the test need not wait; everything else is as deployed.
func startPrometheus(t *testing.T, target string, flags ...string) prometheusServer {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		if os.Getenv("GRAPHPROXY_TEST_PROMETHEUS") == "required" {
			t.Fatal("this machine has no prometheus: install Debian's package")
		}
		t.Skipf("this machine has no prometheus (Debian's package): %v", err)
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		must(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	rules, err := os.ReadFile(deployed("prometheus", "alerts.yaml"))
	must(t, err)
	write("alerts.yaml", regexp.MustCompile(`(?m)^( +for:) .*$`).ReplaceAllString(string(rules), "$1 0s"))
	config, err := os.ReadFile(deployed("prometheus", "prometheus.yaml"))
	must(t, err)
	ours := strings.NewReplacer("scrape_interval: 15s", "scrape_interval: 1s\n  evaluation_interval: 1s",
		"graphproxy:8081", target)
	address := freeAddress(t)
	s := prometheusServer{url: "http://" + address, log: filepath.Join(dir, "log")}
	log, err := os.Create(s.log)
	must(t, err)
	defer log.Close()
	cmd := exec.Command(program, append(flags, "--config.file="+write("prometheus.yaml", ours.Replace(string(config))),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)...)
	cmd.Stdout, cmd.Stderr = log, log
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(s.log)
			t.Logf("prometheus:\n%s", text)
		}
	})
	return s
}

// ask calls Prometheus' HTTP API. It reports false while there is no good answer.
func (s prometheusServer) ask(path string, into any) bool {
	res, err := httpClient().Get(s.url + path)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	answer := struct {
		Status string
		Data   any
	}{Data: into}
	return json.NewDecoder(res.Body).Decode(&answer) == nil && answer.Status == "success"
}

// alerts returns the state of each alert that is not inactive: by name, and by app where it has one.
func (s prometheusServer) alerts() map[string]string {
	var data struct {
		Alerts []struct {
			Labels map[string]string
			State  string
		}
	}
	if !s.ask("/api/v1/alerts", &data) {
		return nil
	}
	all := map[string]string{}
	for _, a := range data.Alerts {
		all[strings.TrimSpace(a.Labels["alertname"]+" "+a.Labels["app"])] = a.State
	}
	return all
}

// query evaluates an expression, and returns how many series it has, or -1.
func (s prometheusServer) query(expr string) int {
	var data struct{ Result []any }
	if !s.ask("/api/v1/query?query="+url.QueryEscape(expr), &data) {
		return -1
	}
	return len(data.Result)
}

// Prometheus reads the metrics of a process, an alert fires when a token is refused and when the policy file breaks,
// and ends when the fault does.
func TestAnAlertFiresInPrometheusOnARealFault(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	w.entra.Fail(entratest.Fault{AADSTS: 7000215})
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret")
	s := startPrometheus(t, strings.TrimPrefix(p.admin, "http://"))
	until(t, "GraphproxyNoToken firing", func() bool { return s.alerts()["GraphproxyNoToken default"] == "firing" })
	if s.alerts()["GraphproxyPolicyNotInForce"] != "" {
		t.Errorf("alerts without a fault: %v", s.alerts())
	}
	p.expect(t, 503)

	w.entra.Heal()
	until(t, "the end of GraphproxyNoToken",
		func() bool { a := s.alerts(); return a != nil && a["GraphproxyNoToken default"] == "" })
	p.expect(t, 200)
	w.write(t, "policy.yaml", "version: 1\ncallers: nobody\n")
	until(t, "GraphproxyPolicyNotInForce firing",
		func() bool { return s.alerts()["GraphproxyPolicyNotInForce"] == "firing" })
	p.expect(t, 200)
}

// Prometheus has an answer to the dashboard's queries, from the classic histograms and, where Prometheus takes
// them, from the native ones.
func TestPrometheusAnswersTheDashboard(t *testing.T) {
	t.Parallel()
	p := busy(t)
	target := strings.TrimPrefix(p.admin, "http://")
	s, native := startPrometheus(t, target), startPrometheus(t, target, "--enable-feature=native-histograms")
	until(t, "a scrape", func() bool { return s.query("count_over_time(graphproxy_build_info[1m]) > 2") > 0 })
	until(t, "a request in Prometheus", func() bool {
		p.expect(t, 200) // again and again: on a slow machine the last minute may be without one
		return s.query("increase(graphproxy_own_duration_seconds_count[1m]) > 0") > 0
	})
	empty := 0
	for _, q := range dashboard(t) {
		expr := strings.NewReplacer("$__rate_interval", "1m", "$job", "graphproxy", "$instance", ".*").Replace(q.expr)
		switch n := s.query(expr); {
		case n < 0:
			t.Errorf("%s: Prometheus refuses %s", q.where, expr)
		case n == 0:
			empty++
			t.Logf("%s: no data for %s", q.where, expr)
		}
	}
	if empty > 8 { // queries that need a fault of Graph, or more time
		t.Errorf("%d queries have no data", empty)
	}
	for _, name := range []string{"own", "graph", "request"} {
		expr := fmt.Sprintf("histogram_quantile(0.99, graphproxy_%s_duration_seconds) > 0", name)
		until(t, expr, func() bool { return native.query(expr) == 1 })
	}
}
