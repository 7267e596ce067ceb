// Package meter counts what requests do, for /metrics.
//
// It decides which series there are. Callers of the proxy cannot make series: labels hold names of the policy in
// force, and words of fixed lists. A series of a policy that was replaced is gone when its caller, its rule or its
// limit is. To count allocates nothing and takes no lock. The package leaves to proxy when something is counted.
package meter

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"graphproxy/policy"
)

// Meter counts requests. Make it with New. It is safe for concurrent use, and a prometheus.Collector.
type Meter struct {
	InFlight    atomic.Int64  // requests in flight
	Ending      atomic.Uint64 // requests that a rule or caller allowed that ends within a day
	Connections Connections   // to Graph
	Durations   Durations

	sources Sources
	table   atomic.Pointer[table]
	use     sync.Mutex // held by Use
	reasons words      // of refusals
	resends words
}

// Sources are what is looked up at each scrape. Functions that are nil are not called.
type Sources struct {
	Waiting  func() (all int, byLimit map[string]int)
	Room     func() map[string]float64 // by limit, from 0 (none) to 1 (all)
	Held     func() int64              // bytes of bodies
	Services func() []Service          // what Graph said of its limits
}

// New returns a Meter that counts under the names of a policy.
func New(p *policy.Policy, s Sources) *Meter {
	m := &Meter{sources: s, Durations: newDurations()}
	m.reasons.most, m.resends.most = mostReasons, mostReasons
	m.Use(p)
	return m
}

// mostReasons bounds the values of the label reason. docs/errors.md lists some fifty.
const mostReasons = 128

// Use counts under the names of another policy from now on. What the policies have in common is counted on.
func (m *Meter) Use(p *policy.Policy) {
	m.use.Lock()
	defer m.use.Unlock()
	m.table.Store(newTable(p, m.table.Load()))
}

// Resend counts a request that is sent to Graph again.
func (m *Meter) Resend(reason string, n int) { m.resends.add(reason, uint64(n)) }

// Resends makes series of these reasons, so that they are there before the first resend.
func (m *Meter) Resends(reasons ...string) {
	for _, reason := range reasons {
		m.resends.add(reason, 0)
	}
}

// words counts by a word of a list that the program's source has. It is bounded all the same: words beyond are counted
// as "other".
type words struct {
	most int
	mu   sync.Mutex
	all  atomic.Pointer[map[string]*atomic.Uint64]
}

func (w *words) add(word string, n uint64) {
	if all := w.all.Load(); all != nil {
		if c := (*all)[word]; c != nil {
			c.Add(n)
			return
		}
	}
	w.make(word).Add(n)
}

// make returns the counter of a word that may have none yet.
func (w *words) make(word string) *atomic.Uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string]*atomic.Uint64{}
	if now := w.all.Load(); now != nil {
		if c := (*now)[word]; c != nil {
			return c
		}
		if len(*now) >= w.most {
			word = other
		}
		for k, c := range *now {
			all[k] = c
		}
	}
	if all[word] == nil {
		all[word] = new(atomic.Uint64)
	}
	w.all.Store(&all)
	return all[word]
}

// Register registers the metrics, unless r is nil.
func (m *Meter) Register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	for _, c := range append(m.Durations.all(), collector{m, descriptions()}) {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}
