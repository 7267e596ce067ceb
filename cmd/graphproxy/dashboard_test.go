package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// query is an expression of a dashboard or an alert, with the text beside its result.
type query struct {
	where, expr, text string
}

// dashboard returns the queries of deploy/grafana/graphproxy.json.
func dashboard(t *testing.T) []query {
	t.Helper()
	text, err := os.ReadFile(deployed("grafana", "graphproxy.json"))
	must(t, err)
	var d struct {
		UID           string
		SchemaVersion int
		Panels        []struct {
			ID          int
			Type, Title string
			GridPos     struct{ H, W, X, Y int }
			Datasource  struct{ Type, UID string }
			Targets     []struct{ RefID, Expr, LegendFormat string }
		}
		Annotations struct{ List []struct{ Name, Expr string } }
	}
	must(t, json.Unmarshal(text, &d))
	var all []query
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		if p.GridPos.X+p.GridPos.W > 24 || p.GridPos.W == 0 || p.GridPos.H == 0 {
			t.Errorf("%s stands outside of the page", p.Title)
		}
		if p.Type != "row" && (len(p.Targets) == 0 || p.Datasource.UID != "${datasource}") {
			t.Errorf("%s has no query, or a data source of its own", p.Title)
		}
		for _, target := range p.Targets {
			all = append(all, query{p.Title, target.Expr, target.LegendFormat})
		}
	}
	for _, a := range d.Annotations.List {
		if a.Expr != "" {
			all = append(all, query{"annotation " + a.Name, a.Expr, ""})
		}
	}
	if d.UID != "graphproxy" || d.SchemaVersion < 39 || len(all) < 40 {
		t.Errorf("uid %q, schema %d, %d queries", d.UID, d.SchemaVersion, len(all))
	}
	return all
}

// alert is a rule of deploy/prometheus/alerts.yaml.
type alert struct {
	Alert, Expr, For string
	Labels           map[string]string
	Annotations      struct {
		Summary string
		Runbook string `yaml:"runbook_url"`
	}
}

func alerts(t *testing.T) []alert {
	t.Helper()
	text, err := os.ReadFile(deployed("prometheus", "alerts.yaml"))
	must(t, err)
	var file struct{ Groups []struct{ Rules []alert } }
	must(t, yaml.Unmarshal(text, &file))
	var all []alert
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) < 15 {
		t.Errorf("%d alerts", len(all))
	}
	return all
}

var (
	selector = regexp.MustCompile(`\b((?:graphproxy|process|go)_[a-z_]+)(\{[^}]*\})?`)
	matcher  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"`)
	grouping = regexp.MustCompile(`\b(?:by|without|on|group_left|ignoring) \(([^)]*)\)`)
	shownAs  = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}`)
)

// fromScrape are the labels that Prometheus adds.
func fromScrape() []string { return []string{"job", "instance", "le"} }

// check reports names in a query that a process does not have. It returns the metrics that the query names.
func (q query) check(t *testing.T, shown map[string]described, page string) []string {
	t.Helper()
	var names []string
	known := fromScrape()
	for _, m := range selector.FindAllStringSubmatch(q.expr, -1) {
		name := strings.TrimPrefix(m[1], " ")
		metric, ours := shown[name]
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if base, cut := strings.CutSuffix(name, suffix); cut && shown[base].kind == "histogram" {
				name, metric, ours = base, shown[base], true
			}
		}
		names = append(names, name)
		if strings.HasPrefix(name, "graphproxy_") && !ours || !strings.Contains(page, "\n# TYPE "+name+" ") {
			t.Errorf("%s: /metrics has no %s", q.where, name)
			continue
		}
		labels := append(strings.Fields(metric.labels), fromScrape()...)
		if !ours {
			labels = append(labels, "quantile") // of the Go runtime's summaries
		}
		for _, used := range matcher.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(labels, used[1]) {
				t.Errorf("%s: %s has no label %s", q.where, name, used[1])
			}
		}
		known = append(known, labels...)
	}
	for _, m := range grouping.FindAllStringSubmatch(q.expr, -1) {
		for _, label := range strings.FieldsFunc(m[1], func(r rune) bool { return r == ',' || r == ' ' }) {
			if !slices.Contains(known, label) {
				t.Errorf("%s: no metric of it has the label %s", q.where, label)
			}
		}
	}
	for _, m := range shownAs.FindAllStringSubmatch(q.text, -1) {
		if !slices.Contains(known, m[1]) {
			t.Errorf("%s: %q shows the label %s, which no metric of it has", q.where, q.text, m[1])
		}
	}
	return names
}

// The dashboard and the alerts use only metrics and labels that a process has after some traffic, and the dashboard
// uses all of them.
func TestTheDashboardAndTheAlertsAreAboutMetricsThatExist(t *testing.T) {
	t.Parallel()
	p := busy(t)
	shown, page := p.shown(t), p.get(t, p.admin+"/metrics").body
	seen := map[string]bool{}
	for _, q := range dashboard(t) {
		for _, name := range q.check(t, shown, page) {
			seen[name] = true
		}
	}
	for name := range shown {
		if !seen[name] && name != "graphproxy_certificate_not_before_timestamp_seconds" { // an alert uses it
			t.Errorf("the dashboard does not show %s", name)
		}
	}
	for _, a := range alerts(t) {
		q := query{a.Alert, a.Expr, a.Annotations.Summary}
		if len(q.check(t, shown, page)) == 0 {
			t.Errorf("%s names no metric", a.Alert)
		}
	}
}

// Each alert has a runbook in docs/operations.md, and each runbook an alert.
func TestEachAlertHasARunbook(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operations.md")
	must(t, err)
	page := string(text)
	names := map[string]bool{}
	for _, a := range alerts(t) {
		if names[a.Alert] {
			t.Errorf("two alerts are called %s", a.Alert)
		}
		names[a.Alert] = true
		if want := "docs/operations.md#" + strings.ToLower(a.Alert); a.Annotations.Runbook != want {
			t.Errorf("%s: the runbook is %q, want %q", a.Alert, a.Annotations.Runbook, want)
		}
		if !strings.Contains(page, "\n### "+a.Alert+"\n\n") {
			t.Errorf("%s: docs/operations.md has no such heading", a.Alert)
		}
		if a.Annotations.Summary == "" || !slices.Contains([]string{"critical", "warning", "info"}, a.Labels["severity"]) {
			t.Errorf("%s: summary %q, severity %q", a.Alert, a.Annotations.Summary, a.Labels["severity"])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^### (Graphproxy\w+)$`).FindAllStringSubmatch(page, -1) {
		if !names[m[1]] {
			t.Errorf("docs/operations.md has a runbook for %s, and there is no such alert", m[1])
		}
	}
}

// Prometheus' own parser accepts the expressions of the dashboard, as rules.
func TestPrometheusTakesTheRulesAndTheDashboardsQueries(t *testing.T) {
	t.Parallel()
	tool(t, "promtool", "check", "rules", deployed("prometheus", "alerts.yaml"))
	var rules strings.Builder
	rules.WriteString("groups: [{name: dashboard, rules: [")
	for i, q := range dashboard(t) {
		expr := strings.NewReplacer("$__rate_interval", "5m", "$__interval", "5m").Replace(q.expr)
		fmt.Fprintf(&rules, "{record: 'r%d', expr: %q},", i, expr)
	}
	rules.WriteString("]}]\n")
	file := t.TempDir() + "/dashboard.yaml"
	must(t, os.WriteFile(file, []byte(rules.String()), 0o600))
	tool(t, "promtool", "check", "rules", file)
}
