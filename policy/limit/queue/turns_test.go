package queue_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/limit"
	"graphproxy/policy/limit/queue"
)

// scripted is a Taker with prepared answers.
type scripted func(ctx context.Context, charges []limit.Charge, g *limit.Grant) (*limit.Refusal, error)

func (s scripted) Take(ctx context.Context, charges []limit.Charge, g *limit.Grant) (*limit.Refusal, error) {
	return s(ctx, charges, g)
}

// demand is callers that ask again and again for the same charges, until the time is over.
type demand struct {
	mu          sync.Mutex
	all         sync.WaitGroup
	asked, got  map[string]int
	longestWait map[string]time.Duration
}

func newDemand() *demand {
	return &demand{asked: map[string]int{}, got: map[string]int{}, longestWait: map[string]time.Duration{}}
}

// every asks at a steady pace, whether granted or not, and keeps each grant for the time holds.
func (d *demand) every(q *queue.Queue, caller string, charges []limit.Charge, pace, holds, whole time.Duration) {
	d.all.Go(func() {
		for start := time.Now(); time.Since(start) < whole; time.Sleep(pace) {
			d.all.Go(func() { d.ask(q, caller, charges, holds) })
		}
	})
}

func (d *demand) ask(q *queue.Queue, caller string, charges []limit.Charge, holds time.Duration) {
	came := time.Now()
	var g limit.Grant
	r, err := q.Take(context.Background(), caller, charges, &g)
	d.mu.Lock()
	d.asked[caller]++
	if r == nil && err == nil {
		d.got[caller]++
		d.longestWait[caller] = max(d.longestWait[caller], time.Since(came))
	}
	d.mu.Unlock()
	if r == nil && err == nil {
		time.Sleep(holds)
		g.Release()
	}
}

func TestNoRequestIsStarvedByOthersThatChargeMoreOrLess(t *testing.T) {
	tenant := &limit.Limit{Name: "limits.tenant", Rate: 20, Burst: 5, Wait: 3 * time.Second}
	mailbox := &limit.Limit{Name: "limits.mailbox", Rate: 2, Burst: 2, Wait: 3 * time.Second}
	own := &limit.Limit{Name: "callers.busy.limit", Concurrency: 5, Wait: 3 * time.Second}
	common := &limit.Limit{Name: "limits.flight", Concurrency: 5, Wait: 3 * time.Second}
	for _, tt := range []struct {
		name    string
		busy    map[string][]limit.Charge
		modest  []limit.Charge
		holds   time.Duration
		atLeast int
	}{
		{"of two busy callers, one in the mailbox and one in the tenant, neither", map[string][]limit.Charge{
			"busy in the mailbox": {{Limit: tenant}, {Limit: mailbox, Key: "adele"}}, "busy in the tenant": {{Limit: tenant}},
		}, []limit.Charge{{Limit: tenant}, {Limit: mailbox, Key: "adele"}}, 0, 55},
		{"whoever gives back a slot of its own and a common one does not take the common one again",
			map[string][]limit.Charge{
				"busy": {{Limit: own}, {Limit: common}},
			}, []limit.Charge{{Limit: common}}, 200 * time.Millisecond, 60},
		{"who charges only the common slot leaves some to who also charges another", map[string][]limit.Charge{
			"busy": {{Limit: common}},
		}, []limit.Charge{{Limit: own}, {Limit: common}}, 200 * time.Millisecond, 60},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, queue.Options{}, func(t *testing.T, q *queue.Queue) {
				d := newDemand()
				for caller, charges := range tt.busy {
					d.every(q, caller, charges, 10*time.Millisecond, tt.holds, time.Minute)
				}
				d.every(q, "modest", tt.modest, time.Second, tt.holds, time.Minute)
				d.all.Wait()
				t.Logf("asked %v, got %v, longest wait %v", d.asked, d.got, d.longestWait)
				if d.got["modest"] < tt.atLeast {
					t.Errorf("the modest caller got %d of %d", d.got["modest"], d.asked["modest"])
				}
			})
		})
	}
}

