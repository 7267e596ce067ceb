package proxy

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"graphproxy/policy"
)

// pool counts how much of a bounded resource of the proxy requests use: places or bytes. Safe for concurrent use.
type pool struct {
	most int64
	used atomic.Int64
}

// share is the part of a pool that one caller may use. Every caller may use a fraction of what the other callers
// leave, so that some is left for the next one, however many callers use all that they can.
type share struct {
	most     int64   // never more than this
	fraction float64 // of what the others leave
}

// allows returns how much a caller may use when the others use that much.
func (s share) allows(most, others int64) int64 {
	return min(s.most, int64(math.Ceil(s.fraction*float64(most-others))))
}

// take takes n for the caller that uses own. It reports false, and takes nothing, if that is more than the caller's
// share.
//
// Two counters cannot be read at once. own is increased first and decreased last, so requests of the same caller
// never count as those of others, and a single caller can use its whole share, however many of its requests come at
// the same moment.
func (p *pool) take(own *atomic.Int64, n int64, s share) bool {
	mine := own.Add(n)
	used := p.used.Add(n)
	others := max(0, used-own.Load())
	if used <= p.most && mine <= s.allows(p.most, others) {
		return true
	}
	p.give(own, n)
	return false
}

func (p *pool) give(own *atomic.Int64, n int64) {
	p.used.Add(-n)
	own.Add(-n)
}

// mostUnknown is how many requests more than there are places may be authenticated at once. Requests of a few
// issuers whose keys cannot be fetched wait there (auth/caller/oidc bounds them for each), and must not keep out
// requests whose check is fast.
const mostUnknown = 1024

// usage is how much of each pool one caller uses.
type usage struct {
	working, waiting, bytes atomic.Int64

	me sync.Mutex // held while an answer about the caller is made
}

// allotment is how much of each pool a caller may use, and how much it uses.
type allotment struct {
	has                     *usage
	working, waiting, bytes share
}

// leastBytes is the part of all bytes that a caller may use even if its share of the places is small: one large
// batch must fit.
const leastBytes = 4

// allot returns what the policy allows a caller. Without a share in the policy, a caller may use half of
// everything, and everything if it is the only caller.
func (h *Handler) allot(a *Authorization, caller string) allotment {
	places := h.places.most
	most := places - places/2
	switch s := a.shares[caller]; {
	case s.Requests > 0:
		most = min(places, int64(s.Requests))
	case s.Percent > 0:
		most = max(1, places*int64(s.Percent)/100)
	case len(a.shares) == 1:
		most = places
	}
	part := float64(most) / float64(places)
	fraction := max(0.5, part)
	if most == places-places/2 {
		fraction = 0.5 // of an odd number, the half is rounded up
	}
	return allotment{
		has:     h.usageOf(caller),
		working: share{most, fraction},
		waiting: share{h.waiting.most, fraction},
		bytes:   share{max(int64(part*float64(h.memory.most)), h.memory.most/leastBytes), fraction},
	}
}

// usageOf returns what a caller uses now. It outlives the policy.
func (h *Handler) usageOf(caller string) *usage {
	if u, found := h.usages.Load(caller); found {
		return u.(*usage)
	}
	u, _ := h.usages.LoadOrStore(caller, new(usage))
	return u.(*usage)
}

// place is one request's place among those in flight. The zero place is none. It is for one goroutine.
type place struct {
	of    *pool // working or waiting; nil: the request has no place
	count *atomic.Int64
}

// work takes a place among the requests that are worked on. The error is the answer to the caller.
func (h *Handler) work(x *exchange) error {
	if h.places.take(&x.allotment.has.working, 1, x.allotment.working) {
		x.place = place{&h.places, &x.allotment.has.working}
		return nil
	}
	if h.places.used.Load() >= h.places.most {
		return overloaded("graphproxy has as many requests in flight as it may")
	}
	return overloaded(fmt.Sprintf("caller %q has as many requests in flight as its share lets it have; "+
		"send the next one when one was answered, or ask the policy's owner for a larger in_flight", x.rec.Caller))
}

// wait exchanges the place for one among the requests that wait. If there is none it reports false, and the request
// keeps its place.
func (h *Handler) wait(x *exchange) bool {
	if x.place.of == &h.waiting {
		return true
	}
	if x.place.of != &h.places || !h.waiting.take(&x.allotment.has.waiting, 1, x.allotment.waiting) {
		return false
	}
	x.place.leave()
	x.place = place{&h.waiting, &x.allotment.has.waiting}
	return true
}

// resume is work for a request that waited, or found no place afterwards; for one with a place it does nothing.
func (h *Handler) resume(x *exchange) error {
	if x.place.of == &h.places {
		return nil
	}
	x.place.leave()
	return h.work(x)
}

// leave gives the place back. It may be called more than once.
func (p *place) leave() {
	if p.of != nil {
		p.of.give(p.count, 1)
		p.of = nil
	}
}

// sharesOf returns the shares of a policy's callers.
func sharesOf(p *policy.Policy) map[string]policy.Share {
	all := make(map[string]policy.Share)
	for _, c := range p.Callers() {
		all[c.Name] = c.InFlight
	}
	return all
}
