package odata

import "strings"

// appendPath writes the canonical path: keys and calls in the caller's syntax, escapes in upper case and only where
// the grammar needs them. A path in colons at the end gets its closing colon only if closed is set.
func appendPath(dst []byte, version string, segments []Segment, closed bool) []byte {
	dst = append(append(dst, '/'), version...)
	for i := range segments {
		s := &segments[i]
		switch s.Kind {
		case Name, System:
			dst = append(dst, '/')
			dst = appendName(dst, s)
		case Key:
			dst = append(dst, '(')
			dst = appendLiteral(dst, s.Text, s.Quoted)
			dst = append(dst, ')')
		case Args:
			dst = appendArgs(dst, s.Args)
		case Path:
			dst = append(dst, ":/"...)
			dst = appendDrivePath(dst, s)
			if closed || i < len(segments)-1 {
				dst = append(dst, ':')
			}
		}
	}
	return dst
}

func appendName(dst []byte, s *Segment) []byte {
	if s.Var {
		return appendVariable(dst, s.Text)
	}
	dst = appendEscaped(dst, s.Text, inSegment)
	if s.Call {
		dst = append(dst, "()"...)
	}
	return dst
}

func appendDrivePath(dst []byte, s *Segment) []byte {
	if s.Var {
		return appendVariable(dst, s.Text)
	}
	return appendEscaped(dst, s.Text, inDrivePath)
}

func appendVariable(dst []byte, name string) []byte {
	dst = append(dst, '{')
	dst = append(dst, name...)
	return append(dst, '}')
}

func appendArgs(dst []byte, args []Arg) []byte {
	separator := byte('(')
	for i := range args {
		a := &args[i]
		dst = append(dst, separator)
		dst = append(append(dst, a.Name...), '=')
		if a.Var {
			dst = appendVariable(dst, a.Value)
		} else {
			dst = appendLiteral(append(dst, a.Enum...), a.Value, a.Quoted)
		}
		separator = ','
	}
	return append(dst, ')')
}

func appendLiteral(dst []byte, text string, quoted bool) []byte {
	if !quoted {
		return appendEscaped(dst, text, inText)
	}
	dst = append(dst, '\'')
	for {
		before, after, found := strings.Cut(text, "'")
		dst = appendEscaped(dst, before, inText)
		if !found {
			return append(dst, '\'')
		}
		dst = append(dst, "''"...)
		text = after
	}
}

func appendQuery(dst []byte, options []Option) []byte {
	for i := range options {
		o := &options[i]
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = append(dst, o.Name...)
		if o.bare {
			continue
		}
		dst = append(dst, '=')
		dst = appendValue(dst, o)
	}
	return dst
}

func appendValue(dst []byte, o *Option) []byte {
	if o.encoded != "" {
		return append(dst, o.encoded...)
	}
	return appendEscaped(dst, o.Value, inValue)
}

// readable writes the decoded path for people. It must not be sent: a decoded "#" or space stands in it unescaped.
func readable(version string, segments []Segment) string {
	var most [256]byte
	b := append(append(most[:0], '/'), version...)
	for i := range segments {
		s := &segments[i]
		switch s.Kind {
		case Name, System:
			b = append(append(b, '/'), s.Text...)
			if s.Call {
				b = append(b, "()"...)
			}
		case Key:
			b = append(appendReadable(append(b, '('), s.Text, s.Quoted), ')')
		case Args:
			b = appendReadableArgs(b, s.Args)
		case Path:
			b = append(append(b, ":/"...), s.Text...)
			if i < len(segments)-1 {
				b = append(b, ':')
			}
		}
	}
	return string(b)
}

func appendReadableArgs(b []byte, args []Arg) []byte {
	separator := byte('(')
	for i := range args {
		a := &args[i]
		b = append(append(b, separator), a.Name...)
		b = append(append(b, '='), a.Enum...)
		b = appendReadable(b, a.Value, a.Quoted)
		separator = ','
	}
	return append(b, ')')
}

func appendReadable(b []byte, text string, quoted bool) []byte {
	if !quoted {
		return append(b, text...)
	}
	b = append(b, '\'')
	b = append(b, strings.ReplaceAll(text, "'", "''")...)
	return append(b, '\'')
}
