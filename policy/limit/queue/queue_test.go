package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"graphproxy/policy/limit"
	"graphproxy/policy/limit/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// local is a Limiter as a Taker.
type local struct{ *limit.Limiter }

func (l local) Take(_ context.Context, charges []limit.Charge, g *limit.Grant) (*limit.Refusal, error) {
	return l.Limiter.Take(time.Now(), charges, g), nil
}

func newQueue(t testing.TB, o queue.Options) *queue.Queue {
	t.Helper()
	o.Now = time.Now
	q, err := queue.New(local{limit.New()}, o)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func perSecond(rate float64, wait time.Duration) *limit.Limit {
	return &limit.Limit{Name: "limits.test", Rate: rate, Burst: 1, Wait: wait}
}

func charge(l *limit.Limit) []limit.Charge { return []limit.Charge{{Limit: l}} }

// bubble runs a test in a time of its own, and checks that nothing remains afterwards.
func bubble(t *testing.T, o queue.Options, f func(t *testing.T, q *queue.Queue)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, o)
		f(t, q)
		synctest.Wait()
		if q.Len() != 0 {
			t.Errorf("%d requests still wait", q.Len())
		}
	})
}

func TestARequestWaitsAsLongAsTheLimitAllows(t *testing.T) {
	bubble(t, queue.Options{}, func(t *testing.T, q *queue.Queue) {
		l := perSecond(1, 2*time.Second)
		start := time.Now()
		var took []time.Duration
		var mu sync.Mutex
		var all sync.WaitGroup
		refused := 0
		for range 5 {
			all.Go(func() {
				var g limit.Grant
				r, err := q.Take(t.Context(), "app", charge(l), &g)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					t.Error(err)
				case r != nil:
					refused++
					if since := time.Since(start); since != 0 || r.RetryAfter <= 2*time.Second {
						t.Errorf("refused after %s with RetryAfter %s: who has no hope is told so at once", since, r.RetryAfter)
					}
				default:
					took = append(took, time.Since(start))
				}
			})
			synctest.Wait()
		}
		all.Wait()
		if diff := cmp.Diff([]time.Duration{0, time.Second, 2 * time.Second}, took); diff != "" || refused != 2 {
			t.Errorf("%s%d refused", diff, refused)
		}
	})
}

func TestALimitWithoutAWaitRefusesAtOnce(t *testing.T) {
	bubble(t, queue.Options{}, func(t *testing.T, q *queue.Queue) {
		hard, soft := &limit.Limit{Name: "hard", Rate: 1, Burst: 1}, perSecond(10, time.Minute)
		both := []limit.Charge{{Limit: soft}, {Limit: hard}}
		for _, want := range []bool{true, false} {
			var g limit.Grant
			r, err := q.Take(t.Context(), "app", both, &g)
			if err != nil || (r == nil) != want || r != nil && r.Limit != hard {
				t.Errorf("%+v %v", r, err)
			}
		}
	})
}

