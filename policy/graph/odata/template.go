package odata

import "strings"

// Template is a path with variables, as Graph's documentation writes requests: /users/{id}/messages. It is immutable
// and safe for concurrent use.
//
// A variable is a Segment of Kind Name with Var set, {id}, also when the template writes it in parentheses,
// users('{id}'); a Segment of Kind Path with Var set, root:/{path}:; or an Arg with Var set, period={period}, also when
// the template writes it in quotes. No two variables of a template have the same name.
type Template struct {
	Version  string // "v1.0" or "beta"
	Segments []Segment
	Below    bool   // ends in /**: the resource itself and everything below it
	Text     string // canonical, with the version: "/v1.0/users/{id}/**"; parsing it gives the same Template again
}

// ParseTemplate reads a template. Without a version it is of v1.0. The parser of targets reads it, so that a rule
// and a request are read in the same way; literal text is escaped as in a URL. The error is an *Error.
func ParseTemplate(s string) (*Template, error) {
	if strings.Contains(s, "?") {
		return nil, refuse(codeUnsupported, "the template %s has a \"?\"; write options under query:", quote(s))
	}
	body, below := strings.CutSuffix(s, "/**")
	if body == "" {
		return nil, refuse(codeUnsupported, "the template %s names no resource; write at least one segment, such as /users",
			quote(s))
	}
	path, err := trimPath(body)
	if err != nil {
		return nil, err
	}
	t := &Template{Version: "v1.0", Below: below}
	if first, rest, _ := strings.Cut(path, "/"); first == "v1.0" || first == "beta" {
		t.Version, path = first, rest
	}
	r := pathReader{rest: path, template: true}
	if err := r.read(); err != nil {
		return nil, err
	}
	t.Segments = r.segments
	setWide(t.Segments)
	if err := t.check(s, body); err != nil {
		return nil, err
	}
	t.Text = string(appendPath(nil, t.Version, t.Segments, below))
	// with its version and escapes: a target could not be so long
	if len(t.Text) > maxPath || strings.Count(t.Text, "/") > maxSegments {
		return nil, refuse(codeTooLong, "the template %s is too long to match any target", quote(s))
	}
	if below {
		t.Text += "/**"
	}
	return t, nil
}

func (t *Template) check(s, body string) error {
	if len(t.Segments) == 0 {
		return refuse(codeUnsupported, "the template %s names no resource; write at least one segment, such as /users",
			quote(s))
	}
	first, last := t.Segments[0], t.Segments[len(t.Segments)-1]
	if !isRoot(first) {
		return refuse(codeVersion,
			"the template %s begins with %s, which is no entity set or singleton; write a name like /users, after /v1.0 or "+
				"/beta if at all",
			quote(s), quote(first.Text))
	}
	if t.Below && last.Kind == Path && !strings.HasSuffix(body, ":") {
		return refuse(codeAmbiguous,
			"the template %s has /** within a drive path; write root:/{path} and where: {path: \"Reports/**\"} for files "+
				"below a folder, or root:/{path}:/** for what belongs to one item",
			quote(s))
	}
	if err := checkAlone(t.Segments); err != nil {
		return err
	}
	return t.checkVariables(s)
}

// isRoot reports whether a path can begin with the segment.
func isRoot(s Segment) bool {
	if s.Kind == System {
		return s.Fold == "$batch" || s.Fold == "$metadata"
	}
	return s.Kind == Name && !s.Var && s.Fold != "myorganization" && isIdentifier(s.Text)
}

func (t *Template) checkVariables(s string) error {
	seen := make(map[string]bool)
	for _, name := range t.variables() {
		// Names that differ only in case would be legal but are certainly a mistake.
		if seen[fold(name)] {
			return refuse(codeAmbiguous, "the template %s has the variable {%s} twice; give each a name of its own", quote(s),
				name)
		}
		seen[fold(name)] = true
	}
	return nil
}

func (t *Template) variables() []string {
	var names []string
	for _, s := range t.Segments {
		if s.Var {
			names = append(names, s.Text)
		}
		for _, a := range s.Args {
			if a.Var {
				names = append(names, a.Value)
			}
		}
	}
	return names
}

// variable reads a segment of a template that is {name} as a whole, and refuses braces and stars anywhere else.
func (r *pathReader) variable(text, raw string) (done bool, err error) {
	if strings.HasPrefix(text, "{") {
		if name, ok := variableName(text); ok {
			r.variableSegment(name)
			return true, nil
		}
	}
	head, _, _ := strings.Cut(text, "(")
	if strings.ContainsAny(head, "{}") {
		return false, refuseBraces(raw)
	}
	if strings.Contains(head, "*") {
		return false, refuse(codeUnsupported,
			"the segment %s has a star; write {name} for one key and narrow it under where:", quote(raw))
	}
	return false, nil
}

func (r *pathReader) variableSegment(name string) {
	folded := fold(name)
	r.segments = append(r.segments, Segment{Kind: Name, Text: name, Fold: folded, Base: folded, Var: true})
}

// variableName returns the name in {name} or @name.
func variableName(text string) (name string, ok bool) {
	name, found := strings.CutPrefix(text, "@")
	if !found {
		if name, found = strings.CutPrefix(text, "{"); !found {
			return "", false
		}
		if name, found = strings.CutSuffix(name, "}"); !found {
			return "", false
		}
	}
	for i := range len(name) {
		if c := name[i]; classes[c]&inIdentifier == 0 && c != '-' {
			return "", false
		}
	}
	return name, name != ""
}

func refuseBraces(raw string) error {
	return refuse(codeUnsupported,
		"the segment %s has braces that are not one variable; write {name}, of letters, digits, \"-\" and \"_\", for a "+
			"whole segment, key or argument", quote(raw))
}
