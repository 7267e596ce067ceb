package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"graphproxy/policy"
)

func callerOf(rules string) string {
	return "version: 1\ncallers:\n  app:\n    identity: [anyone]\n    " +
		strings.ReplaceAll(strings.Trim(rules, "\n"), "\n", "\n    ") + "\n"
}

// A deny rule that names a user does not apply to the user's object id. Each way to write such a rule is warned
// of.
func TestADenyByNameThatAnIDGetsRoundIsWarnedOf(t *testing.T) {
	const id = "0f8fad5b-d9cb-469f-a165-70867728950e"
	for _, c := range []struct {
		name, allow, deny string
		warned            bool
	}{
		{"a name under where", "GET /users/{id}", `ANY /users/{id}/**: {where: {id: ceo@contoso.com}}`, true},
		{"an allow rule with query", `GET /users/{id}: {query: {$select: [id]}}`,
			`ANY /users/{id}/**: {where: {id: ceo@contoso.com}}`, true},
		{"one value has no @", "GET /users/{id}", `ANY /users/{id}/**: {where: {id: [ceo@contoso.com, cfo]}}`, true},
		{"no value has an @", "GET /users/{id}", `ANY /users/{id}/**: {where: {id: [ceo]}}`, true},
		{"one id stands among names", "GET /users/{id}",
			`ANY /users/{id}/**: {where: {id: [ceo@contoso.com, cfo@contoso.com, ` + id + `]}}`, true},
		{"a pattern without @", "GET /users/{id}", `ANY /users/{id}/**: {where: {id: "ceo*"}}`, true},
		{"a pattern of domains", "GET /users/{id}", `ANY /users/{id}/**: {where: {id: "*@vip.contoso.com"}}`, true},
		{"without /**", "GET /users/{id}", `GET /users/{id}: {where: {id: ceo@contoso.com}}`, true},
		{"without /** below it", "ANY /users/{id}/**", `GET /users/{id}/messages: {where: {id: ceo@contoso.com}}`, true},
		{"a name in the path", "GET /users/{id}", "GET /users/ceo@contoso.com", true},
		{"a name in the path without @", "GET /users/{id}", "GET /users/ceo", true},
		{"a name in the path with /**", "ANY /users/{id}/**", "ANY /users/ceo@contoso.com/**", true},
		{"a member by name", "DELETE /groups/{g}/members/{id}/$ref",
			`DELETE /groups/{g}/members/{id}/$ref: {where: {id: ceo@contoso.com}}`, true},
		{"a folder by its well-known name", "GET /users/{id}/mailFolders/{f}/messages",
			"GET /users/{id}/mailFolders/inbox/messages", true},
		{"only one of two methods is allowed", "GET /users/{id}", `GET,DELETE /users/{id}: {where: {id: ceo@contoso.com}}`,
			true},
		{"in beta", "GET /beta/users/{id}", `ANY /beta/users/{id}/**: {where: {id: ceo@contoso.com}}`, true},

		{"the id stands beside the name", "GET /users/{id}",
			`ANY /users/{id}/**: {where: {id: [ceo@contoso.com, ` + id + `]}}`, false},
		{"only ids", "GET /users/{id}", `ANY /users/{id}/**: {where: {id: ` + id + `}}`, false},
		{"a pattern of ids", "GET /users/{id}", `ANY /users/{id}/**: {where: {id: "0f8fad5b-*"}}`, false},
		{"everything", "GET /users/{id}", `ANY /users/{id}/**: {where: {id: "*"}}`, false},
		{"the allow rule takes names only", `GET /users/{id}: {where: {id: "*@contoso.com"}}`,
			`ANY /users/{id}/**: {where: {id: ceo@contoso.com}}`, false},
		{"another method", "GET /users/{id}", `DELETE /users/{id}: {where: {id: ceo@contoso.com}}`, false},
		{"an operation is no name", "GET /users/{id}", "GET /users/delta", false},
		{"a drive path", "GET /drives/{d}/root:/{path}:/children",
			`GET /drives/{d}/root:/{path}:/children: {where: {path: secret}}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, top := range []bool{false, true} {
				quoted := func(rule string) string {
					head, rest, found := strings.Cut(rule, ": {")
					if !found {
						return fmt.Sprintf("%q", rule)
					}
					return fmt.Sprintf("%q: {%s", head, rest)
				}
				text := callerOf("allow:\n  - " + quoted(c.allow) + "\ndeny:\n  - " + quoted(c.deny))
				if top {
					text = strings.Replace(callerOf("allow:\n  - "+quoted(c.allow)), "callers:",
						"deny:\n  - "+quoted(c.deny)+"\ncallers:", 1)
				}
				p, err := policy.Parse("policy.yaml", []byte(text))
				if err != nil {
					t.Fatalf("%v\n%s", err, text)
				}
				got := fmt.Sprint(p.Warnings())
				if strings.Contains(got, "the object id gets round it") != c.warned || !c.warned && len(p.Warnings()) > 0 {
					t.Errorf("top %v: %s", top, got)
				}
			}
		})
	}
}

func TestAValueThatCanNeverMatchIsAnError(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"a zero-width space", `"ceo\u200b@contoso.com"`,
			`holds the invisible character U+200B, so it can never match; write "ceo@contoso.com" if that is meant`},
		{"a byte order mark", `"\ufeffceo@contoso.com"`, "the invisible character U+FEFF"},
		{"a soft hyphen", `"ce\u00ado@contoso.com"`, "the invisible character U+00AD"},
		{"a right-to-left mark", `"ceo\u202e@contoso.com"`, "the invisible character U+202E"},
		{"a no-break space", `"ceo\u00a0@contoso.com"`, "the invisible character U+00A0"},
		{"a Hangul filler", `"ceo\u3164@contoso.com"`, "the invisible character U+3164"},
		{"a tab", `"ceo\t@contoso.com"`, "the invisible character U+0009"},
		{"typographic quotes", "“ceo@contoso.com”",
			`the typographic quote U+201C (“), so it can never match; write "ceo@contoso.com" if that is meant`},
		{"single ones", "‘ceo@contoso.com’", "the typographic quote U+2018"},
		{"guillemets", "«ceo@contoso.com»", "the typographic quote U+00AB"},
		{"a space at the end", `"ceo@contoso.com "`,
			`begins or ends in a space, so it can never match; write "ceo@contoso.com" if that is meant`},
		{"a space at the beginning", `" ceo@contoso.com"`, "begins or ends in a space"},
		{"only a space", `" "`, "begins or ends in a space, so it can never match; write the value that is meant"},
		{"a star and a space", `"* "`, "write the value that is meant"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, rules := range []string{"allow:\n  - GET /users/{id}: {where: {id: [x, VALUE]}}",
				"allow: []\ndeny:\n  - GET /users/{id}: {where: {id: VALUE}}"} {
				text := callerOf(
					strings.ReplaceAll(strings.Replace(rules, "VALUE", c.value, 1), "GET /users/{id}", `"GET /users/{id}"`),
				)
				_, err := policy.Parse("policy.yaml", []byte(text))
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "where.id") {
					t.Errorf("%v, want %s", err, c.want)
				}
			}
		})
	}
}

// The names that people give to files, folders and lists may contain nearly any character.
func TestANameThatPeopleChooseMayLookOdd(t *testing.T) {
	for _, rule := range []string{
		`"GET /drives/{d}/root:/{path}": {where: {path: "Q3 – Contoso’s “draft”.docx"}}`,
		`"GET /sites/{s}/lists/{l}": {where: {l: "Résumé «x»"}}`,
		`"GET /drives/{d}/root:/{path}": {where: {path: "a, b; c"}}`, `"GET /users/{id}": {where: {id: "josé@contoso.com"}}`,
		`"GET /users/{id}": {where: {id: "иван@contoso.com"}}`,
		`"GET /users/{id}": {where: {id: "adele_fabrikam.com#EXT#@contoso.com"}}`,
		`"GET /users/{id}": {where: {id: o'neil@contoso.com}}`,
	} {
		p, err := policy.Parse("policy.yaml", []byte(callerOf("allow:\n  - "+rule)))
		if err != nil || len(p.Warnings()) > 0 {
			t.Errorf("%s: %v %v", rule, err, p)
		}
	}
}

func TestAValueOfAnotherLanguageIsWarnedOf(t *testing.T) {
	for value, want := range map[string]string{
		`"!ceo@contoso.com"`:             "negates nothing",
		"-ceo@contoso.com":               "negates nothing",
		`"not ceo@contoso.com"`:          "negates nothing",
		"a@contoso.com|b@contoso.com":    "write a list",
		`"a@contoso.com, b@contoso.com"`: "write a list",
		`"a@contoso.com,b@contoso.com"`:  "write a list",
		`"a@contoso.com;b@contoso.com"`:  "write a list",
		"^ceo@contoso.com":               "no regular expression",
		"ceo@contoso.com$":               "no regular expression",
		`".*@contoso.com"`:               "no regular expression",
		`'ceo\.x@contoso.com'`:           "no regular expression",
		`"%@contoso.com"`:                "only * stands",
		`"ce?@contoso.com"`:              "only * stands",
		`"${CEO}"`:                       "nothing is put in its place",
		`"{{ceo}}"`:                      "nothing is put in its place",
		"cеo@contoso.com":                "mixes Latin and Cyrillic letters",
		"ceο@contoso.com":                "mixes Latin and Greek letters",
	} {
		p, err := policy.Parse("policy.yaml",
			[]byte(callerOf(`allow:`+"\n"+`  - "GET /users/{id}": {where: {id: `+value+`}}`)))
		if err != nil || len(p.Warnings()) != 1 || !strings.Contains(p.Warnings()[0].Error(), want) {
			t.Errorf("%s: %v %v, want %s", value, err, p.Warnings(), want)
		}
	}
}

func TestAKeyOfAnotherLanguageIsAnError(t *testing.T) {
	for path, meant := range map[string]string{
		"/users/:id":                   "{id}",
		"/users/<id>":                  "{id}",
		"/users/<user-id>/messages":    "{user-id}",
		"/users/${id}":                 "{id}",
		"/users/{{id}}":                "{id}",
		"/users/[id]/manager":          "{id}",
		"/users/%7Bid%7D":              "{id}",
		"/users/:id/messages/:message": "{id}",
	} {
		for _, rules := range []string{"allow: [%q]", "allow: []\ndeny: [%q]"} {
			_, err := policy.Parse("policy.yaml", []byte(callerOf(fmt.Sprintf(rules, "GET "+path))))
			if err == nil || !strings.Contains(err.Error(), "is not how a key is written here; write "+meant) {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

func TestTheHashOfACommonWordIsNoKey(t *testing.T) {
	for word, sum := range map[string]string{
		"abc123":     "6ca13d52ca70c883e0f0bb101e425a89e8624de51db2d2392593af6a84118090",
		"Password1!": "1d707811988069ca760826861d6d63a10e8c3b7f171c4441a6472ea58c11711b",
		"secret\n":   "b37e50cedcd3e3f1ff64f4afc0422084ae694253cf399326868e07a35f4a45fb",
	} {
		_, err := policy.Parse("policy.yaml",
			[]byte("version: 1\ncallers:\n  app:\n    identity:\n      - key: {sha256: "+sum+"}\n    allow: []\n"))
		if err == nil || !strings.Contains(err.Error(), "policy.yaml:5: ") ||
			!strings.Contains(err.Error(), "a common word") || strings.Contains(err.Error(), strings.TrimSpace(word)+`"`) {
			t.Errorf("%q: %v", word, err)
		}
	}
}

// The old message proposed to split one item with two kinds of evidence. Then either kind alone proved the
// caller, where both were required before.
func TestTheCureForTwoKindsOfEvidenceInOneItemWarnsThatEitherWouldSuffice(t *testing.T) {
	_, err := policy.Parse("policy.yaml",
		[]byte(
			"version: 1\ncallers:\n  app:\n    identity:\n      - network: 10.0.0.0/8\n        unix: {uid: 1}\n    allow: []\n",
		))
	if err == nil ||
		!strings.Contains(err.Error(), "Each item proves the caller alone, so as two items either would do") ||
		strings.Contains(err.Error(), `with "- "`) {
		t.Error(err)
	}
}

func TestARuleUnderDenyAtTheTopIsForEveryCaller(t *testing.T) {
	p, err := policy.Parse("policy.yaml", []byte(`version: 1
rules:
  vip: ["ANY /users/0f8fad5b-d9cb-469f-a165-70867728950e/**"]
deny:
  - DELETE /users/{id}
  - include: vip
callers:
  a: {identity: [anyone], allow: ["ANY /users/{id}/**"]}
  b: {identity: [{unix: {uid: 1}}], allow: ["ANY /users/{id}/**"], deny: ["PATCH /users/{id}"]}
tests:
  - caller: a
    allow: [GET /users/1, PATCH /users/1]
    deny: [DELETE /users/1, GET /users/0f8fad5b-d9cb-469f-a165-70867728950e/messages, "DELETE /users('1')"]
  - caller: b
    allow: [GET /users/1]
    deny: [DELETE /users/1, PATCH /users/1, GET /users/0f8fad5b-d9cb-469f-a165-70867728950e/messages]
`))
	if err != nil {
		t.Fatal(err)
	}
	if _, deny := p.Rules("b"); len(deny) != 3 || deny[0].Line != 5 {
		t.Errorf("%v", deny)
	}
	_, err = policy.Parse("policy.yaml",
		[]byte("version: 1\ndeny: [GET /nothing]\ncallers:\n  a: {identity: [anyone], allow: []}\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "policy.yaml:2: deny: GET /nothing denies nothing") {
		t.Error(err)
	}
}
