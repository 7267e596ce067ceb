package policy_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"graphproxy/policy"
)

// examples are the files that show the format: one with every key, and one to read.
func examples() []string {
	return []string{"testdata/example.yaml", "../docs/policy-example.yaml"}
}

func TestTheExamplesLoad(t *testing.T) {
	for _, file := range examples() {
		p, err := policy.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		if p.File() != file || len(p.Hash()) != 12 || len(p.Callers()) < 3 {
			t.Errorf("%s: %s, %d callers", p.File(), p.Hash(), len(p.Callers()))
		}
		if strings.HasPrefix(file, "testdata") && len(p.Warnings()) > 0 {
			t.Errorf("warnings: %v", p.Warnings())
		}
	}
}

// A test in the file that expects the opposite of the decision must prevent the file from loading.
func TestEachCaseOfTheExamplesDecides(t *testing.T) {
	for _, file := range examples() {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		rules, cases, found := bytes.Cut(data, []byte("\ntests:\n"))
		var tests []struct {
			Caller      string
			Allow, Deny yaml.Node
		}
		if err := yaml.Unmarshal(cases, &tests); err != nil || !found {
			t.Fatalf("%s: %v", file, err)
		}
		count := 0
		for _, c := range tests {
			for _, flipped := range []struct {
				cases *yaml.Node
				key   string
			}{{&c.Allow, "deny"}, {&c.Deny, "allow"}} {
				for _, text := range texts(flipped.cases) {
					count++
					body := fmt.Sprintf("%s\ntests:\n  - caller: %s\n    %s:\n      - %q\n", rules, c.Caller, flipped.key, text)
					_, err := policy.Parse("policy.yaml", []byte(body))
					want := fmt.Sprintf("policy.yaml:%d: tests[0].%s[0]: %s is ", strings.Count(body, "\n"), flipped.key, text)
					if err == nil || !strings.HasPrefix(err.Error(), want) {
						t.Errorf("%s: %q under %s: %v", file, text, flipped.key, err)
					}
				}
			}
		}
		t.Logf("%s: %d cases", filepath.Base(file), count)
	}
}

func texts(n *yaml.Node) []string {
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}
	}
	var all []string
	for _, c := range n.Content {
		all = append(all, c.Value)
	}
	return all
}

func TestCallersAreAsTheFileHasThem(t *testing.T) {
	p, err := policy.Load("testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	id := 1000
	want := []policy.Caller{
		{
			Name:   "hr-sync",
			App:    "hr",
			Tenant: "contoso.example",
			Identities: []policy.Identity{
				{
					Kind:     "token",
					Issuer:   "https://oidc.contoso.example",
					Audience: "graphproxy",
					Subject:  "system:serviceaccount:hr:sync",
					Claims:   map[string][]string{"namespace": {"hr", "hr-test"}, "cluster": {"prod"}},
				},
				{Kind: "certificate", URI: "spiffe://contoso.example/hr-sync"},
			},
		},
		{
			Name:     "mailer",
			App:      policy.DefaultApp,
			Priority: "low",
			InFlight: policy.Share{Percent: 25},
			Identities: []policy.Identity{
				{Kind: "key", KeySHA256: [32]byte{0x7b, 0x51, 0xea, 0xb7, 0x77, 0x86, 0x20, 0x00, 0x7e, 0x56, 0x0b, 0xea, 0x6a,
					0x98, 0xa6, 0x8b, 0x29, 0x39, 0x0d, 0x46, 0xd9, 0x85, 0x59, 0x2f, 0xd3, 0x42, 0x6f, 0x58, 0x24, 0x20, 0x1d, 0xb8}},
				{Kind: "unix", UID: &id, GID: &id},
				{Kind: "unix", User: "mailer"},
				{Kind: "certificate", DNS: "mailer.contoso.example"},
				{Kind: "certificate", CommonName: "Mailer"},
			},
		},
		{Name: "reports", App: policy.DefaultApp, Identities: []policy.Identity{
			{Kind: "network", Networks: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("::1/128")}},
		}},
		{Name: "guest", App: policy.DefaultApp, Identities: []policy.Identity{{Kind: "anyone"}}},
	}
	ignore := cmp.Options{cmpopts.IgnoreFields(policy.Caller{}, "File", "Line"),
		cmpopts.IgnoreFields(policy.Identity{}, "File", "Line"),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}
	if diff := cmp.Diff(want, p.Callers(), ignore); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	apps := []policy.AppRef{
		{Name: "hr", Tenant: "contoso.example", Where: "testdata/example.yaml:39: callers.hr-sync.app"},
		{Name: "hr-writer", Tenant: "3f1c5a52-9a3e-4f0a-9b5e-0d5c3c7a1b11",
			Where: "testdata/example.yaml:60: callers.hr-sync.allow[3].app"},
		{Name: policy.DefaultApp, Where: "testdata/example.yaml:74: callers.mailer"},
		{Name: policy.DefaultApp, Where: "testdata/example.yaml:92: callers.reports"},
		{Name: policy.DefaultApp, Where: "testdata/example.yaml:103: callers.guest"},
	}
	if diff := cmp.Diff(apps, p.Apps()); diff != "" {
		t.Errorf("apps (-want +got):\n%s", diff)
	}
	if line := p.Callers()[1].Line; line != 73 {
		t.Errorf("mailer is on line %d", line)
	}
}

