package proxy_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"graphproxy/auth/caller"
	"graphproxy/auth/caller/oidc"
	"graphproxy/auth/caller/oidc/oidctest"
	"graphproxy/policy"
	"graphproxy/proxy"
)

// shares is a policy of several callers, each with a key that is its name and keyEnd, with settings for each.
func shares(callers map[string]string) string {
	text := "version: 1\ncallers:\n"
	for name, settings := range callers {
		text += fmt.Sprintf("  %s:\n    identity: [{key: {sha256: %x}}]\n    allow: [ANY /test/**, GET /users]\n", name,
			sha256.Sum256([]byte(name+keyEnd)))
		if settings != "" {
			text += "    " + settings + "\n"
		}
	}
	return text
}

// hold begins requests of a caller that end with the test, and returns how many were accepted and how many refused
// as overloaded.
func (r *rig) hold(t *testing.T, caller string, n int) (taken, refused int) {
	t.Helper()
	for range n {
		req, err := http.NewRequestWithContext(t.Context(), "GET", r.server.URL+"/v1.0/test/stall", nil)
		must(t, err)
		req.Header.Set("X-Api-Key", caller+keyEnd)
		res, err := r.server.Client().Do(req)
		must(t, err)
		t.Cleanup(func() { res.Body.Close() })
		switch res.StatusCode {
		case http.StatusOK:
			taken++
		case http.StatusServiceUnavailable:
			if a := read(t, res); a.refusal(t, 503, "serviceNotAvailable") == "overloaded" &&
				a.header.Get("Retry-After") == "1" {
				refused++
			}
		}
	}
	return taken, refused
}

func TestNoCallerTakesWhatOthersNeed(t *testing.T) {
	type held struct {
		caller string
		asked  int
		taken  int
	}
	tests := []struct {
		name    string
		places  int
		callers map[string]string
		steps   []held
	}{
		{"the only caller of a policy has everything", 12, map[string]string{"a": ""}, []held{{"a", 14, 12}}},
		{"a caller by itself has half", 12, map[string]string{"a": "", "b": ""}, []held{{"a", 14, 6}}},
		{"half of an odd number is rounded up", 5, map[string]string{"a": "", "b": ""}, []held{{"a", 5, 3}}},
		{"one place is there for whoever comes first", 1, map[string]string{"a": "", "b": ""},
			[]held{{"a", 2, 1}, {"b", 1, 0}}},
		{"the second has half of what is left", 12, map[string]string{"a": "", "b": ""}, []held{{"a", 12, 6}, {"b", 12, 3}}},
		{"and the third, and the fourth", 16, map[string]string{"a": "", "b": "", "c": "", "d": ""},
			[]held{{"a", 16, 8}, {"b", 16, 4}, {"c", 16, 2}, {"d", 16, 1}}},
		{"a number", 12, map[string]string{"a": "in_flight: 2", "b": ""}, []held{{"a", 5, 2}}},
		{"a number beyond all", 4, map[string]string{"a": "in_flight: 200", "b": ""}, []held{{"a", 5, 4}}},
		{"a part", 12, map[string]string{"a": "in_flight: 25%", "b": ""}, []held{{"a", 5, 3}}},
		{"a part of less than one", 12, map[string]string{"a": "in_flight: 1%", "b": ""}, []held{{"a", 5, 1}}},
		{"more than half", 12, map[string]string{"a": "in_flight: 75%", "b": ""}, []held{{"a", 12, 9}, {"b", 12, 2}}},
		{"more than half of what the others leave", 12, map[string]string{"a": "in_flight: 75%", "b": "in_flight: 4"},
			[]held{{"b", 6, 4}, {"a", 12, 6}}},
		{"a small number is not made smaller by others", 12, map[string]string{"a": "in_flight: 2", "b": ""},
			[]held{{"b", 12, 6}, {"a", 5, 2}}},
		{"a share of the only caller is kept to", 12, map[string]string{"a": "in_flight: 25%"}, []held{{"a", 5, 3}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, shares(tt.callers), func(c *proxy.Config, _ *rig) { c.MaxInFlight = tt.places })
			for _, s := range tt.steps {
				if taken, refused := r.hold(t, s.caller, s.asked); taken != s.taken || taken+refused != s.asked {
					t.Errorf("%s: %d taken and %d refused, want %d taken", s.caller, taken, refused, s.taken)
				}
			}
			if n := r.graph.Count(); n > tt.places {
				t.Errorf("Graph received %d requests", n)
			}
		})
	}
}

