package limit

import (
	"sync"
	"sync/atomic"
	"unique"
)

// mostHandles is how many limits a table of handles keeps, of all policies since it was emptied.
const mostHandles = 1 << 14

// handles has the handles of limits that were charged: to make one takes longer than all else that Take does for a
// charge. It keeps these limits in memory, so it is emptied when there are many. The zero value is ready. It is safe
// for concurrent use.
type handles struct {
	known sync.Map // unique.Handle[Limit] by *Limit
	n     atomic.Int32
}

// of returns the handle of a limit's value.
func (h *handles) of(l *Limit) unique.Handle[Limit] {
	value := l.value()
	if known, found := h.known.Load(l); found {
		// a limit that was changed, although it must not be, has other buckets
		if handle := known.(unique.Handle[Limit]); handle.Value() == value {
			return handle
		}
	}
	handle := unique.Make(value)
	h.keep(l, handle)
	return handle
}

func (h *handles) keep(l *Limit, handle unique.Handle[Limit]) {
	if h.n.Add(1) > mostHandles {
		h.known.Clear()
		h.n.Store(1)
	}
	h.known.Store(l, handle)
}
