package policycmd

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"graphproxy/policy"
	"graphproxy/policy/analysis/diff"
	"graphproxy/proxy"
)

// diffOptions are the options of the command diff.
type diffOptions struct {
	logs   []string
	format string // "": text, or JSON with --json
	failOn string
}

func newDiff(environ []string) *cobra.Command {
	var o diffOptions
	cmd := &cobra.Command{
		Use:   "diff OLD NEW [--audit FILE]",
		Short: "Show what each caller gains and loses from one policy to another",
		Long: "diff shows what each caller gains (+), loses (-) and has changed (~) from OLD to NEW, and with an audit " +
			"log which recorded requests\nwould be answered otherwise. Each is a file, a directory, - for standard input, or " +
			"git:REVISION:PATH.\nStatus 0: no difference. 1: a difference; with --fail-on gains: one that may let more " +
			"through. 2: a file cannot be read, or NEW does not load.",
		Args: arguments("OLD", "NEW"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(cmd, args); err != nil {
				return err
			}
			return diffPolicies(cmd, environ, args[0], args[1], o)
		},
	}
	cmd.Flags().StringArrayVar(&o.logs, "audit", nil, auditUsage)
	cmd.Flags().StringVar(&o.format, "format", "", "the `FORMAT` of the result: text, markdown, json or sarif")
	cmd.Flags().StringVar(&o.failOn, "fail-on", "difference", "end with status 1 for a `CHANGE`: difference or gains")
	return cmd
}

func (o *diffOptions) check(cmd *cobra.Command, args []string) error {
	asJSON, err := cmd.Flags().GetBool("json")
	switch {
	case err != nil:
		return err
	case asJSON && o.format != "" && o.format != "json":
		return errors.New("--json and --format contradict each other; leave one of them out")
	case asJSON:
		o.format = "json"
	case o.format == "":
		o.format = "text"
	}
	if !slices.Contains([]string{"text", "markdown", "json", "sarif"}, o.format) {
		return fmt.Errorf("--format: %.40q is none of text, markdown, json and sarif", o.format)
	}
	if o.failOn != "difference" && o.failOn != "gains" {
		return fmt.Errorf("--fail-on: %.40q is neither difference nor gains", o.failOn)
	}
	inputs := 0
	for _, name := range slices.Concat(args, o.logs) {
		if name == "-" {
			inputs++
		}
	}
	if inputs > 1 {
		return errors.New("standard input can be only one of OLD, NEW and the audit log")
	}
	return nil
}

// difference is the result of the command diff, as JSON.
type difference struct {
	Summary string `json:"summary"`
	diff.Difference
	Requests *diff.Replayed `json:"requests,omitempty"`
}

func diffPolicies(cmd *cobra.Command, environ []string, oldFile, newFile string, o diffOptions) error {
	oldFiles, err := readSource(cmd, oldFile)
	if err != nil {
		return err
	}
	was, err := policy.ParseFilesUntested(oldFiles, proxy.CheckEvidence)
	if err != nil {
		return err
	}
	newFiles, err := readSource(cmd, newFile)
	if err != nil {
		return err
	}
	is, err := policy.ParseFiles(time.Now(), newFiles, proxy.CheckEvidence)
	if err != nil {
		return fmt.Errorf("%s does not load, so the proxy would stay with what it has:\n%w", newFile, err)
	}
	result := difference{Difference: diff.Policies(was, is)}
	result.Summary = result.Difference.Summary()
	if len(o.logs) > 0 {
		if result.Requests, err = replay(cmd, environ, was, is, o.logs); err != nil {
			return err
		}
	}
	if err := result.write(cmd, o.format); err != nil {
		return err
	}
	if o.failOn == "gains" && !result.gains() || result.isEmpty() {
		return nil
	}
	return ErrNo
}

func (d difference) isEmpty() bool { return d.Empty() && (d.Requests == nil || d.Requests.Empty()) }

// gains reports whether the new policy may let more through.
func (d difference) gains() bool {
	return d.Gains() || d.Requests != nil && d.Requests.Gains()
}

func (d difference) write(cmd *cobra.Command, format string) error {
	switch format {
	case "markdown":
		return d.markdown(cmd.OutOrStdout())
	case "sarif":
		return writeJSON(cmd, sarifOf(d))
	case "json":
		return writeJSON(cmd, d)
	}
	return d.text(cmd.OutOrStdout())
}

func replay(cmd *cobra.Command, environ []string, was, is *policy.Policy, logs []string) (*diff.Replayed, error) {
	var replayed diff.Replayed
	err := readLogs(cmd, environ, logs, func(log io.Reader) (err error) {
		replayed, err = diff.Replay(was, is, log)
		return err
	})
	return &replayed, err
}

func (d difference) text(w io.Writer) error {
	if err := d.WriteText(w); err != nil || d.Requests == nil {
		return err
	}
	return d.Requests.WriteText(w)
}
