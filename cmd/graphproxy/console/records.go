package console

import (
	"bytes"
	"io"
	"sync"
)

// The bounds of Records. A line has less than 4 KiB, and usually some 600 bytes.
const (
	MostRecords = 10_000
	MostBytes   = 16 << 20
)

// Records are the newest audit lines: at most MostRecords, in at most MostBytes. The oldest make place for new ones.
// Nothing is decoded when a line is written: it is copied, under a lock that is held for some hundred nanoseconds. It
// is safe for concurrent use.
type Records struct {
	mu     sync.Mutex
	text   []byte // a ring: the lines lie in their order, and none is split
	places [MostRecords]span
	first  uint64 // number of the oldest line that is kept
	next   uint64 // number that the next line gets
	head   int    // where the next line is written
}

// span is the place of a line in the text.
type span struct{ from, to int }

// Record is one audit line with its number, which grows by one with each line. The first is 1.
type Record struct {
	Number uint64
	Line   []byte // without a line break
}

// NewRecords returns Records without a line. Their memory is taken as lines come.
func NewRecords() *Records {
	return &Records{text: make([]byte, MostBytes), first: 1, next: 1}
}

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
	if len(line) == 0 || len(line) > len(r.text) {
		return
	}
	if r.next-r.first == MostRecords {
		r.first++
	}
	if r.head+len(line) > len(r.text) {
		r.drop(r.head, len(r.text)) // the oldest, if any are there
		r.head = 0
	}
	to := r.head + len(line)
	r.drop(r.head, to)
	copy(r.text[r.head:], line)
	r.places[r.next%MostRecords] = span{r.head, to}
	r.next++
	r.head = to
}

// drop forgets the oldest lines as long as they lie in a part of the text.
func (r *Records) drop(from, to int) {
	for r.first < r.next {
		at := r.places[r.first%MostRecords]
		if at.to <= from || at.from >= to {
			return
		}
		r.first++
	}
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
func (r *Records) After(after uint64) []Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.copy(max(after+1, r.first), r.next)
}

// Before returns copies of the lines with smaller numbers than before, oldest first, some dozens at most: the newest
// such ones. 0 is after the newest.
func (r *Records) Before(before uint64) []Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	if before == 0 || before > r.next {
		before = r.next
	}
	if before <= r.first {
		return nil
	}
	return r.copy(max(r.first, before-min(before, copied)), before)
}

// copy returns copies of the lines of some numbers, the first ones if they are too many. The caller holds the lock.
func (r *Records) copy(from, to uint64) []Record {
	if from >= to {
		return nil
	}
	to = min(to, from+copied)
	size := 0
	for n := from; n < to; n++ {
		size += r.places[n%MostRecords].to - r.places[n%MostRecords].from
	}
	all, text := make([]Record, 0, to-from), make([]byte, 0, size)
	for n := from; n < to; n++ {
		at, begin := r.places[n%MostRecords], len(text)
		text = append(text, r.text[at.from:at.to]...)
		all = append(all, Record{n, text[begin:len(text):len(text)]})
	}
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
