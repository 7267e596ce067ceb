package proxy_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/proxy/graphtest"
)

// entry is one request of the corpus. testdata/bypass/spellings.txt begins with an explanation of its lines.
type entry struct {
	at      string // file:line
	expect  string // allow, report, deny, broken, batch, or a status
	inner   string // innerError.code that a refusal must have; "": any
	method  string
	target  string
	headers []string
	sent    string // what Graph must receive; "": any target with the same reading
	items   string // of a batch: "1=allow 2=deny 3=400"
	body    string
}

func (e entry) String() string { return e.expect + " " + e.method + " " + e.target }

// bytes is the request as it goes over the wire.
func (e entry) bytes() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", e.method, e.target)
	if !slices.ContainsFunc(e.headers, func(h string) bool { return strings.HasPrefix(h, "Host:") }) {
		b.WriteString("Host: graphproxy\r\n")
	}
	for _, h := range e.headers {
		b.WriteString(h + "\r\n")
	}
	if e.body != "" {
		if !slices.ContainsFunc(e.headers, func(h string) bool { return strings.HasPrefix(h, "Content-Type:") }) {
			b.WriteString("Content-Type: application/json\r\n")
		}
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(e.body))
	}
	return b.String() + "\r\n" + e.body
}

// readCorpus reads the files of the corpus, each with its entries in order.
func readCorpus(t *testing.T) map[string][]entry {
	t.Helper()
	files, err := filepath.Glob("testdata/bypass/*.txt")
	must(t, err)
	corpus := map[string][]entry{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		name := filepath.Base(file)
		for i, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
			at := fmt.Sprintf("%s:%d", name, i+1)
			var problem string
			corpus[name], problem = addLine(corpus[name], at, line)
			if problem != "" {
				t.Fatalf("%s: %s: %q", at, problem, line)
			}
		}
	}
	return corpus
}

func addLine(entries []entry, at, line string) (_ []entry, problem string) {
	rest, belongs := strings.CutPrefix(line, " ")
	switch {
	case line == "" || line[0] == '#':
		return entries, ""
	case !belongs:
		expect, rest, _ := strings.Cut(line, " ")
		method, target, ok := strings.Cut(rest, " ")
		if !ok {
			return nil, "is not EXPECTED METHOD TARGET"
		}
		e := entry{at: at, method: unhex(method), target: unhex(target)}
		e.expect, e.inner, _ = strings.Cut(expect, "/")
		return append(entries, e), ""
	case len(entries) == 0:
		return nil, "belongs to no entry"
	}
	e := &entries[len(entries)-1]
	switch kind, value, _ := strings.Cut(rest, " "); kind {
	case ">":
		e.headers = append(e.headers, unhex(value))
	case "=":
		e.sent = value
	case "?":
		e.items = value
	default:
		e.body += unhex(rest)
	}
	return entries, ""
}

var hexByte = regexp.MustCompile(`<[0-9A-F]{2}>`)

// unhex puts the byte 00 in the place of <00>.
func unhex(s string) string {
	return hexByte.ReplaceAllStringFunc(s, func(m string) string {
		b, _ := strconv.ParseUint(m[1:3], 16, 8)
		return string([]byte{byte(b)})
	})
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	must(t, err)
	return string(text)
}

// Each request of the corpus is sent byte for byte to the proxy in front of Graph, gets its expected decision,
// leaves one record, and reaches Graph only if it may, as the request that was judged.
func TestTheBypassCorpusHasItsDecisions(t *testing.T) {
	t.Parallel()
	file := readFile(t, "testdata/bypass/policy.yaml")
	policy := readRules(t, file)
	corpus := readCorpus(t)
	r := newRig(t, file)
	total, kinds := 0, map[string]int{}
	for _, entries := range corpus {
		for _, e := range entries {
			total++
			kinds[e.expect]++
		}
	}
	if t.Logf("%d requests: %v", total, kinds); total < 300 {
		t.Errorf("the corpus has %d requests, want 300", total)
	}
	for _, name := range slices.Sorted(maps.Keys(corpus)) {
		t.Run(name, func(t *testing.T) {
			for _, e := range corpus[name] {
				t.Run(e.at, func(t *testing.T) { r.check(t, e, policy) })
			}
		})
	}
}

