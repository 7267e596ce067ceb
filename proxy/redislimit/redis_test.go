package redislimit_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"graphproxy/policy/limit"
	"graphproxy/proxy/redislimit"
)

// everything does all that a replica does with Redis.
func everything(t *testing.T, url string) {
	t.Helper()
	ctx := context.Background()
	r := open(t, url, redislimit.Options{Holds: func(string, time.Time) {}})
	r.Hold("directory", time.Now().Add(time.Minute))
	// A failover client first has to find the master; what is not there in time is not an error for the first requests.
	defer func() {
		if s := r.State(); s.Err != nil {
			t.Errorf("in the end: %v", s.Err)
		}
	}()
	eventually(t, "Redis answers", func() bool {
		r.Step(ctx, true)
		return r.State().Shared
	})
	rated := limit.Charge{Limit: &limit.Limit{Name: "rated", Rate: 0.001, Burst: 5, Unit: limit.ResourceUnits}}
	both := limit.Charge{
		Limit: &limit.Limit{Name: "both", Rate: 0.001, Burst: 100, Concurrency: 1},
		Key:   "adele@contoso.com",
	}
	refusal, g := r.take(t, rated, both)
	if refusal != nil {
		t.Fatalf("refusal %+v", refusal)
	}
	if refusal, _ := r.take(t, both); refusal == nil || !refusal.Concurrency {
		t.Errorf("a second slot of one: %+v", refusal)
	}
	r.Adjust([]limit.Charge{rated}, 5)
	r.Step(ctx, true)
	g.Release()
	r.Step(ctx, true)
	if refusal, _ := r.take(t, both); refusal != nil {
		t.Errorf("the slot did not come back: %+v", refusal)
	}
	if refusal, _ := r.take(t, rated); refusal == nil || refusal.Remaining != 0 {
		t.Errorf("five of five units are taken, and yet: %+v", refusal)
	}
	if s := r.State(); !s.Shared || s.Err != nil || s.Replicas != 1 {
		t.Errorf("state %+v", s)
	}
}

// documented returns the ACL commands of docs/redis.md.
func documented(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if command, ok := strings.CutPrefix(line, "    ACL SETUSER "); ok {
			lines = append(lines, strings.Replace("ACL SETUSER "+strings.TrimSpace(command), ">PASSWORD", ">p@ss", 1))
		}
	}
	if len(lines) != 2 {
		t.Fatalf("docs/redis.md has %d ACL commands, want one for Redis and one for Sentinel", len(lines))
	}
	return lines
}

func setUser(t *testing.T, c *redis.Client, command string) {
	t.Helper()
	var args []any
	for word := range strings.FieldsSeq(command) {
		args = append(args, word)
	}
	if err := c.Do(context.Background(), args...).Err(); err != nil {
		t.Fatalf("%s: %v", command, err)
	}
}

func TestTheDocumentedUserSuffices(t *testing.T) {
	s := startRedis(t)
	c := s.client()
	setUser(t, c, documented(t)[0])
	everything(t, "unix://graphproxy:p%40ss@"+s.socket+"?db=3")
	if n, err := c.DBSize(context.Background()).Result(); err != nil || n != 0 {
		t.Errorf("%d keys in database 0 (%v), want none: the address names 3", n, err)
	}
}

func TestOverTCP(t *testing.T) {
	port := freePort(t)
	startRedis(t, "--port", port, "--requirepass", "secret")
	everything(t, "redis://:secret@127.0.0.1:"+port)
}

func TestACluster(t *testing.T) {
	port := freePort(t)
	s := startRedis(t, "--port", port, "--cluster-enabled", "yes", "--cluster-port", freePort(t))
	c := s.client()
	if err := c.Do(context.Background(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the cluster is well", func() bool {
		return strings.Contains(c.ClusterInfo(context.Background()).Val(), "cluster_state:ok")
	})
	setUser(t, c, documented(t)[0]+" +cluster|slots")
	everything(t, "redis+cluster://graphproxy:p%40ss@127.0.0.1:"+port)
}

func TestSentinels(t *testing.T) {
	port, second, own := freePort(t), freePort(t), freePort(t)
	master := startRedis(t, "--port", port, "--repl-diskless-sync-delay", "0")
	spare := startRedis(t, "--port", second, "--replicaof", "127.0.0.1 "+port)
	for _, s := range []*server{master, spare} {
		setUser(t, s.client(), documented(t)[0])
	}
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf(
		"port %s\nsentinel monitor mymaster 127.0.0.1 %s 1\nsentinel down-after-milliseconds mymaster 60000\n", own, port,
	)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := run(t, "+slave slave", "redis-sentinel", config)
	t.Cleanup(func() { kill(sentinel) })
	c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + own, Protocol: 2})
	defer func() { _ = c.Close() }()
	setUser(t, c, documented(t)[1])
	url := "redis+sentinel://graphproxy:p%40ss@127.0.0.1:" + own +
		"/mymaster/2?sentinel_username=graphproxy&sentinel_password=p%40ss"
	everything(t, url)

	t.Run("another master takes over", func(t *testing.T) {
		r := running(t, url, redislimit.Options{})
		charge := limit.Charge{Limit: &limit.Limit{Name: "limits.tenant", Rate: 1e-6, Burst: 10}}
		r.take(t, charge)
		conn := master.client().Conn()
		defer func() { _ = conn.Close() }()
		eventually(t, "the other has what was taken", func() bool {
			conn.Set(context.Background(), "mark", "", 0) // WAIT is for the connection's own writes, and they are in order
			return conn.Wait(context.Background(), 1, time.Second).Val() == 1
		})
		quick := c.Do(context.Background(), "SENTINEL", "SET", "mymaster", "down-after-milliseconds", 300)
		if err := quick.Err(); err != nil {
			t.Fatal(err)
		}
		master.kill()
		next := spare.client()
		eventually(t, "the other is the master", func() bool {
			role, err := next.Do(context.Background(), "ROLE").Slice()
			return err == nil && len(role) > 0 && role[0] == "master"
		})
		took := eventually(t, "limits are shared again", func() bool {
			before := r.metric(t, "graphproxy_redis_failures_total")
			r.take(t, limit.Charge{Limit: &limit.Limit{Name: "other", Rate: 1e6, Burst: 1e6}})
			return r.State().Shared && r.metric(t, "graphproxy_redis_failures_total") == before
		})
		t.Logf("shared again %v after the loss", took.Round(time.Millisecond))
		left := 0
		for refusal, _ := r.take(t, charge); refusal == nil; refusal, _ = r.take(t, charge) {
			left++
		}
		if left != 9 {
			t.Errorf("%d left at the new master, want 9", left)
		}
	})
}

// freePort returns a port that was free a moment ago, below those that the kernel chooses by itself.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(10_000 + rand.IntN(20_000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}
