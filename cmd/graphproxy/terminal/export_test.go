package terminal

import (
	"io"
	"time"
)

func Fold(line string, width, hang int) []string { return fold(line, width, hang) }

// NewWriter returns the writer to a terminal of this width that knows colours.
func NewWriter(w io.Writer, width int, look Look) *Writer {
	return &Writer{&writer{w: w, width: width, colours: true, look: look}}
}

type Writer struct{ *writer }

func (w *Writer) Flush() error { return w.flush() }

func ProgressText(what string, read, size int64, after time.Duration) string {
	p := &progress{size: size, what: what}
	p.read.Store(read)
	return p.text(after)
}