func TestWhoMovesKeepsTheShorterWait(t *testing.T) {
	bubble(t, queue.Options{}, func(t *testing.T, q *queue.Queue) {
		slots := &limit.Limit{Name: "slots", Concurrency: 1, Wait: 300 * time.Millisecond}
		slow := &limit.Limit{Name: "slow", Rate: 0.1, Burst: 1, Wait: time.Minute}
		var slot, token limit.Grant
		for charges, g := range map[*limit.Limit]*limit.Grant{slots: &slot, slow: &token} {
			if r, err := q.Take(t.Context(), "app", charge(charges), g); r != nil || err != nil {
				t.Fatal(r, err)
			}
		}
		came := time.Now()
		var g limit.Grant
		done := make(chan *limit.Refusal)
		go func() {
			r, _ := q.Take(t.Context(), "app", []limit.Charge{{Limit: slots}, {Limit: slow}}, &g)
			done <- r
		}()
		time.Sleep(9800 * time.Millisecond) // it waits for the slow one: that is the longer wait
		if q.Len() != 1 {
			t.Fatalf("%d wait", q.Len())
		}
		r := <-done // then for the slot, for which its time has long been over
		if r == nil || r.Limit != slots || time.Since(came) != 10*time.Second {
			t.Errorf("%+v after %v", r, time.Since(came))
		}
		slot.Release()
	})
}

