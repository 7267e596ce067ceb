package batch

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"graphproxy/policy/strictjson"
)

// maxReplyHeaders bounds the headers of an answer, which are read for the record and stay in memory beside the text.
const maxReplyHeaders = 256 << 10

// Answer is an answer that the proxy itself gives to an item.
type Answer struct {
	Status int
	Header map[string]string // written in the order of the names; nil for none
	Body   json.RawMessage   // a JSON value; nil for none
}

// Reply is Graph's answer to an item.
type Reply struct {
	Status  int      // HTTP status, 200 to 599
	Headers []Header // those whose value is a string, decoded; Next of Replies uses the list again
	Odd     bool     // there are headers whose value is no string, or whose name is empty
	// Raw holds the bytes of the whole member of "responses". Next of Replies uses them again.
	Raw json.RawMessage
}

// Header returns Headers as an http.Header, with names in their canonical form.
func (r Reply) Header() http.Header {
	h := make(http.Header)
	for _, field := range r.Headers {
		h.Add(field.Name, field.Value)
	}
	return h
}

// readReply reads one member of "responses". It uses the memory of headers, whose content does not count, for those of
// the answer. The id is as written.
func (s *scanner) readReply(raw []byte, headers []Header) (id []byte, r Reply, err error) {
	r.Raw = raw
	if err := s.reset(raw); err != nil {
		return nil, r, err
	}
	var seen keySet
	err = s.object(func(key []byte) error {
		name := decodeKey(key)
		// Some SDKs would accept an id in another letter case, and others not.
		folded := strings.ToLower(name)
		if name == "" || !seen.add(folded) || folded == keyID && name != keyID {
			return refuse(codeAnswer, "an answer of Graph's has the key %s twice or in another letter case", quote(name))
		}
		if name == keyHeaders && s.kind() == strictjson.Object {
			return s.replyHeaders(&r, headers[:0])
		}
		value, err := s.value()
		switch {
		case err != nil:
		case name == keyID:
			id = value
		case name == keyStatus:
			r.Status, err = replyStatus(value)
		}
		return err
	})
	if err == nil {
		err = s.end()
	}
	if err == nil && (id == nil || r.Status == 0) {
		err = refuse(codeAnswer, "an answer of Graph's has no id or no status")
	}
	return id, r, err
}

// keySet has the keys of an object. The zero value has none, and needs no memory for a few.
type keySet struct {
	few  [8]string
	n    int
	more map[string]bool
}

// add reports whether the key was not there.
func (s *keySet) add(key string) bool {
	switch {
	case s.has(key):
		return false
	case s.n < len(s.few):
		s.few[s.n] = key
		s.n++
		return true
	case s.more == nil:
		s.more = make(map[string]bool)
	}
	s.more[key] = true
	return true
}

func (s *keySet) has(key string) bool { return slices.Contains(s.few[:s.n], key) || s.more[key] }

func replyStatus(raw []byte) (int, error) {
	n, err := strconv.Atoi(string(raw))
	if err != nil || n < 200 || n > 599 { // 1xx is no answer
		return 0, refuse(codeAnswer, "the status of an answer of Graph's is not one of HTTP's")
	}
	return n, nil
}

// replyHeaders appends the headers of an answer to headers.
func (s *scanner) replyHeaders(r *Reply, headers []Header) error {
	if r.Headers = headers; headers == nil {
		r.Headers = make([]Header, 0, usualHeaders)
	}
	from := s.json.Offset()
	return s.object(func(key []byte) error {
		raw, err := s.value()
		if err != nil {
			return err
		}
		if s.json.Offset()-from > maxReplyHeaders {
			return refuse(codeAnswer, "the headers of an answer of Graph's have more than %d bytes", maxReplyHeaders)
		}
		value, problem := decode(raw)
		name := decodeKey(key)
		if name == "" || problem != "" {
			r.Odd = true
			return nil
		}
		r.Headers = append(r.Headers, Header{name, value})
		return nil
	})
}

// usualHeaders is for how many headers of an answer there is space at first.
const usualHeaders = 6

// entryEdit is the change of Graph's answer to one item.
type entryEdit struct {
	header func(name, value string) (edited string, keep bool)
	body   func(body []byte) []byte
	item   *Item
	with   *scanners // only append needs them
}

// scanners read an answer, and its headers, while it is changed.
type scanners struct{ answer, headers scanner }

func newScanners() *scanners { return &scanners{answerScanner(), answerScanner()} }

// leaves reports whether nothing in Graph's answer is changed, which is usual.
func (e entryEdit) leaves(r Reply) bool { return e.body == nil && !e.item.Number && e.leavesHeaders(r) }

// append writes the changed answer of Graph. It has been read before, so its syntax is valid.
func (e entryEdit) append(dst []byte, r Reply) []byte {
	return e.with.answer.appendObject(dst, r.Raw, func(name string, value []byte) []byte {
		switch {
		case name == keyID && e.item.Number:
			return []byte(e.item.ID)
		case name == keyHeaders && value[0] == '{' && e.header != nil:
			return e.headers(value)
		case name == keyBody && e.body != nil:
			return e.body(value)
		}
		return value
	})
}

// leavesHeaders reports whether no header of an answer is changed.
func (e entryEdit) leavesHeaders(r Reply) bool {
	if e.header == nil {
		return true
	}
	if r.Odd {
		return false
	}
	for _, h := range r.Headers {
		if edited, keep := e.header(h.Name, h.Value); !keep || edited != h.Value {
			return false
		}
	}
	return true
}

func (e entryEdit) headers(raw []byte) []byte {
	return e.with.headers.appendObject(nil, raw, func(name string, value []byte) []byte {
		text, _ := decode(value)
		switch edited, keep := e.header(name, text); {
		case !keep:
			return nil
		case edited != text:
			return appendString(nil, edited)
		}
		return value
	})
}

// appendObject writes an object with its values replaced by the results of change. Members whose result is nil are
// left out.
func (s *scanner) appendObject(dst, raw []byte, change func(name string, value []byte) []byte) []byte {
	start := len(dst)
	_ = s.reset(raw)
	_ = s.object(func(key []byte) error {
		value, err := s.value()
		if value = change(decodeKey(key), value); err == nil && value != nil {
			dst = append(append(append(dst, `,"`...), key...), `":`...)
			dst = append(dst, value...)
		}
		return err
	})
	if len(dst) == start {
		return append(dst, "{}"...)
	}
	dst[start] = '{' // replaces the first comma
	return append(dst, '}')
}
