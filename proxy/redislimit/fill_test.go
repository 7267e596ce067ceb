package redislimit_test

import (
	"testing"

	"graphproxy/policy/limit"
	"graphproxy/proxy/redislimit"
)

func TestFillIsRedisAnswer(t *testing.T) {
	r := open(t, startRedis(t).url(), redislimit.Options{})
	slow := &limit.Limit{Name: "limits.slow", Rate: .0001, Burst: 10}
	slots := &limit.Limit{Name: "limits.slots", Concurrency: 4}
	if fill := r.Fill(); len(fill) != 0 {
		t.Errorf("%v before anything was taken", fill)
	}
	for range 3 {
		r.take(t, limit.Charge{Limit: slow, Key: "a"}, limit.Charge{Limit: slots})
	}
	r.take(t, limit.Charge{Limit: slow, Key: "b"})
	fill := r.Fill()
	if left := fill["limits.slow"]; left < .69 || left > .71 || fill["limits.slots"] != .25 || len(fill) != 2 {
		t.Errorf("%v", fill)
	}
	r.take(t, limit.Charge{Limit: slots})
	refusal, _ := r.take(t, limit.Charge{Limit: slots})
	if refusal == nil || r.Fill()["limits.slots"] != 0 {
		t.Errorf("refusal %v, %v", refusal, r.Fill())
	}
}

// While Redis is gone, the buckets of the replica count.
func TestFillWithoutRedisIsTheReplicas(t *testing.T) {
	s := startRedis(t)
	r := open(t, s.url(), redislimit.Options{})
	slow := &limit.Limit{Name: "limits.slow", Rate: .0001, Burst: 10}
	r.take(t, limit.Charge{Limit: slow, Key: "a"})
	s.kill()
	for range 4 {
		r.take(t, limit.Charge{Limit: slow, Key: "other"})
	}
	if r.State().Shared {
		t.Fatal("Redis is not gone")
	}
	if left := r.Fill()["limits.slow"]; left > .7 {
		t.Errorf("%v is left", left)
	}
}
