package proxy_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// honest is one request of the corpus of honest requests. testdata/honest/users.txt begins with an explanation of
// its lines.
type honest struct {
	at     string // file:line
	method string
	target string
	sent   string   // what Graph must receive; "": the target
	body   string   // of a batch
	ran    []string // of a batch: what Graph must run
}

func (e honest) want() string {
	if e.sent != "" {
		return e.sent
	}
	return e.target
}

func (e honest) isBatch() bool { return strings.HasSuffix(e.target, "/$batch") }

// content returns the body of a request with the method, and its type.
func (e honest) content() (body, contentType string) {
	switch {
	case e.body != "":
		return e.body, "application/json"
	case e.method == "PUT" && (strings.HasSuffix(e.target, "/content") || strings.HasSuffix(e.target, "/$value")):
		return "text", "text/plain"
	case e.method == "GET" || e.method == "DELETE":
		return "", ""
	}
	return "{}", "application/json"
}

// bytes is the request as it goes over the wire.
func (e honest) bytes() string {
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: graphproxy\r\n", e.method, e.target)
	body, contentType := e.content()
	if body != "" {
		head += fmt.Sprintf("Content-Type: %s\r\nContent-Length: %d\r\n", contentType, len(body))
	}
	return head + "\r\n" + body
}

// item is the request as an item of a batch.
func (e honest) item(id int) map[string]any {
	item := map[string]any{"id": fmt.Sprint(id), "method": e.method, "url": e.target[len("/v1.0"):]}
	body, contentType := e.content()
	if body != "" {
		item["headers"] = map[string]string{"Content-Type": contentType}
		item["body"] = json.RawMessage(body)
		if body == "text" {
			item["body"] = body
		}
	}
	return item
}

// readHonest reads the files of the corpus, in order.
func readHonest(t *testing.T) []honest {
	t.Helper()
	files, err := filepath.Glob("testdata/honest/*.txt")
	must(t, err)
	var all []honest
	for _, file := range files {
		for i, line := range strings.Split(strings.TrimRight(readFile(t, file), "\n"), "\n") {
			var problem string
			if all, problem = addHonest(all, fmt.Sprintf("%s:%d", filepath.Base(file), i+1), line); problem != "" {
				t.Fatalf("%s:%d: %s: %q", file, i+1, problem, line)
			}
		}
	}
	return all
}

func addHonest(all []honest, at, line string) (_ []honest, problem string) {
	rest, belongs := strings.CutPrefix(line, " ")
	switch {
	case line == "" || line[0] == '#':
		return all, ""
	case !belongs:
		e := honest{at: at}
		var ok bool
		if e.method, e.target, ok = strings.Cut(rest, " "); !ok ||
			!strings.HasPrefix(e.target, "/v1.0/") && !strings.HasPrefix(e.target, "/beta/") {
			return nil, "is not METHOD TARGET"
		}
		return append(all, e), ""
	case len(all) == 0:
		return nil, "belongs to no entry"
	}
	e := &all[len(all)-1]
	switch kind, value, _ := strings.Cut(rest, " "); kind {
	case "=":
		e.sent = value
	case "-":
		e.ran = append(e.ran, value)
	default:
		e.body += rest
	}
	return all, ""
}

// Requests as honest clients write them reach Graph, byte for byte as in the corpus, with the same meaning.
func TestHonestRequestsReachGraph(t *testing.T) {
	t.Parallel()
	all := readHonest(t)
	if t.Logf("%d requests", len(all)); len(all) < 600 {
		t.Errorf("the corpus has %d requests, want 600", len(all))
	}
	r := newRig(t, readFile(t, "testdata/honest/policy.yaml"))
	for _, e := range all {
		t.Run(e.at, func(t *testing.T) { r.checkHonest(t, e) })
	}
}

func (r *rig) checkHonest(t *testing.T, e honest) {
	t.Helper()
	r.audit.reset()
	r.graph.Reset()
	a := r.raw(t, e.bytes())
	got := r.graph.Requests()
	passed := a.header.Get("Proxy-Status") == "" && len(got) == 1+len(e.ran) && got[0].Target == e.want()
	if !passed {
		t.Errorf("%s %s\nanswered %d by %q: %s", e.method, e.target, a.status, a.header.Get("Proxy-Status"), a.body)
		for _, q := range got {
			t.Errorf("Graph received %s %s\nwant %s", q.Method, q.Target, e.want())
		}
		return
	}
	if diff := cmp.Diff(readingOf(e.target), readingOf(got[0].Target)); diff != "" {
		t.Errorf("Graph reads %s otherwise than %s: %s", got[0].Target, e.target, diff)
	}
	if sent, _ := e.content(); got[0].Method != e.method || !e.isBatch() && string(got[0].Body) != sent {
		t.Errorf("Graph received %s with the body %q", got[0].Method, got[0].Body)
	}
	for i, want := range e.ran {
		if got[i+1].Target != want {
			t.Errorf("item %d ran as %s, want %s", i, got[i+1].Target, want)
		}
	}
	for _, rec := range auditLines(t, r.audit.wait(t, max(1, len(got)))) {
		if rec.Decision != "allow" {
			t.Errorf("record %+v", rec)
		}
	}
}

// The same requests in batches of twenty run as they do alone.
func TestHonestRequestsReachGraphInBatches(t *testing.T) {
	t.Parallel()
	r := newRig(t, readFile(t, "testdata/honest/policy.yaml"))
	for _, version := range []string{"/v1.0", "/beta"} {
		var items []honest
		for _, e := range readHonest(t) {
			if !e.isBatch() && strings.HasPrefix(e.target, version+"/") {
				items = append(items, e)
			}
		}
		for chunk := range slices.Chunk(items, 20) {
			t.Run(chunk[0].at, func(t *testing.T) { r.checkHonestBatch(t, version, chunk) })
		}
	}
}

func (r *rig) checkHonestBatch(t *testing.T, version string, entries []honest) {
	t.Helper()
	r.audit.reset()
	r.graph.Reset()
	var requests []map[string]any
	for i, e := range entries {
		requests = append(requests, e.item(i))
	}
	body, err := json.Marshal(map[string]any{"requests": requests})
	must(t, err)
	a := r.do(t, "POST", version+"/$batch", string(body), "Content-Type: application/json")
	ran := map[string]string{}
	for _, q := range r.graph.Requests() {
		ran[q.Item] = q.Target
	}
	answers := a.responses(t)
	for i, e := range entries {
		id := fmt.Sprint(i)
		if ran[id] != e.want() || answers[id].Headers["Proxy-Status"] != "" {
			t.Errorf("%s: %s ran as %q, want %s; answered %d %s", e.at, e.target, ran[id], e.want(), answers[id].Status,
				answers[id].Body)
		}
		if diff := cmp.Diff(readingOf(e.target), readingOf(ran[id])); diff != "" {
			t.Errorf("%s: Graph reads %s otherwise than %s: %s", e.at, ran[id], e.target, diff)
		}
	}
}
