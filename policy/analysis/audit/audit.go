// Package audit reads graphproxy's audit log, one JSON line for each request and each item of a batch, for the tools
// that compare and suggest policies.
//
// It decides which lines are audit lines. Operators send them and the program's own log to one place, and rotation
// and copying cut files; neither may stop a tool. Lines that are skipped are counted. Callers decide what follows
// from a line.
package audit

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"graphproxy/policy/graph/odata"
)

// MaxLine is the length of the longest line that is read, in bytes.
const MaxLine = 1 << 20

// Line is the record of one request, or of one item of a batch, that the policy decided on.
type Line struct {
	Number    int       `json:"-"` // in the log, from 1
	Time      time.Time `json:"time"`
	Caller    string    `json:"caller"`
	Method    string    `json:"method"`
	Version   string    `json:"version"`
	Path      string    `json:"path"`     // template of the rule that decided; "" if none did
	Target    string    `json:"target"`   // decoded path with its keys
	Query     []string  `json:"query"`    // names of the query options; their values are not recorded
	Rule      string    `json:"rule"`     // file:line of the rule that decided
	Decision  string    `json:"decision"` // Allow, Deny or Limit
	WouldDeny bool      `json:"would_deny"`
	Reason    string    `json:"reason"`
	Status    int       `json:"status"`
	RequestID string    `json:"request_id"`
	Policy    string    `json:"policy"` // hash of the policy file that judged
	Batch     string    `json:"batch"`  // of an item: request id of its batch
	Item      string    `json:"item"`   // of an item: its id
	Cut       []string  `json:"cut"`    // names of the fields that were too long for a line and are shortened

	Candidate *Candidate `json:"candidate"` // nil: there was no candidate, or its decision was the same

	// Parsed is the target with the names of its query options, which have no values. It is nil if the target
	// cannot be read back, for example because it was shortened: the beginning of a target could be read as another
	// one.
	Parsed *odata.Target `json:"-"`
}

// Candidate is what a candidate policy decided on the request of a Line, where that differs.
type Candidate struct {
	Decision  string `json:"decision"` // as that of a Line, Unknown, or Refuse
	WouldDeny bool   `json:"would_deny"`
	Rule      string `json:"rule"`   // file:line of the rule that decided
	Policy    string `json:"policy"` // hash of the candidate's file
}

// Unknown is a candidate's decision that depends on a body which was not read.
const Unknown = "unknown"

// AllowedBy reports whether the policy with this hash allows the request, in either mode, as far as the line has that:
// known is false if it does not.
func (l *Line) AllowedBy(hash string) (allowed, known bool) {
	switch c := l.Candidate; {
	case l.Policy == hash:
		return l.Allowed(), true
	case c == nil || c.Policy != hash || c.Decision == Unknown || c.Decision == Refuse:
		return false, false
	default:
		return c.Decision != Deny && !c.WouldDeny, true
	}
}

// The values of Line.Decision. Read skips the lines of requests that were refused before a decision.
const (
	Allow = "allow" // allowed and sent, with any answer of Graph
	Deny  = "deny"  // no rule allowed it, or one denied it
	Limit = "limit" // would have been allowed, but a limit had no capacity left

	Refuse = "refuse" // refused before a decision: only Find returns such a Line
)

// IsEnvelope reports whether the line is of a $batch itself. No rule decides on it: each of its items has its own
// line.
func (l *Line) IsEnvelope() bool {
	return l.Parsed != nil && l.Parsed.IsBatch()
}

// Allowed reports whether the policy of that time allows the request, in either mode, even if a limit had no
// capacity left.
func (l *Line) Allowed() bool { return l.Decision != Deny && !l.WouldDeny }

// Skipped counts the lines that Read skips.
type Skipped struct {
	Other   int `json:"other,omitempty"`    // no audit lines: the program's own log, or another's
	Broken  int `json:"broken,omitempty"`   // cut off or otherwise no JSON, though they begin like it
	TooLong int `json:"too_long,omitempty"` // longer than MaxLine
	// requests whose lines could not be written, as the log itself records
	Lost    int            `json:"lost,omitempty"`
	Own     int            `json:"own,omitempty"`     // requests that graphproxy answered itself, see OwnPath
	Refused map[string]int `json:"refused,omitempty"` // requests that were refused before a decision, by reason
}

// OwnPath begins the targets that graphproxy answers itself. No rule is about them.
const OwnPath = "/.graphproxy/"

