package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"graphproxy/policy/limit"
	"graphproxy/policy/limit/queue"
)

// asked is a request of a run.
type asked struct {
	gap     time.Duration // after the one before
	caller  string
	charges []limit.Charge
	holds   time.Duration
	leaves  time.Duration // when its caller gives up; 0: never

	kind string // caller and charges
	came time.Time
}

func (a *asked) String() string {
	s := fmt.Sprintf("\n+%v %s, holds %v, leaves after %v:", a.gap, a.caller, a.holds, a.leaves)
	for _, c := range a.charges {
		s += fmt.Sprintf(" %+v %q %d", *c.Limit, c.Key, c.Cost)
	}
	return s
}

func runs() *rapid.Generator[[]*asked] {
	waits := rapid.SampledFrom([]time.Duration{0, 50 * time.Millisecond, time.Second, 5 * time.Second})
	return rapid.Custom(func(t *rapid.T) []*asked {
		var limits []*limit.Limit
		for i := range rapid.IntRange(1, 4).Draw(t, "limits") {
			l := &limit.Limit{
				Name:        fmt.Sprintf("limit %d", i),
				Rate:        rapid.SampledFrom([]float64{0, 1, 5, 20, 100}).Draw(t, "rate"),
				Burst:       rapid.IntRange(1, 5).Draw(t, "burst"),
				Concurrency: rapid.IntRange(0, 2).Draw(t, "concurrency"),
				Unit:        rapid.SampledFrom([]limit.Unit{limit.Requests, limit.ResourceUnits}).Draw(t, "unit"),
				Wait:        waits.Draw(t, "wait"),
			}
			if l.Rate == 0 {
				l.Concurrency = max(l.Concurrency, 1)
			}
			limits = append(limits, l)
		}
		var run []*asked
		for range rapid.IntRange(1, 60).Draw(t, "requests") {
			a := &asked{
				gap:    time.Duration(rapid.IntRange(0, 200).Draw(t, "gap")) * time.Millisecond,
				caller: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "caller"),
				holds:  time.Duration(rapid.IntRange(0, 500).Draw(t, "holds")) * time.Millisecond,
			}
			if rapid.IntRange(0, 5).Draw(t, "leaves") == 0 {
				a.leaves = time.Duration(rapid.IntRange(1, 1000).Draw(t, "after")) * time.Millisecond
			}
			a.kind = a.caller
			for _, l := range limits {
				if rapid.IntRange(0, 2).Draw(t, "charges") > 0 {
					c := limit.Charge{Limit: l, Key: rapid.SampledFrom([]string{"", "k"}).Draw(t, "key"), Cost: 1}
					if l.Unit == limit.ResourceUnits {
						c.Cost = rapid.IntRange(1, 3).Draw(t, "cost")
					}
					a.charges = append(a.charges, c)
					a.kind += fmt.Sprintf(" %s/%s/%d", l.Name, c.Key, c.Cost)
				}
			}
			run = append(run, a)
		}
		return run
	})
}

// longestWait returns the bound of the whole wait, for any of its limits.
func (a *asked) longestWait() (d time.Duration) {
	for _, c := range a.charges {
		d = max(d, c.Limit.Wait)
	}
	return d
}

// model records what a Limiter granted, and whether it had capacity.
type model struct {
	*limit.Limiter
	mu      sync.Mutex
	granted map[string][]grant
	held    map[string]int
	kinds   map[string][]int
	tokens  map[string]float64
	at      map[string]time.Time
}

type grant struct {
	at    time.Time
	units int
}

func name(c *limit.Charge) string { return c.Limit.Name + "/" + c.Key }

func units(c *limit.Charge) int { return max(1, min(c.Cost, c.Limit.Burst)) }

// level returns the content of a bucket.
func (m *model) level(c *limit.Charge, now time.Time) float64 {
	at, ok := m.at[name(c)]
	if !ok {
		return float64(c.Limit.Burst)
	}
	return min(float64(c.Limit.Burst), m.tokens[name(c)]+now.Sub(at).Seconds()*c.Limit.Rate)
}

func (m *model) Take(_ context.Context, charges []limit.Charge, g *limit.Grant) (*limit.Refusal, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	r := m.Limiter.Take(now, charges, g)
	if r != nil {
		return r, nil
	}
	for i := range charges {
		c := &charges[i]
		m.tokens[name(c)] = m.level(c, now) - float64(units(c))
		m.at[name(c)] = now
		m.granted[name(c)] = append(m.granted[name(c)], grant{now, units(c)})
		m.held[name(c)]++
	}
	return nil, nil
}

func (m *model) release(g *limit.Grant, charges []limit.Charge) {
	m.mu.Lock()
	for i := range charges {
		m.held[name(&charges[i])]--
	}
	m.mu.Unlock()
	g.Release()
}

