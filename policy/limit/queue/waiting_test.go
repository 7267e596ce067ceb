package queue_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/limit"
	"graphproxy/policy/limit/queue"
)

func TestWaitingCountsTheRequestsOfEachLimit(t *testing.T) {
	bubble(t, queue.Options{}, func(t *testing.T, q *queue.Queue) {
		one := &limit.Limit{Name: "limits.one", Rate: 1, Burst: 1, Wait: time.Minute}
		two := &limit.Limit{Name: "limits.two", Rate: 1, Burst: 1, Wait: time.Minute}
		var all sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for i, charges := range [][]limit.Charge{
			{{Limit: one}}, {{Limit: one}}, {{Limit: one}}, {{Limit: two, Key: "a"}}, {{Limit: two, Key: "a"}},
			{{Limit: two, Key: "b"}}, {{Limit: two, Key: "b"}},
		} {
			all.Go(func() { _, _ = q.Take(ctx, "app", charges, new(limit.Grant)) })
			synctest.Wait()
			if i == 0 {
				if n, by := q.Waiting(); n != 0 || len(by) != 0 {
					t.Errorf("%d wait, %v", n, by)
				}
			}
		}
		n, by := q.Waiting()
		if diff := cmp.Diff(map[string]int{"limits.one": 2, "limits.two": 2}, by); diff != "" || n != 4 {
			t.Errorf("%d wait: %s", n, diff)
		}
		cancel()
		all.Wait()
		if n, by := q.Waiting(); n != 0 || len(by) != 0 {
			t.Errorf("%d wait, %v", n, by)
		}
	})
}
