package policycmd

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"graphproxy/cmd/graphproxy/config"
	"graphproxy/policy"
)

func newTest(settings *config.Config) *cobra.Command {
	return &cobra.Command{
		Use:   "test [FILE]",
		Short: "Run the tests in a policy file, and print what decided each",
		Args:  arguments("[FILE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return test(cmd, fileOf(args, settings))
		},
	}
}

// testResult is the result of the command test, as JSON.
type testResult struct {
	File   string     `json:"file"`
	Hash   string     `json:"hash"`
	Tests  []testCase `json:"tests"`
	Failed int        `json:"failed"`
}

type testCase struct {
	File    string    `json:"file"`
	Line    int       `json:"line"`
	Caller  string    `json:"caller"`
	Request string    `json:"request"`
	Want    string    `json:"want"`
	Got     string    `json:"got"`
	OK      bool      `json:"ok"`
	Rule    *ruleText `json:"rule,omitempty"`
	Message string    `json:"message"`
}

func test(cmd *cobra.Command, file string) error {
	p, err := ReadPolicy(file)
	if err != nil {
		return err
	}
	result := testResult{File: file, Hash: p.Hash(), Tests: []testCase{}}
	for _, r := range p.TestAt(time.Now()) {
		result.Tests = append(result.Tests, caseOf(r))
		if !r.OK {
			result.Failed++
		}
	}
	if err := write(cmd, result, result.text); err != nil {
		return err
	}
	if result.Failed > 0 {
		return ErrNo
	}
	return nil
}

func caseOf(r policy.Result) testCase {
	e := r.Explanation
	return testCase{
		File:    r.File,
		Line:    r.Line,
		Caller:  r.Request.Caller,
		Request: r.Text,
		Want:    decision(r.Allow),
		Got:     decision(e.Allow),
		OK:      r.OK,
		Rule:    ruleOf(e.Rule),
		Message: e.String(),
	}
}

func (r testResult) text(w io.Writer) error {
	for _, c := range r.Tests {
		verdict := "ok  "
		if !c.OK {
			verdict = "FAIL"
		}
		fmt.Fprintf(w, "%s  %s:%d: %s: %s %s\n", verdict, c.File, c.Line, c.Caller, c.Request, c.Message)
	}
	summary := fmt.Sprintf("%d tests passed", len(r.Tests))
	switch {
	case len(r.Tests) == 0:
		summary = r.File + " has no tests; write some under tests:, and the file does not load when one fails"
	case r.Failed > 0:
		summary = fmt.Sprintf("%d of %d tests failed", r.Failed, len(r.Tests))
	}
	_, err := fmt.Fprintln(w, summary)
	return err
}
