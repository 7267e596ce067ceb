package proxy

import "graphproxy/proxy/meter"

// Work is what a Handler is doing now and has counted, for pages that people look at.
type Work struct {
	InFlight int64              // requests in flight
	Waiting  int                // requests that wait for a limit
	ByLimit  map[string]int     // the same, by limit
	Fill     map[string]float64 // free part of each limit, from 0 (none) to 1 (all); a limit that is not there has all
	Held     int64              // bytes of bodies
	Services []meter.Service
	Counts   meter.Counts
}

// Work returns what the handler is doing now. It takes no lock for longer than a request does.
func (h *Handler) Work() Work {
	w := Work{
		InFlight: h.meter.InFlight.Load(),
		Held:     h.memory.used.Load(),
		Services: h.services(),
		Counts:   h.meter.Counts(),
	}
	w.Waiting, w.ByLimit = h.queue.Waiting()
	if b, ok := h.buckets.(measured); ok {
		w.Fill = b.Fill()
	}
	return w
}
