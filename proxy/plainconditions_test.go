package proxy_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// grant is a rule with until, READ or conditions on the body, as a person reads it. Nothing of it is shared with
// package policy: the test below compares the decisions of both, allowed and denied.
type grant struct {
	methods, template, until string
	body                     map[string]string // conditions as YAML, by property
	denies                   bool              // it stands under deny, where it may name what Graph does not have
}

const (
	past, future = "2020-01-01", "2999-12-31"
	employee     = "onPremisesExtensionAttributes/extensionAttribute1"
)

// reading are the POSTs of askedOf that only read, by docs/policy.md.
func reading() []string { return []string{"checkMemberGroups", "getMailTips", "getByIds"} }

// askedOf are the targets of requests, without a version.
func askedOf() []string {
	return []string{"/users", "/users/1", "/users/1/checkMemberGroups", "/users/1/getMailTips", "/users/1/sendMail",
		"/users/1/revokeSignInSessions", "/directoryObjects/getByIds", "/users/1/messages"}
}

func (g *grant) yaml() string {
	conditions := ""
	if g.denies {
		conditions += "\n          unknown: true"
	}
	if g.until != "" {
		conditions += "\n          until: " + g.until
	}
	if len(g.body) > 0 {
		conditions += "\n          body:"
		for _, name := range slices.Sorted(maps.Keys(g.body)) {
			conditions += fmt.Sprintf("\n            %s: %s", name, g.body[name])
		}
	}
	if conditions != "" {
		conditions = ":" + conditions
	}
	return "      - " + g.methods + " " + g.template + conditions + "\n"
}

// applies reports whether a rule matches a request, whose body is nil if it has none.
func (g *grant) applies(method, target string, body map[string]any) bool {
	return g.until != past && g.matches(target) && g.has(method, target) && g.holds(body)
}

func (g *grant) matches(target string) bool {
	pattern, below := strings.CutSuffix(g.template, "/**")
	rule, segments := strings.Split(pattern, "/"), strings.Split(target, "/")
	if len(segments) < len(rule) || len(segments) > len(rule) && !below {
		return false
	}
	same := func(r, s string) bool { return r == s || r == "{id}" && s == "1" }
	return slices.EqualFunc(rule, segments[:len(rule)], same)
}

func (g *grant) has(method, target string) bool {
	switch g.methods {
	case "ANY":
		return true
	case "READ":
		return method == "GET" || method == "POST" && slices.Contains(reading(), path.Base(target))
	}
	return slices.Contains(strings.Split(g.methods, ","), method)
}

// holds reports whether a body meets the conditions that drawGrant draws.
func (g *grant) holds(body map[string]any) bool {
	for name, condition := range g.body {
		v, found := propertyOf(body, name)
		text, isText := v.(string)
		list, isList := v.([]any)
		empty := v == nil || isText && text == "" || isList && len(list) == 0
		clerk := isText && strings.EqualFold(text, "clerk")
		for _, element := range list {
			text, isText := element.(string)
			clerk = isText && strings.EqualFold(text, "clerk")
			if !clerk {
				break
			}
		}
		var ok bool
		switch condition {
		case "[clerk]":
			ok = !found || clerk || isList && len(list) == 0
		case `{values: [clerk, "null"], required: true}`:
			ok = clerk
		case "[clerk, \"ch*\"]":
			ok = !found || clerk || isText && strings.HasPrefix(strings.ToLower(text), "ch") || isList && len(list) == 0
		case "none":
			ok = empty
		case "{max: 2}":
			ok = !found || isList && len(list) <= 2
		case "[jobTitle, department, businessPhones]":
			ok = true
			for name := range body {
				ok = ok && slices.Contains([]string{"jobtitle", "department", "businessphones"}, strings.ToLower(name))
			}
		}
		if !ok {
			return false
		}
	}
	return true
}

// propertyOf returns a property, or one of an object in it.
func propertyOf(body map[string]any, name string) (v any, found bool) {
	outer, inner, nested := strings.Cut(name, "/")
	for property, value := range body {
		if !strings.EqualFold(property, outer) {
			continue
		}
		if object, isObject := value.(map[string]any); nested && isObject {
			return propertyOf(object, inner)
		}
		return value, true
	}
	return nil, false
}

func drawGrant(rt *rapid.T, denies bool) grant {
	g := grant{
		denies: denies,
		methods: rapid.SampledFrom([]string{"GET", "READ", "READ", "POST", "ANY", "PATCH", "POST,PATCH"}).Draw(rt,
			"methods"),
		template: rapid.SampledFrom(append(askedOf(), "/users/{id}", "/users/{id}/**", "/users/**")).Draw(rt, "template"),
		until:    rapid.SampledFrom([]string{"", "", past, future}).Draw(rt, "until"),
	}
	g.template = strings.ReplaceAll(g.template, "/1", "/{id}")
	if denies || !slices.Contains([]string{"/users", "/users/{id}"}, g.template) || !strings.Contains(g.methods, "P") {
		return g
	}
	g.body = map[string]string{}
	for _, property := range []struct {
		name       string
		conditions []string
	}{
		{"jobTitle", []string{"[clerk]", `{values: [clerk, "null"], required: true}`, `[clerk, "ch*"]`, "none"}},
		{"department", []string{"none", "[clerk]"}},
		{"businessPhones", []string{"{max: 2}"}},
		{employee, []string{"[clerk]"}},
		{"only", []string{"[jobTitle, department, businessPhones]"}},
	} {
		if rapid.IntRange(0, 3).Draw(rt, property.name+" is bounded") == 0 {
			g.body[property.name] = rapid.SampledFrom(property.conditions).Draw(rt, property.name)
		}
	}
	return g
}

