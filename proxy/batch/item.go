package batch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"graphproxy/policy/strictjson"
)

// maxID is the greatest length of an id in bytes. Ids are written into the audit line.
const maxID = 256

// The keys of an item. pythonDependsOn is what Microsoft's SDK for Python writes, always, in the place of dependsOn;
// Graph does not read it.
const (
	keyID           = "id"
	keyMethod       = "method"
	keyURL          = "url"
	keyHeaders      = "headers"
	keyBody         = "body"
	keyDependsOn    = "dependsOn"
	pythonDependsOn = "depends_on"
)

// itemKeys are the keys of an item. They are never written to.
var itemKeys = [...]string{keyID, keyMethod, keyURL, keyHeaders, keyBody, keyDependsOn, pythonDependsOn}

// members has the raw values of an item.
type members struct {
	values  [len(itemKeys)][]byte // in the order of itemKeys; nil: missing
	unknown *ItemError            // of the first unknown key; nil if there is none
	s       *scanner              // that has read them
}

// itemPath names an item, or the value of one of its keys, for errors: requests[2].headers. It becomes text only in an
// error.
type itemPath struct {
	item int    // wholeBatch: none
	key  string // "": the item itself
}

// wholeBatch is the item of the path that names the batch.
const wholeBatch = -1

// String implements fmt.Stringer.
func (p itemPath) String() string {
	switch {
	case p.item == wholeBatch:
		return "the batch"
	case p.key == "":
		return fmt.Sprintf("requests[%d]", p.item)
	}
	return fmt.Sprintf("requests[%d].%s", p.item, p.key)
}

func readMembers(s *scanner, where itemPath) (members, error) {
	m := members{s: s}
	err := s.object(func(key []byte) error {
		name, err := knownKey(where, key, itemKeys[:]...)
		if err != nil {
			return err
		}
		if m.value(name) != nil {
			return doubled(where, name)
		}
		raw, err := s.value()
		switch {
		case err != nil:
			return err
		case name != "":
			m.values[slices.Index(itemKeys[:], name)] = raw
		case m.unknown == nil:
			m.unknown = badURL(codeUnknownKey,
				"the item has the "+unknownKey(key, keyID, keyMethod, keyURL, keyHeaders, keyBody, keyDependsOn))
		}
		return nil
	})
	return m, err
}

// value returns the raw value of a key; nil if it is missing.
func (m *members) value(key string) []byte {
	if i := slices.Index(itemKeys[:], key); i >= 0 {
		return m.values[i]
	}
	return nil
}

