package proxy

import (
	"time"

	"graphproxy/proxy/meter"
)

// newMeter returns the meter of the handler's requests. At each scrape it reads the handler's state.
func (h *Handler) newMeter() *meter.Meter {
	sources := meter.Sources{Waiting: h.queue.Waiting, Held: h.memory.used.Load, Services: h.services}
	if b, ok := h.buckets.(measured); ok {
		sources.Fill = b.Fill
	}
	m := meter.New(h.authorization.Load().policy, sources)
	m.Resends(resendConnect, resendUnsent, resendReset, resendToken)
	return m
}

// services returns what Graph reported about its limits.
func (h *Handler) services() []meter.Service {
	counts := h.throttle.Counts(time.Now())
	all := make([]meter.Service, 0, len(counts))
	for _, c := range counts {
		all = append(all, meter.Service{
			Name:       c.Service,
			Throttled:  c.Throttled,
			Held:       c.Held,
			Holding:    c.Holding,
			Percentage: c.Percentage,
		})
	}
	return all
}

// outcome returns the record in the form in which the metrics divide requests.
func (rec *Record) outcome() meter.Outcome {
	o := meter.Outcome{
		Caller:    rec.Caller,
		Rule:      rec.decided,
		Method:    rec.Method,
		Decision:  rec.Decision,
		Status:    rec.Status,
		WouldDeny: rec.WouldDeny,
	}
	if rec.Reason != rec.reported {
		o.Refusal = rec.Reason
	}
	return o
}
