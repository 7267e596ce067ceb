package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// balancer is a load balancer in front of two replicas.
type balancer struct {
	name   string
	drain  string // GRAPHPROXY_DRAIN
	config func(listen string, callers, admin [2]string, dir string) string
	args   func(config string) []string
}

// balancers are load balancers that Debian packages. haproxy checks /readyz and removes a replica while it drains.
// nginx has no check: it notices that a connection is refused, and passes the request on, which is safe because
// nothing was sent.
func balancers() []balancer {
	return []balancer{
		{"haproxy", "4s", haproxyConfig, func(config string) []string { return []string{"-db", "-f", config} }},
		{"nginx", "2s", nginxConfig, func(config string) []string {
			return []string{"-c", config, "-e", "stderr", "-p", filepath.Dir(config)}
		}},
	}
}

func haproxyConfig(listen string, callers, admin [2]string, _ string) string {
	_, one, _ := net.SplitHostPort(admin[0])
	_, two, _ := net.SplitHostPort(admin[1])
	return fmt.Sprintf(`global
  maxconn 2000
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  timeout check 3s
frontend callers
  bind %s
  default_backend graphproxy
backend graphproxy
  option httpchk
  http-check send meth GET uri /readyz hdr Host localhost
  http-check expect status 200
  default-server check inter 200ms fall 1 rise 1
  server one %s port %s
  server two %s port %s
`, listen, callers[0], one, callers[1], two)
}

func nginxConfig(listen string, callers, _ [2]string, dir string) string {
	return fmt.Sprintf(`daemon off;
worker_processes 1;
pid %[4]s/nginx.pid;
events { worker_connections 2000; }
http {
  access_log off;
  client_body_temp_path %[4]s/body; proxy_temp_path %[4]s/proxy; fastcgi_temp_path %[4]s/fastcgi; uwsgi_temp_path %[4]s/uwsgi; scgi_temp_path %[4]s/scgi;
  upstream graphproxy {
    server %[2]s max_fails=1 fail_timeout=1s;
    server %[3]s max_fails=1 fail_timeout=1s;
    keepalive 32;
  }
  server {
    listen %[1]s;
    location / {
      proxy_pass http://graphproxy;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_next_upstream error;
    }
  }
}
`, listen, callers[0], callers[1], dir)
}

// Both replicas are restarted, one after the other, under load: with the drain no request fails. ROLLING_RESTARTS=3
// restarts both three times at 500 requests a second; without it, once at 200, so that the race detector is fast
// enough.
func TestARollingRestartBehindALoadBalancerFailsNoRequest(t *testing.T) {
	t.Parallel()
	rounds, perSecond := 1, 200
	if n, err := strconv.Atoi(os.Getenv("ROLLING_RESTARTS")); err == nil {
		rounds, perSecond = n, 500
	}
	for _, b := range balancers() {
		t.Run(b.name, func(t *testing.T) {
			program, err := exec.LookPath(b.name)
			if err != nil {
				t.Skipf("this machine has no %s: apt-get install %s", b.name, b.name)
			}
			rollingRestart(t, b, program, rounds, perSecond)
		})
	}
}

