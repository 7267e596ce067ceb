package policy_test

import (
	"strings"
	"testing"

	"graphproxy/policy"
)

const (
	lookKey = "3e3ee3b5a4e5a5a4ab24ab66bcf2e6c4b8e2d9b7dbe0a1b5d0e0c3a1f4a9b7c2"
	callKey = "1e3ee3b5a4e5a5a4ab24ab66bcf2e6c4b8e2d9b7dbe0a1b5d0e0c3a1f4a9b7c2"
)

func TestWhoMayLookAtTheConsole(t *testing.T) {
	for _, test := range []struct{ name, console, problem string }{
		{"a key", "[key: {sha256: " + lookKey + "}]", ""},
		{"a key with a name", "[key: {sha256: " + lookKey + ", name: ann}]", ""},
		{"a certificate", "[certificate: {uri: spiffe://contoso.example/policy/ann}]", ""},
		{"a token", "[token: {issuer: https://idp.example, audience: console, subject: ann}]", ""},
		{"a key within a network", "[all: [key: {sha256: " + lookKey + "}, network: 10.0.0.0/8]]", ""},
		{"several", "[key: {sha256: " + lookKey + "}, certificate: {dns: ann.contoso.example}]", ""},
		{"anyone", "[anyone]", `policy.yaml:2: console: "anyone" proves no person`},
		{"a network", "[network: 10.0.0.0/8]", `policy.yaml:2: console: "network" proves no person`},
		{"a unix socket", "[unix: {uid: 0}]", `policy.yaml:2: console: "unix" proves no person`},
		{"a unix socket beside a key", "[all: [unix: {uid: 0}, key: {sha256: " + lookKey + "}]]",
			"policy.yaml:2: console: the console listens on no unix socket"},
		{"anyone beside a key", "[anyone, key: {sha256: " + lookKey + "}]", `console: "anyone" proves no person`},
		{"a caller's key", "[key: {sha256: " + callKey + "}]",
			"policy.yaml:2: console: this is also the key of callers.app, which could then look at the console"},
		{"a caller's key within a network", "[all: [key: {sha256: " + callKey + "}, network: 10.0.0.0/8]]",
			"this is also the key of callers.app"},
		{"a key that a caller has beside a network", "[key: {sha256: " + lookKey[1:] + "2}]",
			"this is also the key of callers.app"},
		{"nothing", "[]", "console"},
		{"no list", "yes", "console"},
		{"a key itself", "[key: hunter2hunter2]", "write the SHA-256 of the key, never the key"},
		{"two names alike", "[key: {sha256: " + lookKey + ", name: ann}, certificate: {dns: a.example, name: ann}]",
			`the name "ann" stands on line 2, too`},
		{"an unknown kind", "[password: x]", `unknown identity "password"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := "version: 1\nconsole: " + test.console + "\ncallers:\n  app:\n    allow: []\n    identity:\n" +
				"      - key: {sha256: " + callKey + "}\n      - all: [key: {sha256: " + lookKey[1:] + "2}, network: 10.0.0.0/8]\n"
			p, err := policy.Parse("policy.yaml", []byte(text))
			switch {
			case test.problem == "" && (err != nil || len(p.Console()) == 0):
				t.Error(err)
			case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
				t.Errorf("%v, want %s", err, test.problem)
			}
		})
	}
}

func TestTheConsoleIsTheMainFilesOnly(t *testing.T) {
	_, err := policy.ParseFilesUntested(policy.Files{All: []policy.File{
		{Name: "policy.yaml", Data: []byte("version: 1\ninclude: [team.yaml]\n" +
			"callers: {a: {identity: [anyone], allow: []}}\n")},
		{Name: "team.yaml", Data: []byte("version: 1\nconsole: [key: {sha256: " + lookKey + "}]\n")},
	}})
	if err == nil || !strings.Contains(err.Error(), `team.yaml:2: "console" stands in the main file of a policy only`) {
		t.Error(err)
	}
}
