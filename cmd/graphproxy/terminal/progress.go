package terminal

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// When progress is first shown, and how often after that.
const (
	showAfter = time.Second
	showEvery = 200 * time.Millisecond
)

// Progress shows on w, if that is a terminal, how much of r has been read, from one second on. size is the number
// of bytes of r; 0: unknown. The function that it returns ends the display, and removes it.
func Progress(environ []string, w io.Writer, what string, r io.Reader, size int64) (io.Reader, func()) {
	if !Is(w) || dumb(environ) {
		return r, func() {}
	}
	p := &progress{reader: r, began: time.Now(), size: size, what: what}
	ended := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { p.show(w, ended) })
	return p, func() { close(ended); running.Wait() }
}

type progress struct {
	reader io.Reader
	read   atomic.Int64
	began  time.Time
	size   int64
	what   string
}

func (p *progress) Read(into []byte) (int, error) {
	n, err := p.reader.Read(into)
	p.read.Add(int64(n))
	return n, err
}

func (p *progress) show(w io.Writer, ended <-chan struct{}) {
	next := time.NewTimer(showAfter)
	defer next.Stop()
	shown := false
	for {
		select {
		case <-ended:
			if shown {
				fmt.Fprint(w, "\r\x1b[K")
			}
			return
		case <-next.C:
			fmt.Fprint(w, "\r\x1b[K"+p.text(time.Since(p.began)))
			shown = true
			next.Reset(showEvery)
		}
	}
}

// text is what is shown after a time: reading audit.log: 12 MB of 48 MB, 25%, 6s left.
func (p *progress) text(after time.Duration) string {
	read := p.read.Load()
	text := fmt.Sprintf("reading %s: %.1f MB", p.what, megabytes(read))
	if p.size <= 0 || read > p.size {
		return text
	}
	text += fmt.Sprintf(" of %.1f MB, %d%%", megabytes(p.size), read*100/p.size)
	if read > 0 {
		left := time.Duration(float64(after) / float64(read) * float64(p.size-read))
		text += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	return text
}

func megabytes(n int64) float64 { return float64(n) / 1e6 }
