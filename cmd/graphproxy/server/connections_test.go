package server_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"graphproxy/cmd/graphproxy/server"
)

// logged collects lines of a log. It is safe for concurrent use.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// client is one keep-alive connection.
type client struct {
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, network, address string) *client {
	t.Helper()
	c, err := net.Dial(network, address)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	must(t, c.SetDeadline(time.Now().Add(10*time.Minute)))
	return &client{c, bufio.NewReader(c)}
}

func (c *client) send(t *testing.T, path string) {
	t.Helper()
	_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: graphproxy\r\n\r\n", path)
	must(t, err)
}

func (c *client) receive(t *testing.T) {
	t.Helper()
	res, err := http.ReadResponse(c.r, nil)
	must(t, err)
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("%d, %v", res.StatusCode, err)
	}
}

func (c *client) ask(t *testing.T) {
	t.Helper()
	c.send(t, "/")
	c.receive(t)
}

// isClosed waits for the end of the connection.
func (c *client) isClosed(t *testing.T) {
	t.Helper()
	if _, err := c.r.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is open: %v", err)
	}
}

// patience is how long a test waits for what must happen. Only a test that fails waits so long.
const patience = 2 * time.Minute

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within %v", what, patience)
		}
	}
}

// capped serves with at most so many connections. A request for /wait is answered when there is something in release.
type capped struct {
	server.Connections
	address string
	log     *logged
	inside  atomic.Int64
	release chan struct{}
}

