package proxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"graphproxy/proxy"
)

// counted is a listener that counts what is written to its connections.
type counted struct {
	net.Listener
	writes atomic.Int64
}

type countedConn struct {
	net.Conn
	by *counted
}

func (l *counted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &countedConn{c, l}, err
}

func (c *countedConn) Write(p []byte) (int, error) {
	c.by.writes.Add(1)
	return c.Conn.Write(p)
}

// gathering serves a rig's handler on a listener that counts.
func gathering(t *testing.T, r *rig, config *tls.Config) (*httptest.Server, *counted) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	l := &counted{Listener: s.Listener}
	s.Listener = proxy.GatherWrites(l)
	s.Config = proxy.NewServer(r.handler, slog.New(slog.DiscardHandler))
	if config == nil {
		s.Start()
	} else {
		s.TLS, s.EnableHTTP2 = config, len(config.NextProtos) > 0
		s.StartTLS()
	}
	s.Client().Transport.(*http.Transport).DisableCompression = true
	t.Cleanup(s.Close)
	return s, l
}

// overDirect makes a rig use package direct, also where GRAPHPROXY_TRANSPORT says otherwise.
func overDirect(c *proxy.Config, _ *rig) { c.Transport = "direct" }

// answersOf makes Graph answer with n bytes at /v1.0/test/n, with their number before them or without.
func answersOf(r *rig, n int, length bool) (text string) {
	all, _ := io.ReadAll(&pattern{left: n})
	text = string(all)
	r.graph.Handle(fmt.Sprintf("/v1.0/test/%d", n), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		if length {
			w.Header().Set("Content-Length", fmt.Sprint(n))
		}
		_, _ = io.WriteString(w, text)
		if !length {
			_ = http.NewResponseController(w).Flush()
		}
	})
	return text
}

func TestALongAnswerIsGatheredAndIsTheSame(t *testing.T) {
	sizes := []int{0, 1, 4000, 4096, 5000, 30 << 10, 32 << 10, 33 << 10, 36 << 10, 40 << 10, 100_000, 1 << 20}
	for _, size := range sizes {
		for _, length := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d bytes, length given: %v", size, length), func(t *testing.T) {
				r := newRig(t, everyone)
				text := answersOf(r, size, length)
				s, _ := gathering(t, r, nil)
				res, err := s.Client().Get(fmt.Sprintf("%s/v1.0/test/%d", s.URL, size))
				must(t, err)
				if a := read(t, res); a.status != 200 || a.body != text {
					t.Fatalf("%d, %d bytes, which are those of Graph: %v", a.status, len(a.body), a.body == text)
				}
				r.holdsNothing(t)
			})
		}
	}
}

// Graph's answer comes at once, because a pause would flush.
func TestWhatComesAtOnceGoesOutInOneWrite(t *testing.T) {
	request, answer := readsOf(20)
	for _, config := range []*tls.Config{nil, {}} {
		r := newRig(t, everyone, overDirect, func(c *proxy.Config, _ *rig) { c.Graph = rawGraph(t, answer) })
		s, l := gathering(t, r, config)
		writes := func(method, path, body string) int64 {
			before := l.writes.Load()
			q, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
			must(t, err)
			q.Header.Set("Content-Type", "application/json")
			res, err := s.Client().Do(q)
			must(t, err)
			if a := read(t, res); a.status != 200 || len(a.body) < 6000 {
				t.Fatalf("%d, %d bytes", a.status, len(a.body))
			}
			return l.writes.Load() - before
		}
		writes("GET", "/v1.0/users", "") // with the handshake
		if n := writes("POST", "/v1.0/$batch", request); n != 1 {
			t.Errorf("TLS: %v: %d writes for a batch", config != nil, n)
		}
		if n := writes("GET", "/v1.0/users", ""); n > 2 { // its length is not known, so it has an end
			t.Errorf("TLS: %v: %d writes for a page", config != nil, n)
		}
	}
}

func TestOverTLSAnAnswerIsTheSame(t *testing.T) {
	for _, protocols := range [][]string{nil, {"h2"}} {
		r := newRig(t, everyone)
		text := answersOf(r, 100_000, true)
		s, _ := gathering(t, r, &tls.Config{NextProtos: protocols})
		res, err := s.Client().Get(s.URL + "/v1.0/test/100000")
		must(t, err)
		if a := read(t, res); a.body != text || (res.ProtoMajor == 2) != (protocols != nil) {
			t.Errorf("HTTP/%d, %d bytes", res.ProtoMajor, len(a.body))
		}
	}
}

