package policycmd

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"graphproxy/cmd/graphproxy/config"
	"graphproxy/policy"
)

func newTest(settings *config.Config) *cobra.Command {
	var all bool
	var least int
	cmd := &cobra.Command{
		Use:   "test [FILE]",
		Short: "Run the tests in a policy file, and list what they do not reach",
		Long: "test runs the tests of a policy file. It prints those that fail, and the rules and callers that no test " +
			"reaches: a test reaches the\nrule that decides it, and the caller that its evidence proves. " +
			"Status 0: all passed. 1: a test fails, or fewer rules are " +
			"reached than --min-coverage asks for. 2: the file does not load.",
		Args: arguments("[FILE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if least < 0 || least > 100 {
				return fmt.Errorf("--min-coverage: %d is no percentage; write a number from 0 to 100", least)
			}
			return test(cmd, fileOf(args, settings), all, least)
		},
	}
	cmd.Flags().
		BoolVarP(&all, "verbose", "v", false, "print the tests that pass, too, and everything that no test reaches")
	cmd.Flags().
		IntVar(&least, "min-coverage", 0, "end with status 1 if the tests reach less than `N` percent of the rules")
	return cmd
}

// testResult is the result of the command test, as JSON.
type testResult struct {
	File   string     `json:"file"`
	Hash   string     `json:"hash"`
	Tests  []testCase `json:"tests"`
	Failed int        `json:"failed"`
	// what the tests reach
	Coverage coverage `json:"coverage"`

	all   bool // print what passes, too
	least int  // percent of the rules that must be reached
}

type testCase struct {
	File    string    `json:"file"`
	Line    int       `json:"line"`
	Caller  string    `json:"caller"`
	Request string    `json:"request"` // or the evidence
	Want    string    `json:"want"`    // allow or deny; of evidence, the caller or none
	Got     string    `json:"got"`
	OK      bool      `json:"ok"`
	Rule    *ruleText `json:"rule,omitempty"`
	Message string    `json:"message"`

	// of a test of evidence: the kind that named the caller, or the code of the 401
	Evidence string `json:"evidence,omitempty"`
}

func test(cmd *cobra.Command, file string, all bool, least int) error {
	p, err := ReadPolicy(file)
	if err != nil {
		return err
	}
	result := testResult{File: file, Hash: p.Hash(), Tests: []testCase{}, all: all, least: least}
	results := p.TestAt(time.Now())
	for _, r := range results {
		result.Tests = append(result.Tests, caseOf(r))
		if !r.OK {
			result.Failed++
		}
	}
	result.Coverage = coverageOf(p, results)
	if err := write(cmd, result, result.text); err != nil {
		return err
	}
	if result.Failed > 0 || result.Coverage.Percent < least {
		return ErrNo
	}
	return nil
}

func caseOf(r policy.Result) testCase {
	e := r.Explanation
	c := testCase{
		File:    r.File,
		Line:    r.Line,
		Caller:  r.Request.Caller,
		Request: r.Text,
		Want:    decision(r.Allow),
		Got:     decision(e.Allow),
		OK:      r.OK,
		Rule:    ruleOf(e.Rule),
		Message: r.Message(),
	}
	if r.Evidence != nil {
		c.Want, c.Got = r.Request.Caller, cmp.Or(r.Proof.Caller, policy.NoCaller)
		c.Evidence = cmp.Or(r.Proof.Kind, r.Proof.Code)
	}
	return c
}

func (r testResult) text(w io.Writer) error {
	for _, ok := range []bool{false, true} {
		for _, c := range r.Tests {
			if c.OK == ok && (r.all || !ok) {
				fmt.Fprintf(w, "%-4s  %s:%d: %s: %s %s\n", verdictOf(ok), c.File, c.Line, c.Caller, c.Request, c.Message)
			}
		}
	}
	if len(r.Tests) > 0 {
		r.Coverage.text(w, r.all)
	}
	if r.Coverage.Percent < r.least {
		fmt.Fprintf(w, "the tests reach %d %% of the rules, and --min-coverage asks for %d %%\n", r.Coverage.Percent, r.least)
	}
	_, err := fmt.Fprintln(w, r.summary())
	return err
}

func (r testResult) summary() string {
	switch {
	case len(r.Tests) == 0:
		return r.File + " has no tests; write some under tests:, and the file does not load when one fails"
	case r.Failed > 0:
		return fmt.Sprintf("%d of %d tests failed", r.Failed, len(r.Tests))
	}
	return fmt.Sprintf("%d tests passed", len(r.Tests))
}

func verdictOf(ok bool) string {
	if ok {
		return "ok"
	}
	return "FAIL"
}