func newCapped(t *testing.T, most int) *capped {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	c := &capped{log: new(logged), address: l.Addr().String(), release: make(chan struct{})}
	c.Connections = server.NewConnections(most, c.log.logger())
	s := c.Server(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			c.inside.Add(1)
			<-c.release
			c.inside.Add(-1)
		}
	}))
	done := make(chan error)
	go func() { done <- s.Serve(c.Listen(l)) }()
	t.Cleanup(func() {
		close(c.release)
		_ = s.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return c
}

func (c *capped) idles(t *testing.T, n int64) {
	t.Helper()
	eventually(t, fmt.Sprint(n, " idle connections"), func() bool { _, idle := c.Open(); return idle == n })
}

func TestTheConnectionThatHasBeenIdleForLongestIsClosedForANewOne(t *testing.T) {
	t.Parallel()
	s := newCapped(t, 3)
	var all []*client
	for i := range 3 {
		all = append(all, dial(t, "tcp", s.address))
		all[i].ask(t)
		s.idles(t, int64(i)+1)
	}
	all[0].ask(t) // it is idle for the shortest time now
	s.idles(t, 3)
	fourth := dial(t, "tcp", s.address)
	fourth.ask(t)
	all[1].isClosed(t)
	s.idles(t, 3)
	fifth := dial(t, "tcp", s.address)
	fifth.ask(t)
	all[2].isClosed(t)
	s.idles(t, 3)
	for _, c := range []*client{all[0], fourth, fifth} {
		c.ask(t)
	}
	s.idles(t, 3)
	evicted, paused, failed := s.Counted()
	if open, _ := s.Open(); open != 3 || evicted != 2 || paused != 0 || failed != 0 {
		t.Errorf("%d open, %d closed for others, %d pauses, %d errors", open, evicted, paused, failed)
	}
	if n := s.log.count("idle for longest is closed"); n != 1 {
		t.Errorf("it is logged %d times", n)
	}
	for _, c := range []*client{all[0], fourth, fifth} {
		c.Close()
	}
	eventually(t, "end of all", func() bool { open, idle := s.Open(); return open == 0 && idle == 0 })
	dial(t, "tcp", s.address).ask(t)
	dial(t, "tcp", s.address).ask(t)
	if n := s.log.count("fewer connections are open than may be"); n != 1 {
		t.Errorf("the end is logged %d times", n)
	}
}

func TestWhileEachConnectionCarriesARequestNewOnesWait(t *testing.T) {
	t.Parallel()
	s := newCapped(t, 2)
	var all []*client
	for range 5 {
		c := dial(t, "tcp", s.address) // the kernel takes it
		c.send(t, "/wait")
		all = append(all, c)
	}
	eventually(t, "pause", func() bool { _, paused, _ := s.Counted(); return paused == 1 })
	for range all { // one answer at a time: never more than two are inside
		eventually(t, "request", func() bool { return s.inside.Load() > 0 })
		if open, _ := s.Open(); open > 2 {
			t.Errorf("%d connections are open", open)
		}
		s.release <- struct{}{}
	}
	for _, c := range all {
		c.receive(t)
	}
	if _, paused, _ := s.Counted(); paused != 1 || s.log.count("new ones wait to be accepted") != 1 {
		t.Errorf("%d pauses, logged as %s", paused, s.log.text.String())
	}
}

// The clock stands still: after 5 s a connection that has sent nothing would be idle.
func TestConnectionsAreClosedInTheOrderInWhichTheyBeganToBeIdle(t *testing.T) {
	synctest.Test(t, closesInOrder)
}

func closesInOrder(t *testing.T) {
	k := server.NewConnections(1<<20, slog.New(slog.DiscardHandler))
	random := rand.New(rand.NewPCG(1, 2))
	var order, all []*fakeConn // in which they are idle
	use := func(c *fakeConn) {
		k.State(c, http.StateActive)
		k.State(c, http.StateIdle)
		order = append(slices.DeleteFunc(order, func(o *fakeConn) bool { return o == c }), c)
	}
	for range 3000 {
		c := new(fakeConn)
		all = append(all, c)
		k.Admit(c)
		if random.IntN(10) > 0 { // else it has not sent anything yet
			use(c)
		}
	}
	for len(order) > 0 {
		for range random.IntN(3) {
			if c := all[random.IntN(len(all))]; !c.closed {
				use(c)
			}
		}
		if random.IntN(20) == 0 { // one ends by itself
			k.State(order[0], http.StateClosed)
			order[0].closed = true
			order = order[1:]
			continue
		}
		next := order[0]
		order = order[1:]
		if k.Evict(); !next.closed {
			t.Fatal("another connection was closed than the one that is idle for longest")
		}
		k.State(next, http.StateClosed)
		all = slices.DeleteFunc(all, func(c *fakeConn) bool { return c.closed })
	}
	k.Evict() // there is none
	if open, idle := k.Open(); open != int64(len(all)) || idle != 0 {
		t.Errorf("%d open, of which %d idle, want %d", open, idle, len(all))
	}
}

// fakeConn is a connection that can only be closed.
type fakeConn struct {
	net.Conn
	closed bool
}

func (c *fakeConn) Close() error { c.closed = true; return nil }

func TestARequestOnAConnectionThatIsBeingClosedIsNotCarriedOut(t *testing.T) {
	k := server.NewConnections(8, slog.New(slog.DiscardHandler))
	c, served := new(fakeConn), 0
	k.Admit(c)
	k.State(c, http.StateActive)
	h := server.NewCounted(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }))
	request := httptest.NewRequest(http.MethodPost, "/", nil).WithContext(k.Context(t.Context(), c))
	h.ServeHTTP(httptest.NewRecorder(), request)
	k.State(c, http.StateIdle)
	if k.Evict(); !c.closed || served != 1 {
		t.Fatalf("closed: %v, %d requests are served", c.closed, served)
	}
	k.State(c, http.StateActive) // a request has come at the same moment
	defer func() {
		if err := recover(); err != http.ErrAbortHandler || served != 1 { //nolint:errorlint // net/http compares it so
			t.Errorf("%v, %d requests are served", err, served)
		}
		k.State(c, http.StateIdle)
		k.State(c, http.StateClosed)
		if open, idle := k.Open(); open != 0 || idle != 0 {
			t.Errorf("%d open, %d idle", open, idle)
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), request)
}

// fakeListener gives out connections and errors.
type fakeListener struct {
	next   chan any
	closed chan struct{}
}

func newFakeListener() *fakeListener {
	return &fakeListener{next: make(chan any, 100), closed: make(chan struct{})}
}

