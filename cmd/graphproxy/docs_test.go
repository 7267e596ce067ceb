package main

import (
	"os"
	"regexp"
	"testing"
)

// Every metric of graphproxy's own that /metrics shows is in docs/operations.md, and the other way round.
func TestTheTableOfMetricsNamesEveryOne(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, name := range regexp.MustCompile("`(graphproxy_[a-z_]+)").FindAllStringSubmatch(string(text), -1) {
		documented[name[1]] = true
	}
	w := newWorld(t)
	w.registerSecret("secret")
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret", "GRAPHPROXY_REDIS_URL=unix://"+w.path("no-redis"))
	p.expect(t, 200)
	p.do(t, "POST", p.callers+"/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"/not/allowed"}]}`, "Content-Type: application/json")
	shown := map[string]bool{}
	for _, name := range regexp.MustCompile(`(?m)^# TYPE (graphproxy_\w+)`).FindAllStringSubmatch(p.get(t, p.admin+"/metrics").body, -1) {
		shown[name[1]] = true
	}
	if len(shown) < 8 {
		t.Fatalf("/metrics shows %v", shown)
	}
	for name := range shown {
		if !documented[name] {
			t.Errorf("docs/operations.md lacks %s", name)
		}
	}
	for name := range documented {
		if !shown[name] {
			t.Errorf("docs/operations.md names %s, which /metrics does not show", name)
		}
	}
}
