package proxy

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"sync"

	"graphproxy/policy/graph/odata"
)

// auditor writes records as JSON lines. One Write a line, so that an O_APPEND file never mixes two.
type auditor struct {
	w       io.Writer
	log     *slog.Logger
	buffers sync.Pool
}

func newAuditor(w io.Writer, log *slog.Logger) *auditor {
	return &auditor{w: w, log: log, buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }}}
}

// write appends one line. A line that cannot be written is logged as an error, for every record: it must not be missed.
func (a *auditor) write(rec *Record) {
	if a.w == nil {
		return
	}
	buf := a.buffers.Get().(*bytes.Buffer)
	defer a.buffers.Put(buf)
	buf.Reset()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(rec)
	if err == nil {
		_, err = a.w.Write(odata.VisibleJSON(buf.Bytes())) // a mark of direction could make a target look like another
	}
	if err != nil {
		a.log.Error("audit line lost", "request_id", rec.RequestID, "error", err)
	}
}
