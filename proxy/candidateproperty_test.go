package proxy_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
	"graphproxy/proxy"
)

// candidateLine is what a line has about the candidate.
type candidateLine struct {
	Decision  string `json:"decision"`
	WouldDeny bool   `json:"would_deny"`
	Rule      string `json:"rule"`
	Policy    string `json:"policy"`
}

// besides is an audit line with its candidate.
type besides struct {
	auditLine
	Policy    string
	Candidate *candidateLine
}

func besidesOf(t testing.TB, texts []string) []besides {
	t.Helper()
	out := make([]besides, len(texts))
	for i, text := range texts {
		must(t, json.Unmarshal([]byte(text), &out[i]))
		must(t, json.Unmarshal([]byte(text), &out[i].auditLine))
	}
	return out
}

// candidateRules is rules for the file of a candidate.
func candidateRules(t testing.TB, file string) *proxy.Authorization {
	t.Helper()
	p, err := policy.Parse("candidate.yaml", []byte(file))
	must(t, err)
	return authorized(t, p)
}

// byHand decides twice, and returns what the line must have about the candidate.
func byHand(active, other *policy.Policy, method string, target *odata.Target) *candidateLine {
	r := policy.Request{Caller: "app", Method: method, Target: target}
	a, b := active.Decide(r), other.Decide(r)
	if a.Allow == b.Allow && a.WouldDeny == b.WouldDeny {
		return nil
	}
	line := &candidateLine{Decision: "deny", WouldDeny: b.WouldDeny, Policy: other.Hash()}
	if b.Allow {
		line.Decision = "allow"
	}
	if b.Rule != nil {
		line.Rule = b.Rule.Where()
	}
	return line
}

// The candidate in the line of a request, and of the same request in a batch, is what deciding twice by hand gives; the
// answer and what Graph receives are as without a candidate. Each check makes ten pairs of random policies.
func TestTheDifferenceShownIsThatOfDecidingTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t, everyone)
	policies, shown, same := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		for range underRace(10, 1) {
			file, other := drawMode(rt)+drawPolicy(rt), drawMode(rt)+drawPolicy(rt)
			active, beside := rules(t, file), candidateRules(t, other)
			r.handler.Use(active)
			policies++
			requests := make([]batchItem, 4)
			for i := range requests {
				requests[i] = newBatchItem(i, drawMethod(rt), strings.ToValidUTF8(drawTarget(rt), ""))
			}
			for _, q := range requests {
				r.handler.UseCandidate(nil)
				want, sent, without := r.through(t, q.Method, q.URL)
				r.handler.UseCandidate(beside)
				got, sentNow, line := r.through(t, q.Method, q.URL)
				if diff := cmp.Diff(want+sent, got+sentNow); diff != "" || without.Candidate != nil {
					rt.Fatalf("%s %s: the answer differs with a candidate: %s", q.Method, q.URL, diff)
				}
				expected := expectedBeside(active, beside, q, line.Decision)
				if diff := cmp.Diff(expected, line.Candidate); diff != "" {
					rt.Fatalf("%s %s: (-by hand +line) %s\n%s\n---\n%s", q.Method, q.URL, diff, file, other)
				}
				if shown++; line.Candidate == nil {
					shown--
					same++
				}
			}
			_, records := r.besidesInBatch(t, requests)
			for _, q := range requests {
				line := records[q.ID]
				q.URL = "/v1.0" + relative("/v1.0", q.URL)
				if diff := cmp.Diff(expectedBeside(active, beside, q, line.Decision), line.Candidate); diff != "" {
					rt.Fatalf("in a batch, %s %s: (-by hand +line) %s", q.Method, q.URL, diff)
				}
			}
		}
	})
	t.Logf("%d pairs of policies, %d differences, %d requests alike", policies, shown, same)
	if shown < policies/2 || same < policies/2 {
		t.Error("the policies have lost their balance")
	}
}

// expectedBeside is byHand for requests that the policy in force decided on.
func expectedBeside(active, beside *proxy.Authorization, q batchItem, decision string) *candidateLine {
	path, query, _ := strings.Cut(q.URL, "?")
	target, err := odata.Parse(path, query)
	if err != nil || decision == "" || decision == "refuse" {
		return nil
	}
	return byHand(active.Policy(), beside.Policy(), q.Method, target)
}

func drawMode(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", "mode: report\n"}).Draw(rt, "mode")
}

// through sends one request through the handler, and returns the answer without what differs each time, what Graph
// received, and the line.
func (r *rig) through(t *testing.T, method, target string) (answered, sent string, line besides) {
	t.Helper()
	text := method + " " + target + " HTTP/1.1\r\nHost: graphproxy\r\n"
	if strings.HasPrefix(method, "P") {
		text += "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
	} else {
		text += "\r\n"
	}
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		return "broken", "", besides{}
	}
	req.RemoteAddr = "127.0.0.1:50000"
	req.Header.Set("client-request-id", "fixed")
	w := r.serve(req)
	for _, q := range r.graph.Requests() {
		sent += q.Method + " " + q.Target + " " + string(q.Body) + "\n"
	}
	lines := besidesOf(t, r.audit.all())
	if len(lines) != 1 {
		t.Fatalf("%d records", len(lines))
	}
	if w.Header().Get("Proxy-Status") == "" {
		return "by Graph", sent, lines[0] // which remembers what was deleted
	}
	var refusal graphError
	_ = json.Unmarshal(w.Body.Bytes(), &refusal)
	return fmt.Sprint(w.Code, refusal.Error.Code, refusal.Error.Message, w.Header().Get("Proxy-Status")), sent, lines[0]
}

// serve sends a request through the handler with nothing recorded before it.
func (r *rig) serve(req *http.Request) *httptest.ResponseRecorder {
	r.audit.reset()
	r.graph.Reset()
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	return w
}

// besidesInBatch sends items in one batch, and returns the line of the batch and those of its items by id.
func (r *rig) besidesInBatch(t *testing.T, items []batchItem) (whole besides, records map[string]besides) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"requests": items})
	must(t, err)
	req := httptest.NewRequest("POST", "/v1.0/$batch", bytes.NewReader(text))
	req.Host = "graphproxy"
	req.Header.Set("Content-Type", "application/json")
	req.RemoteAddr = "127.0.0.1:50000"
	r.serve(req)
	records = map[string]besides{}
	for _, line := range besidesOf(t, r.audit.all()) {
		if line.Item == "" {
			whole = line
			continue
		}
		records[line.Item] = line
	}
	return whole, records
}
