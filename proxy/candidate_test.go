package proxy_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"graphproxy/proxy"
)

// local is a policy for one caller at this machine's address.
func local(rules string) string {
	return "version: 1\ncallers:\n  app:\n    identity: [{network: [127.0.0.0/8]}]\n" + rules
}

const (
	readsUsers = "    allow:\n      - GET /users/{id}\n"
	patches    = "    allow:\n      - PATCH /users/{id}\n"
	patchesJob = "    allow:\n      - PATCH /users/{id}: {body: {only: [jobTitle]}}\n"
	addsUsers  = "    allow:\n      - POST /groups/{id}/members/$ref: {references: [\"/users/{id}\"]}\n"
	adds       = "    allow:\n      - POST /groups/{id}/members/$ref\n"
)

// A candidate shows what it would decide otherwise, and the request goes as without it.
func TestWhatACandidateWouldDecide(t *testing.T) {
	t.Parallel()
	const userBody = `{"@odata.id":"http://graphproxy/v1.0/users/1"}`
	const groupBody = `{"@odata.id":"http://graphproxy/v1.0/groups/1"}`
	keyHash := sha256.Sum256([]byte(key))
	keyed := "version: 1\ncallers:\n  app:\n    identity: [{key: {sha256: \"" + hex.EncodeToString(keyHash[:]) + "\"}}]\n"
	const user, members, disabled, title = "/v1.0/users/1", "/v1.0/groups/1/members/$ref",
		`{"accountEnabled":false}`, `{"jobTitle":"x"}`
	const hourly, report = "    limit: 1/h\n", "mode: report\n"
	const deniesOne, deniesAll = "    deny:\n      - GET /users/1\n", "    deny:\n      - GET /users/{id}\n"
	for name, tt := range map[string]struct {
		active, candidate    string
		method, target, body string
		headers              []string // "name: value"
		decision             string   // of the policy in force
		want                 string   // decision, would_deny and line of the candidate; "": no difference
	}{
		"the same rules": {local(readsUsers), local(readsUsers), "GET", user, "", nil, "allow", ""},
		"a rule fewer":   {local(readsUsers), local(patches), "GET", user, "", nil, "allow", "deny false "},
		"a rule more":    {local(patches), local(readsUsers), "GET", user, "", nil, "deny", "allow false 6"},
		"a deny rule": {
			local(readsUsers), local(readsUsers + deniesOne), "GET", user, "", nil, "allow", "deny false 8",
		},
		"another deny rule denies the same": {
			local(readsUsers + deniesOne), local(readsUsers + deniesAll),
			"GET", user, "", nil, "deny", "",
		},
		"another rule allows the same": {
			local(readsUsers), local("    allow:\n      - ANY /users/**\n"), "GET", user, "", nil, "allow", "",
		},
		"report mode lets through what enforce mode denies": {
			report + local(patches), local(patches), "GET", user, "", nil, "allow", "deny false ",
		},
		"the candidate reports what the policy denies": {
			local(patches), report + local(patches), "GET", user, "", nil, "deny", "allow true ",
		},
		"the candidate reports what the policy allows": {
			local(readsUsers), report + local(patches), "GET", user, "", nil, "allow", "allow true ",
		},
		"the candidate has the rule that report mode lacks": {
			report + local(patches), local(readsUsers), "GET", user, "", nil, "allow", "allow false 6",
		},
		"both report": {
			report + local(patches), report + local(patches), "GET", user, "", nil, "allow", "",
		},
		"a grant that has ended in the candidate": {
			local(readsUsers), local("    allow:\n      - GET /users/{id}: {until: 2020-01-01}\n"),
			"GET", user, "", nil, "allow", "deny false ",
		},
		"a caller that has ended in the candidate": {
			local(readsUsers), local("    until: 2020-01-01\n" + readsUsers), "GET", user, "", nil, "allow",
			"deny false ",
		},
		"a caller that has ended in the policy in force": {
			local("    until: 2020-01-01\n" + readsUsers), local(readsUsers), "GET", user, "", nil, "deny",
			"allow false 6",
		},
		"a caller that has another name in the candidate, and the same rule": {
			local(readsUsers), strings.Replace(local(readsUsers), "  app:", "  other:", 1), "GET", user, "", nil, "allow",
			"",
		},
		"a caller that has another name in the candidate, and not that rule": {
			local(readsUsers), strings.Replace(local(patches), "  app:", "  other:", 1), "GET", user, "", nil, "allow",
			"deny false ",
		},
		"a caller whose identity is another in the candidate": {
			local(readsUsers), keyed + readsUsers, "GET", user, "", nil, "allow", "refuse false ",
		},
		"a caller that only the candidate knows": {
			keyed + readsUsers, local(readsUsers), "GET", user, "", nil, "refuse", "allow false 6",
		},
		"a caller that neither knows": {
			keyed + readsUsers, keyed + patches, "GET", user, "", nil, "refuse", "",
		},
		"a wrong key, which the candidate does not ask for": {
			keyed + readsUsers, local(readsUsers), "GET", user, "", []string{"X-Api-Key: wrong"}, "refuse",
			"allow false 6",
		},
		"a target that cannot be read": {
			local(readsUsers), local(patches), "GET", "/v1.0/users/../1", "", nil, "refuse", "",
		},
		"a body that the candidate's rule allows": {
			local(patches), local(patchesJob), "PATCH", user, title, nil, "allow", "",
		},
		"a body that the candidate's rule does not allow": {
			local(patches), local(patchesJob), "PATCH", user, disabled, nil, "allow", "deny false ",
		},
		"a body that only the candidate's rule allows": {
			local(patchesJob), local(patches), "PATCH", user, disabled, nil, "deny", "allow false 6",
		},
		"a body that was not read, because the policy denies without it": {
			local(readsUsers), local(patchesJob), "PATCH", user, title, nil, "deny", "unknown false 6",
		},
		"a body with two readings, for the candidate's rule": {
			local(patches), local(patchesJob), "PATCH", user, `{"jobTitle":"x","jobTitle":"y"}`, nil, "allow",
			"refuse false ",
		},
		"a body with two readings, for the rule in force": {
			local(patchesJob), local(patches), "PATCH", user, `{"jobTitle":"x","jobTitle":"y"}`, nil, "refuse",
			"allow false 6",
		},
		"a body that is no JSON, under both": {
			local(patches), local(patchesJob), "PATCH", user, `{"jobTitle`, nil, "allow", "",
		},
		"a body of a wrong type, which only the candidate's rule takes": {
			local(readsUsers), local(patches), "PATCH", user, "a=b",
			[]string{"Content-Type: application/x-www-form-urlencoded"}, "deny", "refuse false ",
		},
		"a reference that the candidate's rule allows": {
			local(adds), local(addsUsers), "POST", members, userBody, nil, "allow", "",
		},
		"a reference that the candidate's rule does not allow": {
			local(adds), local(addsUsers), "POST", members, groupBody, nil, "allow", "deny false 6",
		},
		"a reference that only the candidate's rule allows": {
			local(addsUsers), local(adds), "POST", members, groupBody, nil, "deny", "allow false 6",
		},
		"a limit that both have": {
			local(hourly + readsUsers), local(hourly + readsUsers), "GET", user, "", nil, "limit", "",
		},
		"a limit that the candidate does not have": {
			local(hourly + readsUsers), local(readsUsers), "GET", user, "", nil, "limit", "allow false 6",
		},
		"a limit that only the candidate has, whose bucket is full": {
			local(readsUsers), local(hourly + readsUsers), "GET", user, "", nil, "allow", "",
		},
		"denied where the policy in force limits": {
			local(hourly + readsUsers), local(hourly + patches), "GET", user, "", nil, "limit",
			"deny false ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tt.active)
			send := func() (int, string) {
				req := httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.body))
				req.Host = "graphproxy"
				req.RemoteAddr = "127.0.0.1:50000"
				if tt.body != "" {
					req.Header.Set("Content-Type", "application/json")
				} else {
					req.Body = nil
				}
				for _, line := range tt.headers {
					header, value, _ := strings.Cut(line, ": ")
					req.Header.Set(header, value)
				}
				w := r.serve(req)
				sent := ""
				for _, q := range r.graph.Requests() {
					sent += q.Method + " " + q.Target + " " + string(q.Body)
				}
				return w.Code, sent
			}
			if strings.Contains(tt.active, "limit: 1/h") {
				send()
			}
			status, sent := send()
			r.handler.UseCandidate(candidateRules(t, tt.candidate))
			nowStatus, nowSent := send()
			if status != nowStatus || sent != nowSent {
				t.Errorf("%d %s without a candidate, %d %s with it", status, sent, nowStatus, nowSent)
			}
			line := besidesOf(t, r.audit.all())[0]
			got := ""
			if c := line.Candidate; c != nil {
				_, number, _ := strings.Cut(c.Rule, "candidate.yaml:")
				got = fmt.Sprintf("%s %t %s", c.Decision, c.WouldDeny, number)
				if c.Policy == line.Policy || len(c.Policy) != 12 {
					t.Errorf("the candidate's hash is %q", c.Policy)
				}
			}
			if line.Decision != tt.decision || got != tt.want {
				t.Errorf("%s, candidate %q; want %s, candidate %q", line.Decision, got, tt.decision, tt.want)
			}
			r.holdsNothing(t)
		})
	}
}