// An answer waits only while its handler is at work, so requests that come at once are answered one after the other.
func TestRequestsThatComeAtOnceAreAnsweredInOrder(t *testing.T) {
	r := newRig(t, everyone)
	sizes := []int{10, 20_000, 0, 50_000, 4096, 7}
	var request, want strings.Builder
	for i, size := range sizes {
		want.WriteString(answersOf(r, size, i%2 == 0))
		fmt.Fprintf(&request, "GET /v1.0/test/%d HTTP/1.1\r\nHost: x\r\n\r\n", size)
	}
	s, _ := gathering(t, r, nil)
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	must(t, err)
	defer c.Close()
	_, err = io.WriteString(c, request.String())
	must(t, err)
	in, got := bufio.NewReader(c), new(strings.Builder)
	for range sizes {
		res, err := http.ReadResponse(in, nil)
		must(t, err)
		_, err = io.Copy(got, res.Body)
		must(t, err)
	}
	if got.String() != want.String() {
		t.Error("the answers are not those of Graph in the order of the requests")
	}
}

// A caller that has the whole answer may send the next request at once.
func TestWhoHasAnAnswerHasItsPlaceAgain(t *testing.T) {
	_, answer := readsOf(20)
	policy := strings.Replace(everyone, "    identity:", "    in_flight: 1\n    identity:", 1)
	r := newRig(t, policy, overDirect, func(c *proxy.Config, _ *rig) { c.Graph = rawGraph(t, answer) })
	s, _ := gathering(t, r, nil)
	for i := range underRace(2000, 200) {
		res, err := s.Client().Get(s.URL + "/v1.0/users")
		must(t, err)
		if a := read(t, res); a.status != 200 {
			t.Fatalf("request %d: %d %s", i, a.status, a.body)
		}
	}
}

func TestWhatWasGatheredBeforeACutIsSent(t *testing.T) {
	r := newRig(t, everyone)
	r.graph.Handle("/v1.0/test/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "50000")
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(make([]byte, 20_000))
		panic(http.ErrAbortHandler)
	})
	s, _ := gathering(t, r, nil)
	res, err := s.Client().Get(s.URL + "/v1.0/test/cut")
	must(t, err)
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if res.StatusCode != 200 || n != 20_000 || err == nil {
		t.Errorf("%d, %d bytes, %v", res.StatusCode, n, err)
	}
	r.holdsNothing(t)
}

// What waits for Graph is not gathered: with http.Transport nobody notices that Graph pauses, and a caller may give up.
func TestWhatGraphSentOfALongAnswerDoesNotWaitForTheRest(t *testing.T) {
	for transport, least := range map[string]int{"direct": 12_000, "std": 12_000 - 4096} {
		for _, length := range []int{20_000, 30_000, 100_000} {
			r := newRig(t, everyone, func(c *proxy.Config, _ *rig) { c.Transport = transport })
			seen := make(chan struct{})
			r.graph.Handle("/v1.0/test/file", func(w http.ResponseWriter, q *http.Request) {
				w.Header().Set("Content-Type", "application/octet-stream")
				w.Header().Set("Content-Length", fmt.Sprint(length))
				_, _ = w.Write(make([]byte, 12_000))
				_ = http.NewResponseController(w).Flush()
				select {
				case <-seen:
				case <-q.Context().Done():
				}
				_, _ = w.Write(make([]byte, length-12_000))
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			q, err := http.NewRequestWithContext(ctx, "GET", r.server.URL+"/v1.0/test/file", nil)
			must(t, err)
			res, err := r.server.Client().Do(q)
			must(t, err)
			defer res.Body.Close()
			n, err := io.ReadFull(res.Body, make([]byte, least))
			if err != nil {
				t.Fatalf("%s: %d of %d bytes came, %d of them before the pause: %v", transport, n, length, least, err)
			}
			close(seen)
			if rest, err := io.Copy(io.Discard, res.Body); err != nil || int(rest) != length-least {
				t.Errorf("%s: then %d bytes, %v", transport, rest, err)
			}
		}
	}
}

func TestMemoryOfGatheredBytesIsCounted(t *testing.T) {
	for _, full := range []bool{false, true} {
		r := newRig(t, everyone, overDirect)
		text := answersOf(r, 20_000, true)
		waits := make(chan int64, 1)
		r.graph.Handle("/v1.0/test/slow", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "20001")
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = io.WriteString(w, text)
			_ = http.NewResponseController(w).Flush()
			until(t, "the first bytes", func() bool {
				now, _ := r.handler.HeldBytes()
				return full || now > 0
			})
			now, _ := r.handler.HeldBytes()
			waits <- now
			_, _ = io.WriteString(w, "x")
		})
		if full {
			proxy.BoundHeldBytes(r.handler, 0)
		}
		s, _ := gathering(t, r, nil)
		res, err := s.Client().Get(s.URL + "/v1.0/test/slow")
		must(t, err)
		if a := read(t, res); a.body != text+"x" {
			t.Errorf("%d, %d bytes", a.status, len(a.body))
		}
		if now := <-waits; (now == 0) != full || now > 64<<10 {
			t.Errorf("memory full: %v, counted: %d", full, now)
		}
		r.holdsNothing(t)
	}
}
