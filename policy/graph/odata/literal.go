package odata

import "strings"

const maxArgs = 32 // Graph's longest function takes 8

// parentheses reads head(body), after the opening parenthesis: users('x'), items(5), delta(), f(a='x',b=5).
func (r *pathReader) parentheses(head, body, raw string) error {
	if !isDotted(head) {
		return refuse(codeAmbiguous,
			"the segment %s has parentheses after something that is no name of letters, digits and dots", quote(raw))
	}
	body, closed := strings.CutSuffix(body, ")")
	if !closed {
		return refuse(codeAmbiguous,
			"the segment %s does not end with its closing parenthesis. A slash separates segments also between quotes, but "+
				"in search(q='...'): "+
				"address a file or site by its path as /drives/{id}/root:/{path} or /sites/{host}:/{path}", quote(raw))
	}
	chosen := r.isChosen(head)
	r.name(head, body == "")
	if body == "" {
		return nil
	}
	if name, rest, ok := strings.Cut(body, "="); ok && isIdentifier(name) {
		return r.arguments(name, rest, raw)
	}
	lit, rest, err := r.literal(body, raw)
	if err != nil {
		return err
	}
	if rest != "" {
		return refuse(codeAmbiguous,
			"the segment %s has more in its parentheses than one key; write name=value for each part of a composite key, and "+
				"double a quote within quotes", quote(raw))
	}
	if lit.text == "" {
		return refuse(codeAmbiguous, "the segment %s has an empty key; leave the parentheses out for the collection",
			quote(raw))
	}
	if lit.enum != "" || lit.items != nil {
		return refuse(codeUnsupported,
			"the segment %s has an enumeration's literal or a list as a key; write the key itself", quote(raw))
	}
	if lit.isVar {
		// The template users('{id}') is users/{id}, so that the matcher needs only one form.
		r.variableSegment(lit.text)
		return nil
	}
	if hidesQuery(lit.text) {
		return refuseQuery(raw)
	}
	if strings.IndexByte(lit.text, '/') >= 0 {
		return refuse(codeAmbiguous,
			"the segment %s has a slash in a key, which Graph reads as a separator; address the resource by its id", quote(raw))
	}
	folded := fold(lit.text)
	r.segments = append(r.segments, Segment{Kind: Key, Text: lit.text, Fold: folded, Base: folded, Quoted: lit.quoted})
	return checkName(lit.text, raw, chosen)
}

// arguments reads name=value pairs, after the first name's "=".
func (r *pathReader) arguments(name, rest, raw string) error {
	var args []Arg
	for {
		lit, after, err := r.literal(rest, raw)
		if err != nil {
			return err
		}
		arg := lit.argument(name)
		if err := checkArg(args, arg, raw); err != nil {
			return err
		}
		if err := r.checkValue(&arg, raw); err != nil {
			return err
		}
		args = append(args, arg)
		if after == "" {
			r.segments = append(r.segments, Segment{Kind: Args, Args: args})
			return nil
		}
		var named bool
		// Graph's documentation writes blanks after commas. They are dropped.
		if name, rest, named = strings.Cut(strings.TrimLeft(strings.TrimPrefix(after, ","), " "), "="); after[0] != ',' ||
			!named || !isIdentifier(name) {
			return refuse(codeAmbiguous,
				"the segment %s has %s where \",name=value\" or the closing parenthesis should follow an argument; "+
					"double a quote within quotes", quote(raw), quote(after))
		}
	}
}

// checkValue refuses, in the value of an argument, the characters that are refused in keys, because the
// argument may be an alternate key. A text to search for may have any character.
func (r *pathReader) checkValue(arg *Arg, raw string) error {
	if arg.Var {
		return nil
	}
	if err := checkSlash(arg, raw); err != nil {
		return err
	}
	if hidesQuery(arg.Value) {
		return refuseQuery(raw)
	}
	if c, found := disguised(arg.Value, r.isChosen("")); found && !isSearch(raw) {
		return refuseDisguised(c, raw)
	}
	return nil
}

func refuseQuery(raw string) error {
	return refuse(codeAmbiguous,
		"the segment %s holds an escaped \"?\" with the name of an option behind it, and some servers read a query there; "+
			"write query options behind the path, and leave the question mark out of text", quote(raw))
}

func checkArg(args []Arg, arg Arg, raw string) error {
	for _, other := range args {
		if other.Fold == arg.Fold {
			return refuse(codeAmbiguous, "the segment %s names the argument %s twice; write it once", quote(raw),
				quote(arg.Name))
		}
	}
	if len(args) == maxArgs {
		return refuse(codeTooLong, "the segment %s has more than %d arguments", quote(raw), maxArgs)
	}
	return nil
}

// A literal is the value of a key or argument.
type literal struct {
	text   string // without quotes; the variable's name if isVar
	quoted bool
	isVar  bool     // in templates only
	enum   string   // of an enumeration's literal: the type before the quotes
	items  []string // of a list: its elements
}

func (l literal) argument(name string) Arg {
	a := Arg{Name: name, Fold: fold(name), Value: l.text, Var: l.isVar}
	if !l.isVar {
		a.Quoted, a.Enum, a.Items = l.quoted, l.enum, l.items
	}
	return a
}

