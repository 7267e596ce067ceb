package proxy

import "time"

// spent is the time that a request waited for others. The rest of its time is the proxy's own. Only the goroutine
// of the request uses it: the times never overlap, because that goroutine waits for one thing at a time.
type spent struct {
	graph   time.Duration // from sending to the answer's header, for each try; and for its body
	waiting time.Duration // for capacity of a limit, near a limit of Graph, for a token
	queued  time.Time     // when it began to wait for capacity of a limit; zero: it did not wait
}

// since adds the time from start to now.
func since(to *time.Duration, start time.Time) { *to += time.Since(start) }

// leastWaiting is how long a request must wait to count as one that waited: a cached token takes almost no time.
const leastWaiting = time.Millisecond

// observe writes the times of a request to the metrics. Time for the caller is spent in writing, and in reading a
// body before anything was sent.
func (h *Handler) observe(x *exchange, total time.Duration) {
	own := total - x.spent.graph - x.spent.waiting - x.in.blocked - x.out.blocked
	h.meter.Durations.Total.Observe(total.Seconds())
	h.meter.Durations.Own.Observe(max(0, own).Seconds())
	if x.spent.waiting >= leastWaiting {
		h.meter.Durations.Waiting.Observe(x.spent.waiting.Seconds())
	}
}
