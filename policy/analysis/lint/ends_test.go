package lint_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/analysis/lint"
)

func TestWhatEndsIsReported(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, rules string
		want        []string
	}{
		{"a rule that has ended", `
allow:
  - GET /users: {until: 2026-11-30T12:00:00Z}
`, []string{"6: callers.app: GET /users has ended at 2026-11-30T12:00:00Z and is none since. Delete it"}},
		{"a rule whose date is over", `
allow:
  - GET /users: {until: 2026-11-29}
`, []string{"6: callers.app: GET /users has ended at 2026-11-30T00:00:00Z and is none since. Delete it"}},
		{"a rule that ends today", `
allow:
  - GET /users: {until: 2026-11-30}
`, []string{"6: callers.app: GET /users ends at 2026-12-01T00:00:00Z, within 14 days. Write another until if it is still " +
			"needed"}},
		{"a rule that ends in 14 days to the second", `
allow:
  - GET /users: {until: 2026-12-14T13:00:00+01:00}
`, []string{"6: callers.app: GET /users ends at 2026-12-14T12:00:00Z, within 14 days. Write another until if it is still " +
			"needed"}},
		{"a rule that ends a second later", `
allow:
  - GET /users: {until: 2026-12-14T12:00:01Z}
`, nil},
		{"a deny rule", `
allow: [GET /users]
deny:
  - GET /groups: {until: 2026-12-01}
`, []string{"7: callers.app: GET /groups ends at 2026-12-02T00:00:00Z, within 14 days. Write another until if it is still " +
			"needed"}},
		{"a caller", `
until: 2026-11-01
allow: [GET /users]
`, []string{"3: callers.app.until: the caller has ended at 2026-11-02T00:00:00Z and is none since. Delete it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := texts(lint.Check(app(t, c.rules), lint.Options{Now: now}))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if got := texts(lint.Check(app(t, c.rules), lint.Options{})); got != nil {
				t.Errorf("without a time: %q", got)
			}
		})
	}
}

func TestTheEndOfAnIncludeIsReported(t *testing.T) {
	p := load(t, `version: 1
rules:
  read: [GET /users, GET /groups]
callers:
  app:
    identity: [anyone]
    allow:
      - {include: read, until: 2026-11-01}
`)
	got := texts(lint.Check(p, lint.Options{Now: time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)}))
	want := []string{
		"3: callers.app: GET /users has ended at 2026-11-02T00:00:00Z and is none since. Delete it",
		"3: callers.app: GET /groups has ended at 2026-11-02T00:00:00Z and is none since. Delete it",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestABoundDeltaWithoutAKeyOfLinksIsReported(t *testing.T) {
	p := load(t, `version: 1
rules:
  delta:
    - GET /groups/delta: {query: {$select: [id]}}
callers:
  one:
    identity: [{network: 10.0.0.1/32}]
    app: hr
    allow:
      - GET /users/delta: {query: {$select: [id]}}
      - GET /users/**: {query: {$top: 5}}
      - GET /devices/delta
      - include: delta
  two:
    identity: [{network: 10.0.0.2/32}]
    allow: [{include: delta}]
`)
	for _, c := range []struct {
		keyless []string
		want    []string // the beginnings
	}{
		{nil, nil},
		{[]string{"other"}, nil},
		{[]string{"hr"}, []string{"4: callers.one.allow: GET /groups/delta", "10: callers.one.allow: GET /users/delta"}},
		{[]string{"default"}, []string{"4: callers.one.allow: GET /groups/delta"}},
	} {
		var got []string
		for _, text := range texts(lint.Check(p, lint.Options{Keyless: c.keyless})) {
			if before, _, found := strings.Cut(text, " bounds query options of a delta query"); found {
				got = append(got, before)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q: %s", c.keyless, diff)
		}
	}
}
