package policycmd

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"graphproxy/policy"
	"graphproxy/policy/analysis/audit"
	"graphproxy/policy/graph/odata"
)

// recorded is the request of an audit log that explain is asked for.
type recorded struct {
	id   string
	logs []string
}

// check refuses arguments that contradict it.
func (r recorded) check(cmd *cobra.Command, args []string, c circumstances) error {
	switch {
	case len(args) > 0 || c.body != "" || c.at != "":
		return fmt.Errorf("%s: --request-id and --audit stand without CALLER, request, --body and --at: the log has them",
			cmd.CommandPath())
	case r.id == "":
		return fmt.Errorf("%s: --request-id ID is missing; see %s --help", cmd.CommandPath(), cmd.CommandPath())
	case len(r.logs) == 0:
		return fmt.Errorf("%s: --audit FILE is missing; see %s --help", cmd.CommandPath(), cmd.CommandPath())
	}
	return nil
}

// recordedRequest is a request of the audit log with its explanation by the present policy, as JSON.
type recordedRequest struct {
	Time     time.Time    `json:"time"`
	Caller   string       `json:"caller"`
	Method   string       `json:"method"`
	Target   string       `json:"target"`
	Item     string       `json:"item,omitempty"` // of a batch
	Decision string       `json:"decision"`       // as recorded, also the following ones
	Reason   string       `json:"reason,omitempty"`
	Rule     string       `json:"rule,omitempty"`
	Status   int          `json:"status"`
	Hash     string       `json:"policy"`
	Now      *explanation `json:"now,omitempty"`  // by the present policy; absent where that has nothing to decide
	Note     string       `json:"note,omitempty"` // why it is absent, or what it does not know
}

// recordedRequests is the result of explain --request-id, as JSON.
type recordedRequests struct {
	Policy   string            `json:"policy"`
	Hash     string            `json:"hash"`
	Requests []recordedRequest `json:"requests"`
}

// explainRecorded explains each line with the id: that of a request, or those of a batch and its items.
func explainRecorded(cmd *cobra.Command, environ []string, file string, r recorded) error {
	p, err := ReadPolicy(file)
	if err != nil {
		return err
	}
	result := recordedRequests{Policy: p.File(), Hash: p.Hash()}
	var found []audit.Line
	err = readLogs(cmd, environ, r.logs, func(log io.Reader) (err error) {
		found, err = audit.Find(log, r.id)
		return err
	})
	if err != nil {
		return err
	}
	for i := range found {
		one, err := explainLine(p, &found[i])
		if err != nil {
			return err
		}
		result.Requests = append(result.Requests, one)
	}
	if len(result.Requests) == 0 {
		return fmt.Errorf(
			"no request in %s has the request id %.80q; an older part of the log may have it",
			strings.Join(r.logs, ", "),
			r.id,
		)
	}
	if err := write(cmd, result, result.text); err != nil {
		return err
	}
	if result.denied() {
		return ErrNo
	}
	return nil
}

// noValues is what an explanation does not know of a recorded request.
const noValues = "the log has no values of query options and no body: conditions on them are judged as if they were " +
	"empty"

func explainLine(p *policy.Policy, l *audit.Line) (recordedRequest, error) {
	r := recordedRequest{
		Time:     l.Time,
		Caller:   l.Caller,
		Method:   l.Method,
		Target:   l.Target,
		Item:     l.Item,
		Decision: l.Decision,
		Reason:   l.Reason,
		Rule:     l.Rule,
		Status:   l.Status,
		Hash:     l.Policy,
	}
	switch {
	case l.Decision == audit.Refuse:
		r.Note = "it was refused before a decision: docs/errors.md has the reason"
		return r, nil
	case l.Parsed == nil:
		r.Note = "its target cannot be read back from the log"
		return r, nil
	case checkCaller(p, l.Caller) != nil:
		r.Note = "the present policy has no such caller"
		return r, nil
	}
	request := policy.Request{Caller: l.Caller, Method: l.Method, Target: l.Parsed, Body: &policy.Body{}, At: l.Time}
	now, err := explanationOf(p, request)
	r.Now = &now
	if len(l.Query) > 0 || l.Method != "GET" && l.Method != "HEAD" && l.Method != "DELETE" {
		r.Note = noValues
	}
	return r, err
}

// denied reports whether the present policy denies one of the requests, or one was refused.
func (r recordedRequests) denied() bool {
	for _, one := range r.Requests {
		if one.Now == nil || one.Now.Decision == "deny" {
			return true
		}
	}
	return false
}

func (r recordedRequests) text(w io.Writer) error {
	var err error
	for i, one := range r.Requests {
		if i > 0 {
			fmt.Fprintln(w)
		}
		err = errors.Join(err, one.text(w))
	}
	return err
}

func (r recordedRequest) text(w io.Writer) error {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-9s %s\n", name, odata.Visible(fmt.Sprintf(format, args...)))
	}
	item := ""
	if r.Item != "" {
		item = ", item " + r.Item + " of a batch"
	}
	line("recorded", "%s: %s %s %s%s", r.Time.Format(time.RFC3339), r.Caller, r.Method, r.Target, item)
	verdict := r.Decision
	if r.Rule != "" {
		verdict += ", by " + r.Rule
	}
	if r.Reason != "" {
		verdict += ", " + r.Reason
	}
	line("", "%s, status %d, policy %s", verdict, r.Status, r.Hash)
	if r.Note != "" {
		line("note", "%s", r.Note)
	}
	if r.Now == nil {
		return nil
	}
	return r.Now.text(w)
}
