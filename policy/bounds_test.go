package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
	"graphproxy/policy/limit"
)

// boundedMain is a main file that bounds teams/hr.yaml.
const boundedMain = `version: 1
include: [teams/*.yaml]
bounds:
  teams/hr.yaml:
    callers: ["hr-*"]
    allow:
      - GET,PATCH /users/{id}:
          where: {id: ["*@contoso.com"]}
          query: {$select: [id, displayName]}
      - READ /groups/**
      - POST /users/{id}/sendMail:
          body: {recipients: ["*@contoso.com"]}
          until: 2027-01-01
      - POST /groups/{id}/members/$ref:
          references: ["/users/{id}"]
      - GET /devices:
          app: devices
rules:
  wide: [GET /users]
  narrow: [GET /groups]
callers:
  other:
    identity: [{network: 10.0.0.0/8}]
    allow: [GET /users]
`

// inBounds are the files with a caller hr-sync in teams/hr.yaml whose settings begin on line 5, and what stands at the
// top of that file.
func inBounds(main, settings, top string) policy.Files {
	return several(main +
		"-- teams/hr.yaml --\nversion: 1\ncallers:\n  hr-sync:\n    identity: [{network: 192.168.0.0/16}]\n    " +
		strings.ReplaceAll(settings, "\n", "\n    ") + "\n" + top)
}

func TestAFileStaysWithinItsBounds(t *testing.T) {
	for _, rule := range []string{
		"- GET /users/{key}:\n    where: {key: adele@contoso.com}\n    query: {$select: [id]}",
		"- GET,PATCH /users/{id}:\n    where: {id: [\"a*@contoso.com\"]}\n    query: {$select: [id, displayName], $top: 5}",
		"- GET /groups",
		"- GET /groups/{id}/members:\n    query: {$filter: none}",
		"- READ /groups/{id}/members",
		"- include: narrow",
		"- POST /users/{id}/sendMail:\n    body: {recipients: [adele@contoso.com]}\n    until: 2026-06-30",
		"- POST /groups/{id}/members/$ref:\n    references: [{\"/users/{id}\": {where: {id: \"*@contoso.com\"}}}]",
		"- GET /devices: {app: devices, priority: low}",
	} {
		t.Run(rule, func(t *testing.T) {
			settings := "allow:\n  " + strings.ReplaceAll(rule, "\n", "\n  ")
			files := inBounds(boundedMain, settings+"\nmode: enforce\nin_flight: 10%\nlimit: 5/s\ndeny: [GET /groups/1]", "")
			if got := problemsOf(files); got != nil {
				t.Error(strings.Join(got, "\n"))
			}
		})
	}
}