func TestARequestThatMovesOnToAHardLimitIsRefused(t *testing.T) {
	bubble(t, queue.Options{}, func(t *testing.T, q *queue.Queue) {
		hard, soft := &limit.Limit{Name: "hard", Rate: 0.01, Burst: 2}, perSecond(1, time.Minute)
		both := []limit.Charge{{Limit: soft}, {Limit: hard}}
		var all sync.WaitGroup
		var mu sync.Mutex
		var outcome []string
		for range 3 {
			all.Go(func() {
				var g limit.Grant
				r, _ := q.Take(t.Context(), "app", both, &g)
				mu.Lock()
				defer mu.Unlock()
				if r == nil {
					outcome = append(outcome, "taken")
				} else {
					outcome = append(outcome, r.Limit.Name)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		if diff := cmp.Diff([]string{"taken", "taken", "hard"}, outcome); diff != "" {
			t.Error(diff)
		}
	})
}

func TestASlotThatIsFreeGoesToTheNextAtOnce(t *testing.T) {
	bubble(t, queue.Options{}, func(t *testing.T, q *queue.Queue) {
		l := &limit.Limit{Name: "slots", Concurrency: 1, Wait: 500 * time.Millisecond}
		start := time.Now()
		var first limit.Grant
		if r, err := q.Take(t.Context(), "app", charge(l), &first); r != nil || err != nil {
			t.Fatal(r, err)
		}
		var second limit.Grant
		done := make(chan struct{})
		go func() {
			defer close(done)
			if r, err := q.Take(t.Context(), "app", charge(l), &second); r != nil || err != nil {
				t.Error(r, err)
			}
		}()
		time.Sleep(300 * time.Millisecond)
		first.Release()
		<-done
		if took := time.Since(start); took != 300*time.Millisecond {
			t.Errorf("after %s", took)
		}
		var third limit.Grant
		if r, _ := q.Take(t.Context(), "app", charge(l), &third); r == nil || !r.Concurrency ||
			time.Since(start) != 800*time.Millisecond {
			t.Errorf("%+v after %s: the slot stays taken", r, time.Since(start))
		}
		second.Release()
	})
}

func TestACallerThatGoesLeavesTheLineWithoutEffectOnOthers(t *testing.T) {
	bubble(t, queue.Options{}, func(t *testing.T, q *queue.Queue) {
		l := perSecond(1, time.Minute)
		var g limit.Grant
		if r, err := q.Take(t.Context(), "app", charge(l), &g); r != nil || err != nil {
			t.Fatal(r, err)
		}
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				var g limit.Grant
				if _, err := q.Take(ctx, "app", charge(l), &g); !errors.Is(err, context.Canceled) ||
					time.Since(start) != 500*time.Millisecond {
					t.Errorf("%v after %s", err, time.Since(start))
				}
			})
		}
		synctest.Wait()
		all.Go(func() {
			var g limit.Grant
			if r, err := q.Take(t.Context(), "app", charge(l), &g); r != nil || err != nil || time.Since(start) != time.Second {
				t.Errorf("%v %v after %s", r, err, time.Since(start))
			}
		})
		time.Sleep(500 * time.Millisecond)
		cancel()
		all.Wait()
	})
}

func TestThoseWhoWaitForOneBucketAreNotInTheWayOfOthers(t *testing.T) {
	bubble(t, queue.Options{}, func(t *testing.T, q *queue.Queue) {
		tenant, mailbox := &limit.Limit{Name: "tenant", Rate: 1000, Burst: 1000, Wait: time.Minute}, perSecond(1, time.Minute)
		of := func(key string) []limit.Charge { return []limit.Charge{{Limit: tenant}, {Limit: mailbox, Key: key}} }
		var all sync.WaitGroup
		for range 30 {
			all.Go(func() {
				var g limit.Grant
				if r, err := q.Take(t.Context(), "app", of("busy"), &g); r != nil || err != nil {
					t.Error(r, err)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		for i := range 100 {
			var g limit.Grant
			if r, err := q.Take(t.Context(), "app", of(fmt.Sprint(i)), &g); r != nil || err != nil || time.Since(start) != 0 {
				t.Fatalf("%v %v after %s", r, err, time.Since(start))
			}
		}
		all.Wait()
	})
}

func TestTheLinesAreBounded(t *testing.T) {
	bubble(t, queue.Options{MaxWaiting: 5, MaxPerCaller: 3}, func(t *testing.T, q *queue.Queue) {
		l := perSecond(1, time.Minute)
		refused := map[string]int{}
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 14 {
			caller := []string{"a", "b"}[i%2]
			all.Go(func() {
				var g limit.Grant
				if r, _ := q.Take(t.Context(), caller, charge(l), &g); r != nil {
					mu.Lock()
					refused[caller]++
					mu.Unlock()
				}
			})
			synctest.Wait()
		}
		all.Wait()
		// The first one is not in line; then three of one and two of the other.
		if diff := cmp.Diff(map[string]int{"a": 4, "b": 4}, refused); diff != "" {
			t.Error(diff)
		}
	})
}

// One caller asks for a hundred times as much as each of nine others. Each of the nine gets all that it asks
// for, in time.
func TestABusyCallerDoesNotStarveTheOthers(t *testing.T) {
	bubble(t, queue.Options{}, func(t *testing.T, q *queue.Queue) {
		const seconds, modest = 60, 5 // requests a second of each of the nine
		l := &limit.Limit{Name: "limits.tenant", Rate: 100, Burst: 10, Wait: 2 * time.Second}
		var mu sync.Mutex
		got, asked, waits := map[string]int{}, map[string]int{}, map[string][]time.Duration{}
		var all sync.WaitGroup
		run := func(caller string, every time.Duration) {
			for start := time.Now(); time.Since(start) < seconds*time.Second; time.Sleep(every) {
				all.Go(func() {
					came := time.Now()
					var g limit.Grant
					r, err := q.Take(t.Context(), caller, charge(l), &g)
					mu.Lock()
					defer mu.Unlock()
					asked[caller]++
					if r == nil && err == nil {
						got[caller]++
						waits[caller] = append(waits[caller], time.Since(came))
					}
				})
			}
		}
		for i := range 9 {
			all.Go(func() { run(fmt.Sprintf("modest %d", i), time.Second/modest) })
		}
		all.Go(func() { run("busy", time.Second/(100*modest)) })
		all.Wait()
		total := 0
		for caller, n := range got {
			total += n
			slices.Sort(waits[caller])
			p99 := waits[caller][len(waits[caller])*99/100]
			if caller != "busy" && (n != asked[caller] || p99 > 500*time.Millisecond) {
				t.Errorf("%s got %d of %d, waited %s in 99 %%", caller, n, asked[caller], p99)
			}
		}
		if total < 100*seconds || total > 100*(seconds+2)+10 {
			t.Errorf("%d requests in %d s at 100/s", total, seconds)
		}
		t.Logf("busy: %d of %d; modest: %d of %d each, p99 %s", got["busy"], asked["busy"], got["modest 0"],
			asked["modest 0"], waits["modest 0"][len(waits["modest 0"])*99/100])
	})
}

// In any run of one limit no bucket lets through more than its rate and burst, no request waits longer than it
// may, and each caller's requests keep their order.
func TestNoRunLetsThroughMoreThanTheLimitOrForgetsARequest(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rate := float64(rapid.IntRange(1, 50).Draw(rt, "rate"))
		burst := rapid.IntRange(1, 10).Draw(rt, "burst")
		wait := time.Duration(rapid.IntRange(1, 5000).Draw(rt, "wait")) * time.Millisecond
		l := &limit.Limit{Name: "l", Rate: rate, Burst: burst, Wait: wait}
		gaps := rapid.SliceOfN(rapid.IntRange(0, 200), 1, 60).Draw(rt, "gaps")
		synctest.Test(t, func(t *testing.T) {
			q := newQueue(t, queue.Options{})
			start := time.Now()
			var mu sync.Mutex
			var granted []time.Duration
			order := map[string][]int{}
			var all sync.WaitGroup
			for i, gap := range gaps {
				time.Sleep(time.Duration(gap) * time.Millisecond)
				caller := fmt.Sprint(i % 3)
				all.Go(func() {
					came := time.Now()
					var g limit.Grant
					r, err := q.Take(t.Context(), caller, charge(l), &g)
					if err != nil || time.Since(came) > wait+time.Millisecond {
						t.Errorf("%v after %s", err, time.Since(came))
					}
					mu.Lock()
					defer mu.Unlock()
					if r == nil {
						granted = append(granted, time.Since(start))
						order[caller] = append(order[caller], i)
					}
				})
				synctest.Wait()
			}
			all.Wait()
			for i := range granted {
				for j := i; j < len(granted); j++ {
					if n, most := float64(j-i+1), rate*(granted[j]-granted[i]).Seconds()+float64(burst); n > most+1e-6 {
						t.Errorf("%v requests in %s", n, granted[j]-granted[i])
					}
				}
			}
			for caller, own := range order {
				if !slices.IsSorted(own) {
					t.Errorf("requests of %s went in the order %v", caller, own)
				}
			}
			if q.Len() != 0 {
				t.Errorf("%d still wait", q.Len())
			}
		})
	})
}

// With real goroutines, for the race detector.
func TestManyCallersAtOnce(t *testing.T) {
	q := newQueue(t, queue.Options{})
	rate := &limit.Limit{Name: "r", Rate: 20000, Burst: 10, Wait: 5 * time.Second}
	slots := &limit.Limit{Name: "s", Concurrency: 4, Wait: 5 * time.Second}
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for n := range 200 {
				ctx, cancel := context.WithCancel(context.Background())
				if n%7 == 0 {
					cancel()
				}
				var g limit.Grant
				r, err := q.Take(ctx, fmt.Sprint(i%5), []limit.Charge{{Limit: rate}, {Limit: slots}}, &g)
				if r != nil || err != nil && !errors.Is(err, context.Canceled) {
					t.Error(r, err)
				}
				g.Release()
				cancel()
			}
		})
	}
	all.Wait()
	if q.Len() != 0 {
		t.Errorf("%d still wait", q.Len())
	}
}