func TestAPlaceIsFreeWhenItsRequestHasEnded(t *testing.T) {
	r := newRig(t, shares(map[string]string{"a": "", "b": ""}), func(c *proxy.Config, _ *rig) { c.MaxInFlight = 2 })
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, "GET", r.server.URL+"/v1.0/test/stall", nil)
		must(t, err)
		req.Header.Set("X-Api-Key", "a"+keyEnd)
		r.audit.reset()
		res, err := r.server.Client().Do(req)
		must(t, err)
		a := r.do(t, "GET", "/v1.0/users", "", "X-Api-Key: a"+keyEnd)
		if a.status != 503 || !strings.Contains(a.body, "in_flight") {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := r.do(t, "GET", "/v1.0/users", "", "X-Api-Key: b"+keyEnd); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
		cancel()
		res.Body.Close()
		r.audit.wait(t, 3)
		// allowed, denied and unreadable ones
		for _, target := range []string{"/v1.0/users", "/v1.0/groups", "/v1.0//", "/v1.0/users?$select=id&select=id"} {
			if a := r.do(t, "GET", target, "", "X-Api-Key: a"+keyEnd); a.status == 503 {
				t.Errorf("%s: %s", target, a.body)
			}
		}
	}
}

// After a reload a caller does not get its share a second time.
func TestASharesUseOutlivesThePolicy(t *testing.T) {
	callers := map[string]string{"a": "", "b": ""}
	r := newRig(t, shares(callers), func(c *proxy.Config, _ *rig) { c.MaxInFlight = 8 })
	r.hold(t, "a", 4)
	callers["a"] = "in_flight: 5"
	r.handler.Use(rules(t, shares(callers)))
	if taken, _ := r.hold(t, "a", 3); taken != 1 {
		t.Errorf("%d more were taken, want 1", taken)
	}
}

// emptyBatch opens a connection and sends the header of a batch, and nothing of its body.
func (r *rig) emptyBatch(t *testing.T, key string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.server.Listener.Addr().String())
	must(t, err)
	t.Cleanup(func() { c.Close() })
	_, err = fmt.Fprintf(c,
		"POST /v1.0/$batch HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: %s\r\nContent-Type: application/json\r\n"+
			"Content-Length: 60\r\n\r\n", key+keyEnd)
	must(t, err)
	return c
}

