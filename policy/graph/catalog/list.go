package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// list is a decoded list, with an index of the first segments. It is immutable.
type list struct {
	source Source
	sets   [][]string
	text   []byte
	roots  []root
}

// root is the part of a list whose paths have one first segment.
type root struct {
	name     string
	from, to int
}

// Path is a line of a list.
type Path struct {
	Text    []byte // "/users/{user-id}/messages"
	methods []byte
	list    *list
}

func decode(text []byte) (*list, error) {
	head, rest, _ := bytes.Cut(text, []byte("\n"))
	l := &list{text: text}
	s := &l.source
	if _, err := fmt.Sscanf(string(head), format+" %s %s %s %s %d", &s.Version, &s.Module, &s.Release, &s.Date,
		&s.Operations); err != nil {
		return nil, fmt.Errorf("its first line is %.80q", head)
	}
	for bytes.HasPrefix(rest, []byte("?")) {
		var set []byte
		set, rest, _ = bytes.Cut(rest[1:], []byte("\n"))
		l.sets = append(l.sets, strings.Split(string(set), ","))
	}
	return l, l.index(len(text) - len(rest))
}

// index finds the roots. A test of the package checks the operations.
func (l *list) index(from int) error {
	at := from
	return l.paths(l.text[from:], func(p Path) bool {
		if n := len(l.roots); n == 0 || !p.isBelow(l.roots[n-1].name) {
			l.roots = append(l.roots, root{name: rootOf(string(p.Text)), from: at})
		}
		at += bytes.IndexByte(l.text[at:], '\n') + 1
		l.roots[len(l.roots)-1].to = at
		return true
	})
}

// isBelow reports whether the first segment of the path has the name.
func (p Path) isBelow(name string) bool {
	if len(p.Text) <= len(name) || string(p.Text[1:1+len(name)]) != name {
		return false
	}
	rest := p.Text[1+len(name):]
	return len(rest) == 0 || rest[0] == '/' || rest[0] == '('
}

// paths reads lines. The first line has nothing in common with a path before.
func (l *list) paths(text []byte, each func(Path) bool) error {
	path := make([]byte, 0, 512)
	for len(text) > 0 {
		var line []byte
		var found bool
		if line, text, found = bytes.Cut(text, []byte("\n")); !found {
			return errors.New("its last line is cut off")
		}
		head, methods, found := bytes.Cut(line, []byte("\t"))
		digits := 0
		same := 0
		for digits < len(head) && isDigit(head[digits]) && digits < 5 {
			same = same*10 + int(head[digits]-'0')
			digits++
		}
		if !found || digits == 0 || same > len(path) {
			return fmt.Errorf("it has the line %.80q", line)
		}
		path = append(path[:same], head[digits:]...)
		if !each(Path{path, methods, l}) {
			return nil
		}
	}
	return nil
}

// Has reports whether the path has an operation with the method.
func (p Path) Has(method string) bool {
	want := letter(method)
	inPage := false
	for _, c := range p.methods {
		if c == ':' {
			inPage = !inPage
		}
		if c == want && !inPage {
			return true
		}
	}
	return false
}

// Operations returns the operations of the path; nil if its line is damaged.
func (p Path) Operations() []Operation {
	var all []Operation
	path, text := string(p.Text), string(p.methods)
	for text != "" {
		o := Operation{Path: path}
		var ok bool
		if o, text, ok = p.list.operation(o, text); !ok {
			return nil
		}
		all = append(all, o)
	}
	return all
}

// operation reads one method from the beginning of a line's methods, and returns the rest.
func (l *list) operation(o Operation, text string) (read Operation, rest string, ok bool) {
	i := strings.IndexByte(letters, text[0])
	if i < 0 {
		return o, "", false
	}
	o.Method, text = methodNames()[i], text[1:]
	for _, k := range []Kind{Function, Action} {
		if strings.HasPrefix(text, string(k[0])) {
			o.Kind, text = k, text[1:]
			break
		}
	}
	rest = strings.TrimLeft(text, "0123456789")
	if digits := text[:len(text)-len(rest)]; digits != "" {
		n, err := strconv.Atoi(digits)
		if err != nil || n >= len(l.sets) {
			return o, "", false
		}
		o.Options = l.sets[n]
	}
	if page, isPage := strings.CutPrefix(rest, ":"); isPage {
		if o.Page, rest, isPage = strings.Cut(page, ":"); !isPage {
			return o, "", false
		}
	}
	return o, rest, true
}

// Decode reads the format of Encode.
func Decode(text []byte) (Source, []Operation, error) {
	l, err := decode(text)
	if err != nil {
		return Source{}, nil, err
	}
	var all []Operation
	var damaged error
	for _, r := range l.roots {
		err := l.paths(l.text[r.from:r.to], func(p Path) bool {
			operations := p.Operations()
			if operations == nil {
				damaged = fmt.Errorf("it has the methods %.80q", p.methods)
			}
			all = append(all, operations...)
			return operations != nil
		})
		if err != nil || damaged != nil {
			return l.source, nil, errors.Join(err, damaged)
		}
	}
	if len(all) != l.source.Operations {
		return l.source, nil, fmt.Errorf("it holds %d operations, not %d", len(all), l.source.Operations)
	}
	return l.source, all, nil
}
