package proxy

import "time"

// spent is the time of a request in which others were waited for. The rest of its time is the proxy's own. Only the
// goroutine of the request uses it: the times never overlap, because that goroutine waits for one thing at a time.
type spent struct {
	graph   time.Duration // from sending to the answer's header, for each time that something is sent; and for its body
	waiting time.Duration // for room in a limit, near a limit of Graph's, for a token
	queued  time.Time     // when it began to wait for room in a limit; zero: it found room at once
}

// since adds the time from start to now.
func since(to *time.Duration, start time.Time) { *to += time.Since(start) }

// leastWaiting is how long a request waits before it counts as one that waited: a token in hand takes no time, nearly.
const leastWaiting = time.Millisecond

// observe writes the times of a request to the metrics. The caller is waited for in writing, and in reading what was
// read before anything was sent.
func (h *Handler) observe(x *exchange, total time.Duration) {
	own := total - x.spent.graph - x.spent.waiting - x.in.blocked - x.out.blocked
	h.meter.Durations.Total.Observe(total.Seconds())
	h.meter.Durations.Own.Observe(max(0, own).Seconds())
	if x.spent.waiting >= leastWaiting {
		h.meter.Durations.Waiting.Observe(x.spent.waiting.Seconds())
	}
}
