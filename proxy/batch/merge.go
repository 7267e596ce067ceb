package batch

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
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
	Headers []Header // those whose value is a string, decoded
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
func (s *scanner) readReply(raw []byte) (id string, r Reply, err error) {
	r.Raw = raw
	if err := s.reset(raw); err != nil {
		return "", r, err
	}
	var headers []byte
	seen := make(map[string]bool)
	err = s.object(func(key []byte) error {
		value, err := s.value()
		if err != nil {
			return err
		}
		name := decodeKey(key)
		// Some SDKs would accept an id in another letter case, and others not.
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
			headers = value
		}
		return err
	})
	if err == nil && (!seen[keyID] || r.Status == 0) {
		err = refuse(codeAnswer, "an answer of Graph's has no id or no status")
	}
	if err == nil && headers != nil {
		r.Headers, err = s.replyHeaders(headers)
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
	if err != nil || n < 200 || n > 599 { // 1xx is no answer
		return 0, refuse(codeAnswer, "the status of an answer of Graph's is not one of HTTP's")
	}
	return n, nil
}

func (s *scanner) replyHeaders(raw []byte) (headers []Header, err error) {
	switch {
	case raw[0] != '{':
		return nil, nil // null
	case len(raw) > maxReplyHeaders:
		return nil, refuse(codeAnswer, "the headers of an answer of Graph's have %d bytes; at most %d are read", len(raw),
			maxReplyHeaders)
	}
	if err := s.reset(raw); err != nil {
		return nil, err
	}
	err = s.object(func(key []byte) error {
		raw, err := s.value()
		value, bad := decode(raw)
		if name := decodeKey(key); err == nil && name != "" && bad == "" {
			headers = append(headers, Header{name, value})
		}
		return err
	})
	return headers, err
}

// entryEdit is the change of Graph's answer to one item.
type entryEdit struct {
	header func(name, value string) (edited string, keep bool)
	body   func(body []byte) []byte
	item   *Item
	// of the answer, and of its headers
	answer, fields *scanner
}

// append writes the changed answer of Graph. It has been read before, so its syntax is valid.
func (e entryEdit) append(dst, raw []byte) []byte {
	if e.header == nil && e.body == nil && !e.item.Number {
		return append(dst, raw...)
	}
	return e.answer.appendObject(dst, raw, func(name string, value []byte) []byte {
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

func (e entryEdit) headers(raw []byte) []byte {
	return e.fields.appendObject(nil, raw, func(name string, value []byte) []byte {
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