func (l *fakeListener) Accept() (net.Conn, error) {
	select {
	case one := <-l.next:
		if err, ok := one.(error); ok {
			return nil, &net.OpError{Op: "accept", Net: "tcp", Err: err}
		}
		return one.(net.Conn), nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *fakeListener) Close() error   { close(l.closed); return nil }
func (l *fakeListener) Addr() net.Addr { return &net.TCPAddr{} }

// serving serves on a fakeListener, in a bubble of synctest.
func serving(t *testing.T, k server.Connections) (l *fakeListener, end func() error) {
	t.Helper()
	l = newFakeListener()
	s, done := k.Server(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})), make(chan error, 1)
	go func() { done <- s.Serve(k.Listen(l)) }()
	return l, func() error { _ = s.Close(); return <-done }
}

func (l *fakeListener) connect() *client {
	ours, theirs := net.Pipe()
	l.next <- theirs
	return &client{ours, bufio.NewReader(ours)}
}

func TestAConnectionThatSendsNothingIsIdleAfterFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := server.NewConnections(2, slog.New(slog.DiscardHandler))
		l, end := serving(t, k)
		begin := time.Now()
		first, second := l.connect(), l.connect()
		third := l.connect()
		third.ask(t)
		if waited := time.Since(begin); waited < 5*time.Second || waited > 7*time.Second {
			t.Errorf("the third connection was accepted after %v", waited)
		}
		first.isClosed(t)
		second.ask(t)
		if evicted, paused, _ := k.Counted(); evicted != 1 || paused != 1 {
			t.Errorf("%d closed, %d pauses", evicted, paused)
		}
		must(t, second.Close())
		must(t, third.Close())
		if err := end(); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

func TestErrorsOfAcceptAreLoggedOnceAndCounted(t *testing.T) {
	for _, number := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EPROTO, syscall.ENETDOWN, syscall.EPERM,
	} {
		t.Run(number.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := new(logged)
				k := server.NewConnections(8, log.logger())
				l, end := serving(t, k)
				idle := l.connect()
				idle.ask(t)
				synctest.Wait()
				for range 30 {
					l.next <- number
				}
				next := l.connect()
				next.ask(t)
				evicted, _, failed := k.Counted()
				exhausted := number == syscall.EMFILE || number == syscall.ENFILE
				if want := map[bool]int64{true: 1}[exhausted]; failed != 30 || evicted != want {
					t.Errorf("%d errors, %d connections closed", failed, evicted)
				}
				for text, want := range map[string]int{
					"no connection can be accepted": 1, "connections are accepted again": 1, "failures=30": 1, "level=ERROR": 1,
				} {
					if n := log.count(text); n != want {
						t.Errorf("%q is logged %d times", text, n)
					}
				}
				l.next <- number // another episode
				l.connect().ask(t)
				if n := log.count("no connection can be accepted"); n != 2 {
					t.Errorf("two episodes are logged %d times", n)
				}
				must(t, idle.Close())
				must(t, next.Close())
				_ = end()
			})
		})
	}
}

func TestAListenerThatIsBrokenEndsServing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(logged)
		l, end := serving(t, server.NewConnections(8, log.logger()))
		l.next <- syscall.EBADF
		synctest.Wait()
		if err := end(); !errors.Is(err, syscall.EBADF) || log.count("accept") != 0 {
			t.Errorf("%v, %s", err, log.text.String())
		}
	})
}

func TestServingEndsWhileConnectionsWait(t *testing.T) {
	for name, prepare := range map[string]func(*fakeListener){
		"for a request that goes on":        func(l *fakeListener) { l.connect(); l.connect(); l.connect() },
		"for descriptors that are used up":  func(l *fakeListener) { l.next <- syscall.EMFILE },
		"for descriptors, and many a time ": func(l *fakeListener) { l.next <- syscall.EMFILE; l.next <- syscall.EMFILE },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, end := serving(t, server.NewConnections(2, slog.New(slog.DiscardHandler)))
				prepare(l)
				synctest.Wait()
				if err := end(); !errors.Is(err, http.ErrServerClosed) {
					t.Error(err)
				}
				for len(l.next) > 0 {
					if c, ok := (<-l.next).(net.Conn); ok {
						must(t, c.Close())
					}
				}
			})
		})
	}
}
