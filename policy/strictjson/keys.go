package strictjson

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"graphproxy/policy/graph/odata"
)

// key is the place of a key in the text, without its quotes.
type key struct {
	start, end int
	hash       uint32
	odd        bool // it contains escapes or other characters than plain ASCII
}

// newKey returns the place of a key that was just read. All keys that a reader may take for the same key have
// the same hash (FNV-1a).
func newKey(raw []byte, start int) key {
	const offset, prime = 2166136261, 16777619
	k := key{start: start, end: start + len(raw), hash: offset}
	for _, c := range raw {
		if !isPlain(c) {
			k.odd = true
			break
		}
		k.hash = (k.hash ^ uint32(lower(c))) * prime
	}
	if !k.odd {
		return k
	}
	k.hash = offset
	folded := Fold(raw)
	for i := range len(folded) {
		k.hash = (k.hash ^ uint32(folded[i])) * prime
	}
	return k
}

// isPlain reports whether every reader reads a byte of a key as itself.
func isPlain(c byte) bool { return ' ' < c && c < utf8.RuneSelf-1 && c != '\\' }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// Fold returns a form of a key's raw text that is equal for all keys that a reader may take for the same key:
// without escapes, in lower case, without accents and invisible characters.
func Fold(raw []byte) string {
	return strings.TrimFunc(odata.Wide(Unquote(raw)), func(c rune) bool { return c <= ' ' })
}

// Unquote returns the text of a string that a Reader has read, of which raw is the part between the quotes. Halves of
// surrogate pairs become U+FFFD. A string without escapes is only copied.
func Unquote(raw []byte) string {
	if !slices.Contains(raw, '\\') {
		return string(raw)
	}
	quoted := slices.Concat([]byte{'"'}, raw, []byte{'"'})
	text, _ := jsontext.AppendUnquote(nil, quoted) // the error reports what becomes U+FFFD
	return string(text)
}

// checkKeys refuses an object that has a key twice.
func (r *Reader) checkKeys(keys []key) error {
	const few = 12
	if len(keys) <= few {
		for i := range keys {
			for j := range i {
				if keys[i].hash == keys[j].hash && r.same(keys[i], keys[j]) {
					return r.doubled(keys[i])
				}
			}
		}
		return nil
	}
	slices.SortFunc(keys, func(a, b key) int {
		if a.hash != b.hash {
			return int(int64(a.hash) - int64(b.hash))
		}
		return r.compare(a, b)
	})
	for i := 1; i < len(keys); i++ {
		if keys[i-1].hash == keys[i].hash && r.same(keys[i-1], keys[i]) {
			return r.doubled(keys[i])
		}
	}
	return nil
}

func (r *Reader) same(a, b key) bool { return r.compare(a, b) == 0 }

func (r *Reader) compare(a, b key) int {
	x, y := r.text[a.start:a.end], r.text[b.start:b.end]
	if a.odd || b.odd {
		x, y = []byte(Fold(x)), []byte(Fold(y))
	}
	for i := range min(len(x), len(y)) {
		if d := int(lower(x[i])) - int(lower(y[i])); d != 0 {
			return d
		}
	}
	return len(x) - len(y)
}

func (r *Reader) doubled(k key) error {
	const most = 60
	name := r.text[k.start:min(k.end, k.start+most)]
	return fail(k.start, "the property %s is there twice, letter case does not count; keep one",
		strconv.QuoteToASCII(string(name)))
}
