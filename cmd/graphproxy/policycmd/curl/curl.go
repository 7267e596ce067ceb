// Package curl reads a command line of curl as the request that it would send.
//
// It decides how the line is split into words, as a shell does, and which options make the method, the address and the
// body (https://curl.se/docs/manpage.html). Headers are passed over, and no error repeats a word of the line that may
// hold a secret. It opens no file and sends nothing.
package curl

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"mvdan.cc/sh/v3/shell"
)

// Request is what a command line asks for.
type Request struct {
	Method   string // in upper case, unless the line has another
	Target   string // path and query as they are written: "/v1.0/users?$top=5"
	Body     []byte // nil if there is none, or it stands in BodyFile
	BodyFile string // "-" is standard input
}

// IsLine reports whether text is a command line of curl.
func IsLine(text string) bool {
	first, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	return first == "curl" || first == "curl.exe"
}

// Parse reads a line as a POSIX shell and curl do. A variable in the address is an error, because its value is not
// known; it may stand for scheme and host, which do not matter.
func Parse(line string) (Request, error) {
	words, err := shell.Fields(strings.ReplaceAll(line, "\r\n", "\n"), variable)
	if err != nil {
		return Request{}, errors.New("the line cannot be split into words as a shell does: a quote does not end, or there " +
			"is more than one command; put the address between single quotes")
	}
	if len(words) == 0 {
		return Request{}, errors.New("the line is empty")
	}
	var l command
	if err := l.read(words[1:]); err != nil {
		return Request{}, err
	}
	return l.request()
}

// variable marks the place of a variable, which has no value here.
func variable(name string) string {
	if name == "IFS" { // at which a shell splits
		return " \t\n"
	}
	return mark + name + mark
}

const mark = "\x00"

// command is the options that have been read.
type command struct {
	method  string
	address []string
	query   []string // --url-query
	data    []string
	file    string
	isData  bool
	isQuery bool // --get
	isHead  bool
	isPut   bool
}

func (l *command) read(words []string) error {
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		switch {
		case word == "--":
			l.address = append(l.address, words...)
			return nil
		case strings.HasPrefix(word, "--"):
			rest, err := l.long(word, words)
			if err != nil {
				return err
			}
			words = rest
		case strings.HasPrefix(word, "-") && word != "-":
			rest, err := l.short(word[1:], words)
			if err != nil {
				return err
			}
			words = rest
		default:
			l.address = append(l.address, word)
		}
	}
	return nil
}

// long reads an option that is written out, and returns the words after it.
func (l *command) long(word string, words []string) ([]string, error) {
	name, value, joined := strings.Cut(word, "=") // curl takes no "=", and people write it
	kind, known := kindOf(name)
	if !known {
		if len(name) > 30 || strings.Contains(name, mark) {
			name = "that begins with --"
		}
		return nil, fmt.Errorf("the option %s of curl is not known here; leave it out", name)
	}
	if kind == flag {
		l.set(name, "")
		return words, nil
	}
	if !joined {
		if len(words) == 0 {
			return nil, fmt.Errorf("the option %s has no value", name)
		}
		value, words = words[0], words[1:]
	}
	return words, l.take(name, kind, value)
}

// short reads options of one letter each, without the dash, and returns the words after them.
func (l *command) short(letters string, words []string) ([]string, error) {
	for i, letter := range letters {
		name := nameOf(letter)
		if name == "" {
			return nil, fmt.Errorf("the option -%c of curl is not known here; leave it out", letter)
		}
		kind, _ := kindOf(name)
		if kind == flag {
			l.set(name, "")
			continue
		}
		value := letters[i+1:]
		if value == "" {
			if len(words) == 0 {
				return nil, fmt.Errorf("the option -%c has no value", letter)
			}
			value, words = words[0], words[1:]
		}
		return words, l.take(name, kind, value)
	}
	return words, nil
}

// take uses the value of an option.
func (l *command) take(name string, kind kind, value string) error {
	switch kind {
	case ignored:
		return nil
	case form:
		return errors.New("a form (" + name + ") is no JSON, and a rule cannot judge it; give the request as METHOD /path")
	}
	if strings.Contains(value, mark) && kind != data {
		return unknownVariable(value)
	}
	return l.set(name, value)
}

