package throttle_test

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"graphproxy/proxy/graphtest"
	"graphproxy/proxy/throttle"
)

const (
	callers = 8
	oneWay  = 25 * time.Millisecond // to Graph, and back
	greed   = 10 * time.Millisecond // after which a refused caller tries again, whether Retry-After has passed or not
)

// event is something that happens in a simulation.
type event struct {
	at time.Duration
	n  int // among those at the same time, the order in which they were planned
	do func()
}

type agenda []event

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].n < a[j].n
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(event)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// simulation has callers that send requests as fast as they can, on their own clock, and a Graph with limits.
type simulation struct {
	graph  *graphtest.Server
	memory *throttle.Memory // nil: a proxy that passes everything on
	target string
	scope  throttle.Scope
	now    atomic.Int64
	todo   agenda
	n      int

	quiet        time.Duration // the latest end of a Retry-After in the answers that have arrived
	from         time.Duration // from when on goodput is counted; 0: since the first refusal
	sent, probes int           // requests sent before that time, and the probes among them
	total        int
	refused      int
	good         int // taken since then
}

func (s *simulation) plan(after time.Duration, do func()) {
	s.n++
	heap.Push(&s.todo, event{time.Duration(s.now.Load()) + after, s.n, do})
}

func (s *simulation) run(until time.Duration) {
	for range callers {
		s.plan(0, func() { s.request(true) })
	}
	for {
		next := heap.Pop(&s.todo).(event)
		if next.at > until {
			return
		}
		s.now.Store(int64(next.at))
		next.do()
	}
}

func (s *simulation) clock() time.Time { return at(time.Duration(s.now.Load())) }

// request sends one request of one caller, and plans the caller's next one.
func (s *simulation) request(mayDelay bool) {
	var v throttle.Verdict
	if s.memory != nil {
		v = s.memory.Check(s.clock(), s.scope)
	}
	switch {
	case v.Wait > 0:
		s.plan(greed, func() { s.request(true) })
	case v.Delay > 0 && mayDelay:
		s.plan(v.Delay, func() { s.request(false) })
	default:
		s.total++
		if time.Duration(s.now.Load()) < s.quiet {
			s.sent++
			if v.Probe != nil {
				s.probes++
			}
		}
		s.plan(oneWay, func() { s.arrive(v.Probe) })
	}
}

// arrive is the request at Graph.
func (s *simulation) arrive(p *throttle.Probe) {
	r, w := httptest.NewRequest("GET", s.target, nil), httptest.NewRecorder()
	r.Header.Set("Authorization", "Bearer any")
	s.graph.ServeHTTP(w, r)
	s.plan(oneWay, func() { s.answer(p, w.Code, w.Header()) })
}

func (s *simulation) answer(p *throttle.Probe, status int, h http.Header) {
	now := time.Duration(s.now.Load())
	if s.from > 0 && now >= s.from && status == 200 {
		s.good++
	}
	if status == 429 {
		s.refused++
		if s.from == 0 {
			s.from = now
		}
		var after int
		_, _ = fmt.Sscan(h.Get("Retry-After"), &after)
		s.quiet = max(s.quiet, now+time.Duration(after)*time.Second)
	}
	if s.memory != nil {
		s.memory.Seen(s.clock(), s.scope, p, status, h)
	}
	s.plan(0, func() { s.request(true) })
}

// goodput is the share of what Graph allows that the callers got.
func (s *simulation) goodput(end time.Duration) float64 {
	return float64(s.good) / ((end - s.from).Seconds() * perSecond)
}

func (s *simulation) report(t *testing.T, who string, end time.Duration) {
	t.Logf("%s %v: %d reached Graph, %d refused there, %d sent while it had asked for quiet, %d of these probes; "+
		"goodput %.1f %%",
		who, end, s.total, s.refused, s.sent, s.probes, 100*s.goodput(end))
}

const perSecond = 20 // requests that Graph allows in the long run

func simulate(t *testing.T, target string, limits graphtest.Limits, memory *throttle.Memory,
	from, end time.Duration) *simulation {
	graph, err := graphtest.NewServer(graphtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer graph.Close()
	s := &simulation{
		graph:  graph,
		memory: memory,
		target: target,
		scope:  scope(t, "GET "+strings.TrimPrefix(target, "/v1.0")),
		from:   from,
	}
	limits.Now = s.clock
	graph.Limit(limits)
	s.run(end)
	return s
}

func TestGreedyCallersGetWhatGraphAllowsAndGraphIsLeftAlone(t *testing.T) {
	const end, naiveEnd = 5 * time.Minute, 40 * time.Second // a naive proxy gets nowhere, however long
	rate := graphtest.Rate{Units: perSecond * 20, Per: 20 * time.Second}
	tests := []struct {
		name   string
		target string
		limits graphtest.Limits
		from   time.Duration
	}{
		{"the directory, which reports how near the limit is", "/v1.0/users/adele@contoso.com",
			graphtest.Limits{Directory: rate}, 10 * time.Second},
		{"a mailbox, which reports nothing before the limit", "/v1.0/users/adele@contoso.com/mailFolders",
			graphtest.Limits{Mailbox: rate}, 0},
		{"SharePoint, which reports what is left of a window", "/v1.0/users/adele@contoso.com/drive/root",
			graphtest.Limits{Files: rate}, 20 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			chance := rand.New(rand.NewPCG(1, 2))
			memory := newMemory(func(o *throttle.Options) { o.Rand = chance.Float64 })
			naive := simulate(t, test.target, test.limits, nil, test.from, naiveEnd)
			ours := simulate(t, test.target, test.limits, memory, test.from, end)
			naive.report(t, "a naive proxy in", naiveEnd)
			ours.report(t, "following Graph for", end)
			if ours.sent != ours.probes {
				t.Errorf("%d requests reached Graph while it had asked for quiet, and were no probes", ours.sent-ours.probes)
			}
			if g := ours.goodput(end); g < 0.95 {
				t.Errorf("goodput is %.1f %% of what Graph allows", 100*g)
			}
			if naive.sent == 0 {
				t.Error("the naive proxy does as well: the comparison shows nothing")
			}
		})
	}
}
