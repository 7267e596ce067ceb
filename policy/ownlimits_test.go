package policy_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
)

// A caller's own limits are its own buckets and common ones; only those that cover every request are charged for one
// that is about the caller.
func TestTheLimitsOfACaller(t *testing.T) {
	p, err := policy.Parse("policy.yaml", []byte(`version: 1
limits:
  all: {rate: 100/s}
  each: {rate: 10/s, per: [caller]}
  mailbox: {rate: 4/s, per: [id], covers: ["GET /users/{id}/messages"]}
  messages: {rate: 4/s, per: [caller], covers: ["GET /users/{id}/messages"]}
callers:
  app:
    identity: [anyone]
    limit: 3/s
    allow:
      - GET /users
      - GET /groups: {limit: 1/s}
`))
	if err != nil {
		t.Fatal(err)
	}
	var all, charged []string
	for _, l := range p.OwnLimits("app") {
		all = append(all, fmt.Sprintf("%s %q %t", l.Charge.Limit.Name, l.Charge.Key, l.Own))
	}
	for _, c := range p.OwnCharges(nil, "app") {
		charged = append(charged, c.Limit.Name+" "+c.Key)
	}
	want := []string{
		`callers.app.limit "" true`, `policy.yaml:13 GET /groups "app" true`, `limits.all "" false`,
		`limits.each "caller=app" true`, `limits.mailbox "" false`, `limits.messages "caller=app" true`,
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"callers.app.limit ", "limits.all ", "limits.each caller=app"}, charged); diff != "" {
		t.Error(diff)
	}
	if p.OwnLimits("other") != nil || p.OwnCharges(nil, "other") != nil {
		t.Error("a caller that is not there has limits")
	}
}