// Each item of a batch is judged by itself, and an item whose dependency would not be sent would not be either.
func TestTheItemsOfABatchAreJudgedByTheCandidate(t *testing.T) {
	t.Parallel()
	active := local("    allow:\n      - GET /users/{id}\n      - GET /users\n      - PATCH /users/{id}\n")
	r := newRig(t, active)
	r.handler.UseCandidate(candidateRules(t, local("    allow:\n      - GET /users/{id}\n      - GET /groups\n"+
		"      - PATCH /users/{id}: {body: {only: [jobTitle]}}\n")))
	json := map[string]string{"Content-Type": "application/json"}
	whole, records := r.besidesInBatch(t, []batchItem{
		{ID: "same", Method: "GET", URL: "/users/1"},
		{ID: "denied", Method: "GET", URL: "/users"},
		{ID: "allowed", Method: "GET", URL: "/groups"},
		{ID: "unreadable", Method: "GET", URL: "/users/../1"},
		{ID: "body", Method: "PATCH", URL: "/users/1", Headers: json, Body: map[string]any{"accountEnabled": false}},
		{ID: "good body", Method: "PATCH", URL: "/users/1", Headers: json, Body: map[string]any{"jobTitle": "x"}},
	})
	got := map[string]string{}
	for id, line := range records {
		if line.Candidate != nil {
			got[id] = line.Decision + " " + line.Candidate.Decision
		}
	}
	want := map[string]string{"denied": "allow deny", "allowed": "deny allow", "body": "allow deny"}
	if diff := cmp.Diff(want, got); diff != "" || whole.Candidate != nil {
		t.Errorf("%s, the batch itself %+v", diff, whole.Candidate)
	}
}

