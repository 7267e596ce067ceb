package console

import (
	"bytes"
	"io"
	"slices"
	"sync"
)

// The bounds of Records. A line has less than 4 KiB, and usually some 600 bytes.
const (
	MostRecords = 10_000
	MostBytes   = 16 << 20
)

// pieceSize is how much memory is taken at a time, and how much is dropped at a time when MostBytes are used.
const (
	pieceSize  = 256 << 10
	mostPieces = MostBytes / pieceSize
)

// Records are the newest audit lines: at most MostRecords, in at most MostBytes. The oldest make place for new ones.
// Memory is taken as lines need it, because the garbage collector lets as much garbage gather as there is memory in
// use. Nothing is decoded when a line is written: it is copied, under a lock that is held for some hundred nanoseconds.
// It is safe for concurrent use.
type Records struct {
	mu     sync.Mutex
	lines  [MostRecords][]byte // line n is at n%MostRecords
	pieces []*piece            // that the lines are in, the oldest first
	first  uint64              // number of the oldest line that is kept
	next   uint64              // number that the next line gets
}

// piece is memory for lines, one behind the other.
type piece struct {
	text []byte
	last uint64 // number of its newest line
}

// Record is one audit line with its number, which grows by one with each line. The first is 1.
type Record struct {
	Number uint64
	Line   []byte // without a line break
}

// NewRecords returns Records without a line.
func NewRecords() *Records { return &Records{first: 1, next: 1} }

// Write implements io.Writer. It takes whole lines: of one request, and of the items of its batch.
func (r *Records) Write(lines []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for rest := lines; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			r.add(rest)
			break
		}
		r.add(rest[:end])
		rest = rest[end+1:]
	}
	return len(lines), nil
}

// add copies one line. The caller holds the lock.
func (r *Records) add(line []byte) {
	if len(line) == 0 || len(line) > pieceSize {
		return
	}
	if r.next-r.first == MostRecords {
		r.first++
	}
	p := r.pieceFor(len(line))
	begin := len(p.text)
	p.text, p.last = append(p.text, line...), r.next
	r.lines[r.next%MostRecords] = p.text[begin:]
	r.next++
}

// pieceFor returns a piece with place for a line: the last one, or else the oldest one, if none of its lines is kept or
// there may be no more pieces, or else a new one.
func (r *Records) pieceFor(size int) *piece {
	n := len(r.pieces)
	switch {
	case n > 0 && len(r.pieces[n-1].text)+size <= pieceSize:
		return r.pieces[n-1]
	case n > 0 && (n == mostPieces || r.pieces[0].last < r.first):
		oldest := r.pieces[0]
		r.first = max(r.first, oldest.last+1)
		oldest.text = oldest.text[:0]
		r.pieces = append(slices.Delete(r.pieces, 0, 1), oldest)
		return oldest
	}
	r.pieces = append(r.pieces, &piece{text: make([]byte, 0, pieceSize)})
	return r.pieces[n]
}

// Newest returns the number of the newest line; 0: there is none.
func (r *Records) Newest() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next - 1
}

// copied is how many lines are copied under the lock at a time.
const copied = 64

// After returns copies of the lines with greater numbers than after, oldest first, some dozens at most.
func (r *Records) After(after uint64) []Record { return r.after(new(copies), after) }

// Before returns copies of the lines with smaller numbers than before, oldest first, some dozens at most: the newest
// such ones. 0 is after the newest.
func (r *Records) Before(before uint64) []Record { return r.before(new(copies), before) }

// copies is the memory of copied lines. It is used again, so the lines are good until the next ones are copied.
type copies struct {
	records []Record
	text    []byte
}

func (r *Records) after(into *copies, after uint64) []Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.copy(into, max(after+1, r.first), r.next)
}

func (r *Records) before(into *copies, before uint64) []Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	if before == 0 || before > r.next {
		before = r.next
	}
	if before <= r.first {
		return nil
	}
	return r.copy(into, max(r.first, before-min(before, copied)), before)
}

// copy copies the lines of some numbers, the first ones if they are too many. The caller holds the lock.
func (r *Records) copy(into *copies, from, to uint64) []Record {
	if from >= to {
		return nil
	}
	to = min(to, from+copied)
	size := 0
	for n := from; n < to; n++ {
		size += len(r.lines[n%MostRecords])
	}
	all, text := slices.Grow(into.records[:0], int(to-from)), slices.Grow(into.text[:0], size)
	for n := from; n < to; n++ {
		begin := len(text)
		text = append(text, r.lines[n%MostRecords]...)
		all = append(all, Record{n, text[begin:len(text):len(text)]})
	}
	into.records, into.text = all, text
	return all
}

// Reader returns a log of the lines that are kept now, oldest first, in the form of an audit log. Lines that are
// dropped while it is read are left out.
func (r *Records) Reader() io.Reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &recordReader{of: r, after: r.first - 1, last: r.next - 1}
}

// recordReader reads lines up to a number.
type recordReader struct {
	of          *Records
	after, last uint64
	rest        []byte
}

// Read implements io.Reader.
func (r *recordReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.after >= r.last {
			return 0, io.EOF
		}
		lines := r.of.After(r.after)
		if len(lines) == 0 {
			return 0, io.EOF
		}
		for _, l := range lines {
			if l.Number <= r.last {
				r.rest = append(append(r.rest, l.Line...), '\n')
			}
			r.after = l.Number
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
