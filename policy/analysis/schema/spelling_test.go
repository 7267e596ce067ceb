package schema_test

import (
	"testing"

	"graphproxy/policy"
)

func TestSpellingsAreTakenAndRefusedAsTheLoaderDoes(t *testing.T) {
	s := compile(t)
	in := func(lines string) string { return string(callerWith(lines)) }
	rule := func(settings string) string { return in("allow:\n  - GET /users/{id}:\n      " + settings) }
	denied := func(settings string) string { return in("deny:\n  - GET /users/{id}:\n      " + settings) }
	limit := func(text string) string { return "limits: {all: " + text + "}\n" + in("") }
	for _, c := range []struct {
		name, text string
		want       verdict
	}{
		{"a comment for editors", "# yaml-language-server: $schema=./policy.schema.json\n" + in("mode: report"), unmarked},
		{"a key for editors", "$schema: ./policy.schema.json\n" + in("mode: report"), marked},
		{"a version in quotes", "version: \"1\"\ncallers: {1: {identity: [anyone], allow: []}}\n", unmarked},
		{"another version", "version: 2\ncallers: {a: {identity: [anyone], allow: []}}\n", marked},
		{"no caller", "version: 1\ncallers: {}\n", marked},
		{"no tests", in("mode: report") + "tests: []\n", unmarked},
		{"names of digits", in("app: 5\nidentity: [{unix: {user: 1000, gid: \"7\"}}, {certificate: {common_name: true}}]"),
			unmarked},
		{"a uid and a user", in("identity: [{unix: {uid: 1000, user: hr}}]"), marked},
		{"two names of a certificate", in("identity: [{certificate: {dns: a, common_name: b}}]"), marked},
		{"a key of digits",
			in("identity: [{key: {sha256: 0000000000000000000000000000000000000000000000000000000000000001}}]"), unmarked},
		{"a host name with hyphens", in("identity: [{certificate: {dns: a--b.-c.contoso.example}}]"), unmarked},
		{"a URI without a host", in("identity: [{certificate: {uri: \"urn:contoso:hr\"}}]"), unmarked},
		{"an issuer in capitals",
			in("identity: [{token: {issuer: \"HTTPS://contoso.example/a@b?\", audience: 5, claims: {a: [1, true]}}}]"),
			unmarked},
		{"an issuer on loopback", in("identity: [{token: {issuer: \"http://[::1]:8080/x\", audience: a, subject: b}}]"),
			unmarked},
		{"an issuer without TLS",
			in("identity: [{token: {issuer: \"http://127.0.0.1.contoso.example\", audience: a, subject: b}}]"), marked},
		{"an issuer with a user",
			in("identity: [{token: {issuer: \"https://a@contoso.example\", audience: a, subject: b}}]"), marked},
		{"keys in a file",
			in("identity: [{token: {issuer: \"https://contoso.example\", audience: a, subject: b, jwks_file: 5}}]"), unmarked},
		{"keys in no file",
			in("identity: [{token: {issuer: \"https://contoso.example\", audience: a, subject: b, jwks_file: \"\"}}]"), marked},
		{"networks", in("identity: [{network: [\"::/0\", 0.0.0.0/0, \"1:2::/32\", \"::1.2.3.4/128\"]}]"), unmarked},
		{"an address without a length", in("identity: [{network: 10.0.0.1}]"), marked},
		{"a length with a zero in front", in("identity: [{network: 10.0.0.0/08}]"), marked},
		{"rates", in("limit: 1000000000/86400s"), unmarked},
		{"a rate over more than a day", in("limit: 5/1441m"), marked},
		{"a rate with a zero in front", in("limit: 05/s"), marked},
		{"a concurrency in quotes", limit("{concurrency: \"4\", per: caller}"), unmarked},
		{"a share in requests", in("in_flight: 200"), unmarked},
		{"a share in quotes", in("in_flight: \"200\""), unmarked},
		{"a share in percent", in("in_flight: 25%"), unmarked},
		{"a share of nothing", in("in_flight: 0"), marked},
		{"a share of more than all", in("in_flight: 101%"), marked},
		{"a share with a space", in("in_flight: 25 %"), marked},
		{"a limit of nothing", limit("{per: caller}"), marked},
		{"a burst without a rate", limit("{burst: 5, concurrency: 5}"), marked},
		{"a rate in place of a common limit", limit("5/s"), marked},
		{"a rule of beta", in("allow: [\"PUT,GET /beta/users//**\", \"POST /$BATCH\", \"GET /drive:/x\", \"GET /f()\"]"),
			unmarked},
		{"a version in the wrong place", in("allow: [GET /v2.0/users]"), marked},
		{"a rule with a space", in("allow: [GET /users/a b]"), marked},
		{"a rule without settings", in("allow:\n  - GET /users: {}"), marked},
		{"an option in capitals", rule("query: {$TOP: 50, $SELECT: id, $Expand: members}"), unmarked},
		{"an option without its $", rule("query: {Top: 50}"), marked},
		{"values of several kinds", rule("query: {$count: true, startDateTime: 2026-11-21, x: [1.5, -2], $search: none}"),
			unmarked},
		{"a number below zero", rule("query: {$top: -1}"), marked},
		{"expansions", rule("query: {$expand: [\"*\", \" */$ref\", a/b/$count, \"a(select=id; $Expand=b($select=c))\"]}"),
			unmarked},
		{"an expansion with a filter", rule("query: {$expand: [\"a($filter=b)\"]}"), marked},
		{"properties",
			rule("query: {$select: [a/b.c, extension_x-1, 5, \"@microsoft.graph.downloadUrl\", content.downloadUrl]}"),
			unmarked},
		{"what begins with @ and is no annotation", rule("query: {$select: \"@x\"}"), marked},
		{"a property of stars", rule("query: {$select: \"*\"}"), marked},
		{"a value of nothing", rule("where: {id: \"\"}"), marked},
		{"names under deny", denied("query: {$select: id, $expand: [members], $search: [none, 5], $top: \"50\"}"), unmarked},
		{"a number under deny", denied("query: {$top: 50}"), marked},
		{"none under deny", denied("query: {$expand: none}"), marked},
		{"options of an expansion under deny", denied("query: {$expand: a($select=b)}"), marked},
		{"a limit under deny", denied("limit: 5/s"), marked},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := judge(s, []byte(c.text))
			if got != c.want {
				t.Errorf("%s: %v\n%s", got, err, c.text)
			}
			if _, err := policy.Parse("policy.yaml", []byte(c.text)); (err == nil) != (c.want == unmarked) {
				t.Errorf("the loader: %v\n%s", err, c.text)
			}
		})
	}
}

// In YAML 5.0 is another text than 5, and the loader reads the text. In JSON both are the same number.
func TestOnlyWholeNumbersWithADecimalPointAreRefusedThoughTheyLoad(t *testing.T) {
	s := compile(t)
	for _, lines := range []string{
		"allow:\n  - GET /users:\n      query: {$skip: -5.0}",
		"deny:\n  - GET /users:\n      query: {$skip: 5.0}",
	} {
		text := callerWith(lines)
		if _, err := policy.Parse("policy.yaml", text); err != nil {
			t.Error(err)
		}
		if got, _ := judge(s, text); got != marked {
			t.Errorf("%s: %s", got, lines)
		}
	}
}
