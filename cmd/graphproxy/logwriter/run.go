package logwriter

import (
	"bytes"
	"time"
)

// batch is the text of one write: the lines that had gathered in the queue.
type batch struct {
	text []byte
	done int // bytes of it that are written
}

func (b *batch) isEmpty() bool { return len(b.text) == 0 }

// run is the Writer's goroutine. It is the only code that touches the target.
func (w *Writer) run() {
	defer close(w.done)
	defer w.target.Close()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	slow := time.AfterFunc(stalled, w.report)
	defer slow.Stop()
	var now batch
	for {
		wake, retry := w.wake, (<-chan time.Time)(nil)
		if !now.isEmpty() { // its write failed
			wake, retry = nil, time.After(retryEvery)
		}
		select {
		case <-wake:
			w.gather()
		case <-retry:
			w.renew(&now, false)
		case <-w.reopen:
			w.renew(&now, true)
		case <-look.C:
			w.renew(&now, false)
		case <-w.closing:
			w.drain(&now, slow)
			return
		}
		w.drain(&now, slow)
	}
}

// gather waits until the last write was gatherFor ago, so that the lines of many requests need one write. A line that
// comes after a pause does not wait.
func (w *Writer) gather() {
	wait := gatherFor - time.Since(w.wrote)
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.closing:
	}
}

// renew looks for the file of the target's name. In another file, a line of which a part was written is written again
// from its beginning. It reports false if the file cannot be opened.
func (w *Writer) renew(now *batch, force bool) bool {
	fresh, err := w.target.renew(force)
	if fresh {
		now.done = bytes.LastIndexByte(now.text[:now.done], '\n') + 1
		if w.options.Reopened != nil {
			w.options.Reopened()
		}
	}
	if err != nil || now.isEmpty() { // else the next write shows whether the target works
		w.note(err)
	}
	return err == nil
}

// drain writes everything that waits. It returns early when a write fails; then now holds what is left. It looks at the
// file's name before each write: what is written to a file that was removed is lost.
func (w *Writer) drain(now *batch, slow *time.Timer) {
	for {
		if now.isEmpty() {
			now.text = w.take()
		}
		if now.isEmpty() {
			return
		}
		slow.Reset(stalled + time.Millisecond)
		if !w.renew(now, false) {
			slow.Stop()
			return
		}
		n, err := w.target.Write(now.text[now.done:])
		slow.Stop()
		w.wrote = time.Now()
		now.done += n
		if err != nil {
			w.note(err)
			return
		}
		w.finish(now)
	}
}

// take takes the lines that wait out of the queue, followed by a line about lost ones. It takes nothing while the
// target fails.
func (w *Writer) take() []byte {
	w.report()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || len(w.waiting) == 0 && w.unreported == 0 {
		return nil // and keep the memory of both queues
	}
	text := w.waiting
	if w.unreported > 0 && w.options.Lost != nil {
		text = append(text, w.options.Lost(w.unreported)...)
		w.lines++
	}
	w.writing, w.bytes, w.since = w.lines, len(text), time.Now()
	w.waiting, w.lines, w.unreported = w.spare, 0, 0
	w.spare = nil
	return text
}

// finish counts what was written and empties the batch. Its memory serves the queue again, unless it is large.
func (w *Writer) finish(now *batch) {
	w.mu.Lock()
	w.err = nil
	w.written += int64(w.writing)
	w.writing, w.bytes = 0, 0
	if cap(now.text) <= 1<<20 {
		w.spare = now.text[:0]
	}
	w.mu.Unlock()
	*now = batch{}
	w.report()
}

// note keeps the outcome of a write or of a look at the file.
func (w *Writer) note(err error) {
	w.mu.Lock()
	w.err = err
	w.mu.Unlock()
	w.report()
}

// report calls Failed or Resumed if writing fails now and did not before, or the other way round.
func (w *Writer) report() {
	w.mu.Lock()
	err, before, lost := w.failure(), w.failed, w.lost
	w.failed = err != nil
	w.mu.Unlock()
	switch {
	case err != nil && !before && w.options.Failed != nil:
		w.options.Failed(err)
	case err == nil && before && w.options.Resumed != nil:
		w.options.Resumed(lost)
	}
}
