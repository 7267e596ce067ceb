package redislimit_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"graphproxy/policy/limit"
	"graphproxy/policy/limit/queue"
	"graphproxy/proxy/redislimit"
)

// Requests of two replicas wait for the same bucket and the same slots, and all have their turn.
func TestRequestsWaitForCapacityInRedis(t *testing.T) {
	s := startRedis(t)
	var queues []*queue.Queue
	for range 2 {
		q, err := queue.New(running(t, s.url(), redislimit.Options{}), queue.Options{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		queues = append(queues, q)
	}
	charges := []limit.Charge{
		{Limit: &limit.Limit{Name: "rate", Rate: 100, Burst: 1, Wait: patience}},
		{Limit: &limit.Limit{Name: "slots", Concurrency: 2, Wait: patience}},
	}
	start := time.Now()
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			var g limit.Grant
			r, err := queues[i%2].Take(t.Context(), fmt.Sprint(i%5), charges, &g)
			if r != nil || err != nil {
				t.Errorf("%+v %v after %s", r, err, time.Since(start))
			}
			g.Release()
		})
	}
	all.Wait()
	if took := time.Since(start); took < 39*time.Second/100 {
		t.Errorf("40 requests took %s at 100/s", took)
	}
	for _, q := range queues {
		if q.Len() != 0 {
			t.Errorf("%d still wait", q.Len())
		}
	}
}