// check sends an entry and checks the answer, the record and Graph's requests.
func (r *rig) check(t *testing.T, e entry, policy []plainRule) {
	t.Helper()
	r.audit.reset()
	r.graph.Reset()
	a := r.raw(t, e.bytes())
	switch e.expect {
	case "allow", "report":
		r.checkAllowed(t, e, a, policy)
	case "broken":
		if a.status != 400 || len(r.audit.all()) != 0 {
			t.Errorf("%s: status %d, records %q", e, a.status, r.audit.all())
		}
		r.sawNothing(t)
	case "batch":
		r.checkBatch(t, e, a, policy)
	default:
		r.checkRefused(t, e, a)
	}
	if t.Failed() {
		t.Logf("%s: %s\nstatus %d: %s\nrecord %s", e.at, e, a.status, a.body, r.audit.all())
	}
}

// refusalOf returns the expected status, error.code and decision of an entry.
func refusalOf(t *testing.T, e entry) (status int, code, decision string) {
	t.Helper()
	switch e.expect {
	case "deny":
		return 403, "accessDenied", "deny"
	case "401":
		return 401, "unauthenticated", "refuse"
	case "403": // which is not a denial by the policy
		return 403, "accessDenied", "refuse"
	}
	return atoi(t, e.expect), "invalidRequest", "refuse"
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	must(t, err)
	return n
}

func (r *rig) checkRefused(t *testing.T, e entry, a answer) {
	t.Helper()
	r.sawNothing(t)
	status, code, decision := refusalOf(t, e)
	if e.method == "HEAD" { // has no body to look at
		if a.status != status || a.header.Get("Proxy-Status") == "" {
			t.Errorf("status %d, want %d", a.status, status)
		}
	} else if inner := a.refusal(t, status, code); inner == "" || e.inner != "" && inner != e.inner ||
		e.expect == "deny" && inner != "policyDenied" {
		t.Errorf("innerError.code %q", inner)
	}
	rec := r.one(t)
	if rec["status"] != float64(status) || rec["decision"] != decision {
		t.Errorf("record %v", rec)
	}
}

func (r *rig) checkAllowed(t *testing.T, e entry, a answer, policy []plainRule) {
	t.Helper()
	got := r.graph.Requests()
	if len(got) != 1 {
		t.Fatalf("Graph received %d requests, want 1", len(got))
	}
	if by := a.header.Get("Proxy-Status"); by != "" {
		t.Errorf("the proxy answered: %s", by)
	}
	if got[0].Method != e.method || string(got[0].Body) != e.body {
		t.Errorf("Graph received %s with the body %q", got[0].Method, got[0].Body)
	}
	checkHeaders(t, got[0])
	if e.sent != "" && got[0].Target != e.sent {
		t.Errorf("Graph received %s, want %s", got[0].Target, e.sent)
	}
	if diff := cmp.Diff(readingOf(e.target), readingOf(got[0].Target)); diff != "" {
		t.Errorf("Graph reads %s otherwise than %s: %s", got[0].Target, e.target, diff)
	}
	r.one(t)
	rec := auditLines(t, r.audit.all())[0]
	if rec.Decision != "allow" || rec.WouldDeny != (e.expect == "report") {
		t.Errorf("record %+v", rec)
	}
	if e.expect == "allow" {
		if problem := uncovered(policy, rec, got[0].Method, got[0].Target); problem != "" {
			t.Error(problem)
		}
		checkReferences(t, policy, rec, got[0])
	}
}

// checkBatch checks each item like a single request: its answer, its record, and what Graph received.
func (r *rig) checkBatch(t *testing.T, e entry, a answer, policy []plainRule) {
	t.Helper()
	answers, ran, want := a.responses(t), map[string]graphtest.Request{}, e.expectations(t)
	for _, q := range r.graph.Requests() {
		ran[q.Item] = q
	}
	var urls struct {
		Requests []struct {
			ID  anyID
			URL string
		}
	}
	must(t, json.Unmarshal([]byte(strings.TrimPrefix(e.body, "\ufeff")), &urls))
	if len(urls.Requests) != len(want) || len(answers) != len(want) {
		t.Fatalf("%d items have %d answers and %d expectations", len(urls.Requests), len(answers), len(want))
	}
	records := map[string]auditLine{}
	for _, rec := range auditLines(t, r.audit.wait(t, 1+len(want))) {
		records[rec.Item] = rec
	}
	if len(records) != 1+len(want) || records[""].Decision != "allow" {
		t.Errorf("records %+v", records)
	}
	sent := 0
	for _, item := range urls.Requests {
		id := string(item.ID)
		t.Run("item "+id, func(t *testing.T) {
			rec, got := records[id], answers[id]
			q, hasRun := ran[id]
			if !isLetThrough(want[id]) {
				checkRefusedItem(t, want[id], got, rec, hasRun)
				return
			}
			sent++
			if !hasRun || got.Headers["Proxy-Status"] != "" || rec.Decision != "allow" ||
				rec.WouldDeny != (want[id] == "report") {
				t.Fatalf("ran %v, answered %+v, record %+v", hasRun, got, rec)
			}
			checkRan(t, e.version()+relative(e.version(), item.URL), q, rec, policy)
		})
	}
	if _, carried := ran[""]; carried != (sent > 0) || carried != (len(r.graph.Requests()) == sent+1) ||
		!carried && len(ran) > 0 {
		t.Errorf("Graph received %d requests for %d items", len(r.graph.Requests()), sent)
	}
}

