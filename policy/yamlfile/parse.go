package yamlfile

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// MaxSize is the size of the largest file that is read, in bytes. A rule for each operation of Graph takes 1.5 MB.
const MaxSize = 4 << 20

// Parse reads the file's one document, and adds its problems as YAML to the report; ok is false if nothing can
// be read. Even if ok, the caller must check the report at the end: a repeated key is reported there and read
// once.
func Parse(r *Report, data []byte) (root Value, ok bool) {
	if len(data) > MaxSize {
		r.Add(1, "", "the file has %d bytes; at most %d are read", len(data), MaxSize)
		return Value{}, false
	}
	if !utf8.Valid(data) {
		r.Add(lineOfBadByte(data), "", "the file is not UTF-8; save it as UTF-8")
		return Value{}, false
	}
	if !checkCharacters(r, data) {
		return Value{}, false
	}
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	err := decoder.Decode(&document)
	if err != nil && !errors.Is(err, io.EOF) {
		if quoted, found := quoteTemplates(data); found {
			data, document = quoted, yaml.Node{}
			decoder = yaml.NewDecoder(bytes.NewReader(data))
			err = decoder.Decode(&document)
		}
	}
	switch {
	case errors.Is(err, io.EOF) || err == nil && isNull(document.Content[0]):
		r.Add(1, "", "the file is empty")
		if err != nil {
			return Value{}, false
		}
	case err != nil:
		addSyntax(r, err, data)
		return Value{}, false
	default:
		root, ok = Value{node: document.Content[0], file: r.File, report: r}, true
		check(r, root.node, "")
	}
	checkEnd(r, decoder, data)
	return root, ok
}

// checkEnd refuses text after the document. A program that reads only the first document would not see it, but
// a person would.
func checkEnd(r *Report, decoder *yaml.Decoder, data []byte) {
	var second yaml.Node
	switch err := decoder.Decode(&second); {
	case err == nil:
		r.Add(second.Line, "", "a second document begins here; a policy is one document, so take the line \"---\" out")
	case !errors.Is(err, io.EOF):
		addSyntax(r, err, data)
	}
}

func lineOfBadByte(data []byte) int {
	line := 1
	for len(data) > 0 {
		c, size := utf8.DecodeRune(data)
		if c == utf8.RuneError && size == 1 {
			break
		}
		if c == '\n' {
			line++
		}
		data = data[size:]
	}
	return line
}
