package body_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/body"
	"graphproxy/policy/match"
)

func bounds(t testing.TB, recipients []string, conditions ...body.Condition) *body.Bounds {
	t.Helper()
	b, err := body.New(conditions, recipients)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// condition returns a condition without a bound on lengths and numbers.
func condition(path string, change func(*body.Condition)) body.Condition {
	c := body.Condition{Path: path, Max: -1}
	change(&c)
	return c
}

func TestTheFirstFailureNamesThePropertyAndTheProblem(t *testing.T) {
	mail := bounds(t, []string{"*@contoso.com"},
		condition("message/importance", func(c *body.Condition) { c.Values = []string{"low"} }),
		condition("message/attachments", func(c *body.Condition) { c.None = true }),
		condition("message/subject", func(c *body.Condition) { c.Required = true }),
		condition("message/categories", func(c *body.Condition) { c.Max = 1 }),
		condition("message/flag", func(c *body.Condition) { c.Only = []string{"flagStatus"} }))
	for _, c := range []struct {
		name, text string
		want       body.Failure
	}{
		{"all is well", `{"message":{"subject":"x"}}`, body.Failure{}},
		{"another value", `{"message":{"subject":"x","importance":"high"}}`,
			body.Failure{Reason: "body: message/importance", Property: "message/importance", Problem: body.BadValue}},
		{"another type", `{"message":{"subject":"x","importance":{}}}`,
			body.Failure{Reason: "body: message/importance", Property: "message/importance", Problem: body.BadType}},
		{"missing", `{"message":{}}`,
			body.Failure{Reason: "body: message/subject", Property: "message/subject", Problem: body.Missing}},
		{"the object above is missing", `{}`,
			body.Failure{Reason: "body: message/subject", Property: "message/subject", Problem: body.Missing}},
		{"empty", `{"message":{"subject":""}}`,
			body.Failure{Reason: "body: message/subject", Property: "message/subject", Problem: body.Missing}},
		{"not none", `{"message":{"subject":"x","attachments":[1]}}`,
			body.Failure{Reason: "body: message/attachments", Property: "message/attachments", Problem: body.NotNone}},
		{"too many", `{"message":{"subject":"x","categories":["a","b"]}}`,
			body.Failure{Reason: "body: message/categories", Property: "message/categories", Problem: body.TooMuch}},
		{"not named", `{"message":{"subject":"x","flag":{"startDateTime":"x"}}}`,
			body.Failure{Reason: "body: message/flag: only", Property: "message/flag/startDateTime", Problem: body.NotNamed}},
		{"a stranger", `{"message":{"subject":"x","toRecipients":[{"emailAddress":{"address":"x@evil.example"}}]}}`,
			body.Failure{Reason: "body: recipients", Property: "message/toRecipients", Problem: body.BadRecipient}},
		{"an alias", `{"message":{"subject":"x","toRecipients":[{"emailAddress":{"address":"alice"}}]}}`,
			body.Failure{Reason: "body: recipients", Property: "message/toRecipients", Problem: body.NotAddress}},
		{"no address", `{"message":{"subject":"x","toRecipients":[{}]}}`,
			body.Failure{Reason: "body: recipients", Property: "message/toRecipients", Problem: body.NoRecipient}},
		{"no list", `{"message":{"subject":"x","toRecipients":{"emailAddress":{"address":"a@contoso.com"}}}}`,
			body.Failure{Reason: "body: recipients", Property: "message/toRecipients", Problem: body.BadType}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := mail.Judge(&match.Body{State: match.BodyJSON, Text: []byte(c.text)})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if got.Reason != mail.Unmet(&match.Body{State: match.BodyJSON, Text: []byte(c.text)}) {
				t.Error("Unmet gives another reason")
			}
		})
	}
}

func TestABodyThatIsNoJSONMeetsNothingAndIsTouchedByAll(t *testing.T) {
	b := bounds(t, nil, condition("a", func(c *body.Condition) { c.Values = []string{"x"} }))
	for _, c := range []struct {
		name    string
		sent    match.Body
		reason  string
		touched bool
	}{
		{"none", match.Body{State: match.BodyAbsent}, "", false},
		{"another type", match.Body{State: match.BodyOther, Text: []byte(`{"a":"x"}`)}, body.ReasonNotJSON, true},
		{"a list", match.Body{State: match.BodyJSON, Text: []byte(`[]`)}, body.ReasonNotJSON, true},
		{"a key twice", match.Body{State: match.BodyJSON, Text: []byte(`{"b":1,"B":2}`)}, body.ReasonUnreadable, true},
		{"half a text", match.Body{State: match.BodyJSON, Text: []byte(`{"a":`)}, body.ReasonUnreadable, true},
		{"the value", match.Body{State: match.BodyJSON, Text: []byte(`{"A":"X"}`)}, "", true},
		{"another value", match.Body{State: match.BodyJSON, Text: []byte(`{"a":"y"}`)}, "body: a", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := b.Unmet(&c.sent); got != c.reason {
				t.Errorf("Unmet: %q, want %q", got, c.reason)
			}
			if got := b.Touched(&c.sent); got != c.touched {
				t.Errorf("Touched: %t, want %t", got, c.touched)
			}
		})
	}
}

func TestConditionsThatCannotBeCompiled(t *testing.T) {
	values := func(c *body.Condition) { c.Values = []string{"x"} }
	only := func(names ...string) func(*body.Condition) {
		return func(c *body.Condition) { c.Only = names }
	}
	var many []body.Condition
	for i := range body.MaxPaths + 1 {
		many = append(many, condition("a"+strings.Repeat("b", i+1), values))
	}
	for _, c := range []struct {
		name       string
		conditions []body.Condition
		want       string
	}{
		{"a property twice", []body.Condition{condition("a", values), condition("A", values)}, "there twice"},
		{"an empty name", []body.Condition{condition("a//b", values)}, "not a path of property names"},
		{"a slash at the end", []body.Condition{condition("a/", values)}, "not a path of property names"},
		{"a blank", []body.Condition{condition("a b", values)}, "not a path of property names"},
		{"two lists of names", []body.Condition{condition("", only("a/c")), condition("a", only("b"))}, "two lists of only:"},
		{"two lists of names, the other way round", []body.Condition{condition("a", only("b")), condition("", only("a/c"))},
			"two lists of only:"},
		{"a name twice in a list", []body.Condition{condition("", only("a", "A"))}, "there twice"},
		{"too many", many, "at most 64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := body.New(c.conditions, nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Error(err)
			}
		})
	}
}
