package main

import (
	"net/http"
	"strings"
	"testing"

	"graphproxy/auth/entratest"
)

func TestHealthcheckConnectsToTheProcessOnThisMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret", "GRAPHPROXY_ADMIN_LISTEN="+freeAddress(t))
	_, port, _ := strings.Cut(strings.TrimPrefix(p.admin, "http://"), ":")
	for _, address := range []string{"127.0.0.1:" + port, ":" + port, "0.0.0.0:" + port} {
		check := start(t, []string{"GRAPHPROXY_ADMIN_LISTEN=" + address}, "healthcheck")
		if status := check.wait(t); status != 0 {
			t.Errorf("%s: status %d: %s", address, status, check.stderr)
		}
	}
	p.stop(t)
	check := start(t, []string{"GRAPHPROXY_ADMIN_LISTEN=127.0.0.1:" + port}, "healthcheck")
	if status := check.wait(t); status != 1 {
		t.Errorf("status %d when nothing serves: %s", status, check.stderr)
	}
}

func TestHealthIsForOperatorsOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret")
	p.expect(t, 200)
	for _, test := range []struct {
		name, method, url string
		want              int
	}{
		{"the process lives", http.MethodGet, p.admin + "/healthz", 200},
		{"it is ready", http.MethodGet, p.admin + "/readyz", 200},
		{"HEAD is as good", http.MethodHead, p.admin + "/readyz", 200},
		{"metrics", http.MethodGet, p.admin + "/metrics", 200},
		{"no orders are taken", http.MethodPost, p.admin + "/readyz", 405},
		{"not in any method", http.MethodDelete, p.admin + "/metrics", 405},
		{"nothing else is there", http.MethodGet, p.admin + "/", 404},
		{"no profiles", http.MethodGet, p.admin + "/debug/pprof/", 404},
		{"no Graph", http.MethodGet, p.admin + "/v1.0/users", 404},
		{"callers see no health", http.MethodGet, p.callers + "/healthz", 400},
		{"callers see no metrics", http.MethodGet, p.callers + "/metrics", 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			if a := p.do(t, test.method, test.url, ""); a.status != test.want {
				t.Errorf("status %d, want %d: %s", a.status, test.want, a.body)
			}
		})
	}
	status, r := p.ready(t)
	if status != 200 || !r.Ready || !r.app().Ready || r.app().Expires == nil || len(r.app().Roles) == 0 ||
		!r.Policy.Ready || len(r.Policy.Hash) != 12 {
		t.Errorf("%d %+v", status, r)
	}
	metrics := p.get(t, p.admin+"/metrics").body
	for _, name := range []string{"graphproxy_build_info{",
		"graphproxy_token_ready{app=\"default\",tenant=\"" + tenantID + "\"} 1", "graphproxy_token_expiry_timestamp_seconds{",
		"graphproxy_requests_total{", "graphproxy_requests_waiting 0", "graphproxy_held_bytes 0",
		"graphproxy_policy_reloads_total{", "go_goroutines", "process_start_time_seconds"} {
		if !strings.Contains(metrics, "\n"+name) {
			t.Errorf("no %s in /metrics", name)
		}
	}
	p.stop(t)
}

// A page whose name leads to this machine by DNS must not read what operators see, and must not use evidence that
// needs no credential.
func TestTheAdminListenerIsNotReadUnderAForeignName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret", "GRAPHPROXY_PUBLIC_URL=https://graph.contoso.com",
		"GRAPHPROXY_HOSTS=graphproxy, graphproxy.infra.svc:9090")
	p.expect(t, 200)
	for _, test := range []struct {
		name, host string
		known      bool
	}{
		{"another site", "evil.example", false},
		{"another site with a port", "evil.example:8081", false},
		{"below a name of the list", "evil.graphproxy", false},
		{"below the public name", "evil.graph.contoso.com", false},
		{"a name that holds an address", "127.0.0.1.evil.example", false},
		{"an address in one number", "2130706433", false},
		{"below localhost", "evil.localhost", false},
		{"the address", "127.0.0.1:8081", true},
		{"the address of a pod", "10.1.2.3:8081", true},
		{"an address of IPv6", "[fd00::1]:8081", true},
		{"localhost", "localhost", true},
		{"the public name", "graph.contoso.com", true},
		{"a name of the list", "graphproxy:8081", true},
		{"one that is written with a port", "GRAPHPROXY.infra.svc", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
				a := p.do(t, http.MethodGet, p.admin+path, "", "Host: "+test.host)
				if (a.status == 200) != test.known || !test.known && a.status != 421 {
					t.Errorf("%s: %d %s", path, a.status, a.body)
				}
				if !test.known && (!strings.Contains(a.body, "GRAPHPROXY_HOSTS") || strings.Contains(a.body, tenantID)) {
					t.Errorf("%s: %s", path, a.body)
				}
				if a.header.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("%s: %v", path, a.header)
				}
			}
		})
	}
	p.stop(t)
}

func TestWithoutATokenTheProxyRunsAndIsNotReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	w.entra.Fail(entratest.Fault{AADSTS: 7000215})
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret")
	p.awaitMetric(t, `graphproxy_token_ready{app="default",tenant="`+tenantID+`"}`, "0")
	until(t, "cause", func() bool { _, r := p.ready(t); return r.app().Cause != "" })
	status, r := p.ready(t)
	if status != 503 || r.Ready || r.app().AADSTS != 7000215 || r.app().Cure == "" || !r.Policy.Ready {
		t.Errorf("%d %+v", status, r)
	}
	a := p.get(t, p.callers+"/v1.0/users")
	if a.status != 503 || a.header.Get("Retry-After") == "" || strings.Contains(a.body, "7000215") {
		t.Errorf("%+v", a)
	}
	w.entra.Heal()
	until(t, "ready", func() bool { status, _ := p.ready(t); return status == 200 })
	p.expect(t, 200)
	p.stop(t)
}