// room reports whether the charges would be granted.
func (m *model) room(charges []limit.Charge) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for i := range charges {
		c := &charges[i]
		empty := c.Limit.Rate > 0 && m.level(c, now) < float64(units(c))+1e-6
		if empty || c.Limit.Concurrency > 0 && m.held[name(c)] >= c.Limit.Concurrency {
			return false
		}
	}
	return true
}

// check compares every period of time with rate·t + burst.
func (m *model) check(p *problems, run []*asked) {
	for _, a := range run {
		for i := range a.charges {
			c := &a.charges[i]
			grants := m.granted[name(c)]
			if c.Limit.Rate == 0 || len(grants) == 0 {
				continue
			}
			for i, first := range grants {
				sum := 0
				for _, last := range grants[i:] {
					sum += last.units
					if most := c.Limit.Rate*last.at.Sub(first.at).Seconds() + float64(c.Limit.Burst); float64(sum) > most+1e-6 {
						p.Errorf("%d units in %v, more than %v by %+v", sum, last.at.Sub(first.at), most, *c.Limit)
					}
				}
			}
			delete(m.granted, name(c)) // checked
		}
	}
}

// TestAnyRunKeepsItsPromises runs requests with several limits each, and checks what the package promises:
// rates, waits, order, and that no request is forgotten.
func TestAnyRunKeepsItsPromises(t *testing.T) {
	gen := runs()
	rapid.Check(t, func(rt *rapid.T) {
		run := gen.Draw(rt, "run")
		var p problems
		synctest.Test(t, func(t *testing.T) { play(t, &p, run) })
		if len(p.all) > 0 {
			rt.Fatalf("%s\n%v", strings.Join(p.all, "\n"), run)
		}
	})
}

// problems are separate from the test's own, or a run could not be reduced after its first failure.
type problems struct {
	mu  sync.Mutex
	all []string
}

func (p *problems) Errorf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, fmt.Sprintf(format, args...))
}

func play(t *testing.T, p *problems, run []*asked) {
	m := &model{
		Limiter: limit.New(),
		granted: map[string][]grant{},
		held:    map[string]int{},
		kinds:   map[string][]int{},
		tokens:  map[string]float64{},
		at:      map[string]time.Time{},
	}
	q, err := queue.New(m, queue.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	waiting := map[*asked]bool{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for i, a := range run {
		time.Sleep(a.gap)
		synctest.Wait()
		mu.Lock()
		forgotten(p, m, waiting)
		waiting[a] = true
		mu.Unlock()
		a.came = time.Now()
		all.Go(func() { ask(t, p, q, m, i, a, func() { mu.Lock(); delete(waiting, a); mu.Unlock() }) })
		synctest.Wait()
	}
	all.Wait()
	synctest.Wait()
	m.check(p, run)
	for kind, order := range m.kinds {
		for i := 1; i < len(order); i++ {
			if order[i] < order[i-1] {
				p.Errorf("requests %s went in the order %v", kind, order)
			}
		}
	}
	if q.Len() != 0 || q.Lines() != [3]int{} || q.Callers() != 0 {
		p.Errorf("left: %d requests, %v lines, %d callers", q.Len(), q.Lines(), q.Callers())
	}
}

// forgotten looks for a lost wake-up: requests wait although all of them could be granted. (One alone may wait
// for earlier ones that need more.)
func forgotten(p *problems, m *model, waiting map[*asked]bool) {
	for w := range waiting {
		if !m.room(w.charges) {
			return
		}
	}
	for w := range waiting {
		p.Errorf("at %v %s, which came at %v, is still waiting, though there is room", time.Now(), w.kind, w.came)
	}
}

func ask(t *testing.T, p *problems, q *queue.Queue, m *model, i int, a *asked, done func()) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if a.leaves > 0 {
		ctx, cancel = context.WithTimeout(ctx, a.leaves)
		defer cancel()
	}
	var g limit.Grant
	r, err := q.Take(ctx, a.caller, a.charges, &g)
	done()
	waited := time.Since(a.came)
	if waited > a.longestWait() {
		p.Errorf("%s waited %v", a.kind, waited)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		if waited != a.leaves {
			p.Errorf("%s left after %v, not %v", a.kind, waited, a.leaves)
		}
	case err != nil:
		p.Errorf("%s: %v", a.kind, err)
	case r != nil:
		if r.RetryAfter <= 0 {
			p.Errorf("%s: %+v", a.kind, r)
		}
	default:
		m.mu.Lock()
		m.kinds[a.kind] = append(m.kinds[a.kind], i)
		m.mu.Unlock()
		time.Sleep(a.holds)
		m.release(&g, a.charges)
	}
}