// drawBody draws a body for users; nil: none.
func drawBody(rt *rapid.T) map[string]any {
	if rapid.IntRange(0, 4).Draw(rt, "no body") == 0 {
		return nil
	}
	body := map[string]any{}
	outer, inner, _ := strings.Cut(employee, "/")
	for _, property := range []struct {
		name   string
		values []any
	}{
		{"jobTitle", []any{"clerk", "CLERK", "chef", "boss", "", nil, 7, []any{"clerk"}, []any{"clerk", "boss"}}},
		{"JOBTITLE", []any{"clerk", "boss"}},
		{"department", []any{"clerk", "sales", "", nil}},
		{"businessPhones", []any{[]any{}, []any{"1"}, []any{"1", "2", "3"}, "1"}},
		{outer, []any{map[string]any{inner: "clerk"}, map[string]any{inner: "boss"}, map[string]any{}}},
		{"accountEnabled", []any{true}},
	} {
		if rapid.IntRange(0, 2).Draw(rt, property.name+" is there") == 0 {
			body[property.name] = rapid.SampledFrom(property.values).Draw(rt, property.name)
		}
	}
	if _, twice := body["jobTitle"]; twice {
		delete(body, "JOBTITLE") // two readings, which are 400
	}
	return body
}

// Rules that end, READ, and conditions on bodies decide as a person reads them: what one reading allows the other does,
// and what it denies the other denies.
func TestRandomGrantsDecideAsTheyRead(t *testing.T) {
	t.Parallel()
	r := newRig(t, everyone)
	outcomes := map[bool]int{}
	rapid.Check(t, func(rt *rapid.T) {
		var file strings.Builder
		file.WriteString("version: 1\ncallers:\n  app:\n    identity: [anyone]\n")
		ends := rapid.SampledFrom([]string{"", "", "", future, past}).Draw(rt, "the caller's until")
		if ends != "" {
			file.WriteString("    until: " + ends + "\n")
		}
		kinds := map[string][]grant{}
		for _, kind := range []string{"allow", "deny"} {
			file.WriteString("    " + kind + ":\n")
			for range rapid.IntRange(1, map[string]int{"allow": 6, "deny": 2}[kind]).Draw(rt, kind) {
				g := drawGrant(rt, kind == "deny")
				kinds[kind] = append(kinds[kind], g)
				file.WriteString(g.yaml())
			}
		}
		r.handler.Use(rules(t, file.String()))
		for range underRace(15, 4) {
			method := rapid.SampledFrom([]string{"GET", "POST", "POST", "PATCH", "DELETE"}).Draw(rt, "method")
			target := rapid.SampledFrom(askedOf()).Draw(rt, "target")
			var body map[string]any
			if method == "POST" || method == "PATCH" {
				body = drawBody(rt)
			}
			applies := func(g grant) bool { return g.applies(method, target, body) }
			want := ends != past && slices.ContainsFunc(kinds["allow"], applies) && !slices.ContainsFunc(kinds["deny"], applies)
			if outcomes[want]++; r.allows(t, method, target, body) != want {
				text, _ := json.Marshal(body)
				rt.Fatalf("%s %s %s: want allowed %v in\n%s", method, target, text, want, file.String())
			}
		}
	})
	if t.Logf("%v", outcomes); outcomes[true]*20 < outcomes[false] {
		t.Error("the policies have lost their balance")
	}
}

// allows sends a request through the handler, and reports whether it was allowed. Graph must see it exactly then.
func (r *rig) allows(t *testing.T, method, target string, body map[string]any) bool {
	t.Helper()
	text := ""
	if body != nil {
		raw, err := json.Marshal(body)
		must(t, err)
		text = string(raw)
	}
	req := httptest.NewRequest(method, "/v1.0"+target, strings.NewReader(text))
	req.Host, req.RemoteAddr = "graphproxy", "127.0.0.1:50000"
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	r.audit.reset()
	r.graph.Reset()
	r.handler.ServeHTTP(httptest.NewRecorder(), req)
	records := auditLines(t, r.audit.all())
	if len(records) != 1 || (records[0].Decision == "allow") != (r.graph.Count() == 1) {
		t.Fatalf("%s %s %s: %+v, and Graph received %d requests", method, target, text, records, r.graph.Count())
	}
	return records[0].Decision == "allow"
}
