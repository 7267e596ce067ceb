package strictjson

import (
	"bytes"
	"sync/atomic"
)

// Spare keeps a Reader that is not in use, so that its memory is used again. It is safe for concurrent use. The zero
// value is empty. A Spare must not be copied.
type Spare struct{ reader atomic.Pointer[Reader] }

// Take returns the Reader, or a new one if there is none. Only the caller uses it until Put.
func (s *Spare) Take() *Reader {
	if r := s.reader.Swap(nil); r != nil {
		return r
	}
	return new(Reader)
}

// Put keeps a Reader. It forgets its text.
func (s *Spare) Put(r *Reader) {
	const most = 1 << 10 // few texts have more keys open, or nest deeper
	if cap(r.keys) > most || cap(r.first) > most {
		return
	}
	r.text, r.source = nil, bytes.Buffer{}
	r.tokens.Reset(&r.source)
	s.reader.Store(r)
}