func TestADependencyIsJudgedByTheCandidate(t *testing.T) {
	t.Parallel()
	r := newRig(t, local("    allow:\n      - GET /users\n      - GET /me\n"))
	r.handler.UseCandidate(candidateRules(t, local("    allow:\n      - GET /groups\n      - GET /users\n"+
		"    deny:\n      - GET /users/{id}\n")))
	text := `{"requests":[
		{"id":"1","method":"GET","url":"/groups"},
		{"id":"2","method":"GET","url":"/users","dependsOn":["1"]},
		{"id":"3","method":"GET","url":"/me"},
		{"id":"4","method":"GET","url":"/users","dependsOn":["3"]}]}`
	req := httptest.NewRequest("POST", "/v1.0/$batch", strings.NewReader(text))
	req.Host, req.RemoteAddr = "graphproxy", "127.0.0.1:50000"
	req.Header.Set("Content-Type", "application/json")
	r.serve(req)
	got := map[string]string{}
	for _, line := range besidesOf(t, r.audit.all()) {
		if line.Candidate != nil {
			got[line.Item] = line.Decision + " " + line.Candidate.Decision
		}
	}
	want := map[string]string{"1": "deny allow", "2": "refuse allow", "3": "allow deny", "4": "allow refuse"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A batch that one of the two forbids, or whose caller only one of the two knows, differs as a whole.
func TestABatchAsAWholeIsJudgedByTheCandidate(t *testing.T) {
	t.Parallel()
	forbids := local(readsUsers + "    deny:\n      - POST /$batch\n")
	other := strings.Replace(local(readsUsers), "127.0.0.0/8", "192.0.2.0/24", 1)
	items := []batchItem{{ID: "1", Method: "GET", URL: "/users/1"}}
	for name, tt := range map[string]struct{ active, candidate, whole, item string }{
		"the candidate forbids it":        {local(readsUsers), forbids, "allow deny", ""},
		"only the policy forbids it":      {forbids, local(readsUsers), "deny allow", ""},
		"both forbid it":                  {forbids, forbids, "", ""},
		"the candidate reports it":        {forbids, "mode: report\n" + forbids, "deny allow", ""},
		"only the policy knows who sends": {local(readsUsers), other, "allow refuse", "allow refuse"},
		"only the candidate knows it":     {other, local(readsUsers), "refuse allow", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tt.active)
			r.handler.UseCandidate(candidateRules(t, tt.candidate))
			whole, records := r.besidesInBatch(t, items)
			for what, line := range map[string]besides{tt.whole: whole, tt.item: records["1"]} {
				got := ""
				if line.Candidate != nil {
					got = line.Decision + " " + line.Candidate.Decision
				}
				if got != what {
					t.Errorf("%q, want %q", got, what)
				}
			}
		})
	}
}

