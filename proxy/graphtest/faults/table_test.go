package faults_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
)

// outcome is the result of a fault.
type outcome struct {
	status      int    // at the caller; 0: Graph's, as if nothing had happened
	code        string // innerError.code of the refusal, and the reason in the audit line
	cut         bool   // the answer's body breaks off, and the audit line says graphBrokeOff
	least, most int    // how often Graph received the request
}

// The usual outcomes.
func unreached() outcome { return outcome{status: 502, code: "graphUnreachable"} }
func passed() outcome    { return outcome{least: 1, most: 1} }
func once() outcome {
	return outcome{status: 502, code: "graphUnreachable", least: 1, most: 1}
}
func brokeOff() outcome { return outcome{cut: true, least: 1, most: 1} }

// fault is a row of the table.
type fault struct {
	name   string
	wires  []string         // nil: both
	toxics []string         // of toxiproxy; none: Graph is reached without it
	arm    func(w *world)   // does what a toxic cannot
	graph  http.HandlerFunc // what Graph answers instead, on every method, and a status of 200 when all goes well
	header string           // of the caller's besides
	want   outcome
	large  *outcome // for the large body, if that differs
}

// faultPath is where Graph answers with fault.graph.
const faultPath = "/v1.0/test/fault"

func TestWhenTheWayToGraphBreaks(t *testing.T) {
	t.Parallel()
	who := newIdentity(t)
	for _, f := range append(tcpFaults(), httpFaults()...) {
		schemes := f.wires
		if schemes == nil {
			schemes = wires()
		}
		for _, scheme := range schemes {
			t.Run(f.name+" over "+scheme, func(t *testing.T) {
				t.Parallel()
				f.run(t, newWorld(t, who, scheme))
			})
		}
	}
}

func (f fault) run(t *testing.T, w *world) {
	address := w.direct()
	if f.toxics != nil || f.arm != nil {
		address = w.broken()
	}
	for _, toxic := range f.toxics {
		w.toxic(t, toxic)
	}
	if f.arm != nil {
		f.arm(w)
	}
	if f.graph != nil {
		w.graph.Handle(faultPath, f.graph)
	}
	for i, q := range requests() {
		if f.graph != nil {
			q = q.at(faultPath, 200)
		}
		want := f.want
		if f.large != nil && q.large {
			want = *f.large
		}
		t.Run(q.name, func(t *testing.T) {
			front := w.front(t, address, nil)
			id := fmt.Sprintf("fault-%d", i)
			a, err := front.try(t, q, id, f.header)
			if err != nil {
				t.Fatalf("no answer: %v", err)
			}
			want.check(t, w, front, q, id, a)
		})
	}
}

// check compares what a caller saw, what Graph received and what was recorded.
func (want outcome) check(t *testing.T, w *world, f *front, q request, id string, a answer) {
	t.Helper()
	status := want.status
	if status == 0 {
		status = q.status
	}
	if a.status != status || a.cut != want.cut {
		t.Errorf("the caller got status %d, cut off %t; want %d, %t; body %.200q", a.status, a.cut, status, want.cut, a.body)
	}
	reason := want.code
	if want.code != "" {
		if got := a.inner(t); got != want.code {
			t.Errorf("innerError.code %q, want %q", got, want.code)
		}
	} else if !want.cut && strings.Contains(a.header.Get("Content-Type"), "json") && !json.Valid([]byte(a.body)) {
		t.Errorf("the body is not whole: %.200q", a.body)
	}
	if want.cut {
		reason = "graphBrokeOff"
	}
	rec := f.record(t, id)
	if rec.Status != status || rec.Reason != reason || rec.Decision != "allow" || rec.Method != q.method {
		t.Errorf("audit line %+v, want status %d, reason %q, decision allow, method %s", rec, status, reason, q.method)
	}
	if got := w.arrived(id); got < want.least || got > want.most {
		t.Errorf("Graph received it %d times, want %d to %d", got, want.least, want.most)
	}
	f.keepsSecrets(t)
}

// leadNowhere gives toxiproxy an address on which no program listens: toxiproxy accepts, and closes.
func leadNowhere(w *world) {
	_ = w.toxi.Update(&toxiproxy.Proxy{Listen: w.toxi.Listen, Upstream: "127.0.0.1:1", Enabled: true})
}

// tcpFaults happen to a connection that no request has used yet.
func tcpFaults() []fault {
	partly := outcome{status: 502, code: "graphUnreachable", most: 1}
	plain, secure := []string{"http"}, []string{"https"}
	return []fault{
		{name: "nothing breaks behind toxiproxy", toxics: []string{}, want: passed()},
		{name: "connection refused", arm: func(w *world) { w.toxi.Stop() }, want: unreached()},
		{name: "closed right after accept", arm: leadNowhere, want: unreached()},
		{name: "reset before the request has left", toxics: []string{`{"type":"reset_peer","stream":"upstream"}`},
			want: unreached()},
		{name: "reset before the response header", wires: plain, toxics: []string{`{"type":"reset_peer"}`}, want: once()},
		{name: "reset in the handshake", wires: secure, toxics: []string{`{"type":"reset_peer"}`}, want: unreached()},
		{name: "cut in the handshake", wires: secure, toxics: []string{`{"type":"limit_data","attributes":{"bytes":100}}`},
			want: unreached()},
		{name: "cut in the response header", wires: plain,
			toxics: []string{`{"type":"limit_data","attributes":{"bytes":20}}`}, want: once()},
		{name: "cut in the request", wires: plain,
			toxics: []string{`{"type":"limit_data","stream":"upstream","attributes":{"bytes":60}}`}, want: partly},
		{name: "cut in the body", graph: page, toxics: []string{`{"type":"limit_data","attributes":{"bytes":20000}}`},
			want: brokeOff()},
		{
			name:   "cut in the upload",
			graph:  page,
			toxics: []string{`{"type":"limit_data","stream":"upstream","attributes":{"bytes":70000}}`},
			want:   passed(),
			large:  &partly,
		},
		{
			name: "100 ms and a jitter of 100 ms",
			want: passed(),
			toxics: []string{`{"type":"latency","attributes":{"latency":100,"jitter":100}}`,
				`{"type":"latency","stream":"upstream","attributes":{"latency":100,"jitter":100}}`},
		},
		{
			name:  "slow",
			graph: page,
			want:  passed(),
			toxics: []string{`{"type":"bandwidth","attributes":{"rate":200}}`,
				`{"type":"bandwidth","stream":"upstream","attributes":{"rate":1000}}`},
		},
		{name: "in slices of a few bytes",
			toxics: []string{`{"type":"slicer","attributes":{"average_size":16,"size_variation":8,"delay":1}}`}, want: passed()},
		{name: "a close that comes late", toxics: []string{`{"type":"slow_close","attributes":{"delay":300}}`},
			want: passed(), graph: untilClose(whole())},
	}
}