func isLetThrough(expect string) bool { return expect == "allow" || expect == "report" }

func (e entry) version() string { return "/" + strings.Split(e.target, "/")[1] }

// expectations returns the expected results of the items of a batch, by their ids.
func (e entry) expectations(t *testing.T) map[string]string {
	t.Helper()
	want := map[string]string{}
	for _, word := range strings.Fields(e.items) {
		id, expect, ok := strings.Cut(word, "=")
		if !ok {
			t.Fatalf("%q is not id=expectation", word)
		}
		want[id] = expect
	}
	return want
}

func checkRefusedItem(t *testing.T, expect string, got itemAnswer, rec auditLine, hasRun bool) {
	t.Helper()
	status, decision := 403, "deny"
	if expect != "deny" {
		status, decision = atoi(t, expect), "refuse"
	}
	if inner := got.inner(t); got.Status != status || inner == "" || expect == "deny" && inner != "policyDenied" {
		t.Errorf("answered %d %s, want %d", got.Status, got.Body, status)
	}
	if hasRun || rec.Decision != decision || rec.Status != status {
		t.Errorf("ran %v, record %+v", hasRun, rec)
	}
}

// relative removes the proxy's own address and the version from an item's URL, as the documentation of batches
// allows.
func relative(version, url string) string {
	for _, own := range []string{"http://graphproxy", "https://GRAPHPROXY:443"} {
		url = strings.TrimPrefix(url, own)
	}
	return "/" + strings.TrimPrefix(strings.TrimPrefix(url, version), "/")
}

// checkRan checks what Graph received against the request and the rule that allowed it.
func checkRan(t *testing.T, asked string, q graphtest.Request, rec auditLine, policy []plainRule) {
	t.Helper()
	if diff := cmp.Diff(readingOf(asked), readingOf(q.Target)); diff != "" {
		t.Errorf("Graph reads %s otherwise than %s: %s", q.Target, asked, diff)
	}
	if problem := uncovered(policy, rec, q.Method, q.Target); problem != "" && !rec.WouldDeny {
		t.Error(problem)
	}
	checkReferences(t, policy, rec, q)
	checkHeaders(t, q)
	if q.Header.Get("Authorization") != "" || q.Header.Get("Host") != "" {
		t.Errorf("the item has the headers %v", q.Header)
	}
}

// checkReferences checks the references in a body that Graph received against the rule that allowed it.
func checkReferences(t *testing.T, policy []plainRule, rec auditLine, q graphtest.Request) {
	t.Helper()
	for _, rule := range policy {
		if rule.caller == rec.Caller && rule.kind == "allow" && fmt.Sprintf("policy.yaml:%d", rule.line) == rec.Rule {
			if problem := rule.refersBeyond(q.Target, q.Body); problem != "" && !rec.WouldDeny {
				t.Errorf("line %d: %s", rule.line, problem)
			}
		}
	}
}

// checkHeaders checks that no header came along that changes the method, the target or the sender.
func checkHeaders(t *testing.T, q graphtest.Request) {
	t.Helper()
	for name := range q.Header {
		switch strings.ReplaceAll(strings.ToLower(name), "_", "-") {
		case "x-http-method-override", "x-http-method", "x-method-override", "x-api-key", "cookie", "x-original-url",
			"x-rewrite-url", "x-forwarded-host", "x-forwarded-for":
			t.Errorf("Graph received the header %s", name)
		}
	}
}
