package redislimit_test

import (
	"bufio"
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"graphproxy/policy/limit"
	"graphproxy/proxy/redislimit"
)

// server is a real redis-server on a unix socket, which keeps nothing on disk.
type server struct {
	t      testing.TB
	socket string
	args   []string
	cmd    *exec.Cmd
}

// startRedis starts a server that ends with the test.
func startRedis(t testing.TB, args ...string) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // t.TempDir with a test's name in it may be longer than a socket's path may be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &server{t: t, socket: filepath.Join(dir, "redis.sock")}
	s.args = append([]string{"--port", "0", "--unixsocket", s.socket, "--save", "", "--appendonly", "no", "--dir", dir},
		args...)
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *server) start() {
	s.t.Helper()
	s.cmd = run(s.t, "ready to accept connections", "redis-server", s.args...)
}

// run starts one of Redis' programs, and returns when it has written that it is ready.
func run(t testing.TB, ready, program string, args ...string) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed: apt-get install redis-server redis-sentinel", program)
	}
	cmd := exec.Command(program, args...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	output := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if output += lines.Text() + "\n"; strings.Contains(strings.ToLower(lines.Text()), ready) {
			go func() {
				for lines.Scan() { // or it would block when the pipe is full
				}
			}()
			return cmd
		}
	}
	_ = cmd.Wait()
	t.Fatalf("%s did not get ready:\n%s", program, output)
	return nil
}

// kill ends it at once, as a crash would.
func (s *server) kill() { kill(s.cmd) }

func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) url() string { return "unix://" + s.socket }

// client speaks to the server directly.
func (s *server) client() *redis.Client {
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket, Protocol: 2})
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// logs is what a replica has logged.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// replica is one of several processes, as far as this package is concerned.
type replica struct {
	*redislimit.Buckets
	logs    *logs
	metrics *prometheus.Registry
	stop    func() // ends Run, and waits for it
}

// generous is a round trip's time when it is not what a test is about: the machine may be busy.
const generous = 30 * time.Second

func open(t testing.TB, url string, o redislimit.Options) *replica {
	t.Helper()
	r := &replica{logs: &logs{}, metrics: prometheus.NewRegistry()}
	o.Now, o.Metrics = time.Now, r.metrics
	if o.Timeout == 0 {
		o.Timeout = generous
	}
	o.Log = slog.New(slog.NewTextHandler(r.logs, nil))
	at, err := redislimit.ParseAddress(url)
	if err != nil {
		t.Fatal(err)
	}
	b, err := redislimit.Open(at, o)
	if err != nil {
		t.Fatal(err)
	}
	r.Buckets = b
	var once sync.Once
	r.stop = func() {
		once.Do(func() { // Run that finds its context ended only leaves
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			b.Run(ctx)
		})
	}
	t.Cleanup(func() { r.stop() })
	return r
}

// running is open with Run under way.
func running(t testing.TB, url string, o redislimit.Options) *replica {
	t.Helper()
	r := open(t, url, o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	r.stop = func() {
		cancel()
		<-done
	}
	return r
}

// take is one request.
func (r *replica) take(t testing.TB, charges ...limit.Charge) (*limit.Refusal, *limit.Grant) {
	t.Helper()
	var g limit.Grant
	refusal, err := r.Take(context.Background(), charges, &g)
	if err != nil {
		t.Fatal(err)
	}
	return refusal, &g
}

// metric is the value of a counter or gauge.
func (r *replica) metric(t testing.TB, name string) float64 {
	t.Helper()
	families, err := r.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// patience is how long a test waits for what must happen. Only a test that fails waits so long.
const patience = 2 * time.Minute

// eventually waits until it holds, or fails the test.
func eventually(t testing.TB, what string, holds func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
		if holds() {
			return time.Since(start)
		}
		if time.Since(start) > patience {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
