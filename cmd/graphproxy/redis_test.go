package main

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"graphproxy/proxy/graphtest"
)

const limitedUsers = `version: 1
limits:
  tenant: {rate: 1/h, burst: 10}
callers:
  local:
    identity: [{network: [127.0.0.0/8]}]
    allow: [GET /users, GET /groups]
`

// slowRedis gives a Redis on a busy machine the time to answer. That Redis has gone is seen at once all the same: its
// socket refuses connections.
const slowRedis = "GRAPHPROXY_REDIS_TIMEOUT=10s"

// startRedis starts a real Redis on a socket.
func startRedis(t *testing.T) (url string, kill func()) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed: apt-get install redis-server")
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	cmd := exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no",
		"--dir", dir)
	must(t, cmd.Start())
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(kill)
	return "unix://" + socket, kill
}

// sharing waits until the process reports that n replicas share limits.
func (p *process) sharing(t *testing.T, n int) {
	t.Helper()
	until(t, "limits shared by "+strconv.Itoa(n), func() bool {
		_, r := p.ready(t)
		return r.Redis != nil && r.Redis.Shared && r.Redis.Replicas == n
	})
}

func TestReplicasShareTheirLimitsInRedisAndGoOnWithoutIt(t *testing.T) {
	t.Parallel()
	url, kill := startRedis(t)
	w := newWorld(t)
	w.entra.Add(registered("default", tenantID, "", clientID, "s", "User.Read.All", "Group.Read.All"))
	w.policy = w.write(t, "policy.yaml", limitedUsers)
	var replicas []*process
	for range 3 {
		replicas = append(replicas, w.serve(t, "AZURE_CLIENT_SECRET=s", "GRAPHPROXY_REDIS_URL="+url, slowRedis))
	}
	for _, p := range replicas {
		p.sharing(t, 3)
	}
	granted, refused := 0, 0
	for i := range 30 {
		switch a := replicas[i%3].get(t, replicas[i%3].callers+"/v1.0/users?$top=1"); a.status {
		case http.StatusOK:
			granted++
		case http.StatusTooManyRequests:
			refused++
			if a.header.Get("RateLimit-Limit") != "10" || !strings.Contains(a.body, "limits.tenant") {
				t.Errorf("%v %s", a.header, a.body)
			}
		default:
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if granted != 10 || refused != 20 {
		t.Errorf("%d granted and %d refused by three replicas with one bucket of 10", granted, refused)
	}
	kill()
	granted = 0
	for range 8 { // the first ones find out that Redis is gone
		switch a := replicas[0].get(t, replicas[0].callers+"/v1.0/users?$top=1"); a.status {
		case http.StatusOK:
			granted++
		case http.StatusTooManyRequests:
		default:
			t.Errorf("without Redis: %d %s", a.status, a.body)
		}
	}
	if granted > 4 { // a third of 10, rounded
		t.Errorf("%d granted by one replica of three by itself", granted)
	}
	_, r := replicas[0].ready(t)
	if !r.Ready || r.Redis == nil || r.Redis.Shared || r.Redis.Error == "" {
		t.Errorf("%+v", r)
	}
}

func TestAHoldReachesTheOtherReplicas(t *testing.T) {
	t.Parallel()
	url, _ := startRedis(t)
	w := newWorld(t)
	w.entra.Add(registered("default", tenantID, "", clientID, "s", "User.Read.All", "Group.Read.All"))
	w.policy = w.write(t, "policy.yaml", strings.Replace(limitedUsers, "1/h, burst: 10", "100/s", 1))
	one := w.serve(t, "AZURE_CLIENT_SECRET=s", "GRAPHPROXY_REDIS_URL="+url, slowRedis)
	other := w.serve(t, "AZURE_CLIENT_SECRET=s", "GRAPHPROXY_REDIS_URL="+url, slowRedis)
	one.sharing(t, 2)
	w.graph.Throttle(graphtest.Throttle{Prefix: "/v1.0/users", RetryAfter: "60", Times: 1})
	if a := one.get(t, one.callers+"/v1.0/users"); a.status != 429 || a.header.Get("Proxy-Status") != "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	until(t, "the hold-back at the other replica", func() bool {
		a := other.get(t, other.callers+"/v1.0/groups")
		return a.status == 429 && strings.Contains(a.body, "graphThrottled")
	})
}

func TestWithDenyRequestsThatALimitCoversAreRefusedWithoutRedis(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.entra.Add(registered("default", tenantID, "", clientID, "s", "User.Read.All"))
	w.policy = w.write(t, "policy.yaml", limitedUsers)
	p := w.serve(t, "AZURE_CLIENT_SECRET=s", "GRAPHPROXY_REDIS_URL=unix://"+w.path("nothing"),
		"GRAPHPROXY_REDIS_FAILURE=deny")
	a := p.get(t, p.callers+"/v1.0/users?$top=1")
	if a.status != 503 || !strings.Contains(a.body, "limitsUnavailable") || a.header.Get("Retry-After") != "1" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if n := len(w.graph.Requests()); n != 0 {
		t.Errorf("Graph received %d requests", n)
	}
	p.signal(t, 15)
	if status := p.wait(t); status != 0 {
		t.Errorf("status %d", status)
	}
}
