package redislimit_test

import (
	"testing"

	"graphproxy/policy/limit"
	"graphproxy/proxy/redislimit"
)

func TestRoomIsWhatRedisAnswered(t *testing.T) {
	r := open(t, startRedis(t).url(), redislimit.Options{})
	slow := &limit.Limit{Name: "limits.slow", Rate: .0001, Burst: 10}
	slots := &limit.Limit{Name: "limits.slots", Concurrency: 4}
	if room := r.Room(); len(room) != 0 {
		t.Errorf("%v before anything was taken", room)
	}
	for range 3 {
		r.take(t, limit.Charge{Limit: slow, Key: "a"}, limit.Charge{Limit: slots})
	}
	r.take(t, limit.Charge{Limit: slow, Key: "b"})
	room := r.Room()
	if left := room["limits.slow"]; left < .69 || left > .71 || room["limits.slots"] != .25 || len(room) != 2 {
		t.Errorf("%v", room)
	}
	r.take(t, limit.Charge{Limit: slots})
	refusal, _ := r.take(t, limit.Charge{Limit: slots})
	if refusal == nil || r.Room()["limits.slots"] != 0 {
		t.Errorf("refusal %v, %v", refusal, r.Room())
	}
}

// While Redis is gone, the buckets of the replica count.
func TestRoomWithoutRedisIsThatOfTheReplica(t *testing.T) {
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
	if left := r.Room()["limits.slow"]; left > .7 {
		t.Errorf("%v is left", left)
	}
}