// literal reads one value at the beginning of body. In a template, {x} and '{x}' are the variable x, and so are
// @x and '@x', as Microsoft's published operation templates write parameters.
func (r *pathReader) literal(body, raw string) (lit literal, rest string, err error) {
	switch enum := enumType(body); {
	case strings.HasPrefix(body, "'"):
		lit, rest, err = quoted(body, raw)
	case strings.HasPrefix(body, "["):
		lit, rest, err = list(body, raw)
	case enum != "":
		lit, rest, err = quoted(body[len(enum):], raw)
		lit.enum = enum
	default:
		lit, rest, err = r.bare(body, raw)
	}
	if err != nil || !r.template {
		return lit, rest, err
	}
	if name, ok := variableName(lit.text); ok {
		lit.text, lit.isVar = name, true
	} else if strings.ContainsAny(lit.text, "{}") {
		return lit, rest, refuseBraces(raw)
	}
	return lit, rest, nil
}

func quoted(body, raw string) (lit literal, rest string, err error) {
	doubled := false
	for i := 1; i < len(body); i++ {
		if body[i] != '\'' {
			continue
		}
		if strings.HasPrefix(body[i+1:], "'") {
			doubled = true
			i++
			continue
		}
		lit = literal{text: body[1:i], quoted: true}
		if doubled {
			lit.text = strings.ReplaceAll(lit.text, "''", "'")
		}
		// A workload behind Graph may get the key as a segment.
		if lit.text != "" && isDots(lit.text) {
			return lit, "", refuse(codeAmbiguous, "the segment %s has only dots as a key or argument", quote(raw))
		}
		return lit, body[i+1:], nil
	}
	return lit, "", refuse(codeAmbiguous, "the segment %s has a quote that is not closed; double a quote within quotes",
		quote(raw))
}

// enumType returns the type at the beginning of an enumeration's literal,
// microsoft.graph.timeZoneStandard'Iana', or "".
func enumType(body string) string {
	end := strings.IndexAny(body, "',")
	if end <= 0 || body[end] != '\'' {
		return ""
	}
	if _, _, qualified := foldName(body[:end]); !qualified {
		return ""
	}
	return body[:end]
}

// list reads a list of texts, numbers and words as JSON writes it, ["1","7f3b"], which Graph accepts as an
// argument of some functions:
// https://learn.microsoft.com/graph/api/intune-rbac-rolescopetag-getrolescopetagsbyid. Blanks are dropped.
func list(body, raw string) (lit literal, rest string, err error) {
	lit = literal{items: []string{}}
	text := append(make([]byte, 0, len(body)), '[')
	rest = strings.TrimLeft(body[1:], " ")
	for first := true; !strings.HasPrefix(rest, "]"); first = false {
		if !first {
			var more bool
			if rest, more = strings.CutPrefix(rest, ","); !more {
				return lit, "", refuseList(raw)
			}
			text = append(text, ',')
			rest = strings.TrimLeft(rest, " ")
		}
		item, written, after := listItem(rest)
		if written == "" || isDots(item) && item != "" {
			return lit, "", refuseList(raw)
		}
		text, lit.items = append(text, written...), append(lit.items, item)
		rest = strings.TrimLeft(after, " ")
	}
	lit.text = string(append(text, ']'))
	return lit, rest[1:], nil
}

// listItem returns the element at the beginning of text, and its spelling; "" if there is none.
func listItem(text string) (item, written, after string) {
	if inner, quoted := strings.CutPrefix(text, `"`); quoted {
		end := strings.IndexByte(inner, '"')
		if end < 0 {
			return "", "", ""
		}
		return inner[:end], text[:end+2], inner[end+1:]
	}
	end := strings.IndexAny(text, ",] ")
	if end <= 0 || !all(text[:end], inBare) {
		return "", "", ""
	}
	return text[:end], text[:end], text[end:]
}

func refuseList(raw string) error {
	return refuse(codeAmbiguous,
		"the segment %s has a list that is not texts in double quotes, numbers or words with commas between them; write "+
			"[\"a\",\"b\"]", quote(raw))
}

// bare reads a value without quotes: a number, GUID, date or word. Everything else is refused, also OData's
// complex and other typed literals, which Graph does not document in paths.
func (r *pathReader) bare(body, raw string) (lit literal, rest string, err error) {
	end := strings.IndexByte(body, ',')
	if end < 0 {
		end = len(body)
	}
	text := body[:end]
	if r.template {
		if _, ok := variableName(text); ok {
			return literal{text: text}, body[end:], nil
		}
	}
	switch {
	case strings.HasPrefix(text, "@"):
		return lit, "", refuse(codeUnsupported,
			"the segment %s takes a value from the parameter alias %s, which this proxy does not read; write the value in "+
				"its place", quote(raw), quote(text))
	case text == "":
		return lit, "", refuse(codeAmbiguous, "the segment %s lacks a value in its parentheses; write '' for an empty text",
			quote(raw))
	case !all(text, inBare) || isDots(text):
		return lit, "", refuse(codeAmbiguous,
			"the segment %s has the value %s without quotes and it is no number, GUID, date or word; write it in quotes",
			quote(raw), quote(text))
	}
	return literal{text: text}, body[end:], nil
}