func rollingRestart(t *testing.T, b balancer, program string, rounds, perSecond int) {
	w := newWorld(t)
	w.registerSecret("secret")
	callers, admin := [2]string{freeAddress(t), freeAddress(t)}, [2]string{freeAddress(t), freeAddress(t)}
	replica := func(i int) *process {
		return w.serve(t, "AZURE_CLIENT_SECRET=secret", "GRAPHPROXY_LISTEN="+callers[i], "GRAPHPROXY_ADMIN_LISTEN="+admin[i],
			"GRAPHPROXY_DRAIN="+b.drain, "GRAPHPROXY_AUDIT_LOG=off")
	}
	replicas := [2]*process{replica(0), replica(1)}
	for _, p := range replicas {
		until(t, "ready", func() bool { status, _ := p.ready(t); return status == 200 })
	}
	listen := freeAddress(t)
	dir := t.TempDir()
	config := filepath.Join(dir, b.name+".conf")
	must(t, os.WriteFile(config, []byte(b.config(listen, callers, admin, dir)), 0o600))
	front := exec.Command(program, b.args(config)...)
	said := new(lines)
	front.Stdout, front.Stderr, front.WaitDelay = said, said, 5*time.Second
	must(t, front.Start())
	// nginx ends its workers only on a signal
	t.Cleanup(func() { _ = front.Process.Signal(syscall.SIGTERM); _ = front.Wait() })

	load := newTraffic("http://" + listen + "/v1.0/users?$top=1")
	until(t, b.name+" in front", func() bool { return load.request() == "" })
	served := func(n int) {
		t.Helper()
		from := load.answered()
		until(t, fmt.Sprint(n, " more answers"), func() bool { return load.answered() >= from+n })
	}
	load.start(perSecond)
	served(200)
	for range rounds {
		for i := range replicas {
			old := replicas[i]
			old.signal(t, syscall.SIGTERM)
			if status := old.wait(t); status != 0 {
				t.Errorf("exit status %d", status)
			}
			replicas[i] = replica(i)
			until(t, "ready", func() bool { status, _ := replicas[i].ready(t); return status == 200 })
			served(200) // the balancer has checked the new one before the other leaves
		}
	}
	total, failed := load.stop()
	if slices.ContainsFunc(replicas[:], (*process).tokenTimedOut) {
		// the test's own Entra ID was too slow on this machine, which is no failure of a restart
		failed = slices.DeleteFunc(failed, func(f string) bool { return strings.Contains(f, `"tokenUnavailable"`) })
	}
	t.Logf("%s: %d requests, %d failed, %d restarts of 2 replicas, %.0f requests/s", b.name, total, len(failed), rounds,
		load.rate())
	if len(failed) > 0 {
		t.Errorf("%d of %d requests failed, such as: %s\n%s", len(failed), total, failed[0], said)
	}
}

// freeAddress returns an address of this machine on which no program listens. Its port is below those that a system
// gives to connections and to listeners on port 0, so that no other test gets it while no program listens on it.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 1000 {
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 10_000+rand.IntN(20_000)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
}

// traffic is requests at a fixed rate, at most 64 at a time, so that the rate is lower on a slow machine. Safe for
// concurrent use.
type traffic struct {
	url    string
	client *http.Client
	ended  chan struct{}
	places chan struct{}
	run    sync.WaitGroup
	began  time.Time
	took   time.Duration

	mu     sync.Mutex
	done   int
	failed []string
}

func newTraffic(url string) *traffic {
	return &traffic{
		url:    url,
		client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
		ended:  make(chan struct{}),
		places: make(chan struct{}, 64),
	}
}

// request makes one request, and returns its failure, or "".
func (l *traffic) request() string {
	res, err := l.client.Get(l.url)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return fmt.Sprintf("%d %s %v", res.StatusCode, strings.TrimSpace(string(body)), err)
	}
	return ""
}

func (l *traffic) start(perSecond int) {
	l.began = time.Now()
	l.run.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for sent := 0; ; {
			select {
			case <-tick.C: // a tick that is late brings all requests that are due
				for due := int(time.Since(l.began).Seconds() * float64(perSecond)); sent < due; sent++ {
					select {
					case l.places <- struct{}{}:
						l.run.Go(func() { l.count(l.request()); <-l.places })
					case <-l.ended:
						return
					}
				}
			case <-l.ended:
				return
			}
		}
	})
}

func (l *traffic) count(failure string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done++
	if failure != "" {
		l.failed = append(l.failed, failure)
	}
}

func (l *traffic) answered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done
}

// stop returns how many requests were made, and how some of them failed.
func (l *traffic) stop() (total int, failed []string) {
	close(l.ended)
	l.run.Wait()
	l.took = time.Since(l.began)
	l.client.CloseIdleConnections()
	return l.answered(), l.failed
}

func (l *traffic) rate() float64 { return float64(l.answered()) / l.took.Seconds() }
