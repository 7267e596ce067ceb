package console

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"graphproxy/policy/analysis/audit"
)

// entry is an audit line with what the pages show besides what the tools read.
type entry struct {
	audit.Line
	Client      string  `json:"client"`
	Evidence    string  `json:"evidence"`
	Credential  string  `json:"credential"`
	App         string  `json:"app"`
	GraphStatus int     `json:"graph_status"`
	Millis      float64 `json:"ms"`
	GraphMillis float64 `json:"graph_ms"`
	Number      uint64  `json:"-"` // of the record
}

// decode reads an audit line. It reports false for a line that is none.
func decode(r Record) (entry, bool) {
	var e entry
	err := json.Unmarshal(r.Line, &e)
	e.Number = r.Number
	return e, err == nil && e.Decision != ""
}

// Asked is the target with the names of its query options.
func (e *entry) Asked() string {
	if len(e.Query) == 0 {
		return e.Target
	}
	return e.Target + "?" + strings.Join(e.Query, "&")
}

// Outcome is the decision in words.
func (e *entry) Outcome() string {
	if e.WouldDeny {
		return "deny, let through by report mode"
	}
	return e.Decision
}

// filter selects records. An empty field selects all.
type filter struct {
	Caller, Decision, Path, Status string

	members [][]byte // members that the line must have, as bytes
	status  []byte   // the beginning of the member status, or nil
	path    []byte   // Path in lower case
}

// mostFilter bounds the text of a field, in bytes.
const mostFilter = 256

// filterOf reads a filter from the query of a page or of the event stream.
func filterOf(query url.Values) (filter, error) {
	f := filter{
		Caller:   strings.TrimSpace(query.Get("caller")),
		Decision: strings.TrimSpace(query.Get("decision")),
		Path:     strings.TrimSpace(query.Get("path")),
		Status:   strings.TrimSpace(query.Get("status")),
	}
	for _, text := range [...]string{f.Caller, f.Decision, f.Path, f.Status} {
		if len(text) > mostFilter {
			return f, &answer{400, "A filter has more than 256 characters. Write a shorter one."}
		}
	}
	if f.Decision != "" && f.Decision != wouldDeny && !slices.Contains(decisions[:], f.Decision) {
		return f, &answer{400, "There is no such decision. Choose one of allow, deny, limit, refuse and would_deny."}
	}
	if f.Status != "" && !isStatus(f.Status) {
		return f, &answer{400, "A status is a number such as 403, or a class of them such as 4xx."}
	}
	f.look()
	return f, nil
}

// wouldDeny is the decision of a request that report mode let through.
const wouldDeny = "would_deny"

// isStatus reports whether a text is a status or a class of them.
func isStatus(s string) bool {
	if len(s) != 3 || s[0] < '1' || s[0] > '9' {
		return false
	}
	if strings.EqualFold(s[1:], "xx") {
		return true
	}
	_, err := strconv.Atoi(s)
	return err == nil
}

// look sets what a line must hold as bytes, which saves decoding it. A quote within a value is escaped in an audit
// line, so the beginning of a member stands nowhere else but in what the candidate decides, which hasMember leaves out.
func (f *filter) look() {
	member := func(text string) { f.members = append(f.members, []byte(text)) }
	switch {
	case f.Decision == wouldDeny:
		member(`"would_deny":true`)
	case f.Decision != "":
		member(`"decision":"` + f.Decision + `"`)
	}
	switch {
	case f.Caller == "-":
		member(`"caller":""`)
	case f.Caller != "":
		name, _ := json.Marshal(f.Caller) // of a string, which cannot fail
		member(`"caller":` + string(name))
	}
	if class, found := strings.CutSuffix(strings.ToLower(f.Status), "xx"); found {
		f.status = []byte(`,"status":` + class)
	} else if f.Status != "" {
		member(`,"status":` + f.Status + ",")
	}
	f.path = []byte(strings.ToLower(f.Path))
}

// selects reports whether a line is selected. Callers compare as a whole, paths by any part without regard to letter
// case.
func (f *filter) selects(line []byte) bool {
	for _, member := range f.members {
		if !hasMember(line, member) {
			return false
		}
	}
	if f.status != nil && !hasMember(line, f.status) {
		return false
	}
	return len(f.path) == 0 || f.hasPath(line)
}

// hasMember reports whether a line itself has a member, whose beginning is given. What the candidate policy decides is
// an object within the line, with members of the same names.
func hasMember(line, member []byte) bool {
	if !bytes.Contains(line, member) {
		return false
	}
	before, behind := ownParts(line)
	return bytes.Contains(before, member) || bytes.Contains(behind, member)
}

// ownParts returns what a line has before the decision of the candidate, and behind it.
func ownParts(line []byte) (before, behind []byte) {
	before, rest, found := bytes.Cut(line, []byte(`"candidate":{`))
	if !found {
		return line, nil
	}
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '"':
			i += 1 + endOfText(rest[i+1:])
		case '}':
			return before, rest[i+1:]
		}
	}
	return before, nil
}

// isRefusal reports whether the policy in force denied a request, or would have without report mode.
func isRefusal(line []byte) bool {
	return hasMember(line, []byte(`"decision":"deny"`)) || hasMember(line, []byte(`"would_deny":true`))
}

// hasPath looks in the target and in the template, without the rest of the line.
func (f *filter) hasPath(line []byte) bool {
	for _, name := range [...]string{`"target":"`, `"path":"`} {
		_, value, found := bytes.Cut(line, []byte(name))
		if !found {
			continue
		}
		if end := endOfText(value); bytes.Contains(bytes.ToLower(value[:end]), f.path) {
			return true
		}
	}
	return false
}

// endOfText returns the place of the quote that ends a JSON string, whose first quote is taken off.
func endOfText(value []byte) int {
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(value)
}

// query returns the filter as the query of a page, with further pairs of names and values.
func (f filter) query(more ...string) string {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("caller", f.Caller)
	set("decision", f.Decision)
	set("path", f.Path)
	set("status", f.Status)
	for i := 0; i+1 < len(more); i += 2 {
		set(more[i], more[i+1])
	}
	return v.Encode()
}
