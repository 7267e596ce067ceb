package redislimit_test

import (
	"context"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"graphproxy/policy/limit"
	"graphproxy/proxy/redislimit"
)

// far is a way to a Redis on which every answer takes this long.
type far struct {
	delay atomic.Int64
	drop  atomic.Bool // answers do not come at all
	url   string
}

func farFrom(t *testing.T, s *server, delay time.Duration) *far {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &far{url: "redis://" + l.Addr().String()}
	f.delay.Store(int64(delay))
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.carry(c, s.socket)
		}
	}()
	return f
}

func (f *far) carry(c net.Conn, socket string) {
	defer c.Close()
	time.Sleep(time.Duration(f.delay.Load())) // a round trip of TCP
	up, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer up.Close()
	go func() {
		defer up.Close()
		pass(c, up, nil)
	}()
	pass(up, c, f)
}

func pass(from, to net.Conn, f *far) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if f != nil {
			time.Sleep(time.Duration(f.delay.Load()))
			if f.drop.Load() {
				continue
			}
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// The time for an answer counts from the command, not from the wait for a connection: 49 ms of round trip were
// two trips too many for a new connection.
func TestARedisThatIsFarIsNotLost(t *testing.T) {
	const tries = 5 // a connection may take 2 s, which is little on a busy machine
	for i := range tries {
		f := farFrom(t, startRedis(t), 49*time.Millisecond)
		r := running(t, f.url, redislimit.Options{})
		charge := limit.Charge{Limit: &limit.Limit{Name: "limits.tenant", Rate: 1e6, Burst: 1e6}}
		var all sync.WaitGroup
		for range 60 {
			all.Go(func() { r.take(t, charge) })
		}
		all.Wait()
		s := r.State()
		if s.Shared {
			return
		}
		if i == tries-1 {
			t.Errorf("%+v", s)
		}
	}
}

func TestOneLateAnswerDecidesOneRequest(t *testing.T) {
	f := farFrom(t, startRedis(t), 0)
	r := open(t, f.url, redislimit.Options{Timeout: 50 * time.Millisecond})
	lim := &limit.Limit{Name: "limits.tenant", Rate: 1e-6, Burst: 20}
	charge := limit.Charge{Limit: lim}
	r.Step(t.Context(), false)
	r.take(t, charge)
	late := func() {
		t.Helper()
		f.delay.Store(int64(5 * time.Second))
		r.take(t, charge)
		f.delay.Store(0)
	}
	failures := func() float64 { return r.metric(t, "graphproxy_redis_failures_total") }
	prompt := func() {
		t.Helper()
		eventually(t, "an answer in time", func() bool {
			before := failures()
			r.take(t, limit.Charge{Limit: &limit.Limit{Name: "other", Rate: 1e6, Burst: 1e6}})
			return failures() == before || !r.State().Shared
		})
	}
	for rounds := 0; rounds < 3; {
		before := failures()
		late()
		prompt()
		switch s := r.State(); {
		case s.Shared:
			rounds++
		case failures() > before+1: // on a slow machine other answers were late, too
			eventually(t, "Redis is found again", func() bool { r.Step(t.Context(), false); return r.State().Shared })
		default:
			t.Fatalf("Redis was left after one late answer: %v", s.Err)
		}
	}
	for range 3 {
		late()
	}
	if r.State().Shared {
		t.Error("Redis was not left after three late answers in a row")
	}
	// What was answered too late is given back, and what was decided without Redis is taken there: in all 20.
	r.Step(t.Context(), false)
}

func TestASecondOfSilenceIsEnough(t *testing.T) {
	f := farFrom(t, startRedis(t), 0)
	r := open(t, f.url, redislimit.Options{Timeout: 50 * time.Millisecond})
	charge := limit.Charge{Limit: &limit.Limit{Name: "limits.tenant", Rate: 1, Burst: 20}}
	r.Step(t.Context(), false)
	f.drop.Store(true)
	began := time.Now()
	if r.take(t, charge); !r.State().Shared && time.Since(began) < time.Second {
		t.Error("one late answer was enough")
	}
	eventually(t, "Redis is left", func() bool { return !r.State().Shared })
}

func TestALocalBucketBeginsWithTheKnownLevel(t *testing.T) {
	redis := startRedis(t)
	ctx := context.Background()
	a, b := open(t, redis.url(), redislimit.Options{}), open(t, redis.url(), redislimit.Options{})
	for range 2 {
		a.Step(ctx, false)
		b.Step(ctx, false)
	}
	charge := limit.Charge{Limit: &limit.Limit{Name: "limits.tenant", Rate: 1e-6, Burst: 20}}
	for range 7 {
		a.take(t, charge)
		b.take(t, charge)
	}
	redis.kill()
	for name, r := range map[string]*replica{"a": a, "b": b} {
		n := 0
		for refusal, _ := r.take(t, charge); refusal == nil; refusal, _ = r.take(t, charge) {
			n++
		}
		if n > 3 { // 6 or 7 were left, for two
			t.Errorf("replica %s granted %d by itself, and 6 were left", name, n)
		}
	}
}

func TestALostBucketBeginsWithTheKnownLevel(t *testing.T) {
	for name, lose := range map[string]func(*server){
		"FLUSHALL":  func(s *server) { s.client().FlushAll(context.Background()) },
		"a restart": func(s *server) { s.kill(); s.start() },
		"an eviction": func(s *server) {
			c := s.client()
			keys := c.Keys(context.Background(), "{graphproxy}:b:*").Val()
			c.Del(context.Background(), keys...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			redis := startRedis(t)
			r := open(t, redis.url(), redislimit.Options{})
			r.Step(t.Context(), false)
			charge := limit.Charge{Limit: &limit.Limit{Name: "limits.tenant", Rate: 1e-6, Burst: 20}}
			units := limit.Charge{Limit: &limit.Limit{Name: "units", Rate: 1e-6, Burst: 20, Unit: limit.ResourceUnits}, Cost: 15}
			for range 15 {
				r.take(t, charge)
			}
			r.take(t, units)
			lose(redis)
			r.Adjust([]limit.Charge{units}, 18)
			r.Step(t.Context(), false) // finds it again where it was lost
			r.Step(t.Context(), false)
			n := 0
			for refusal, _ := r.take(t, charge); refusal == nil; refusal, _ = r.take(t, charge) {
				n++
			}
			if n > 5 {
				t.Errorf("%d granted after the loss, and 5 were left", n)
			}
			units.Cost = 3
			if refusal, _ := r.take(t, units); refusal == nil {
				t.Error("a correction made a lost bucket full")
			}
			if r.metric(t, "graphproxy_redis_buckets_restored_total") < 1 {
				t.Error("it is not counted")
			}
		})
	}
}

func TestADeclaredNumberOfReplicasBoundsTheShare(t *testing.T) {
	r := open(t, "unix://"+t.TempDir()+"/redis.sock", redislimit.Options{Replicas: 4})
	n := 0
	charge := limit.Charge{Limit: &limit.Limit{Name: "limits.tenant", Rate: 1e-6, Burst: 20}}
	for refusal, _ := r.take(t, charge); refusal == nil; refusal, _ = r.take(t, charge) {
		n++
	}
	if n != 5 {
		t.Errorf("one of four that has never seen the others granted %d of 20, want 5", n)
	}
}

func TestARefusalByRedisIsAnErrorWithItsCure(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		user string
		want string
	}{
		"WRONGPASS": {[]string{"--requirepass", "secret"}, ":hunter2@", "GRAPHPROXY_REDIS_URL"},
		"NOAUTH":    {[]string{"--requirepass", "secret"}, "", "GRAPHPROXY_REDIS_URL"},
		"NOPERM": {[]string{"--user", "graphproxy", "on", ">hunter2", "~*", "+ping"}, "graphproxy:hunter2@",
			"ACL SETUSER"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startRedis(t, tt.args...)
			r := open(t, "unix://"+tt.user+s.socket, redislimit.Options{})
			for range 3 {
				r.take(t, limit.Charge{Limit: &limit.Limit{Name: "limits.tenant", Rate: 1, Burst: 2}})
				r.Step(t.Context(), false)
			}
			text := r.logs.String()
			if strings.Count(text, "level=ERROR") != 1 || !strings.Contains(text, name) || !strings.Contains(text, tt.want) ||
				strings.Contains(text, "hunter2") {
				t.Errorf("logged:\n%s", text)
			}
		})
	}
}