// set applies an option.
func (l *command) set(name, value string) error {
	switch name {
	case "--request":
		l.method = value
	case "--url":
		l.address = append(l.address, value)
	case "--url-query":
		l.query = append(l.query, encoded(value))
	case "--get":
		l.isQuery = true
	case "--head":
		l.isHead = true
	case "--upload-file":
		l.isPut, l.file = true, value
	case "--data-urlencode":
		l.isData = true
		l.data = append(l.data, encoded(value))
	case "--data-raw":
		l.isData = true
		l.data = append(l.data, value)
	case "--data", "--data-ascii", "--data-binary", "--json":
		l.isData = true
		if file, isFile := strings.CutPrefix(value, "@"); isFile {
			if l.file != "" {
				return errors.New("the line has more than one file of data; join them")
			}
			l.file = file
			return nil
		}
		l.data = append(l.data, value)
	}
	return nil
}

// encoded is name=content with the content encoded, as --data-urlencode and --url-query take it.
func encoded(value string) string {
	name, content, found := strings.Cut(value, "=")
	if !found {
		return url.QueryEscape(value)
	}
	if name == "" {
		return url.QueryEscape(content)
	}
	return name + "=" + url.QueryEscape(content)
}

func (l *command) request() (Request, error) {
	if len(l.address) != 1 {
		return Request{}, fmt.Errorf("the line has %d addresses, and one is explained at a time", len(l.address))
	}
	target, err := TargetOf(l.address[0])
	if err != nil {
		return Request{}, err
	}
	more := l.query
	r := Request{Method: l.method, BodyFile: l.file}
	switch {
	case l.isQuery && l.file != "":
		return Request{}, errors.New("the query stands in a file (--get with @); write it into the address")
	case l.isQuery:
		more = append(more, l.data...)
	case l.isData && l.file != "" && len(l.data) > 0:
		return Request{}, errors.New("the line has data and a file of data; join them")
	case l.isData && l.file == "":
		r.Body = []byte(strings.Join(l.data, "&"))
	}
	if len(more) > 0 {
		separator := "?"
		if strings.Contains(target, "?") {
			separator = "&"
		}
		target += separator + strings.Join(more, "&")
	}
	if strings.Contains(target, mark) || strings.Contains(string(r.Body), mark) {
		return Request{}, unknownVariable(target + string(r.Body))
	}
	r.Target = target
	if r.Method == "" {
		r.Method = l.usual()
	}
	return r, nil
}

// usual is the method that curl uses if none is given.
func (l *command) usual() string {
	switch {
	case l.isHead:
		return "HEAD"
	case l.isPut:
		return "PUT"
	case l.isData && !l.isQuery:
		return "POST"
	}
	return "GET"
}

// TargetOf returns path and query of an address, as they are written. The host does not matter, and may be a
// variable of a shell.
func TargetOf(address string) (string, error) {
	rest := address
	if scheme, after, found := strings.Cut(address, "://"); found && !strings.ContainsAny(scheme, "/?#") {
		rest = after
		if at := strings.IndexAny(rest, "/?#"); at >= 0 {
			rest = rest[at:]
		} else {
			rest = ""
		}
	} else if strings.HasPrefix(address, mark) {
		_, rest, _ = strings.Cut(address[len(mark):], mark)
	} else if at := strings.IndexByte(address, '/'); at > 0 { // curl guesses the scheme
		rest = address[at:]
	}
	rest, _, _ = strings.Cut(rest, "#") // which is not sent
	if !strings.HasPrefix(rest, "/") {
		return "", errors.New("the address has no path; write it such as https://graph.microsoft.com/v1.0/users")
	}
	if strings.Contains(rest, mark) {
		return "", unknownVariable(rest)
	}
	return rest, nil
}

func unknownVariable(text string) error {
	_, after, _ := strings.Cut(text, mark)
	name, _, _ := strings.Cut(after, mark)
	return fmt.Errorf("$%s is a variable of the shell, which has no value here; "+
		"put the text between single quotes, or write its value", name)
}
