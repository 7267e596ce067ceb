package proxy_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"graphproxy/policy/limit"
	"graphproxy/proxy"
)

// hookedBuckets are buckets of this process that call beforeSecond before the second request takes from them.
type hookedBuckets struct {
	*limit.Limiter
	beforeSecond    func()
	taken, returned atomic.Int32
}

func (b *hookedBuckets) Take(_ context.Context, charges []limit.Charge, g *limit.Grant) (*limit.Refusal, error) {
	if b.taken.Add(1) == 2 {
		b.beforeSecond()
	}
	return b.Limiter.Take(time.Now(), charges, g), nil
}

func (b *hookedBuckets) Adjust(charges []limit.Charge, cost int) {
	b.Limiter.Adjust(time.Now(), charges, cost)
}

func (b *hookedBuckets) Return(charges []limit.Charge) {
	b.returned.Add(1)
	b.Limiter.Return(time.Now(), charges)
}

// A request takes from its buckets, and at the same moment Graph begins to throttle, in its answer to another
// request. The request is refused, and gives everything back for the next one.
func TestWhatARequestTookIsGivenBackWhenGraphBeginsToThrottle(t *testing.T) {
	const file = `
version: 1
callers:
  app:
    identity: [anyone]
    limit: {rate: 1/h, burst: 3}
    allow: [GET /users]
`
	for _, tt := range []struct {
		name   string
		second func(t *testing.T, r *rig)
	}{
		{"a single request", func(t *testing.T, r *rig) {
			a := r.do(t, "GET", "/v1.0/users", "")
			if inner := a.refusal(t, http.StatusTooManyRequests, "activityLimitReached"); inner != "graphThrottled" {
				t.Errorf("refused as %q", inner)
			}
		}},
		{"an item of a batch", func(t *testing.T, r *rig) {
			a := r.do(t, "POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"/users"}]}`)
			if got := a.responses(t)["1"]; got.Status != http.StatusTooManyRequests || got.inner(t) != "graphThrottled" {
				t.Errorf("the item: %d %s", got.Status, got.Body)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			buckets := &hookedBuckets{Limiter: limit.New()}
			r := newRig(t, file, func(c *proxy.Config, _ *rig) { c.Buckets = buckets })
			arrived, release, first := make(chan struct{}), make(chan struct{}), make(chan struct{})
			r.graph.Handle("GET /v1.0/users", func(w http.ResponseWriter, _ *http.Request) {
				close(arrived)
				<-release
				w.Header().Set("Retry-After", "60")
				w.WriteHeader(http.StatusTooManyRequests)
			})
			go func() {
				defer close(first)
				r.do(t, "GET", "/v1.0/users", "")
			}()
			<-arrived
			buckets.beforeSecond = func() {
				close(release)
				<-first
			}
			tt.second(t, r)
			if n := r.graph.Count(); n != 1 {
				t.Errorf("Graph received %d requests", n)
			}
			if taken, returned := buckets.taken.Load(), buckets.returned.Load(); taken != 2 || returned != 1 {
				t.Errorf("taken from %d times, given back %d times", taken, returned)
			}
		})
	}
}

// fullBuckets let a request wait until another caller has taken the last place.
type fullBuckets struct {
	free            int32       // so many requests do not wait
	other           func() bool // takes the place, and reports whether it was free
	taken, returned atomic.Int32
}

func (b *fullBuckets) Take(_ context.Context, charges []limit.Charge, _ *limit.Grant) (*limit.Refusal, error) {
	if b.taken.Add(1) <= b.free || b.other() {
		return nil, nil
	}
	return &limit.Refusal{Limit: charges[0].Limit, RetryAfter: time.Millisecond}, nil
}

func (b *fullBuckets) Adjust([]limit.Charge, int) {}

func (b *fullBuckets) Return([]limit.Charge) { b.returned.Add(1) }

// A request waits for its limit, and meanwhile another caller takes the last place. The request is refused when its
// turn comes, and what it took then is there for the next, as is what the other items of its batch took.
func TestWhatARequestTookIsGivenBackWhenItFindsNoPlaceAfterItsWait(t *testing.T) {
	const items = `{"requests":[{"id":"1","method":"GET","url":"/users"},{"id":"2","method":"GET","url":"/users"}]}`
	for _, tt := range []struct {
		name, method, target, body string
		free                       int32
	}{
		{"a single request", "GET", "/v1.0/users", "", 0},
		{"a batch whose second item waits", "POST", "/v1.0/$batch", items, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			buckets := &fullBuckets{free: tt.free}
			r := newRig(t, shares(map[string]string{"a": "limit: {rate: 20/s, wait: 1m}", "b": ""}),
				func(c *proxy.Config, _ *rig) { c.Buckets, c.MaxInFlight = buckets, 1 })
			buckets.other = func() bool { taken, _ := r.hold(t, "b", 1); return taken == 1 }
			a := r.do(t, tt.method, tt.target, tt.body, "X-Api-Key: a"+keyEnd)
			if inner := a.refusal(t, http.StatusServiceUnavailable, "serviceNotAvailable"); inner != "overloaded" {
				t.Errorf("refused as %q", inner)
			}
			if n := buckets.returned.Load(); n != tt.free+1 {
				t.Errorf("given back %d times, want %d", n, tt.free+1)
			}
			if n := r.graph.Count(); n != 1 {
				t.Errorf("Graph received %d requests, want the other caller's", n)
			}
		})
	}
}

// A batch has been read, and when its items are admitted there is no memory left for the batch that Graph gets. Nothing
// is sent, and what the items took is there for the next.
func TestWhatItemsTookIsGivenBackWhenTheBatchCannotBeHeld(t *testing.T) {
	const file = `
version: 1
callers:
  app:
    identity: [anyone]
    limit: {rate: 1/h, burst: 5}
    allow: [GET /users]
`
	buckets := &hookedBuckets{Limiter: limit.New()}
	r := newRig(t, file, func(c *proxy.Config, _ *rig) { c.Buckets = buckets })
	buckets.beforeSecond = func() { proxy.BoundHeldBytes(r.handler, 1) }
	const items = `{"requests":[{"id":"1","method":"GET","url":"/users"},{"id":"2","method":"GET","url":"/users"},` +
		`{"id":"3","method":"GET","url":"/groups"}]}`
	a := r.do(t, "POST", "/v1.0/$batch", items)
	if inner := a.refusal(t, http.StatusServiceUnavailable, "serviceNotAvailable"); inner != "overloaded" {
		t.Errorf("refused as %q", inner)
	}
	if taken, returned := buckets.taken.Load(), buckets.returned.Load(); taken != 2 || returned != 2 {
		t.Errorf("taken from %d times, given back %d times", taken, returned)
	}
	r.sawNothing(t)
}