// Under four busy loops at most 22 of 80 pass. Where the whole machine is busy, Redis itself may answer too late: the
// test tries again then.
func TestTwoReplicasKeepOneBurstWhileTheMachineIsBusy(t *testing.T) {
	const tries = 5
	for i := range tries {
		if n := passUnderLoad(t); n <= 22 {
			return
		} else if i == tries-1 {
			t.Errorf("%d of 80 passed, with a burst of 20", n)
		}
	}
}

// passUnderLoad returns how many of 80 requests two replicas grant while this process is busy.
func passUnderLoad(t *testing.T) int64 {
	t.Helper()
	redis := startRedis(t)
	a, b := running(t, redis.url(), redislimit.Options{Timeout: 100 * time.Millisecond}), running(t, redis.url(),
		redislimit.Options{Timeout: 100 * time.Millisecond})
	for _, r := range []*replica{a, b} {
		eventually(t, "both replicas are known",
			func() bool { return r.State().Replicas == 2 && r.State().Shared })
	}
	var stop atomic.Bool
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			for n := 0; !stop.Load(); n++ {
				if n%1e6 == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	var granted atomic.Int64
	var all sync.WaitGroup
	charge := limit.Charge{Limit: &limit.Limit{Name: "limits.tenant", Rate: 1e-6, Burst: 20}}
	for i := range 80 {
		r := []*replica{a, b}[i%2]
		all.Go(func() {
			if refusal, _ := r.take(t, charge); refusal == nil {
				granted.Add(1)
			}
		})
	}
	all.Wait()
	stop.Store(true)
	busy.Wait()
	t.Logf("%d of 80 passed, %v and %v answers did not come in time", granted.Load(),
		a.metric(t, "graphproxy_redis_failures_total"), b.metric(t, "graphproxy_redis_failures_total"))
	return granted.Load()
}
