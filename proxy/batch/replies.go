package batch

import (
	"bytes"
	"errors"
	"io"
	"slices"
)

// MaxReply is how long Graph's answer to one item may be, in bytes.
const MaxReply = 16 << 20

// ErrTooMuchHeld is the error of Replies where Memory.Hold reports that an answer may not be kept.
var ErrTooMuchHeld = errors.New("an answer of Graph does not fit into the memory for bodies")

// leastWindow is the initial size of the buffer for Graph's text, where no memory is used again.
const leastWindow = 16 << 10

// Replies reads Graph's answer to a batch, one item's answer at a time, while the text comes. It keeps one answer.
// Close gives its bytes back.
type Replies struct {
	batch    *Batch
	from     io.Reader
	memory   Memory
	sent     []int
	answered []int

	window []byte // bytes that have come and are not passed on
	piece  []byte // the window's memory, if it is used again
	passed int    // of window
	ended  bool   // nothing follows window

	scanner  scanner
	headers  []Header // of the answer before
	place    place
	complete bool // "responses" is there, and has ended
}

// place is the reader's place in {"responses":[...]}.
type place int

const (
	atStart place = iota
	atFirstKey
	atKey
	atFirstReply
	atReply
	afterReply
	afterResponses
	atEnd
)

// Replies returns a reader of Graph's answer to a batch of the items with these indexes. Close must be called.
func (b *Batch) Replies(graph io.Reader, sent []int, memory Memory) *Replies {
	return &Replies{
		batch:    b,
		from:     graph,
		memory:   memory,
		sent:     sent,
		answered: make([]int, 0, len(sent)),
		scanner:  answerScanner(),
	}
}

// Close gives back the counted bytes. It does not close Graph's text.
func (r *Replies) Close() {
	r.release()
	r.window, r.passed, r.ended, r.place, r.headers = nil, 0, true, atEnd, nil
	r.scanner = answerScanner() // the other reads the window
}

// Next returns the next answer and the index of its item. Graph answers in any order; ids are compared without
// regard to case. It returns io.EOF at the end of a text that is one JSON object with one "responses".
//
// An answer that names no item, an item that was not sent, or one that is answered already, is an *Error: the text
// is then not the answer to the request, and passing it on could show one caller's data to another. So is text that
// is not JSON, and an answer longer than MaxReply. The other errors are the reader's own and ErrTooMuchHeld. After an
// error nothing more can be read.
func (r *Replies) Next() (index int, reply Reply, err error) {
	for {
		raw, err := r.step()
		if err != nil {
			return 0, reply, err
		}
		if raw == nil {
			continue
		}
		id, reply, err := r.scanner.readReply(raw, r.headers)
		if err != nil {
			return 0, reply, err
		}
		if reply.Headers != nil {
			r.headers = reply.Headers
		}
		index, err := r.indexOf(id)
		return index, reply, err
	}
}

// indexOf returns the index of the item that an answer is for, by its id as written.
func (r *Replies) indexOf(raw []byte) (int, error) {
	id, problem := decode(raw)
	if problem != "" {
		return 0, refuse(codeAnswer, "the id of an answer of Graph's %s", problem)
	}
	i := r.batch.index(id)
	switch {
	case i < 0:
		return 0, refuse(codeAnswer, "Graph answered the id %s, which no item has", quote(id))
	case !slices.Contains(r.sent, i):
		return 0, refuse(codeAnswer, "Graph answered the id %s, which was not sent", quote(id))
	case slices.Contains(r.answered, i):
		return 0, refuse(codeAnswer, "Graph answered the id %s twice", quote(id))
	}
	r.answered = append(r.answered, i)
	return i, nil
}

// step reads one token or value. Raw is an answer, if it was one: readReply finds out whether it is JSON.
func (r *Replies) step() (raw []byte, err error) {
	c, err := r.peek()
	if err != nil {
		return nil, err
	}
	switch r.place {
	case atStart:
		return nil, r.take(c, '{', atFirstKey)
	case atFirstKey, atKey:
		if c == '}' && r.place == atFirstKey {
			return nil, r.take(c, '}', atEnd)
		}
		return nil, r.member()
	case atFirstReply, atReply:
		if c == ']' && r.place == atFirstReply {
			return nil, r.take(c, ']', afterResponses)
		}
		r.place = afterReply // the rest is read later: raw would be overwritten
		return r.text()
	case afterReply:
		return nil, r.after(']', atReply, afterResponses)
	case afterResponses:
		r.complete = true
		return nil, r.after('}', atKey, atEnd)
	}
	return nil, r.end(c)
}

// member reads a key, and its value unless that is the list of answers.
func (r *Replies) member() error {
	key, err := r.value()
	if err != nil {
		return err
	}
	name, problem := decode(key)
	if problem != "" {
		return r.refuse("a key in quotes")
	}
	c, err := r.peek()
	if err != nil {
		return err
	}
	if err := r.take(c, ':', r.place); err != nil {
		return err
	}
	if name != "responses" {
		if _, err := r.value(); err != nil {
			return err
		}
		return r.after('}', atKey, atEnd)
	}
	if r.complete {
		return refuse(codeAnswer, "Graph's answer has the key \"responses\" twice")
	}
	if c, err = r.peek(); err != nil {
		return err
	}
	return r.take(c, '[', atFirstReply)
}