// A slot that the candidate's limit shares with the one in force is not taken twice, and a bucket that is empty refuses
// what only the candidate lets it cover.
func TestLimitsOfTheCandidateAreJudgedWithoutTaking(t *testing.T) {
	t.Parallel()
	file := func(covers string) string {
		return "version: 1\nlimits:\n  few: {rate: 2/h, burst: 2, covers: [" + covers + "]}\n" +
			strings.TrimPrefix(local("    allow:\n      - GET /users/{id}\n      - GET /groups\n"), "version: 1\n")
	}
	r := newRig(t, file("\"GET /users/{id}\""))
	r.handler.UseCandidate(candidateRules(t, file("\"GET /users/{id}\", GET /groups")))
	got := []string{}
	for _, target := range []string{"/v1.0/groups", "/v1.0/users/1", "/v1.0/users/1", "/v1.0/groups", "/v1.0/users/1"} {
		_, _, line := r.through(t, "GET", target)
		candidate := ""
		if line.Candidate != nil {
			candidate = " " + line.Candidate.Decision
		}
		got = append(got, line.Decision+candidate)
	}
	if diff := cmp.Diff([]string{"allow", "allow", "allow", "allow limit", "limit"}, got); diff != "" {
		t.Error(diff)
	}
}

// The metric counts under the names of both policies, and a policy that is loaded anew keeps what was counted.
func TestDifferencesAreCounted(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	r := newRig(t, local(readsUsers), func(c *proxy.Config, _ *rig) { c.Metrics = registry })
	r.handler.UseCandidate(candidateRules(t, local(patches)))
	send := func(target string) { r.through(t, "GET", target) }
	send("/v1.0/users/1")
	send("/v1.0/users/2")
	send("/v1.0/groups")
	r.handler.Use(rules(t, "# reloaded\n"+local(readsUsers)))
	send("/v1.0/users/3")
	r.handler.UseCandidate(candidateRules(t, strings.Replace(local(patches), "127.0.0.0/8", "192.0.2.0/24", 1)))
	send("/v1.0/users/4")
	r.handler.UseCandidate(nil)
	send("/v1.0/users/5")
	const name = "graphproxy_candidate_differences_total"
	want := `# HELP ` + name + ` Requests and items of batches that the candidate policy would ` +
		`decide otherwise, by caller, what the policy in force decided, and what the candidate would.
# TYPE graphproxy_candidate_differences_total counter
graphproxy_candidate_differences_total{active="allow",caller="app",candidate="deny"} 3
graphproxy_candidate_differences_total{active="allow",caller="app",candidate="refuse"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), name); err != nil {
		t.Error(err)
	}
}

// A candidate changes nothing of the answer's header, either.
func TestACandidateChangesNoHeader(t *testing.T) {
	t.Parallel()
	r := newRig(t, local("    limit: 1000/s\n"+readsUsers))
	header := func(target string) map[string][]string {
		req := httptest.NewRequest("GET", target, nil)
		req.Host, req.RemoteAddr = "graphproxy", "127.0.0.1:50000"
		req.Header.Set("Client-Request-Id", "fixed")
		got := r.serve(req).Header()
		for _, name := range []string{"Request-Id", "Date", "Content-Length"} {
			got.Del(name)
		}
		return got
	}
	for _, target := range []string{"/v1.0/users/1", "/v1.0/groups", "/v1.0/users/../1"} {
		before := header(target)
		r.handler.UseCandidate(candidateRules(t, local(patches)))
		if diff := cmp.Diff(before, header(target)); diff != "" {
			t.Errorf("%s: %s", target, diff)
		}
		r.handler.UseCandidate(nil)
	}
}

// Requests that come while either policy changes are answered as ever.
func TestPoliciesChangeUnderLoad(t *testing.T) {
	t.Parallel()
	r := newRig(t, local(readsUsers))
	done, failed := make(chan struct{}), make(chan string, 1)
	go func() {
		defer close(done)
		for i := range underRace(600, 100) {
			req := httptest.NewRequest("GET", "/v1.0/users/adele@contoso.com", nil)
			req.Host, req.RemoteAddr = "graphproxy", "127.0.0.1:50000"
			w := httptest.NewRecorder()
			if r.handler.ServeHTTP(w, req); w.Code != 200 {
				failed <- fmt.Sprintf("request %d: %d %s", i, w.Code, w.Body)
				return
			}
		}
	}()
	others := []*proxy.Authorization{nil, candidateRules(t, local(patches)), candidateRules(t, local(readsUsers))}
	actives := []*proxy.Authorization{rules(t, local(readsUsers)), rules(t, "# another\n"+local(readsUsers))}
	for i := 0; ; i++ {
		select {
		case <-done:
			select {
			case problem := <-failed:
				t.Error(problem)
			default:
			}
			return
		default:
			r.handler.UseCandidate(others[i%len(others)])
			r.handler.Use(actives[i%len(actives)])
		}
	}
}

// A line with a candidate stays below the bound, and says what is shortened.
func TestALineWithACandidateIsBounded(t *testing.T) {
	t.Parallel()
	rec := plainRecord()
	rule := strings.Repeat("x", 5000) + ":1"
	rec.Candidate = &proxy.CandidateRecord{Decision: "deny", Rule: rule, Policy: "0123456789ab"}
	rec.Bound()
	line := rec.AppendLine(nil)
	if len(line) > 4096 || !slices.Contains(rec.Cut, "candidate") || len(rec.Candidate.Rule) > 260 {
		t.Errorf("%d bytes, cut %q", len(line), rec.Cut)
	}
	var decoded map[string]any
	must(t, json.NewDecoder(bytes.NewReader(line)).Decode(&decoded))
	if !slices.Contains(slices.Collect(maps.Keys(decoded)), "candidate") {
		t.Error("the line has no candidate")
	}
}