// tryRead reads an answer; the zero one if there is none.
func tryRead(c net.Conn) (a answer) {
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return a
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return a
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

func TestABatchCountsIntoTheConcurrencyOfItsCaller(t *testing.T) {
	r := newRig(t, shares(map[string]string{"a": "limit: {concurrency: 2}", "b": ""}))
	const body, all, slots = `{"requests":[{"id":"1","method":"GET","url":"/users"} ]}    `, 10, 2
	type answered struct {
		which int
		answer
	}
	answers := make(chan answered, all)
	open := map[int]net.Conn{}
	for i := range all {
		c := r.emptyBatch(t, "a")
		open[i] = c
		go func() { answers <- answered{i, tryRead(c)} }()
	}
	for range all - slots {
		a := <-answers
		delete(open, a.which)
		if inner := a.refusal(t, 429, "activityLimitReached"); inner != "limitExceeded" ||
			a.header.Get("Retry-After") != "1" {
			t.Errorf("innerError.code %q", inner)
		}
	}
	if a := r.do(t, "GET", "/v1.0/users", "", "X-Api-Key: a"+keyEnd); a.status != 429 {
		t.Errorf("a request beside two batches: %d %s", a.status, a.body)
	}
	if a := r.do(t, "GET", "/v1.0/users", "", "X-Api-Key: b"+keyEnd); a.status != 200 {
		t.Errorf("another caller: %d %s", a.status, a.body)
	}
	for _, c := range open { // its items use its place: two batches of one item fit
		_, err := io.WriteString(c, body+strings.Repeat(" ", 60-len(body)))
		must(t, err)
	}
	for range slots {
		if a := <-answers; a.status != 200 || a.responses(t)["1"].Status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	r.audit.wait(t, all-slots+1+1+2*slots) // the slots of the batches are free when their lines are written
	if a := r.do(t, "GET", "/v1.0/users", "", "X-Api-Key: a"+keyEnd); a.status != 200 {
		t.Errorf("when the batches have ended: %d %s", a.status, a.body)
	}
}

// A batch takes no tokens of a limit with a rate and a concurrency: its items do.
func TestABatchTakesNoTokens(t *testing.T) {
	r := newRig(t, shares(map[string]string{"a": "limit: {rate: 2/h, burst: 2, concurrency: 1}"}))
	a := r.do(t, "POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"/users"}]}`, "X-Api-Key: a"+keyEnd)
	if got := a.responses(t)["1"].Status; got != 200 {
		t.Errorf("the first: %d", got)
	}
	if a := r.do(t, "GET", "/v1.0/users", "", "X-Api-Key: a"+keyEnd); a.status != 200 {
		t.Errorf("the second: %d %s", a.status, a.body)
	}
	a = r.do(t, "POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"/users"}]}`, "X-Api-Key: a"+keyEnd)
	if got := a.responses(t)["1"].Status; got != 429 {
		t.Errorf("the third, in a batch that is read all the same: %d", got)
	}
}

// Requests that wait for a limit leave their places to those that are worked on.
func TestRequestsThatWaitCountApart(t *testing.T) {
	metrics := prometheus.NewRegistry()
	r := newRig(t, shares(map[string]string{"a": "limit: {concurrency: 1, wait: 2m}", "b": ""}),
		func(c *proxy.Config, _ *rig) { c.MaxInFlight, c.Metrics = 8, metrics })
	r.hold(t, "a", 1)
	results := make(chan int, 12)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for i := range 12 { // 4 of them may wait: half. Each has a place among the others until it waits
		until(t, "requests that wait", func() bool { return waitingNow(t, metrics) == float64(min(i, 4)) })
		go func() {
			req, err := http.NewRequestWithContext(ctx, "GET", r.server.URL+"/v1.0/users", nil)
			if err != nil {
				results <- -1
				return
			}
			req.Header.Set("X-Api-Key", "a"+keyEnd)
			res, err := r.server.Client().Do(req)
			if err != nil {
				results <- 0
				return
			}
			_ = res.Body.Close()
			results <- res.StatusCode
		}()
	}
	refused := map[int]int{}
	for range 8 {
		refused[<-results]++
	}
	if refused[429]+refused[503] != 8 || refused[429] == 0 {
		t.Errorf("refused %v", refused)
	}
	r.audit.wait(t, 8) // the places of those that were refused are free
	if taken, _ := r.hold(t, "b", 5); taken != 4 {
		t.Errorf("b has %d places while four of a wait, want 4 of the 7 that a leaves", taken)
	}
	cancel()
	for range 4 {
		if got := <-results; got != 0 {
			t.Errorf("one that waited: %d", got)
		}
	}
}

// Bodies that are kept in memory count into the share of their caller.
func TestOneCallersBodiesLeaveMemoryForTheBodiesOfOthers(t *testing.T) {
	r := newRig(t, shares(map[string]string{"a": "", "b": ""}), func(c *proxy.Config, _ *rig) { c.MaxInFlight = 200 })
	r.graph.Handle("POST /v1.0/test/body", func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		w.WriteHeader(http.StatusNoContent)
	})
	body := `{"a":"` + strings.Repeat("x", 3<<20) + `"}`
	var bad sync.WaitGroup
	for range 60 { // 180 MiB, of 128
		c, err := net.Dial("tcp", r.server.Listener.Addr().String())
		must(t, err)
		t.Cleanup(func() { c.Close() })
		bad.Go(func() {
			_, _ = fmt.Fprintf(c,
				"POST /v1.0/test/body HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: a"+keyEnd+"\r\nContent-Type: application/json\r\n"+
					"Content-Length: %d\r\n\r\n", len(body))
			_, _ = io.WriteString(c, body[:len(body)-1])
		})
	}
	bad.Wait()
	for range 5 {
		if a := r.do(t, "POST", "/v1.0/test/body", body, "X-Api-Key: b"+keyEnd); a.status != 204 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// Three callers use all that they can get, each in its own way, and a fourth is served as if it were alone.
func TestThreeBadCallersDoNotStopAGoodOne(t *testing.T) {
	const places, good = 60, 200
	r := newRig(t, shares(map[string]string{
		"batches": "limit: {concurrency: 4}", "inflated": "", "waiting": "limit: {rate: 1/m, wait: 2m}", "good": "",
	}), func(c *proxy.Config, _ *rig) { c.MaxInFlight = places })
	ctx, cancel := context.WithCancel(t.Context())
	var bad sync.WaitGroup
	defer bad.Wait()
	defer cancel()

	for range places + 10 { // batches without a body
		r.emptyBatch(t, "batches")
	}
	var zeros bytes.Buffer
	z := gzip.NewWriter(&zeros)
	_, _ = z.Write(make([]byte, 256<<10))
	_ = z.Flush()
	for range places + 10 { // bodies that inflate, and do not end
		c, err := net.Dial("tcp", r.server.Listener.Addr().String())
		must(t, err)
		t.Cleanup(func() { c.Close() })
		_, err = fmt.Fprintf(c,
			"POST /v1.0/$batch HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: inflated"+keyEnd+"\r\n"+
				"Content-Type: application/json\r\n"+
				"Content-Encoding: gzip\r\nContent-Length: 100000\r\n\r\n%s", zeros.Bytes())
		must(t, err)
	}
	for range 20 { // requests that wait, and come again when they are refused
		bad.Go(func() {
			for ctx.Err() == nil {
				req, err := http.NewRequestWithContext(ctx, "GET", r.server.URL+"/v1.0/users", nil)
				if err != nil {
					return
				}
				req.Header.Set("X-Api-Key", "waiting"+keyEnd)
				if res, err := r.server.Client().Do(req); err == nil {
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond): // 1,000 requests a second, and not as many as this machine can make
				}
			}
		})
	}
	until(t, "places that are taken", func() bool { return r.graph.Count() > 0 })

	var failed atomic.Int32
	var served sync.WaitGroup
	for range 4 {
		served.Go(func() {
			for range good / 4 {
				req, err := http.NewRequestWithContext(t.Context(), "GET", r.server.URL+"/v1.0/users", nil)
				if err != nil {
					failed.Add(1)
					return
				}
				req.Header.Set("X-Api-Key", "good"+keyEnd)
				res, err := r.server.Client().Do(req)
				if err != nil {
					failed.Add(1)
					continue
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if res.StatusCode != http.StatusOK {
					failed.Add(1)
				}
			}
		})
	}
	served.Wait()
	if n := failed.Load(); n != 0 {
		t.Errorf("%d of %d requests of the good caller failed", n, good)
	}
}

// While an issuer does not answer, requests with its tokens wait in places of their own.
func TestRequestsWhoseCallerIsUnknownTakeNoPlaces(t *testing.T) {
	const waiting, more = 64, 36
	issuer, err := oidctest.New(oidctest.Options{})
	must(t, err)
	t.Cleanup(issuer.Close)
	issuer.Break(oidctest.Slow)
	file := shares(map[string]string{"a": ""}) +
		"  b:\n    identity: [{token: {issuer: \"" + issuer.Issuer() +
		"\", audience: graphproxy, subject: x}}]\n    allow: [GET /users]\n"
	p, err := policy.Parse("policy.yaml", []byte(file))
	must(t, err)
	known, err := proxy.NewAuthorization(p, caller.Options{Tokens: oidc.NewKeys(oidc.Options{Client: issuer.Client()})})
	must(t, err)
	r := newRig(t, everyone, func(c *proxy.Config, _ *rig) { c.Authorization, c.MaxInFlight = known, 2 })
	token, err := issuer.Sign(map[string]any{"aud": "graphproxy", "sub": "x"}, nil)
	must(t, err)
	answers, began := make(chan int, waiting+more), time.Now()
	for range waiting + more {
		c, err := net.Dial("tcp", r.server.Listener.Addr().String())
		must(t, err)
		t.Cleanup(func() { c.Close() })
		_, err = io.WriteString(c, wire("GET /v1.0/users", "", "Host: localhost", "Authorization: Bearer "+token))
		must(t, err)
		go func() {
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				answers <- 0
				return
			}
			answers <- res.StatusCode
		}()
	}
	for range more {
		if got := <-answers; got != 401 {
			t.Errorf("one too many: %d", got)
		}
	}
	for range 20 {
		if a := r.do(t, "GET", "/v1.0/users", "", "X-Api-Key: a"+keyEnd); a.status != 200 {
			t.Errorf("a caller with a key: %d %s", a.status, a.body)
		}
	}
	issuer.Heal()
	tooLong := time.Since(began) > 4*time.Second // on a slow machine: a token waits for its key for 5 s
	for range waiting {
		// they are known now, and there are two places
		if got := <-answers; got != 200 && got != 503 && !(tooLong && got == 401) {
			t.Errorf("one that waited: %d", got)
		}
	}
}
