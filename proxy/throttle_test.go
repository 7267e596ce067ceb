package proxy_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/proxy/graphtest"
)

const throttled = `
version: 1
callers:
  app:
    identity: [{network: [127.0.0.0/8, "::1/128"]}]
    allow:
      - GET /users
      - GET /users/{id}
      - GET /users/{id}/messages
      - GET /groups
      - GET /beta/users: {priority: low}
      - POST /groups: {limit: {rate: 1/h, burst: 3}}
`

func TestAfterGraphsRetryAfterNothingOfThatKindReachesGraphUntilTheTimeIsUp(t *testing.T) {
	r := newRig(t, throttled)
	r.graph.Throttle(graphtest.Throttle{Prefix: "/v1.0/users", RetryAfter: "900", Times: 1})
	began := time.Now()
	if a := r.do(t, "GET", "/v1.0/users", ""); a.status != 429 || a.header.Get("Retry-After") != "900" ||
		a.header.Get("Proxy-Status") != "" {
		t.Fatalf("Graph's own 429 passes as it is: %d %v", a.status, a.header)
	}
	r.audit.wait(t, 1)
	r.audit.reset()
	r.graph.Reset()
	for _, target := range []string{"/v1.0/users", "/v1.0/groups", "/beta/users", "/v1.0/users/adele@contoso.com"} {
		a := r.do(t, "GET", target, "")
		inner := a.refusal(t, 429, "activityLimitReached")
		a.waits(t, 900, began)
		if inner != "graphThrottled" || a.header.Get("RateLimit-Limit") != "" {
			t.Errorf("%s: %s %v", target, inner, a.header)
		}
	}
	for _, line := range r.audit.wait(t, 4) {
		if !strings.Contains(line, `"decision":"limit","reason":"graphThrottled","status":429`) {
			t.Error(line)
		}
	}
	r.sawNothing(t)
	if a := r.do(t, "GET", "/v1.0/users/adele@contoso.com/messages", ""); a.status != 200 {
		t.Errorf("mail is another service: %d %s", a.status, a.body)
	}
	b := r.do(t, "POST", "/v1.0/$batch",
		`{"requests":[{"id":"1","method":"GET","url":"/users"},{"id":"2","method":"GET",`+
			`"url":"/users/adele@contoso.com/messages"}]}`, asJSON)
	if diff := cmp.Diff(map[string]int{"1": 429, "2": 200}, b.statuses(t)); diff != "" ||
		b.responses(t)["1"].inner(t) != "graphThrottled" {
		t.Error(diff, b.body)
	}
}