// after reads the comma before further elements, or the end of the list.
func (r *Replies) after(shut byte, more, done place) error {
	c, err := r.peek()
	switch {
	case err != nil:
		return err
	case c == ',':
		return r.take(c, ',', more)
	}
	return r.take(c, shut, done)
}

func (r *Replies) end(c byte) error {
	switch {
	case c != 0:
		return refuse(codeAnswer, "Graph's answer goes on after the end of the JSON value")
	case !r.complete:
		return refuse(codeAnswer, "Graph's answer has no key \"responses\"")
	}
	return io.EOF
}

func (r *Replies) take(c, wanted byte, next place) error {
	if c != wanted {
		return r.refuse(string(wanted))
	}
	r.passed++
	r.place = next
	return nil
}

func (r *Replies) refuse(wanted string) error {
	return refuse(codeAnswer, "Graph's answer is not what answers a batch: %s should stand in another place",
		quote(wanted))
}

// peek returns the next byte that is no space; 0 at the end.
func (r *Replies) peek() (byte, error) {
	for {
		for ; r.passed < len(r.window); r.passed++ {
			if c := r.window[r.passed]; c != ' ' && c != '\t' && c != '\n' && c != '\r' {
				return c, nil
			}
		}
		if r.ended {
			return 0, nil
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
}

// value reads a whole value. Its bytes are valid until the next call.
func (r *Replies) value() ([]byte, error) {
	text, err := r.text()
	if err != nil {
		return nil, err
	}
	return r.scanner.whole(text)
}

// text reads what may be a value, by its quotes and brackets. Its bytes are valid until the next call.
func (r *Replies) text() ([]byte, error) {
	if _, err := r.peek(); err != nil {
		return nil, err
	}
	var f frame
	for at := 0; ; {
		end, found := f.end(r.window[r.passed+at:])
		if at += end; found || r.ended {
			break
		}
		if len(r.window)-r.passed > MaxReply {
			return nil, refuse(codeAnswer, "Graph's answer to an item has more than %d MiB", MaxReply>>20)
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	text := r.window[r.passed : r.passed+f.length]
	r.passed += f.length
	return text, nil
}

// fill reads more, into the same window if there is space in it.
func (r *Replies) fill() error {
	if r.passed > 0 {
		r.window = r.window[:copy(r.window, r.window[r.passed:])]
		r.passed = 0
	}
	if len(r.window) == cap(r.window) {
		if err := r.grow(); err != nil {
			return err
		}
	}
	n, err := r.from.Read(r.window[len(r.window):cap(r.window)])
	r.window = r.window[:len(r.window)+n]
	if errors.Is(err, io.EOF) {
		r.ended, err = true, nil
	}
	return err
}

// grow doubles the window. While it is copied, both are counted.
func (r *Replies) grow() error {
	if r.window == nil {
		r.piece = r.memory.piece()
		if r.window = r.piece; r.window != nil {
			return nil
		}
	}
	size := max(leastWindow, 2*cap(r.window))
	if !r.memory.Hold(size) {
		return ErrTooMuchHeld
	}
	larger := append(make([]byte, 0, size), r.window...)
	r.release()
	r.window = larger
	return nil
}

// release gives back the window's memory.
func (r *Replies) release() {
	if r.piece == nil {
		r.memory.Hold(-cap(r.window))
	}
	r.memory.giveBack(r.piece)
	r.piece = nil
}

// frame finds where a JSON value ends in text that comes in pieces, by its quotes and brackets alone. So the window is
// accounted for before it grows. Whether the value is JSON, the scanner decides afterwards.
type frame struct {
	depth           int
	quoted, escaped bool
	length          int
}

// end takes the next piece, and returns how much of it belongs to the value and whether the value ends there.
func (f *frame) end(piece []byte) (n int, found bool) {
	quote := 0 // the place of the next quote, if it is not before n
	for n < len(piece) {
		if f.quoted && !f.escaped { // most of an answer is text within strings
			if quote < n {
				quote = n + indexOr(piece[n:], '"')
			}
			size := indexOr(piece[n:quote], '\\')
			n += size
			if f.length += size; n == len(piece) {
				break
			}
		}
		c := piece[n]
		if f.isOver(c) {
			return n, true
		}
		n++
		f.length++
		switch {
		case f.escaped:
			f.escaped = false
		case f.quoted && c == '\\':
			f.escaped = true
		case c == '"':
			f.quoted = !f.quoted
		case f.quoted:
			continue
		case c == '{' || c == '[':
			f.depth++
		case c == '}' || c == ']':
			f.depth--
		default:
			continue
		}
		if f.depth <= 0 && !f.quoted {
			return n, true
		}
	}
	return n, false
}

// indexOr returns the index of c in text; its length if c is not there.
func indexOr(text []byte, c byte) int {
	if i := bytes.IndexByte(text, c); i >= 0 {
		return i
	}
	return len(text)
}

// isOver reports whether c, the next byte, follows a number, true, false or null.
func (f *frame) isOver(c byte) bool {
	if f.length == 0 || f.depth > 0 || f.quoted {
		return false
	}
	return c == ',' || c == ']' || c == '}' || c == ':' || c == ' ' || c == '\t' || c == '\n' || c == '\r'
}
