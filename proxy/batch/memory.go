package batch

import "net/http/httputil"

// Memory is where the bytes come from that Replies and a Merger keep.
type Memory struct {
	Hold   Hold
	Pieces httputil.BufferPool // memory that is used again; nil: there is none
}

// Hold counts n bytes that are kept from now on, or released if n is negative. It reports false if no more bytes
// may be kept; then they are not counted.
type Hold func(n int) bool

// piece returns an empty piece of memory, which is counted; nil if there is none.
func (m *Memory) piece() []byte {
	if m.Pieces == nil {
		return nil
	}
	p := m.Pieces.Get()
	if !m.Hold(cap(p)) {
		m.Pieces.Put(p)
		return nil
	}
	return p[:0]
}

// giveBack gives back a piece. Nothing may refer to its memory any more.
func (m *Memory) giveBack(p []byte) {
	if p != nil {
		m.Hold(-cap(p))
		m.Pieces.Put(p[:cap(p)])
	}
}
