package proxy

import (
	"io"
	"log/slog"
	"sync"
)

// auditor writes records as JSON lines: those of one request, with the items of its batch, with one Write, so that an
// O_APPEND file never mixes two lines.
type auditor struct {
	w       io.Writer
	log     *slog.Logger
	buffers sync.Pool // *[]byte
}

func newAuditor(w io.Writer, log *slog.Logger) *auditor {
	return &auditor{w: w, log: log, buffers: sync.Pool{New: func() any { return new([]byte) }}}
}

// write appends the line of a request, and one for each item of a batch. Lines that cannot be written are logged as an
// error, for every request: they must not be missed.
func (a *auditor) write(rec *Record, items []Record) {
	if a.w == nil {
		return
	}
	buf := a.buffers.Get().(*[]byte)
	defer a.buffers.Put(buf)
	line := rec.appendLine((*buf)[:0])
	for i := range items {
		line = items[i].appendLine(line)
	}
	*buf = line
	if _, err := a.w.Write(line); err != nil {
		a.log.Error("audit line lost", "request_id", rec.RequestID, "lines", 1+len(items), "error", err)
	}
}
