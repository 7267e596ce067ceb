package policy_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
	"graphproxy/policy/limit"
)

// charge is a limit.Charge with the limit written out.
type charge struct {
	limit.Limit
	Key  string
	Cost int
}

func charges(p *policy.Policy, r policy.Request) []charge {
	var all []charge
	for _, c := range p.Charges(nil, r, p.Decide(r)) {
		all = append(all, charge{*c.Limit, c.Key, c.Cost})
	}
	return all
}

func TestEveryBucketThatCoversARequestIsCharged(t *testing.T) {
	p, err := policy.Load("testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	hr := charge{limit.Limit{
		Name:        "callers.hr-sync.limit",
		Rate:        20,
		Burst:       40,
		Concurrency: 16,
		Wait:        500 * time.Millisecond,
	}, "", 0}
	mailer := charge{limit.Limit{Name: "callers.mailer.limit", Rate: 5, Burst: 5}, "", 0}
	tenant := func(cost int) charge {
		return charge{limit.Limit{
			Name:  "limits.tenant",
			Rate:  300,
			Burst: 600,
			Unit:  limit.ResourceUnits,
			Wait:  2 * time.Second,
		}, "", cost}
	}
	writes := func(key string) charge {
		return charge{limit.Limit{Name: "limits.writes", Rate: 20, Burst: 20}, key, 0}
	}
	mailbox := func(key string) charge {
		return charge{limit.Limit{Name: "limits.mailbox", Rate: 10000. / 600, Burst: 16, Concurrency: 4}, key, 0}
	}
	each := func(key string) charge {
		return charge{limit.Limit{Name: "limits.each-caller", Concurrency: 64}, key, 0}
	}
	one := charge{limit.Limit{Name: "limits.one-at-a-time", Concurrency: 1}, "", 0}
	photos := charge{limit.Limit{Name: "testdata/example.yaml:34 GET /users/{id}/photo/$value", Rate: 10, Burst: 10},
		"hr-sync", 0}
	patch := charge{limit.Limit{Name: "testdata/example.yaml:57 PATCH /users/{id}", Rate: 2, Burst: 2}, "hr-sync", 0}

	for _, c := range []struct {
		name, caller, request string
		want                  []charge
	}{
		{"a read has the caller's limit and those that cover every request", "hr-sync", "GET /users",
			[]charge{hr, tenant(2), each("caller=hr-sync")}},
		{"a rule's limit is of each caller that includes it", "hr-sync", "GET /users/1/photo/$value",
			[]charge{hr, photos, tenant(1), each("caller=hr-sync")}},
		{"a write is covered by method, with the app of the rule", "hr-sync", "PATCH /users/Adele@contoso.com",
			[]charge{hr, patch, tenant(1), writes("app=hr-writer&tenant=3f1c5a52-9a3e-4f0a-9b5e-0d5c3c7a1b11"),
				each("caller=hr-sync")}},
		{"a key has a bucket in lower case, of the default app", "mailer", "GET /users/No-Reply@contoso.com/messages",
			[]charge{mailer, tenant(1), mailbox("app=default&id=no-reply@contoso.com"), each("caller=mailer")}},
		{"another spelling has the same bucket", "mailer", "POST /users('no-reply@contoso.com')/sendMail",
			[]charge{mailer, tenant(1), writes("app=default&tenant=default"), mailbox("app=default&id=no-reply@contoso.com"),
				each("caller=mailer")}},
		{"a limit without per has one bucket", "mailer", "POST /search/query",
			[]charge{mailer, tenant(1), each("caller=mailer"), one}},
		{"what report mode lets through is counted", "reports", "GET /users/1/messages",
			[]charge{tenant(1), mailbox("app=default&id=1"), each("caller=reports")}},
		{"no spelling escapes a limit", "reports", "GET /users(userPrincipalName='A,b=c%26d')/graph.user/messages",
			[]charge{tenant(1), mailbox("app=default&id=a%2cb%3dc%26d"), each("caller=reports")}},
		{"a tenant after the key is no other key", "reports", "GET /users/1@11111111-2222-3333-4444-555555555555/events/2",
			[]charge{tenant(1), mailbox("app=default&id=1"), each("caller=reports")}},
		{"two parts of a key are both in it", "reports", "GET /users(b='2',a='1')/events",
			[]charge{tenant(1), mailbox("app=default&id=2,1"), each("caller=reports")}},
		{"beta is not covered by a template of v1.0", "reports", "GET /beta/users/1/messages",
			[]charge{tenant(1), each("caller=reports")}},
		{"a charge in resource units carries the cost", "reports", "GET /groups/7/transitiveMembers?$expand=manager",
			[]charge{tenant(6), each("caller=reports")}},
		{"what is denied charges nothing", "mailer", "GET /users", nil},
		{"an unknown caller charges nothing", "nobody", "GET /users", nil},
		{"a batch charges nothing", "reports", "POST /$batch", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, charges(p, request(t, c.caller, c.request))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestChargesAreAppended(t *testing.T) {
	p := app(t, "limit: 100/m\nallow: [GET /users]")
	r := request(t, "app", "GET /users")
	first := limit.Charge{Key: "first"}
	got := p.Charges([]limit.Charge{first}, r, p.Decide(r))
	if len(got) != 2 || got[0] != first || got[1].Limit.Rate != 100./60 || got[1].Limit.Burst != 1 {
		t.Errorf("%+v", got)
	}
	if forged := p.Charges(nil, r, policy.Decision{}); forged != nil {
		t.Errorf("a denied request charges %v", forged)
	}
}

func TestABatchIsNotChargedWhateverWasDecided(t *testing.T) {
	const file = "version: 1\nlimits: {all: {rate: 1/s}}\n" +
		"callers:\n  a: {identity: [anyone], limit: {rate: 1/s}, allow: []}\n"
	p := load(t, file)
	r, err := policy.ParseRequest("a", "POST /$batch")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Charges(nil, r, policy.Decision{Allow: true}); len(got) != 0 {
		t.Errorf("a batch is charged on %d limits, and its items will be", len(got))
	}
}

func TestOfTheCoversOfALimitTheFirstInTheFileGivesTheKey(t *testing.T) {
	const file = `
version: 1
limits:
  boxes:
    rate: 1/s
    per: [box]
    covers: [%s]
callers:
  a: {identity: [anyone], allow: [ANY /users/**]}
`
	for _, tt := range []struct{ name, covers, want string }{
		{"the user first", "'GET /users/{box}/**', 'GET /users/{id}/mailFolders/{box}/**'", "box=adele"},
		{"the folder first", "'GET /users/{id}/mailFolders/{box}/**', 'GET /users/{box}/**'", "box=inbox"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := load(t, fmt.Sprintf(file, tt.covers))
			r, err := policy.ParseRequest("a", "GET /users/adele/mailFolders/inbox/messages")
			if err != nil {
				t.Fatal(err)
			}
			got := charges(p, r)
			if len(got) != 1 || got[0].Key != tt.want {
				t.Errorf("got %+v, want the key %s", got, tt.want)
			}
		})
	}
}