func TestWhatExceedsTheBoundsOfAFileIsRefused(t *testing.T) {
	for _, c := range []struct{ name, settings, top, want string }{
		{"a resource that is not in the bounds", "allow: [GET /sites]", "",
			"5: callers.hr-sync.allow: GET /sites is more than any rule in the bounds of this file (policy.yaml:4)"},
		{"another method", "allow: [DELETE /groups/1]", "",
			"DELETE /groups/1 is more than READ /groups/** (policy.yaml:10), the nearest"},
		{"ANY", "allow: [ANY /groups/1]", "", "ANY /groups/1 is more than READ /groups/** (policy.yaml:10)"},
		{"POST where only reading is bounded", "allow: [POST /groups/1]", "", "POST /groups/1 is more than READ"},
		{"/** above", "allow: [GET /users/**]", "", "GET /users/** is more than GET,PATCH /users/{id} (policy.yaml:7)"},
		{"/** below a key", "allow: [\"GET /users/{id}/**\"]", "", "is more than GET,PATCH /users/{id} (policy.yaml:7)"},
		{"a wider where", "allow: [{\"GET /users/{id}\": {where: {id: \"*@fabrikam.com\"}, query: {$select: id}}}]", "",
			"is more than GET,PATCH /users/{id} (policy.yaml:7), where: {id: [\"*@contoso.com\"]}"},
		{"a where that takes in what the bounds do not", "allow: [{\"GET /users/{id}\": {where: {id: \"*contoso.com\"}, " +
			"query: {$select: id}}}]", "", "is more than"},
		{"no where", "allow: [{\"GET /users/{id}\": {query: {$select: id}}}]", "", "is more than GET,PATCH /users/{id}"},
		{"no query", "allow: [{\"GET /users/{id}\": {where: {id: a@contoso.com}}}]", "",
			"is more than GET,PATCH /users/{id}"},
		{"a property more", "allow: [{\"GET /users/{id}\": {where: {id: a@contoso.com}, query: {$select: [id, mail]}}}]", "",
			"is more than"},
		{"$expand", "allow: [{GET /groups: {query: {$expand: [owners]}}}]", "", "GET /groups is more than READ /groups/**"},
		{"$expand within $select", "allow: [{GET /groups: {query: {$expand: [\"owners($select=id)\"]}}}]", "",
			"is more than"},
		{"the beta version", "allow: [GET /beta/groups]", "", "GET /beta/groups is more than"},
		{"a body without condition", "allow: [{\"POST /users/{id}/sendMail\": {until: 2026-06-30}}]", "", "is more than"},
		{"a wider body", "allow: [{\"POST /users/{id}/sendMail\": {body: {recipients: \"*\"}, until: 2026-06-30}}]", "",
			"is more than"},
		{"a grant that lasts longer", "allow: [{\"POST /users/{id}/sendMail\": {body: {recipients: a@contoso.com}, " +
			"until: 2027-06-30}}]", "", "is more than"},
		{"a grant that does not end", "allow: [{\"POST /users/{id}/sendMail\": {body: {recipients: a@contoso.com}}}]", "",
			"is more than"},
		{"references without bound", "allow: [\"POST /groups/{id}/members/$ref\"]", "", "is more than"},
		{"wider references", "allow: [{\"POST /groups/{id}/members/$ref\": {references: [/servicePrincipals/1]}}]", "",
			"is more than"},
		{"another app", "allow: [{GET /groups: {app: admin}}]", "", "is more than"},
		{"another app of the caller", "app: admin\nallow: [GET /groups]", "", "is more than"},
		{"the default app where the bounds name one", "allow: [GET /devices]", "",
			"is more than GET /devices (policy.yaml:16)"},
		{"another tenant", "tenant: fabrikam.com\nallow: [GET /groups]", "", "is more than"},
		{"priority over others", "priority: high\nallow: [GET /groups]", "", "is more than"},
		{"a shared set of rules that is wider", "allow: [include: wide]", "",
			"3: callers.hr-sync.allow: GET /users (policy.yaml:19), which it includes, is more than"},
		{"a set of rules of its own", "allow: [include: mine]", "rules: {mine: [GET /sites]}\n",
			"GET /sites is more than any rule in the bounds of this file (policy.yaml:4)"},
		{"report mode", "mode: report\nallow: []", "",
			"5: callers.hr-sync.mode: mode: report lets through what no rule allows, " +
				"which exceeds the bounds of this file (policy.yaml:4); take it out"},
		{"a deny for callers of others", "allow: []", "deny: [ANY /users/**]\n",
			"6: deny: deny: here is for every caller, and the bounds of this file (policy.yaml:4) are for its own"},
		{"more than its share", "in_flight: 90%\nallow: []", "",
			"callers.hr-sync.in_flight: 90% may be more than the 50% that"},
		{"a share in requests", "in_flight: 20\nallow: []", "",
			"callers.hr-sync.in_flight: 20 may be more than the 50% that"},
		{"a caller of another name", "allow: []\n", "\n  ops: {identity: [{network: 172.16.0.0/12}], allow: []}\n",
			"callers.ops: the name is not one of the bounds of this file (policy.yaml:4); rename it, such as hr-*"},
		{"a shared set of rules once more", "allow: []", "rules: {narrow: [GET /groups]}\n",
			`the set of rules "narrow" is in policy.yaml:20, too`},
		{"a caller of the main file once more", "allow: []\n", "\n  other: {identity: [anyone], allow: []}\n",
			`the caller "other" is in policy.yaml:22, too`},
		{"bounds of its own", "allow: []", "bounds: {teams/hr.yaml: {allow: [ANY /**], callers: \"*\"}}\n",
			`"bounds" stands in the main file of a policy only`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(problemsOf(inBounds(boundedMain, c.settings, c.top)), "\n")
			if !strings.HasPrefix(got, "teams/hr.yaml:") || !strings.Contains(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestWhatABoundedFileDefinesIsForItsOwnCallers(t *testing.T) {
	const caller = "  other:\n    identity: [{network: 10.0.0.0/8}]\n    allow: [GET /users]\n"
	for _, use := range []string{
		strings.Replace(caller, "[GET /users]", "[include: team]", 1),
		caller + "    deny: [include: team]\n",
		caller + "deny: [include: team]\n",
	} {
		main := strings.Replace(boundedMain, caller, use, 1)
		got := problemsOf(inBounds(main, "allow: [include: team]", "rules: {team: [GET /groups]}\n"))
		if len(got) != 1 || !strings.HasPrefix(got[0], "policy.yaml:") ||
			!strings.Contains(got[0],
				`the set of rules "team" is in teams/hr.yaml, which has bounds, so only callers of that file `) {
			t.Error(strings.Join(got, "\n"))
		}
	}
	main := strings.Replace(boundedMain, "      - GET /devices:\n", "      - include: team\n      - GET /devices:\n", 1)
	if got := problemsOf(inBounds(main, "allow: [GET /sites]", "rules: {team: [GET /sites]}\n")); len(got) == 0 {
		t.Error("a file sets its own bounds")
	}
}

func TestALimitOfABoundedFileCoversItsOwnCallers(t *testing.T) {
	p, err := policy.ParseFiles(time.Time{}, inBounds(boundedMain, "allow: [GET /groups]",
		"limits: {team: {rate: 1/s}, slots: {concurrency: 1, per: caller}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for caller, want := range map[string][]string{"hr-sync": {"limits.team", "limits.slots", "limits.slots"},
		"other": nil} {
		target := map[string]string{"hr-sync": "GET /groups", "other": "GET /users"}[caller]
		r, err := policy.ParseRequest(caller, target)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		charges := p.EnvelopeCharges(p.Charges([]limit.Charge{}, r, p.Decide(r)), r)
		for _, c := range charges {
			got = append(got, c.Limit.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", caller, diff)
		}
	}
}

func TestBoundsThatAreNotClearAreRefused(t *testing.T) {
	const good = "    callers: [\"hr-*\"]\n    allow: [GET /users]\n"
	for _, c := range []struct{ name, bounds, want string }{
		{"a file that is not there", "  teams/hrr.yaml:\n" + good,
			`policy.yaml:4: bounds: unknown file "teams/hrr.yaml"; did you mean "teams/hr.yaml"?`},
		{"the main file", "  policy.yaml:\n" + good, `"policy.yaml" is the main file, which has no bounds`},
		{"a path that leaves the directory", "  ../hr.yaml:\n" + good, "leaves the directory by .."},
		{"no allow", "  teams/hr.yaml:\n    callers: [\"hr-*\"]\n",
			`the key "allow" is missing; write the rules that its callers may have`},
		{"no callers", "  teams/hr.yaml:\n    allow: []\n", `the key "callers" is missing; write the names`},
		{"an unknown key", "  teams/hr.yaml:\n    alow: []\n" + good, `unknown key "alow"; did you mean "allow"?`},
		{"a name that no caller has", "  teams/hr.yaml:\n    callers: [\"hr sync\"]\n    allow: []\n",
			`"hr sync" is not the names of`},
		{"a limit", "  teams/hr.yaml:\n    callers: [\"hr-*\"]\n    allow: [{GET /users: {limit: 5/s}}]\n",
			"GET /users has a limit, and each caller and rule of the file would have that much"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := "version: 1\ninclude: teams/*.yaml\nbounds:\n" + c.bounds + "callers: {a: {identity: [anyone], allow: []}}\n"
			got := strings.Join(problemsOf(several(text+"-- teams/hr.yaml --\nversion: 1\n")), "\n")
			if !strings.Contains(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestEachOfTheBoundsOfAFileHolds(t *testing.T) {
	main := strings.Replace(boundedMain, "bounds:\n",
		"bounds:\n  \"*/hr.yaml\": {callers: \"*\", allow: [GET /groups]}\n", 1)
	if got := problemsOf(inBounds(main, "allow: [GET /groups]", "")); got != nil {
		t.Error(strings.Join(got, "\n"))
	}
	if got := problemsOf(inBounds(main, "allow: [GET /groups/1]", "")); len(got) != 1 || !strings.Contains(got[0],
		"(policy.yaml:4)") {
		t.Error(strings.Join(got, "\n"))
	}
}

func TestAFileWithoutBoundsBesideOneWithIsWarnedOf(t *testing.T) {
	for top, want := range map[string]string{
		"": "teams/new.yaml:1: this file has no bounds, and others in teams have: it may allow everything to any caller. " +
			"Write bounds for it in policy.yaml, or bounds for teams/*.yaml",
		"  teams/*.yaml: {callers: \"*\", allow: [ANY /users/**]}\n": "",
	} {
		main := strings.Replace(boundedMain, "bounds:\n", "bounds:\n"+top, 1)
		p, err := policy.ParseFiles(time.Time{}, inBounds(main, "allow: []", "-- teams/new.yaml --\nversion: 1\n"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range p.Warnings() {
			if w.File == "teams/new.yaml" {
				got = append(got, fmt.Sprint(w))
			}
		}
		if diff := cmp.Diff(want, strings.Join(got, "\n")); diff != "" {
			t.Error(diff)
		}
	}
}
