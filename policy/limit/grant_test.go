package limit_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/limit"
)

func TestOnRelease(t *testing.T) {
	t.Run("functions are called once, the last one added first", func(t *testing.T) {
		var g limit.Grant
		var called []int
		for i := range 3 {
			g.OnRelease(func() { called = append(called, i) })
		}
		if len(called) != 0 {
			t.Fatalf("called %v before the release", called)
		}
		g.Release()
		g.Release()
		if diff := cmp.Diff([]int{2, 1, 0}, called); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("one that comes too late is called at once", func(t *testing.T) {
		var g limit.Grant
		g.Release()
		called := 0
		g.OnRelease(func() { called++ })
		g.Release()
		if called != 1 {
			t.Errorf("called %d times", called)
		}
	})
	t.Run("the slot is free when a function is called, which may take it and release others", func(t *testing.T) {
		l, slot := limit.New(), &limit.Limit{Name: "slot", Concurrency: 1}
		g := mustTake(t, l, start, one(slot))
		var next limit.Grant
		g.OnRelease(func() {
			if r := l.Take(start, one(slot), &next); r != nil {
				t.Errorf("Take = %+v in the function", r)
			}
			g.Release()
		})
		g.Release()
		if _, r := take(l, start, one(slot)); r == nil {
			t.Error("the slot was given twice")
		}
	})
	t.Run("none is lost or called twice among many goroutines", func(t *testing.T) {
		for range 200 {
			var g limit.Grant
			var called [8]atomic.Int32
			var wg sync.WaitGroup
			for i := range called {
				wg.Go(func() { g.OnRelease(func() { called[i].Add(1) }) })
				wg.Go(g.Release)
			}
			wg.Wait()
			for i := range called {
				if n := called[i].Load(); n != 1 {
					t.Fatalf("function %d was called %d times", i, n)
				}
			}
		}
	})
}
