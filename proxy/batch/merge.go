package batch

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// maxAnswerDepth bounds the nesting of Graph's text, which is not ours to be strict about.
const maxAnswerDepth = 512

// Answer is an answer that the proxy itself gives to an item.
type Answer struct {
	Status int
	Header map[string]string // written in the order of the names; nil for none
	Body   json.RawMessage   // a JSON value; nil for none
}

// Reply is Graph's answer to an item.
type Reply struct {
	Status  int      // HTTP status, 100 to 599; 0 if Graph left the item out
	Headers []Header // those whose value is a string, decoded
	// Raw holds the bytes of the whole member of "responses", shared with Graph's text. It is nil if Graph left the item out.
	Raw json.RawMessage
}

// Header is Headers as net/http has them: names in their canonical form.
func (r Reply) Header() http.Header {
	h := make(http.Header)
	for _, field := range r.Headers {
		h.Add(field.Name, field.Value)
	}
	return h
}

// Replies reads what Graph answered, one Reply for each of Items, in their order. Graph answers in any order; ids are
// compared without regard to case. An empty text, for a batch that was not sent, has no replies.
//
// An answer that names no item, or an item that is answered already, is an *Error: the text is then not the answer to what
// was sent, and handing it out could show one caller's data to another. So is text that is not JSON.
func (b *Batch) Replies(graph []byte) ([]Reply, error) {
	replies := make([]Reply, len(b.Items))
	if len(graph) == 0 {
		return replies, nil
	}
	s := answerScanner(graph)
	s.space()
	seen := false
	err := s.object(func(key []byte) error {
		if name, _ := decode(key); name != "responses" {
			_, err := s.value()
			return err
		}
		if seen {
			return refuse(codeAnswer, "Graph's answer has the key \"responses\" twice")
		}
		seen = true
		return s.array(func() error { return b.readReply(&s, replies) })
	})
	if err != nil {
		return nil, err
	}
	if !seen {
		return nil, refuse(codeAnswer, "Graph's answer has no key \"responses\"")
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	return replies, nil
}

func answerScanner(text []byte) scanner {
	return scanner{data: text, maxDepth: maxAnswerDepth, code: codeAnswer, what: "Graph's answer"}
}

func (b *Batch) readReply(s *scanner, replies []Reply) error {
	raw, err := s.value()
	if err != nil {
		return err
	}
	id, r, err := readReply(raw)
	if err != nil {
		return err
	}
	i := b.index(id)
	switch {
	case i < 0:
		return refuse(codeAnswer, "Graph answered the id %s, which no item has", quote(id))
	case replies[i].Raw != nil:
		return refuse(codeAnswer, "Graph answered the id %s twice", quote(id))
	}
	replies[i] = r
	return nil
}

// index returns the index of the item with the id, or -1.
func (b *Batch) index(id string) int {
	id = foldID(id)
	for i := range b.Items {
		if foldID(b.Items[i].ID) == id {
			return i
		}
	}
	return -1
}

// readReply reads one member of "responses".
func readReply(raw []byte) (id string, r Reply, err error) {
	r.Raw = raw
	s := answerScanner(raw)
	seen := make(map[string]bool)
	err = s.object(func(key []byte) error {
		value, err := s.value()
		if err != nil {
			return err
		}
		name, _ := decode(key)
		// An id in another letter case would be read by some SDKs and not by others.
		folded := strings.ToLower(name)
		if name == "" || seen[folded] || folded == keyID && name != keyID {
			return refuse(codeAnswer, "an answer of Graph's has the key %s twice or in another letter case", quote(name))
		}
		seen[folded] = true
		switch name {
		case keyID:
			id, err = replyID(value)
		case "status":
			r.Status, err = replyStatus(value)
		case keyHeaders:
			r.Headers, err = replyHeaders(value)
		}
		return err
	})
	if err == nil && (!seen[keyID] || r.Status == 0) {
		err = refuse(codeAnswer, "an answer of Graph's has no id or no status")
	}
	return id, r, err
}

func replyID(raw []byte) (string, error) {
	id, problem := decode(raw)
	if problem != "" {
		return "", refuse(codeAnswer, "the id of an answer of Graph's %s", problem)
	}
	return id, nil
}

func replyStatus(raw []byte) (int, error) {
	n, err := strconv.Atoi(string(raw))
	if err != nil || n < 100 || n > 599 {
		return 0, refuse(codeAnswer, "the status of an answer of Graph's is not one of HTTP's")
	}
	return n, nil
}

func replyHeaders(raw []byte) (headers []Header, err error) {
	if raw[0] != '{' {
		return nil, nil // null
	}
	s := answerScanner(raw)
	err = s.object(func(key []byte) error {
		raw, err := s.value()
		name, badName := decode(key)
		value, badValue := decode(raw)
		if err == nil && badName == "" && badValue == "" {
			headers = append(headers, Header{name, value})
		}
		return err
	})
	return headers, err
}

// Edit is what becomes of Graph's answers to items. The zero value leaves them as they are.
type Edit struct {
	// Hide reports whether a header is left out. It gets the name as Graph wrote it.
	Hide func(name string) bool
	// Body returns what becomes of the body, a JSON value, of the answer to the item with that index.
	Body func(item int, body []byte) []byte
}

// Merge returns one {"responses":[...]} with an answer for every item, in the order of Items: from refused where the
// index is in it, else Graph's own bytes, else, where Graph left an item out, a 504 that says so. Replies are what the method
// of that name returned. Refused holds the items that were not sent, those with Err among them.
//
// Graph's answers are changed as edit says.
//
// The error is an *Error: Graph answered an item that is in refused, which it never saw.
func (b *Batch) Merge(replies []Reply, refused map[int]Answer, edit Edit) ([]byte, error) {
	dst := []byte(`{"responses":[`)
	for i := range b.Items {
		if i > 0 {
			dst = append(dst, ',')
		}
		a, ours := refused[i]
		switch {
		case ours && replies[i].Raw != nil:
			return nil, refuse(codeAnswer, "Graph answered the id %s, which was not sent", quote(b.Items[i].ID))
		case ours:
			dst = appendAnswer(dst, &b.Items[i], a)
		case replies[i].Raw != nil:
			dst = edit.appendReply(dst, i, &b.Items[i], replies[i].Raw)
		default:
			dst = appendAnswer(dst, &b.Items[i], unanswered())
		}
	}
	return append(dst, "]}"...), nil
}

// appendReply writes an answer of Graph's as it is to be. It has been read before, so its syntax is good.
func (e Edit) appendReply(dst []byte, index int, item *Item, raw []byte) []byte {
	if e.Hide == nil && e.Body == nil && !item.Number {
		return append(dst, raw...)
	}
	return appendObject(dst, raw, func(name string, value []byte) []byte {
		switch {
		case name == keyID && item.Number:
			return []byte(item.ID)
		case name == keyHeaders && value[0] == '{' && e.Hide != nil:
			return e.headers(value)
		case name == keyBody && e.Body != nil:
			return e.Body(index, value)
		}
		return value
	})
}

func (e Edit) headers(raw []byte) []byte {
	return appendObject(nil, raw, func(name string, value []byte) []byte {
		if e.Hide(name) {
			return nil
		}
		return value
	})
}

// appendObject writes an object with what change makes of each of its values. Members without one are left out.
func appendObject(dst, raw []byte, change func(name string, value []byte) []byte) []byte {
	s := answerScanner(raw)
	start := len(dst)
	_ = s.object(func(key []byte) error {
		value, err := s.value()
		name, _ := decode(key)
		if value = change(name, value); err == nil && value != nil {
			dst = append(append(append(dst, ','), key...), ':')
			dst = append(dst, value...)
		}
		return err
	})
	if len(dst) == start {
		return append(dst, "{}"...)
	}
	dst[start] = '{' // in the place of the first comma
	return append(dst, '}')
}
