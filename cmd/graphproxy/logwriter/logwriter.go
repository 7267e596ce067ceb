// Package logwriter writes lines to a file or a stream, and never makes the code that logs wait for it.
//
// Lines go into a bounded queue. One goroutine takes what has gathered there and writes it with one call. The package
// decides when a target counts as failing, which lines are lost then, and how a file is opened again after it was
// rotated or removed. It leaves to its callers what a line says, and what else happens while lines cannot be written.
package logwriter

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// The bounds that Options have by default.
const (
	DefaultMaxLines = 16384
	DefaultMaxBytes = 16 << 20
)

const (
	retryEvery = 500 * time.Millisecond // how often a write that failed is tried again
	stalled    = 2 * time.Second        // a write that takes longer counts as failing
	lookEvery  = 2 * time.Second        // how often the file of that name is compared with the file that is open
	gatherFor  = 5 * time.Millisecond   // lines that come sooner after a write wait for the rest of this time
)

var (
	errStalled = errors.New("the write has waited for more than 2s: the program that reads the log does not read on")
	errFull    = errors.New("the queue is full: lines come faster than they can be written")
)

// Options say what a Writer does. The zero value has the default bounds and reports nothing. The functions are called
// by goroutines of the Writer; they must not call its methods.
type Options struct {
	MaxLines int // lines that may wait, those that are being written included; 0: DefaultMaxLines
	MaxBytes int // their bytes; 0: DefaultMaxBytes
	// returns the line, with its line end, that reports n lost lines in the log itself; nil: none
	Lost     func(n int) []byte
	Failed   func(err error)  // writing began to fail, or lines were lost; nil: not called
	Reopened func()           // a file of the target's name was opened again; nil: not called
	Resumed  func(lost int64) // writing works again; lost counts the lines dropped since the start; nil: not called
}

// State is what a Writer reports of itself.
type State struct {
	Err     error // why lines cannot be written now; nil while they can
	Waiting int   // lines in the queue, those that are being written included
	Written int64 // lines written since the start
	Lost    int64 // lines dropped since the start
}

// Writer is a queue of lines with one goroutine that writes them. Make it with New or Open, and end it with Close. It
// is safe for concurrent use. Write, State, Err and Reopen never wait for the target.
type Writer struct {
	options Options
	target  target
	wake    chan struct{} // capacity 1: lines wait
	reopen  chan struct{} // capacity 1: open the file by its name again
	closing chan struct{} // closed: write what waits, and end
	end     sync.Once     // closes closing
	done    chan struct{} // closed when the goroutine has ended
	wrote   time.Time     // the last write; for the goroutine

	mu         sync.Mutex
	waiting    []byte    // lines that wait
	spare      []byte    // memory for the lines after these
	lines      int       // how many lines wait
	writing    int       // how many lines are being written
	bytes      int       // of the lines that are being written
	since      time.Time // when the write began
	err        error     // of the last write, or of the last look at the file
	failed     bool      // Failed was called, and Resumed was not called since
	unreported int       // lost lines that the log itself does not report yet
	written    int64
	lost       int64
}

// New returns a Writer to a stream, such as standard output. Close does not close the stream.
func New(w io.Writer, o Options) *Writer { return start(stream{w}, o) }

// Open returns a Writer that appends to the file at path. A new file is readable by its owner only. The error names the
// cause and the cure, without the path.
func Open(path string, o Options) (*Writer, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	return start(f, o), nil
}

func start(t target, o Options) *Writer {
	o.MaxLines = cmp.Or(o.MaxLines, DefaultMaxLines)
	o.MaxBytes = cmp.Or(o.MaxBytes, DefaultMaxBytes)
	w := &Writer{
		options: o,
		target:  t,
		wake:    make(chan struct{}, 1),
		reopen:  make(chan struct{}, 1),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
	}
	go w.run()
	return w
}

// Write queues p, which holds one or more whole lines. It copies p and returns len(p), nil, also for lines that are
// dropped because the queue is full. State counts those.
func (w *Writer) Write(p []byte) (int, error) {
	n := bytes.Count(p, []byte{'\n'})
	if w.queue(p, n) {
		poke(w.wake)
	}
	return len(p), nil
}

// queue reports whether p is the first text in the queue, so that the goroutine must be woken.
func (w *Writer) queue(p []byte, n int) (isFirst bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lines+w.writing+n > w.options.MaxLines || len(w.waiting)+w.bytes+len(p) > w.options.MaxBytes {
		w.lost += int64(n)
		w.unreported += n
		return false
	}
	w.waiting = append(w.waiting, p...)
	w.lines += n
	return len(w.waiting) == len(p)
}

// poke makes a channel of capacity 1 ready.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// State returns the Writer's state.
func (w *Writer) State() State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return State{Err: w.failure(), Waiting: w.lines + w.writing, Written: w.written, Lost: w.lost}
}

// Err returns why lines cannot be written now, or nil.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failure()
}

// failure is Err. The caller holds mu.
func (w *Writer) failure() error {
	switch {
	case w.err != nil:
		return w.err
	case w.writing > 0 && time.Since(w.since) > stalled:
		return errStalled
	case w.unreported > 0:
		return errFull
	}
	return nil
}

// Reopen opens a file by its name again, after a program that rotates logs has renamed it. A stream stays as it is.
func (w *Writer) Reopen() { poke(w.reopen) }

// Close writes the lines that wait and ends the Writer. It returns an error when not all could be written before ctx
// ended. A line that is written after Close is lost.
func (w *Writer) Close(ctx context.Context) error {
	w.end.Do(func() { close(w.closing) })
	select {
	case <-w.done:
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if left := w.lines + w.writing; left > 0 {
		return fmt.Errorf("%d lines were not written: %w", left, cmp.Or(w.failure(), ctx.Err(), errStalled))
	}
	return nil
}
