// Package meter counts requests for /metrics.
//
// It decides which series exist. Callers of the proxy cannot make series: labels have names of the policy in force,
// and words of fixed lists. After a reload, a series ends if the new policy lacks its caller, rule or limit.
// Counting allocates nothing and takes no lock. Package proxy decides when something is counted.
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
	Ending      atomic.Uint64 // requests that were allowed by a rule or for a caller that ends within a day
	Connections Connections   // to Graph
	Durations   Durations

	sources     Sources
	table       atomic.Pointer[table]
	candidate   *policy.Policy              // of UseCandidate
	differences atomic.Pointer[differences] // nil: there was no candidate yet
	use         sync.Mutex                  // held by Use and UseCandidate
	reasons     words                       // of refusals
	resends     words
}

// Sources are read at each scrape. Functions that are nil are not called.
type Sources struct {
	Waiting  func() (all int, byLimit map[string]int)
	Fill     func() map[string]float64 // free part of each limit, from 0 (none) to 1 (all)
	Held     func() int64              // bytes of bodies
	Services func() []Service          // what Graph reported about its limits
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

// Use counts under the names of another policy from now on. Counters that both policies have go on.
func (m *Meter) Use(p *policy.Policy) {
	m.use.Lock()
	defer m.use.Unlock()
	m.table.Store(newTable(p, m.table.Load()))
	m.renewDifferences()
}

// Resend counts a request that is sent to Graph again.
func (m *Meter) Resend(reason string, n int) { m.resends.add(reason, uint64(n)) }

// Resends creates series for these reasons, so that they exist before the first resend.
func (m *Meter) Resends(reasons ...string) {
	for _, reason := range reasons {
		m.resends.add(reason, 0)
	}
}

// words counts by a word of a list in the program's source. It is bounded nevertheless: further words are counted
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

// make returns the counter of a word, and creates it if needed.
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