// knownKey returns the known key that key is equal to, in any letter case of ASCII, and "" for an unknown one. .NET
// and PowerShell write keys in the case of their properties, and Graph accepts that. A key with escapes is an
// error, because a search for the plain key does not find it.
func knownKey(where itemPath, key []byte, known ...string) (string, error) {
	for _, k := range known {
		if string(key) == k { // the usual case, without a copy
			return k, nil
		}
	}
	name := string(key)
	if strings.Contains(name, `\`) {
		return "", refuse(codeBatch, "%s: the key %s is written with an escape; write keys plainly", where, quote(name))
	}
	for _, k := range known {
		// of equal length, so that no letter beyond ASCII folds to one in it
		if len(k) == len(name) && strings.EqualFold(k, name) {
			return k, nil
		}
	}
	return "", nil
}

func unknownKey(key []byte, known ...string) string {
	return fmt.Sprintf("unknown key %s; known here: %s", quote(string(key)), strings.Join(known, ", "))
}

func doubled(where itemPath, key string) error {
	return refuse(codeBatch, "%s: the key %s is there twice, letter case does not count; keep one", where, quote(key))
}

// read makes the item from its members. The ids in dependsOn are resolved later.
func (m *members) read(where itemPath, o Options) (item Item, dependsOn []string, err error) {
	if item.ID, err = m.text(where, keyID, textOrInteger); err != nil {
		return item, nil, err
	}
	if item.Method, err = m.text(where, keyMethod, decode); err != nil {
		return item, nil, err
	}
	url, err := m.text(where, keyURL, decode)
	if err != nil {
		return item, nil, err
	}
	item.Number = m.value(keyID)[0] != '"'
	if err = checkID(where, item.ID); err != nil {
		return item, nil, err
	}
	all, err := m.headers(where)
	if err != nil {
		return item, nil, err
	}
	if item.Body, err = m.body(where, contentType(all)); err != nil {
		return item, nil, err
	}
	if dependsOn, err = m.dependsOn(where); err != nil {
		return item, nil, err
	}
	item.Headers = forwardable(all, o.Header)
	if item.Err = m.unknown; item.Err != nil {
		return item, dependsOn, nil
	}
	if item.Err = checkMethod(item.Method, item.Body != nil); item.Err == nil {
		item.Target, item.Err = readURL(url, o)
	}
	return item, dependsOn, nil
}

func (m *members) text(where itemPath, key string, read func(raw []byte) (text, problem string)) (string, error) {
	raw := m.value(key)
	if raw == nil {
		return "", refuse(codeBatch, "%s: the key %q is missing", where, key)
	}
	text, problem := read(raw)
	if problem != "" {
		return "", refuse(codeBatch, "%s.%s: the value %s", where, key, problem)
	}
	return text, nil
}

func checkID(where itemPath, id string) error {
	switch {
	case id == "":
		return refuse(codeBatch, "%s.id: is empty; give each item an id of its own", where)
	case len(id) > maxID:
		return refuse(codeBatch, "%s.id: has %d bytes; at most %d are read", where, len(id), maxID)
	case strings.ContainsFunc(id, unicode.IsControl):
		return refuse(codeBatch, "%s.id: %s holds a control character; take it out", where, quote(id))
	}
	return nil
}

// absent reports whether the value is missing, or null.
func (m *members) absent(key string) bool {
	raw := m.value(key)
	return raw == nil || string(raw) == "null"
}

// inner returns the scanner at the front of a value, which it has read once already: it is JSON and not too deep.
func (m *members) inner(key string) (*scanner, error) { return m.s, m.s.reset(m.value(key)) }

func (m *members) headers(where itemPath) (headers []Header, err error) {
	if m.absent(keyHeaders) {
		return nil, nil
	}
	where.key = keyHeaders
	s, err := m.inner(keyHeaders)
	if err != nil {
		return nil, err
	}
	if s.kind() != strictjson.Object {
		return nil, refuse(codeBatch, "%s: is not an object; write {\"Content-Type\":\"application/json\"}", where)
	}
	var seen keySet
	err = s.object(func(key []byte) error {
		raw, err := s.value()
		if err != nil {
			return err
		}
		h, err := readHeader(where, string(key), raw)
		if err != nil {
			return err
		}
		if !seen.add(strings.ToLower(h.Name)) {
			return refuse(codeBatch, "%s: the header %s is there twice, letter case does not count; keep one", where,
				quote(h.Name))
		}
		headers = append(headers, h)
		return nil
	})
	return headers, err
}

func readHeader(where itemPath, name string, raw []byte) (Header, error) {
	if !isToken(name) {
		return Header{}, refuse(codeBatch, "%s: %s is not the name of a header; write it plainly, in ASCII", where,
			quote(name))
	}
	value, problem := textOrInteger(raw)
	if problem == "" && strings.ContainsFunc(value, unicode.IsControl) {
		problem = "holds a control character; take it out"
	}
	if problem != "" {
		return Header{}, refuse(codeBatch, "%s.%s: the value %s", where, name, problem)
	}
	return Header{Name: name, Value: value}, nil
}

func (m *members) dependsOn(where itemPath) (ids []string, err error) {
	// An empty depends_on has no meaning. Graph would ignore one with items.
	if raw := m.value(pythonDependsOn); !m.absent(pythonDependsOn) &&
		!bytes.Equal(bytes.Join(bytes.Fields(raw), nil), []byte("[]")) {
		return nil, refuse(codeBatch, "%s: unknown key %q, which Graph ignores; write %q", where, pythonDependsOn,
			keyDependsOn)
	}
	if m.absent(keyDependsOn) {
		return nil, nil
	}
	where.key = keyDependsOn
	s, err := m.inner(keyDependsOn)
	if err != nil {
		return nil, err
	}
	if s.kind() != strictjson.Array {
		return nil, refuse(codeBatch, "%s: is not an array; write [\"1\"]", where)
	}
	err = s.array(func() error {
		raw, err := s.value()
		if err != nil {
			return err
		}
		id, problem := textOrInteger(raw)
		if problem != "" {
			return refuse(codeBatch, "%s: a value %s", where, problem)
		}
		ids = append(ids, id)
		return nil
	})
	return ids, err
}

// HasJSON reports whether the item's body is JSON, by its Content-Type or for lack of one.
func (i *Item) HasJSON() bool { return isJSON(contentType(i.Headers)) }

// ContentType returns the item's Content-Type as written, "" if there is none.
func (i *Item) ContentType() string { return typeOf(i.Headers) }

func isJSON(mediaType string) bool {
	return mediaType == "" || mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")
}

// body returns the caller's bytes after checking that they match the Content-Type: any JSON for a JSON type or
// none, a string for text, base64 in a string for all other types (OData JSON Format 4.01 §19.1).
func (m *members) body(where itemPath, mediaType string) (json.RawMessage, error) {
	if m.absent(keyBody) {
		return nil, nil
	}
	raw := m.value(keyBody)
	if isJSON(mediaType) {
		return raw, nil
	}
	if raw[0] != '"' {
		return nil, refuse(codeBatch,
			"%s.body: is not a string; a body that is not JSON is written as text for text/* and else as base64url", where)
	}
	if strings.HasPrefix(mediaType, "text/") {
		return raw, nil
	}
	if !isBase64(raw[1 : len(raw)-1]) {
		return nil, refuse(codeBatch, "%s.body: is not base64url; a body that is neither JSON nor text is written so", where)
	}
	return raw, nil
}

// isBase64 reports whether s is base64, in the alphabet for URLs, which OData requires, or in the common one, which
// Microsoft's SDKs write; but not in both. Padding may be left out. Of escapes only an escaped slash is accepted,
// because some writers of JSON always escape it.
func isBase64(s []byte) bool {
	s = bytes.ReplaceAll(s, []byte(`\/`), []byte("/"))
	unpadded := bytes.TrimRight(s, "=")
	padding := len(s) - len(unpadded)
	common, forURLs := false, false
	for _, c := range unpadded {
		switch {
		case c == '+' || c == '/':
			common = true
		case c == '-' || c == '_':
			forURLs = true
		case !isAlphanumeric(c):
			return false
		}
	}
	return len(unpadded)%4 != 1 && padding <= 2 && (padding == 0 || len(s)%4 == 0) && !(common && forURLs)
}