func TestAThrottledItemOfABatchHoldsBackItsKindOnly(t *testing.T) {
	r := newRig(t, throttled)
	r.graph.Throttle(graphtest.Throttle{Prefix: "/v1.0/users/adele@contoso.com/messages", RetryAfter: "900", Times: 1})
	batch := `{"requests":[{"id":"1","method":"GET","url":"/users/adele@contoso.com/messages"},{"id":"2",` +
		`"method":"GET","url":"/users"}]}`
	if got := r.do(t, "POST", "/v1.0/$batch", batch, asJSON).statuses(t); got["1"] != 429 || got["2"] != 200 {
		t.Fatal(got)
	}
	for target, want := range map[string]int{
		"/v1.0/users/adele@contoso.com/messages": 429,
		"/v1.0/users/alex@contoso.com/messages":  200,
		"/v1.0/users":                            200,
	} {
		if a := r.do(t, "GET", target, ""); a.status != want {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
}

func TestWhenTheTimeIsUpOneRequestFindsOutForAll(t *testing.T) {
	r := newRig(t, throttled)
	r.graph.Throttle(graphtest.Throttle{Prefix: "/v1.0/users", RetryAfter: "0.05", Times: 1})
	if a := r.do(t, "GET", "/v1.0/users", ""); a.status != 429 {
		t.Fatal(a.status)
	}
	until(t, "the end of the hold", func() bool { return r.do(t, "GET", "/v1.0/users", "").status == 200 })
	if a := r.do(t, "GET", "/v1.0/users", ""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestARefusalByALimitReportsTheLevelOfItsBucket(t *testing.T) {
	r := newRig(t, throttled)
	r.graph.Handle("POST /v1.0/groups", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) })
	for range 3 {
		if a := r.do(t, "POST", "/v1.0/groups", "{}", asJSON); a.status != 201 {
			t.Fatal(a.status, a.body)
		}
	}
	a := r.do(t, "POST", "/v1.0/groups", "{}", asJSON)
	if inner := a.refusal(t, 429, "activityLimitReached"); inner != "limitExceeded" ||
		!strings.Contains(a.body, "policy.yaml:12 POST /groups") {
		t.Errorf("%s", a.body)
	}
	got := map[string]string{}
	for _, name := range []string{"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"} {
		got[name] = a.header.Get(name)
	}
	if got["RateLimit-Limit"] != "3" || got["RateLimit-Remaining"] != "0" ||
		got["RateLimit-Reset"] != got["Retry-After"] || len(got["Retry-After"]) != 4 {
		t.Errorf("%v", got)
	}
}

func TestThePriorityOfTheRuleIsSentToServicesThatSupportIt(t *testing.T) {
	r := newRig(t, strings.Replace(throttled, "  app:\n", "  app:\n    priority: high\n", 1))
	for target, want := range map[string]string{
		"/v1.0/users":                            "high",
		"/beta/users":                            "low",
		"/v1.0/users/adele@contoso.com/messages": "",
	} {
		r.graph.Reset()
		r.do(t, "GET", target, "", "x-ms-throttle-priority: normal")
		requests := r.graph.Requests()
		if len(requests) != 1 || requests[0].Header.Get("x-ms-throttle-priority") != want {
			t.Errorf("%s: %v", target, requests)
		}
	}
	r.graph.Reset()
	r.do(t, "POST", "/v1.0/$batch",
		`{"requests":[{"id":"1","method":"GET","url":"/users"},{"id":"2","method":"GET",`+
			`"url":"/users/adele@contoso.com/messages","headers":{"x-ms-throttle-priority":"high"}}]}`, asJSON)
	for _, q := range r.graph.Requests() {
		if want := map[string]string{"1": "high"}[q.Item]; q.Header.Get("x-ms-throttle-priority") != want {
			t.Errorf("item %q: %v", q.Item, q.Header)
		}
	}
}

func TestRequestsWaitIfTheLimitAllowsIt(t *testing.T) {
	file := strings.Replace(throttled, "callers:",
		"limits:\n  tenant: {rate: 50/s, burst: 1, wait: 2m}\n  slots: {concurrency: 2, wait: 2m, covers: [GET /users]}\n"+
			"callers:", 1)
	r := newRig(t, file)
	var all sync.WaitGroup
	start := time.Now()
	for range 20 {
		all.Go(func() {
			if a := r.do(t, "GET", "/v1.0/users?$top=1", ""); a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	all.Wait()
	if took := time.Since(start); took < 19*time.Second/50 {
		t.Errorf("20 requests took %s at 50/s", took)
	}
	if n := r.graph.Count(); n != 20 {
		t.Errorf("Graph received %d requests", n)
	}
}

func TestACallerThatLeavesTheQueueIsRecorded(t *testing.T) {
	file := strings.Replace(throttled, "callers:", "limits:\n  tenant: {rate: 1/m, burst: 1, wait: 2m}\ncallers:", 1)
	r := newRig(t, file)
	if a := r.do(t, "GET", "/v1.0/users?$top=1", ""); a.status != 200 {
		t.Fatal(a.status)
	}
	r.audit.wait(t, 1) // now it is not in flight any more
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", r.server.URL+"/v1.0/users", nil)
	must(t, err)
	go func() {
		until(t, "the request in flight", func() bool { return r.handler.InFlight() == 1 })
		leave()
	}()
	if res, err := r.server.Client().Do(req); err == nil {
		t.Error(res.Status)
	}
	lines := r.audit.wait(t, 2)
	if !strings.Contains(lines[1], `"reason":"callerGone","status":499`) || r.graph.Count() != 1 {
		t.Error(lines[1])
	}
}

func TestTheRealCostOfARequestCorrectsTheBucket(t *testing.T) {
	file := strings.Replace(throttled, "callers:",
		"limits:\n  tenant: {rate: 1/h, burst: 10, unit: resource-units}\ncallers:", 1)
	for _, tt := range []struct {
		name, units string
		granted     int
	}{
		{"as estimated", "1", 10},
		{"more than estimated", "4", 3}, // 4, 8, and the third goes into debt
		{"not told", "", 10},
		{"told in no number", "many", 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, file)
			r.graph.Handle("GET /v1.0/users/adele@contoso.com", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if tt.units != "" {
					w.Header().Set("x-ms-resource-unit", tt.units)
				}
				_, _ = w.Write([]byte("{}"))
			})
			granted := 0
			for range 12 {
				if r.do(t, "GET", "/v1.0/users/adele@contoso.com", "").status == 200 {
					granted++
				}
			}
			if granted != tt.granted {
				t.Errorf("%d requests, want %d", granted, tt.granted)
			}
		})
	}
}
