package oidc

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep the JSON of a token, or of a document about keys, may nest. Kubernetes' tokens need 4.
const maxDepth = 32

// The errors of readObject contain nothing of the input.
var (
	errNoObject = errors.New("is not one JSON object in UTF-8")
	errDoubled  = errors.New("holds a member twice")
	errDeep     = errors.New("nests too deep")
	errUnknown  = errors.New("holds U+FFFD, which stands for a character that was lost")
)

// readObject reads one JSON object whose members all have different names, at every depth. At the top they must differ
// by more than letter case, because some readers take "Iss" for "iss". Values are string, json.Number, bool, nil, []any
// and map[string]any.
//
// Package jsontext refuses doubled names, halves of surrogate pairs and bytes that are not UTF-8.
func readObject(data []byte) (map[string]any, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(data))
	value, err := readValue(d)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if _, err := d.ReadToken(); !ok || !errors.Is(err, io.EOF) {
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

// readValue reads the next value.
func readValue(d *jsontext.Decoder) (any, error) {
	if d.StackDepth() == maxDepth {
		return nil, errDeep
	}
	token, err := d.ReadToken()
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return nil, errDoubled
	case err != nil:
		return nil, errNoObject
	}
	switch token.Kind() {
	case jsontext.KindBeginArray:
		return readArray(d)
	case jsontext.KindBeginObject:
		return readMembers(d)
	case jsontext.KindString:
		return checkText(token.String())
	case jsontext.KindNumber:
		return json.Number(token.String()), nil
	case jsontext.KindNull:
		return nil, nil
	}
	return token.Bool(), nil
}

func readArray(d *jsontext.Decoder) (any, error) {
	items := []any{}
	for d.PeekKind() != jsontext.KindEndArray {
		item, err := readValue(d)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := d.ReadToken()
	return items, err
}

func readMembers(d *jsontext.Decoder) (any, error) {
	members := make(map[string]any)
	for d.PeekKind() != jsontext.KindEndObject {
		name, err := readValue(d)
		if err != nil {
			return nil, err
		}
		text, _ := name.(string) // a name is one: jsontext refuses others
		if members[text], err = readValue(d); err != nil {
			return nil, err
		}
	}
	_, err := d.ReadToken()
	return members, err
}

// checkText refuses text with U+FFFD, which readers write for what is no character: two different names, or subjects,
// would become one.
func checkText(s string) (any, error) {
	if strings.ContainsRune(s, utf8.RuneError) {
		return nil, errUnknown
	}
	return s, nil
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
