package proxy_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The properties of the corpus's policy hold for random policies too: rules of any shape, each with bounds of its
// own, and requests that are drawn as the others are. Each check makes a policy and 40 requests, fewer under the
// race detector.
func TestWhatARandomPolicyAllowsIsCoveredAsGraphReadsIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, everyone)
	outcomes := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		file := drawPolicy(rt)
		r.handler.Use(rules(t, file))
		policy := readRules(t, file)
		for range underRace(40, 8) {
			method, target := drawMethod(rt), drawTarget(rt)
			outcome, problem := r.outcome(t, policy, method, target)
			if outcomes[outcome]++; problem != "" {
				rt.Fatalf("%s %s: %s\n%s", method, target, problem, file)
			}
		}
	})
	if t.Logf("%v", outcomes); outcomes["allow"] == 0 || outcomes["deny"] == 0 {
		t.Error("the policies have lost their balance")
	}
}

// drawPolicy draws rules for one caller. The same templates allow and deny.
func drawPolicy(rt *rapid.T) string {
	var b strings.Builder
	b.WriteString("version: 1\nlists: {some: [ceo@contoso.com, \"ad*\"], folders: [\"Reports/**\"]}\n")
	b.WriteString("callers:\n  app:\n    identity: [{network: [127.0.0.0/8, \"::1/128\"]}]\n    allow:\n")
	for range rapid.IntRange(1, 8).Draw(rt, "allowed") {
		b.WriteString(drawPolicyRule(rt, false))
	}
	if n := rapid.IntRange(0, 4).Draw(rt, "denied"); n > 0 {
		b.WriteString("    deny:\n")
		for range n {
			b.WriteString(drawPolicyRule(rt, true))
		}
	}
	return b.String()
}

var variableInTemplate = regexp.MustCompile(`\{([a-z]+)\}`)

// drawPolicyRule draws a rule. A deny rule may name operations that Graph does not have, so it is marked as
// unknown.
func drawPolicyRule(rt *rapid.T, denies bool) string {
	template := rapid.SampledFrom([]string{
		"/users", "/users/{id}", "/users/{id}/**", "/users/**", "/users/ceo@contoso.com/**", "/users/{id}/messages",
		"/users/{id}/mailFolders/{folder}/messages/**", "/users/{id}/mailFolders/inbox/messages/{message}/attachments/**",
		"/users/{id}/manager", "/users/delta", "/groups/{id}", "/groups/{id}/members/{member}",
		"/groups/{id}/members/{member}/$ref", "/groups/{id}/members/microsoft.graph.user", "/applications(appId='{app}')",
		"/teams/{team}/**", "/teams/{team}/channels/{channel}/messages/**", "/teams/{team}/archive",
		"/drives/{drive}/root:/{path}", "/drives/{drive}/root:/{path}:/children", "/drives/{drive}/root:/{path}:/**",
		"/drives/{drive}/items/{item}/**", "/drives/{drive}/items/root:/{path}:/**", "/drives/{drive}/**",
		"/drives/{drive}/root/**", "/sites/{site}/**", "/sites/**", "/sites/root/**", "/sites/{site}/lists/{list}",
		"/sites/{site}/lists/{list}/items/**", "/sites/{host}:/{path}:/**", "/sites/{host}:/{path}",
		"/drives/{drive}/items/{item}/workbook/worksheets/{sheet}/**", "/drives/{drive}/items/{item}:/{path}:/content",
	}).Draw(rt, "template")
	rule := rapid.SampledFrom([]string{"GET", "ANY", "GET,DELETE"}).Draw(rt, "methods") + " " + template
	where := ""
	for _, m := range variableInTemplate.FindAllStringSubmatch(template, -1) {
		if rapid.IntRange(0, 2).Draw(rt, "is bounded") == 0 {
			list := "some"
			if m[1] == "path" {
				list = "folders"
			}
			value := fmt.Sprintf("[%q]", rapid.SampledFrom(boundsOf(m[1])).Draw(rt, "value"))
			where += m[1] + ": " + rapid.SampledFrom([]string{
				value, value, "{not: " + value + "}", "{list: " + list + "}", "{not_list: " + list + "}",
				"{not_list: " + list + ", not: " + value + "}",
			}).Draw(rt, "condition") + ", "
		}
	}
	conditions := ""
	if where != "" {
		conditions = "\n          where: {" + strings.TrimSuffix(where, ", ") + "}"
	}
	if denies {
		conditions += "\n          unknown: true"
	}
	if conditions != "" {
		rule += ":"
	}
	return "      - " + rule + conditions + "\n"
}

// boundsOf are bounds of a variable that drawTarget's keys and paths sometimes meet.
func boundsOf(variable string) []string {
	if variable == "path" {
		return []string{"Reports", "Reports/**", "Public/*", "teams/*", "Reports/Salaries/**", "**"}
	}
	return []string{"ceo@contoso.com", "adele@contoso.com", "*@contoso.com", "7", "*", "inbox", "b!contoso",
		"0f8fad5b-d9cb-469f-a165-70867728950e", "*#EXT#*", "contoso.sharepoint.com"}
}