func TestLoadReportsAFileThatCannotBeRead(t *testing.T) {
	for _, file := range []string{"testdata/none.yaml", "testdata"} {
		if p, err := policy.Load(file); p != nil || err == nil || !strings.HasPrefix(err.Error(), "reading policy: ") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestOddThingsAreWarnedOf(t *testing.T) {
	p := load(t, `version: 1
limits:
  mailbox:
    rate: 5/s
    per: [id]
    covers: ["GET /users/{id}/messages", GET /users]
rules:
  unused: [GET /users]
callers:
  app:
    identity: [anyone]
    allow: [POST /$batch, GET /users]
  reader:
    identity: [{network: 10.0.0.0/8}]
    allow: [GET /users/**, "PATCH /groups/{id}"]
    deny:
      - ANY /users/{id}/messages/**:
          where: {id: ["*-admin@contoso.com"]}
      - ANY /users/ceo@contoso.com/**
      - PATCH /groups/x@contoso.com
      - GET /users/{id}/photo:
          where: {id: [a@contoso.com, 22222222-2222-3333-4444-555555555555]}
      - POST /users/{id}/sendMail:
          where: {id: a@contoso.com}
  careful:
    identity: [{network: 11.0.0.0/8}]
    allow:
      - GET /users/{id}/**:
          where: {id: "*@contoso.com"}
    deny:
      - GET /users/{id}/**:
          where: {id: ceo@contoso.com}
`)
	var got []string
	for _, w := range p.Warnings() {
		got = append(got, w.Error())
	}
	want := []string{
		"policy.yaml:6: limits.mailbox.per: GET /users has no {id}, so the limit does not cover it; take it out of covers",
		"policy.yaml:8: rules.unused: no caller includes this set of rules; delete it",
		"policy.yaml:12: POST /$batch has no effect under allow: a caller may batch what it may send singly; under deny " +
			"it forbids batching",
		"policy.yaml:17: callers.reader.deny: ANY /users/{id}/messages/** denies by name, and the object id gets round " +
			"it: GET /users/** (policy.yaml:15) takes one. Write the object ids beside the names, or narrow the allow rule " +
			"by where",
		"policy.yaml:19: callers.reader.deny: ANY /users/ceo@contoso.com/** denies by name, and the object id gets round " +
			"it: GET /users/** (policy.yaml:15) takes one. Write the object ids beside the names, or narrow the allow rule " +
			"by where",
		"policy.yaml:20: callers.reader.deny: PATCH /groups/x@contoso.com denies by name, and the object id gets round " +
			"it: PATCH /groups/{id} (policy.yaml:15) takes one. Write the object ids beside the names, or narrow the allow " +
			"rule by where",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
