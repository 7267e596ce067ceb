package batch

// Merger puts the answers to a batch together while they come: one {"responses":[...]} with an answer for every
// item, in the order of Items. It keeps answers that come before their turn. Kept bytes are counted until they are
// read, or the Merger is closed. It is for one goroutine.
type Merger struct {
	batch  *Batch
	edit   Edit
	memory Memory

	answers []piece // by item
	next    int     // the item whose turn it is
	pending bool    // new answers wait, even in their turn
	ready   []piece // text that can be read
	space   []byte  // memory that is used again, for short answers; nil: none yet

	scanners *scanners // of answers that are changed; nil: none was yet
}

// piece is text of the whole answer. Its text is nil if there is none.
type piece struct {
	text []byte
	cost int // counted bytes
	has  bool
}

// Edit is how Graph's answers to items are changed. The zero value changes nothing.
type Edit struct {
	// Header returns the new value of a header, and whether the header is kept. It gets the name as Graph wrote it,
	// and the value; "" for a value that is no string.
	Header func(name, value string) (edited string, keep bool)
	// Body returns the function that changes bodies, JSON values, in the answer to the item with that index; nil if
	// they stay.
	Body func(item int) func(body []byte) []byte
}

// Merger returns a Merger of answers to the batch. Close must be called.
func (b *Batch) Merger(edit Edit, memory Memory) *Merger {
	n := len(b.Items)
	pieces := make([]piece, n, 2*n+2) // what is ready has the answers, a beginning and an end
	return &Merger{
		batch:   b,
		edit:    edit,
		memory:  memory,
		answers: pieces[:n:n],
		ready:   pieces[n:n],
	}
}

// Pend delays answers that come from now on until Commit or Drop: a later part of the same text may show that none
// of it is the answer to the request.
func (m *Merger) Pend() { m.pending = true }

// Commit lets the delayed answers be read, each in its turn.
func (m *Merger) Commit() {
	m.pending = false
	m.advance()
}

// Drop removes the answers to these items that were not committed.
func (m *Merger) Drop(items []int) {
	for _, i := range items {
		if i >= m.next {
			m.memory.Hold(-m.answers[i].cost)
			m.answers[i] = piece{}
		}
	}
	m.pending = false
}

// Reply takes Graph's answer to the item with that index, which must have none. It reports false if Memory.Hold has no
// bytes left for it: then the item still has no answer.
func (m *Merger) Reply(i int, r Reply) bool {
	e := entryEdit{header: m.edit.Header, item: &m.batch.Items[i]}
	if m.edit.Body != nil {
		e.body = m.edit.Body(i)
	}
	p, ok := piece{}, true
	if e.leaves(r) {
		p, ok = m.unchanged(r)
	} else {
		p, ok = m.changed(e, r)
	}
	if ok {
		m.put(i, p)
	}
	return ok
}

// unchanged copies an answer, into memory that is used again if it fits there.
func (m *Merger) unchanged(r Reply) (p piece, ok bool) {
	size := len(",") + len(r.Raw)
	if m.space == nil {
		m.space = m.memory.piece()
	}
	if n := len(m.space); cap(m.space)-n >= size {
		m.space = append(append(m.space, ','), r.Raw...)
		return piece{text: m.space[n:len(m.space):len(m.space)]}, true
	}
	if !m.memory.Hold(size) {
		return piece{}, false
	}
	return piece{text: append(append(make([]byte, 0, size), ','), r.Raw...), cost: size}, true
}

// changed writes a changed answer. A changed body may be longer, and is kept beside the answer meanwhile.
func (m *Merger) changed(e entryEdit, r Reply) (p piece, ok bool) {
	size := len(",") + len(r.Raw)
	cost := size
	if e.body != nil {
		cost *= 3
	}
	if !m.memory.Hold(cost) {
		return piece{}, false
	}
	if m.scanners == nil {
		m.scanners = newScanners()
	}
	e.with = m.scanners
	text := e.append(append(make([]byte, 0, size), ','), r)
	if more := cap(text) - cost; more <= 0 || m.memory.Hold(more) {
		m.memory.Hold(min(more, 0))
		cost = cap(text)
	}
	return piece{text: text, cost: cost}, true
}

// Answer takes the proxy's own answer to the item with that index. It replaces one that was not committed.
func (m *Merger) Answer(i int, a Answer) {
	m.put(i, m.own(appendAnswer([]byte{','}, &m.batch.Items[i], a)))
}

// own returns a piece of the proxy's own text. It is short, so it is kept even if hold has no bytes left.
func (m *Merger) own(text []byte) piece {
	if !m.memory.Hold(cap(text)) {
		return piece{text: text}
	}
	return piece{text: text, cost: cap(text)}
}

func (m *Merger) put(i int, p piece) {
	m.memory.Hold(-m.answers[i].cost)
	p.has = true
	m.answers[i] = p
	if !m.pending {
		m.advance()
	}
}

// Has reports whether the item with that index has its answer.
func (m *Merger) Has(i int) bool { return m.answers[i].has }

// Finish ends the text. Items that have no answer get a 504, because Graph left them out; Finish returns their indexes.
func (m *Merger) Finish() (left []int) {
	m.pending = false
	for i := range m.answers {
		if !m.Has(i) {
			left = append(left, i)
			m.Answer(i, unanswered())
		}
	}
	m.advance()
	m.ready = append(m.ready, m.own([]byte("]}")))
	return left
}

// advance makes answers readable in their turn.
func (m *Merger) advance() {
	for ; m.next < len(m.answers) && m.Has(m.next); m.next++ {
		p := m.answers[m.next]
		if m.next == 0 {
			m.ready = append(m.ready, m.own([]byte(`{"responses":[`)))
			p.text = p.text[len(","):]
		}
		m.ready = append(m.ready, p)
		m.answers[m.next] = piece{has: true}
	}
}

// Ready returns how many bytes can be read.
func (m *Merger) Ready() (n int) {
	for _, p := range m.ready {
		n += len(p.text)
	}
	return n
}

// Read reads what is ready; 0 bytes if nothing is. It returns no error.
func (m *Merger) Read(to []byte) (n int, err error) {
	for len(m.ready) > 0 && n < len(to) {
		p := &m.ready[0]
		size := copy(to[n:], p.text)
		n += size
		if p.text = p.text[size:]; len(p.text) == 0 {
			m.memory.Hold(-p.cost)
			*p = piece{}
			m.ready = m.ready[1:]
		}
	}
	return n, nil
}

// Close gives back the bytes of what was not read. Nothing can be read afterwards.
func (m *Merger) Close() {
	for _, pieces := range [...][]piece{m.ready, m.answers} {
		for i := range pieces {
			m.memory.Hold(-pieces[i].cost)
		}
	}
	m.memory.giveBack(m.space)
	m.ready, m.answers, m.space = nil, nil, nil
}
