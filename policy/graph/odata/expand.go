package odata

import "strings"

const maxExpandDepth = 8

// Expand is one item of a $expand: members($select=id;$expand=manager).
type Expand struct {
	Path []string // names, casts, and at the end "$ref" or "$count", in the form for comparing; without "*"
	Text string   // the path as written
	Star bool     // "*", with Path empty or [$ref]
	// Options are those in parentheses without $expand, in the order written, no two with the same Name.
	Options []ExpandOption
	Nested  []Expand // the entries of the item's own $expand
}

// ExpandOption is a query option within $expand.
type ExpandOption struct {
	Name  string // for comparing: "$select", also when written without "$"
	Value string // without spaces around it
}

// ParseExpand reads the decoded value of a $expand. It follows the grammar of OData 4.01 §5.1.3 as far as Graph
// uses it: comma-separated items; options in parentheses, separated by semicolons; at most 8 levels. Anything
// else is an error, because an expand reaches other resources than the path names. The error is an *Error and
// does not quote the value.
func ParseExpand(value string) ([]Expand, error) {
	if err := checkText(value, "the value of the query option", "$expand"); err != nil {
		return nil, err
	}
	return parseExpand(value, 1)
}

func parseExpand(value string, depth int) ([]Expand, error) {
	if depth > maxExpandDepth {
		return nil, refuse(codeTooLong, "$expand is nested more than %d levels deep", maxExpandDepth)
	}
	texts, err := split(value, ',')
	if err != nil {
		return nil, err
	}
	items := make([]Expand, 0, len(texts))
	for _, text := range texts {
		item, err := parseExpandItem(text, depth)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

func parseExpandItem(text string, depth int) (item Expand, err error) {
	path, options, found := strings.Cut(text, "(")
	item.Text = strings.Trim(path, " ")
	if item.Path, item.Star, err = expandPath(item.Text); err != nil || !found {
		return item, err
	}
	options, closed := strings.CutSuffix(options, ")")
	if !closed {
		return item, refuse(codeAmbiguous,
			"$expand has text after the closing parenthesis of an item; write a comma between items")
	}
	texts, err := split(options, ';')
	if err != nil {
		return item, err
	}
	for _, text := range texts {
		if err := item.option(text, depth); err != nil {
			return item, err
		}
	}
	return item, nil
}

func expandPath(text string) (path []string, star bool, err error) {
	parts := strings.Split(text, "/")
	if parts[0] == "*" {
		star, parts = true, parts[1:]
	}
	for i, part := range parts {
		folded, _, _ := foldName(part)
		isLast, isFirst := i == len(parts)-1, i == 0
		switch {
		case folded == "$ref" && isLast && (star || !isFirst):
		case folded == "$count" && isLast && !isFirst:
		case !star && isProperty(part) && part[0] != '@':
		default:
			return nil, false, refuse(codeAmbiguous,
				"$expand has an item that is not a path of names, such as manager or microsoft.graph.user/manager, with /$ref "+
					"or /$count at its end at most")
		}
		path = append(path, folded)
	}
	return path, star, nil
}

// option reads one option of an item.
func (e *Expand) option(text string, depth int) error {
	name, value, _ := strings.Cut(text, "=")
	name, value = strings.Trim(name, " "), strings.Trim(value, " ")
	word := "$" + strings.TrimPrefix(fold(name), "$")
	if e.has(word) {
		return refuse(codeAmbiguous, "$expand has the nested option %s twice; write it once", word)
	}
	if err := checkNested(word, value); err != nil {
		return err
	}
	if word != "$expand" {
		e.Options = append(e.Options, ExpandOption{Name: word, Value: value})
		return nil
	}
	nested, err := parseExpand(value, depth+1)
	e.Nested = nested
	return err
}

func (e *Expand) has(name string) bool {
	for _, o := range e.Options {
		if o.Name == name {
			return true
		}
	}
	return name == "$expand" && e.Nested != nil
}

// checkNested refuses a nested option that is unknown, and a value that could end earlier than it seems to:
// some services accepted commas between nested options, so that $filter=a,$expand=b would be two options.
func checkNested(name, value string) error {
	ok := value != ""
	switch name {
	case "$expand":
	case "$select":
		if _, err := ParseSelect(value); err != nil {
			return err
		}
	case "$levels":
		ok = fold(value) == "max" || isNumber(value)
	case "$top", "$skip":
		ok = isNumber(value)
	case "$count":
		ok = value == "true" || value == "false"
	case "$orderby":
		ok = ok && strings.Trim(value, letters+digits+"_./$, ") == "" &&
			!strings.Contains(strings.ReplaceAll(value, " ", ""), ",$")
	case "$filter", "$search":
		if err := checkExpression(name, value); err != nil {
			return err
		}
	default:
		return refuse(codeUnsupported,
			"$expand has a nested option other than $select, $expand, $filter, $orderby, $search, $top, $skip, $count and "+
				"$levels")
	}
	if !ok {
		return refuse(codeAmbiguous, "$expand has a nested %s whose value is missing or not of its kind", name)
	}
	return nil
}

func checkExpression(name, value string) error {
	separated := value == ""
	err := scan(value, func(_ int, c byte, depth int) {
		separated = separated || c == ';' || c == ',' && depth == 0
	})
	if err == nil && separated {
		return refuse(codeAmbiguous,
			"$expand has a nested %s that is empty or has a comma or semicolon outside parentheses and quotes; write "+
				"semicolons between options", name)
	}
	return err
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, digits) == "" }

// isProperty reports whether s can name a property, a navigation property or a type. Names of extensions
// contain dots and hyphens. An annotation begins with "@", and SharePoint returns some only to ?select=:
// @microsoft.graph.downloadUrl.
func isProperty(s string) bool {
	if annotation, found := strings.CutPrefix(s, "@"); found {
		return isDotted(annotation) && strings.IndexByte(annotation, '.') >= 0
	}
	return s != "" && strings.Trim(s, letters+digits+"_.-") == "" && strings.Trim(s, ".-") == s &&
		!strings.Contains(s, "..")
}

// ParseSelect reads the decoded value of a $select: comma-separated names, casts and paths, also "*". It
// returns the items in the form for comparing: lower case, "graph." as "microsoft.graph.". An empty item and
// anything else is an *Error, which does not quote the value.
func ParseSelect(value string) ([]string, error) {
	var items []string
	for text := range strings.SplitSeq(value, ",") {
		parts := strings.Split(strings.Trim(text, " "), "/")
		for i, part := range parts {
			if !isProperty(part) && (part != "*" || len(parts) > 1) {
				return nil, refuse(codeAmbiguous,
					"$select has an item that is empty or not a path of names; write names with commas between them")
			}
			parts[i], _, _ = foldName(part)
		}
		items = append(items, strings.Join(parts, "/"))
	}
	return items, nil
}

// ParseSelectPaths reads the items of a decoded $select that reach beyond the properties of the resource. It
// returns them as the equivalent items of a $expand: manager/id is manager($select=id), and manager($expand=x)
// stays as it is. A property after casts, microsoft.graph.user/department, belongs to the resource. The error
// is that of ParseExpand.
func ParseSelectPaths(value string) ([]Expand, error) {
	texts, err := split(value, ',')
	if err != nil {
		return nil, err
	}
	var items []Expand
	for _, text := range texts {
		if isProperty(text) || text == "*" || text == "" {
			continue
		}
		if strings.IndexByte(text, '(') < 0 {
			if text = selectedBelow(text); text == "" {
				continue
			}
		}
		item, err := parseExpandItem(text, 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// selectedBelow returns the path of a $select as an item of $expand, "" if it is a property of the resource.
func selectedBelow(path string) string {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return path
	}
	if last := path[i+1:]; areCasts(path[:i]) && (isProperty(last) || last == "*") {
		return ""
	}
	switch last := fold(path[i+1:]); last {
	case "$ref", "$count":
		return path
	default:
		return path[:i] + "($select=" + path[i+1:] + ")"
	}
}

func areCasts(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if _, _, qualified := foldName(part); !qualified {
			return false
		}
	}
	return true
}

// split cuts s at the separators that are outside quotes and parentheses, and removes spaces around the pieces.
func split(s string, separator byte) ([]string, error) {
	var pieces []string
	from := 0
	err := scan(s, func(i int, c byte, depth int) {
		if c == separator && depth == 0 {
			pieces = append(pieces, strings.Trim(s[from:i], " "))
			from = i + 1
		}
	})
	if err != nil {
		return nil, err
	}
	return append(pieces, strings.Trim(s[from:], " ")), nil
}

// scan calls visit for each byte of s outside quotes, with the number of parentheses that are open at it. It
// refuses unbalanced text.
func scan(s string, visit func(i int, c byte, depth int)) error {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\'', '"':
			length, err := quotedLength(s[i:])
			if err != nil {
				return err
			}
			i += length - 1 // a doubled quote is read as two adjacent quoted texts, with the same result
			continue
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth < 0 {
			break
		}
		visit(i, s[i], depth)
	}
	if depth != 0 {
		return refuse(codeAmbiguous, "$expand has parentheses that are not balanced")
	}
	return nil
}

// quotedLength returns the length of the quoted text at the beginning of s. Services disagree on whether double
// quotes, which only $search has, protect the text between them, so the result must be the same for both.
func quotedLength(s string) (int, error) {
	end := strings.IndexByte(s[1:], s[0])
	if end < 0 {
		return 0, refuse(codeAmbiguous, "$expand has a quote that is not closed")
	}
	if s[0] == '"' && strings.ContainsAny(s[1:end+1], `'();,\$`) {
		return 0, refuse(codeAmbiguous,
			"$expand has a phrase in double quotes that holds quotes, parentheses, commas, semicolons, dollar signs or "+
				"backslashes")
	}
	return end + 2, nil
}
