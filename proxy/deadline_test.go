package proxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"log/slog"

	"graphproxy/proxy"
)

// pipes is a listener whose connections are in memory, so that time is the test's.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func newPipes() *pipes {
	return &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.accepted <- there
	return here
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepted:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// paced serves a handler to one connection, for the time of a test.
func paced(t *testing.T, h http.Handler, use func(net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		server := proxy.NewServer(h, slog.New(slog.DiscardHandler))
		go func() { _ = server.Serve(proxy.GatherWrites(l)) }()
		c := l.dial()
		use(c)
		_ = c.Close()
		_ = server.Close()
	})
}

const anyoneMayWrite = `
version: 1
callers:
  app:
    identity: [anyone]
    allow: [ANY /test/**]
`

func TestACallerThatSendsNextToNothingIsCutOff(t *testing.T) {
	audit := new(lines)
	h, err := proxy.New(proxy.Config{
		Graph:         mustURL(t, "http://127.0.0.1:1"),
		Apps:          oneApp(fixed{}),
		Authorization: rules(t, anyoneMayWrite),
		Audit:         audit,
		Log:           slog.New(slog.DiscardHandler),
	})
	must(t, err)
	paced(t, h, func(c net.Conn) {
		start := time.Now()
		var sending sync.WaitGroup
		defer sending.Wait()
		defer c.Close()
		sending.Go(func() {
			_, _ = io.WriteString(c,
				"POST /v1.0/test/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "+
					"100000\r\n\r\n{")
			for range 200 {
				time.Sleep(time.Second)
				if _, err := io.WriteString(c, " "); err != nil {
					return
				}
			}
		})
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Error(err)
			return
		}
		if took := time.Since(start); res.StatusCode != 408 || took < 50*time.Second || took > 70*time.Second {
			t.Errorf("status %d after %s", res.StatusCode, took)
		}
	})
	if all := strings.Join(audit.all(), ""); !strings.Contains(all, `"reason":"bodyTooSlow","status":408`) {
		t.Error(all)
	}
}

func TestACallerThatSendsSlowlyButSteadilyIsServed(t *testing.T) {
	h, err := proxy.New(proxy.Config{
		Graph:         mustURL(t, "http://127.0.0.1:1"),
		Apps:          oneApp(tokenless{}),
		Authorization: rules(t, anyoneMayWrite),
		Log:           slog.New(slog.DiscardHandler),
	})
	must(t, err)
	paced(t, h, func(c net.Conn) {
		body := `{"requests":[{"id":"1","method":"GET","url":"/test/x"}]` + strings.Repeat(" ", 1<<20) + "}"
		go func() {
			_, _ = fmt.Fprintf(c,
				"POST /v1.0/$batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
				len(body))
			for len(body) > 0 {
				n := min(len(body), 8<<10)
				time.Sleep(20 * time.Second)
				_, _ = io.WriteString(c, body[:n])
				body = body[n:]
			}
		}()
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || res.StatusCode != 503 { // no token: the body was read to its end
			t.Errorf("%v %v", res, err)
		}
	})
}

func TestACallerThatTakesNothingIsCutOffAndOneThatTakesSlowlyIsNot(t *testing.T) {
	for _, tt := range []struct {
		name  string
		pause time.Duration
		whole bool
	}{
		{"steadily, for an hour", 30 * time.Second, true},
		{"not at all", 2 * time.Minute, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const size = 4 << 20
			var sent int64
			failed := make(chan error, 1)
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/octet-stream")
				out, end := proxy.NewResponseWriter(w, r)
				defer end()
				n, err := io.Copy(struct{ io.Writer }{out}, &pattern{left: size})
				sent = n
				failed <- err
			})
			paced(t, h, func(c net.Conn) {
				_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
				buf := make([]byte, 32<<10)
				for {
					time.Sleep(tt.pause)
					if _, err := io.ReadFull(c, buf); err != nil {
						break
					}
				}
				if err := <-failed; (err == nil) != tt.whole || tt.whole != (sent == size) || !tt.whole && errors.Is(err, io.EOF) {
					t.Errorf("%d bytes sent, %v", sent, err)
				}
			})
		})
	}
}

func TestBodiesThatAreHeldAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, everyone, func(c *proxy.Config, _ *rig) { c.MaxInFlight = 100 })
	r.graph.Handle("PATCH /v1.0/users/adele@contoso.com", func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		w.WriteHeader(http.StatusNoContent)
	})
	// Each keeps 3 MiB while it waits for its last byte, so 42 fit into 128 MiB.
	body := `{"a":"` + strings.Repeat("x", underRace(3<<20, 3<<16)) + `"}`
	proxy.BoundHeldBytes(r.handler, int64(underRace(128<<20, 128<<16)))
	var all []net.Conn
	for range 60 {
		c, err := net.Dial("tcp", r.server.Listener.Addr().String())
		must(t, err)
		defer c.Close()
		all = append(all, c)
		_, err = fmt.Fprintf(c,
			"PATCH /v1.0/users/adele@contoso.com HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
				"Content-Length: %d\r\n\r\n", len(body))
		must(t, err)
		_, _ = io.WriteString(c, body[:len(body)-1])
	}
	// 42 of them fit. The others are refused, and then each of those that are left is held but for its last byte.
	until(t, "bodies that are held", func() bool {
		left := int(r.handler.InFlight())
		return left+len(r.audit.all()) == len(all) && left <= 42
	})
	statuses := map[int]int{}
	for _, c := range all {
		_, _ = io.WriteString(c, "}")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			statuses[0]++ // refused in the middle of its body: the answer may be lost with the connection
			continue
		}
		statuses[res.StatusCode]++
		if res.StatusCode == 503 &&
			(res.Header.Get("Retry-After") != "1" || !strings.Contains(res.Header.Get("Proxy-Status"), "overloaded")) {
			t.Errorf("%v", res.Header)
		}
	}
	if statuses[204] < 30 || statuses[204] > 42 || statuses[503] == 0 {
		t.Errorf("answers %v", statuses)
	}
	if a := r.do(t, "PATCH", "/v1.0/users/adele@contoso.com", body, asJSON); a.status != 204 {
		t.Errorf("when it is quiet again: %d %s", a.status, a.body)
	}
}

// net/http reads the rest of a small body before it writes the answer's header, and then watches the connection. It
// must remove the deadline of the first read before the second; otherwise long answers would end.
func TestABodyThatIsNotWantedDoesNotEndALongAnswer(t *testing.T) {
	var gone error
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, end := proxy.NewResponseWriter(w, r)
		defer end()
		for range 20 {
			_, _ = out.Write(make([]byte, 8<<10))
			time.Sleep(time.Second)
		}
		gone = r.Context().Err()
	})
	paced(t, h, func(c net.Conn) {
		var sending sync.WaitGroup
		defer sending.Wait()
		defer c.Close()
		sending.Go(func() {
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n0123456789")
		})
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Error(err)
			return
		}
		n, err := io.Copy(io.Discard, res.Body)
		if n != 20*8<<10 || err != nil || gone != nil {
			t.Errorf("%d bytes, %v, context %v", n, err, gone)
		}
	})
}

// A refused request whose body does not come is answered after some seconds, because net/http waits for the body
// before it writes the answer's header.
func TestARefusalDoesNotWaitForABodyThatDoesNotCome(t *testing.T) {
	h, err := proxy.New(proxy.Config{
		Graph:         mustURL(t, "http://127.0.0.1:1"),
		Apps:          oneApp(fixed{}),
		Authorization: rules(t, anyoneMayWrite),
		Log:           slog.New(slog.DiscardHandler),
	})
	must(t, err)
	paced(t, h, func(c net.Conn) {
		start := time.Now() // the bubble's time: it stands still while anything runs
		var sending sync.WaitGroup
		defer sending.Wait()
		defer c.Close()
		sending.Go(func() {
			_, _ = io.WriteString(c,
				"POST /v1.0/users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
		})
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Error(err)
			return
		}
		if took := time.Since(start); res.StatusCode != 403 || took > 10*time.Second {
			t.Errorf("status %d after %s", res.StatusCode, took)
		}
	})
}