func TestARequestThatIsGoneOnItsTurnGivesTheSlotBack(t *testing.T) {
	bubble(t, queue.Options{}, func(t *testing.T, _ *queue.Queue) {
		l := &limit.Limit{Name: "slots", Concurrency: 1, Wait: time.Minute}
		limiter := limit.New()
		var first, second, third limit.Grant
		ctx, cancel := context.WithCancel(t.Context())
		q, err := queue.New(scripted(func(_ context.Context, charges []limit.Charge, g *limit.Grant) (*limit.Refusal, error) {
			r := limiter.Take(time.Now(), charges, g)
			if g == &second && r == nil {
				cancel() // between the grant and the return
			}
			return r, nil
		}), queue.Options{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := q.Take(t.Context(), "app", charge(l), &first); r != nil || err != nil {
			t.Fatal(r, err)
		}
		var all sync.WaitGroup
		all.Go(func() {
			if r, err := q.Take(ctx, "app", charge(l), &second); r != nil || !errors.Is(err, context.Canceled) {
				t.Error(r, err)
			}
		})
		synctest.Wait()
		came := time.Now()
		all.Go(func() {
			if r, err := q.Take(t.Context(), "app", charge(l), &third); r != nil || err != nil || time.Since(came) != 0 {
				t.Errorf("%v %v after %v", r, err, time.Since(came))
			}
		})
		synctest.Wait()
		first.Release()
		all.Wait()
	})
}

func TestTheTakersErrorIsTheWaitersError(t *testing.T) {
	bubble(t, queue.Options{}, func(t *testing.T, _ *queue.Queue) {
		l, down := perSecond(1, time.Minute), errors.New("down")
		var broken atomic.Bool
		limiter := limit.New()
		q, err := queue.New(scripted(func(_ context.Context, charges []limit.Charge, g *limit.Grant) (*limit.Refusal, error) {
			if broken.Load() {
				return nil, down
			}
			return limiter.Take(time.Now(), charges, g), nil
		}), queue.Options{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				var g limit.Grant
				r, err := q.Take(t.Context(), "app", charge(l), &g)
				if r != nil || err == nil && time.Since(start) > 0 ||
					err != nil && (!errors.Is(err, down) || time.Since(start) != time.Second) {
					t.Errorf("%v %v after %v", r, err, time.Since(start))
				}
			})
		}
		synctest.Wait()
		broken.Store(true)
		all.Wait()
		if q.Len() != 0 || q.Lines() != [3]int{} {
			t.Errorf("%d still wait, in %v lines", q.Len(), q.Lines())
		}
	})
}

func TestAPanicOfTheTakersDoesNotStopTheLine(t *testing.T) {
	bubble(t, queue.Options{}, func(t *testing.T, _ *queue.Queue) {
		l := perSecond(1, time.Minute)
		limiter := limit.New()
		var bad limit.Grant
		q, err := queue.New(scripted(func(_ context.Context, charges []limit.Charge, g *limit.Grant) (*limit.Refusal, error) {
			r := limiter.Take(time.Now(), charges, g)
			if g == &bad && r == nil {
				panic("bad")
			}
			return r, nil
		}), queue.Options{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		var first limit.Grant
		if r, err := q.Take(t.Context(), "app", charge(l), &first); r != nil || err != nil {
			t.Fatal(r, err)
		}
		start := time.Now()
		var all sync.WaitGroup
		all.Go(func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			_, _ = q.Take(t.Context(), "app", charge(l), &bad)
		})
		synctest.Wait()
		var last limit.Grant
		if r, err := q.Take(t.Context(), "app", charge(l), &last); r != nil || err != nil ||
			time.Since(start) != 2*time.Second {
			t.Errorf("%v %v after %v", r, err, time.Since(start))
		}
		all.Wait()
	})
}

// A slot is given back to Redis a little later than to the waiter.
func TestASlotThatComesBackLateIsFoundSoon(t *testing.T) {
	bubble(t, queue.Options{}, func(t *testing.T, _ *queue.Queue) {
		l := &limit.Limit{Name: "slots", Concurrency: 1, Wait: time.Minute}
		var given atomic.Bool
		var asked atomic.Int64
		q, err := queue.New(scripted(func(context.Context, []limit.Charge, *limit.Grant) (*limit.Refusal, error) {
			if asked.Add(1) > 1 && !given.Load() {
				return &limit.Refusal{Limit: l, RetryAfter: time.Second, Concurrency: true}, nil
			}
			return nil, nil
		}), queue.Options{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		var first, second limit.Grant
		if r, err := q.Take(t.Context(), "app", charge(l), &first); r != nil || err != nil {
			t.Fatal(r, err)
		}
		var all sync.WaitGroup
		start := time.Now()
		all.Go(func() {
			if r, err := q.Take(t.Context(), "app", charge(l), &second); r != nil || err != nil ||
				time.Since(start) > 325*time.Millisecond {
				t.Errorf("%v %v after %v", r, err, time.Since(start))
			}
		})
		time.Sleep(300 * time.Millisecond)
		first.Release()
		time.Sleep(7 * time.Millisecond)
		given.Store(true)
		all.Wait()
		if n := asked.Load(); n > 10 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestRetryAfterIncludesTheRequestsThatWait(t *testing.T) {
	bubble(t, queue.Options{}, func(t *testing.T, q *queue.Queue) {
		l := perSecond(1, 5*time.Second)
		var all sync.WaitGroup
		var mu sync.Mutex
		var got []string
		for i, caller := range []string{"a", "a", "a", "a", "a", "a", "a", "b", "b"} {
			all.Go(func() {
				var g limit.Grant
				if r, _ := q.Take(t.Context(), caller, charge(l), &g); r != nil {
					mu.Lock()
					got = append(got, fmt.Sprintf("%d %s %v", i, caller, r.RetryAfter))
					mu.Unlock()
				}
			})
			synctest.Wait()
		}
		// One request of a has ended, five wait, and 6 would be the sixth. b has the second and the fourth
		// turn.
		mu.Lock()
		if diff := cmp.Diff([]string{"6 a 6s"}, got); diff != "" {
			t.Error(diff)
		}
		mu.Unlock()
		all.Wait()
		// The last two requests of a lost their turns to b: they were refused when their time was over.
		if len(got) != 3 {
			t.Error(got)
		}
	})
}

func TestAQueueNeedsATakerAndAClock(t *testing.T) {
	if _, err := queue.New(nil, queue.Options{Now: time.Now}); err == nil {
		t.Error("no taker, no error")
	}
	if _, err := queue.New(local{limit.New()}, queue.Options{}); err == nil {
		t.Error("no clock, no error")
	}
}