// Total returns the number of skipped lines. Lines that were lost are not in the log.
func (s Skipped) Total() int {
	n := s.Other + s.Broken + s.TooLong + s.Own
	for _, count := range s.Refused {
		n += count
	}
	return n
}

// Read calls each for each line of the log, in order. It needs memory for one line. The error is the reader's or
// the first one from each; it comes with the counts up to then. A line that cannot be read is no error.
func Read(r io.Reader, each func(Line) error) (Skipped, error) {
	var skipped Skipped
	lines := newLineReader(r)
	for {
		text, err := lines.next()
		if err == io.EOF {
			return skipped, nil
		}
		if err != nil {
			return skipped, err
		}
		l, ok := skipped.parse(text, lines.tooLong)
		if !ok {
			continue
		}
		l.complete(lines.number)
		if err := each(l); err != nil {
			return skipped, err
		}
	}
}

// Find returns the lines with this request_id: of one request, or of a batch and its items, also where they were
// refused before a decision. The error is the reader's.
func Find(r io.Reader, id string) ([]Line, error) {
	var found []Line
	lines := newLineReader(r)
	for {
		text, err := lines.next()
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return found, err
		}
		if lines.tooLong || id == "" || !bytes.Contains(text, []byte(id)) {
			continue
		}
		text, _ = withoutPrefix(text)
		var raw rawLine
		if json.Unmarshal(text, &raw) == nil && raw.isRequest() && raw.RequestID == id {
			raw.complete(lines.number)
			found = append(found, raw.Line)
		}
	}
}

// rawLine is a line as it stands in a file.
type rawLine struct {
	Line
	Lost       int     // of the line that stands for those that could not be written
	Level, Msg *string // of a log line; the program's own log describes each request in similar words
}

func (l *rawLine) isRequest() bool {
	return l.Level == nil && l.Msg == nil && l.Policy != "" && l.Method != ""
}

// complete sets the number and the parsed target of a line.
func (l *Line) complete(number int) {
	l.Number = number
	if !slices.Contains(l.Cut, "target") && !slices.Contains(l.Cut, "query") {
		l.Parsed = readTarget(l.Target, l.Query)
	}
}

// mostPrefix is the length of what may stand before a line, in bytes: the time and the stream of a container's log, or
// what syslog writes.
const mostPrefix = 256

// withoutPrefix returns the JSON object that a line ends with; nil if there is none.
func withoutPrefix(line []byte) (object []byte, prefixed bool) {
	if line[0] == '{' {
		return line, false
	}
	at := bytes.Index(line, []byte(`{"`))
	if at < 0 || at > mostPrefix {
		return nil, true
	}
	return line[at:], true
}

// parse reads one line, or counts it as skipped.
func (s *Skipped) parse(text []byte, tooLong bool) (l Line, ok bool) {
	switch {
	case tooLong:
		s.TooLong++
		return l, false
	case len(text) == 0:
		return l, false
	}
	text, prefixed := withoutPrefix(text)
	switch {
	case text == nil, prefixed && !json.Valid(text):
		s.Other++
		return l, false
	case !json.Valid(text):
		s.Broken++
		return l, false
	}
	var raw rawLine
	err := json.Unmarshal(text, &raw)
	l = raw.Line
	switch {
	case err == nil && raw.Lost > 0 && l.Method == "" && raw.Msg == nil:
		s.Lost += raw.Lost
	case err != nil, !raw.isRequest():
		s.Other++
	case strings.HasPrefix(l.Target, OwnPath):
		s.Own++
	case l.Decision == Refuse:
		s.refused(l.Reason)
	case l.Decision == Allow, l.Decision == Deny, l.Decision == Limit:
		return l, true
	default:
		s.Other++
	}
	return l, false
}

func (s *Skipped) refused(reason string) {
	if s.Refused == nil {
		s.Refused = make(map[string]int)
	}
	s.Refused[reason]++
}

// readTarget reads a target and the names of its options; nil if the result is not certain.
func readTarget(path string, query []string) *odata.Target {
	t, err := odata.ParseReadable(path)
	if err != nil || len(query) == 0 {
		return t
	}
	t, err = odata.Parse(t.EscapedPath(), strings.Join(query, "=&")+"=")
	if err != nil || !slices.Equal(t.OptionNames(), query) {
		return nil
	}
	return t
}
