package batch

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Encode returns the envelope for Graph with the items of these indexes, in the order of Items. It is written anew:
// URLs from the Targets, relative and with a leading slash, as Graph documents them; the keys once and plainly; ids
// and values of headers as strings, also where the caller wrote integers; bodies with the caller's bytes; dependsOn
// only with items that are sent too, so leave out the items that Skip returns. Items whose Err is set are never
// sent. Reading the text gives the same items again. It is nil if nothing is left to send.
func (b *Batch) Encode(indexes []int) []byte {
	sent := make([]bool, len(b.Items))
	for _, i := range indexes {
		sent[i] = b.Items[i].Target != nil
	}
	var dst []byte
	for i := range b.Items {
		if !sent[i] {
			continue
		}
		if dst == nil {
			dst = append(make([]byte, 0, b.encodedSize(sent)), `{"requests":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = b.appendItem(dst, &b.Items[i], sent)
	}
	if dst == nil {
		return nil
	}
	return append(dst, "]}"...)
}

// encodedSize returns a length that the envelope does not exceed if no text in it needs an escape.
func (b *Batch) encodedSize(sent []bool) int {
	n := len(`{"requests":[]}`)
	for i := range b.Items {
		if item := &b.Items[i]; sent[i] {
			n += len(`{"id":"","method":"","url":"?","headers":{},"body":,"dependsOn":[]},`)
			n += len(item.ID) + len(item.Method) + len(item.Target.EscapedPath()) + len(item.Target.RawQuery()) + len(item.Body)
			for _, h := range item.Headers {
				n += len(`"":"",`) + len(h.Name) + len(h.Value)
			}
			for _, on := range item.DependsOn {
				n += len(`"",`) + len(b.Items[on].ID)
			}
		}
	}
	return n
}

func (b *Batch) appendItem(dst []byte, item *Item, sent []bool) []byte {
	dst = appendString(append(dst, `{"id":`...), item.ID)
	dst = appendString(append(dst, `,"method":`...), item.Method)
	dst = item.appendURL(append(dst, `,"url":`...))
	if len(item.Headers) > 0 {
		dst = appendHeaders(append(dst, `,"headers":`...), item.Headers)
	}
	if item.Body != nil {
		dst = append(append(dst, `,"body":`...), item.Body...)
	}
	written := 0
	for _, i := range item.DependsOn {
		if !sent[i] {
			continue
		}
		if written == 0 {
			dst = append(dst, `,"dependsOn":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = appendString(dst, b.Items[i].ID)
		written++
	}
	if written > 0 {
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// appendURL writes the canonical URL without the version, which Graph takes from the batch's own URL.
func (i *Item) appendURL(dst []byte) []byte {
	path := strings.TrimPrefix(i.Target.EscapedPath(), "/"+i.Target.Version)
	if path == "" {
		path = "/"
	}
	dst = appendText(append(dst, '"'), path)
	if query := i.Target.RawQuery(); query != "" {
		dst = appendText(append(dst, '?'), query)
	}
	return append(dst, '"')
}

func appendHeaders(dst []byte, headers []Header) []byte {
	for n, h := range headers {
		if n == 0 {
			dst = append(dst, '{')
		} else {
			dst = append(dst, ',')
		}
		dst = appendString(dst, h.Name)
		dst = appendString(append(dst, ':'), h.Value)
	}
	return append(dst, '}')
}

// appendString writes a JSON string with only the escapes that JSON requires: encoding/json would write "&" in each
// URL as \u0026. The text is valid UTF-8, because it was read from such.
func appendString(dst []byte, s string) []byte {
	return append(appendText(append(dst, '"'), s), '"')
}

// appendText is appendString without the quotes.
func appendText(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c == 0x7f:
			dst = append(dst, `\u00`...)
			dst = append(dst, hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// appendID writes the id for the caller, with its original type.
func (i *Item) appendID(dst []byte) []byte {
	if i.Number {
		return append(dst, i.ID...)
	}
	return appendString(dst, i.ID)
}

// appendAnswer writes one of our own answers.
func appendAnswer(dst []byte, item *Item, a Answer) []byte {
	dst = item.appendID(append(dst, `{"id":`...))
	dst = strconv.AppendInt(append(dst, `,"status":`...), int64(a.Status), 10)
	if len(a.Header) > 0 {
		dst = appendHeaders(append(dst, `,"headers":`...), sorted(a.Header))
	}
	if a.Body != nil {
		dst = append(append(dst, `,"body":`...), a.Body...)
	}
	return append(dst, '}')
}

func sorted(header map[string]string) []Header {
	headers := make([]Header, 0, len(header))
	for name, value := range header {
		headers = append(headers, Header{name, value})
	}
	slices.SortFunc(headers, func(a, b Header) int { return strings.Compare(a.Name, b.Name) })
	return headers
}

// unanswered is the answer for an item that Graph left out.
func unanswered() Answer {
	return Answer{
		Status: http.StatusGatewayTimeout,
		Header: map[string]string{"Content-Type": "application/json"},
		Body: []byte(`{"error":{"code":"serviceNotAvailable","message":"Microsoft Graph answered the batch and left ` +
			`this item out; whether it was carried out is not known","innerError":{"code":"graphTimeout"}}}`),
	}
}
