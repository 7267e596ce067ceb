package oidc

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDepth is how deep the JSON of a token, or of a document about keys, may nest. Kubernetes' tokens need 4.
const maxDepth = 32

// The errors of readObject contain nothing of the input.
var (
	errNoObject = errors.New("is not one JSON object in UTF-8")
	errDoubled  = errors.New("holds a member twice")
	errDeep     = errors.New("nests too deep")
	errHalf     = errors.New("holds U+FFFD or half of a surrogate pair")
)

// readObject reads one JSON object whose members all have different names, at every depth. At the top they must differ
// by more than letter case, because some readers take "Iss" for "iss". Values are string, json.Number, bool, nil, []any
// and map[string]any.
func readObject(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, errNoObject
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	value, err := readValue(d, 0)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errNoObject
	}
	folded := make(map[string]bool, len(object))
	for name := range object {
		folded[fold(name)] = true
	}
	if len(folded) < len(object) {
		return nil, errDoubled
	}
	return object, nil
}

// readValue reads a value of JSON that is known to be valid.
func readValue(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, errNoObject
	}
	if depth++; depth > maxDepth {
		return nil, errDeep
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '[' {
			return readArray(d, depth)
		}
		return readMembers(d, depth)
	case string:
		return token, noHalf(token)
	}
	return token, nil
}

func readArray(d *json.Decoder, depth int) (any, error) {
	items := []any{}
	for d.More() {
		item, err := readValue(d, depth)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := d.Token()
	return items, err
}

func readMembers(d *json.Decoder, depth int) (any, error) {
	members := make(map[string]any)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, errNoObject
		}
		name, _ := token.(string) // it is valid JSON, so it is one
		if err := noHalf(name); err != nil {
			return nil, err
		}
		if _, doubled := members[name]; doubled {
			return nil, errDoubled
		}
		if members[name], err = readValue(d, depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return members, err
}

// noHalf refuses text with U+FFFD. encoding/json writes it for half of a surrogate pair, so that two different
// names or subjects would become the same.
func noHalf(s string) error {
	if strings.ContainsRune(s, utf8.RuneError) {
		return errHalf
	}
	return nil
}

// fold returns a spelling of name for comparing without regard to case. Of the letters that differ only in case
// it takes the one with the smallest code.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, name)
}
