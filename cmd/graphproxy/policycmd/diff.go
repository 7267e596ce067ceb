package policycmd

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"graphproxy/cmd/graphproxy/terminal"
	"graphproxy/policy"
	"graphproxy/policy/analysis/diff"
)

func newDiff(environ []string) *cobra.Command {
	var log string
	cmd := &cobra.Command{
		Use:   "diff OLD NEW [--audit FILE]",
		Short: "Say what each caller gains and loses from one policy file to another",
		Long: "diff says what each caller gains (+), loses (-) and does otherwise (~) from OLD to NEW, and with an audit " +
			"log which recorded requests\nwould be answered otherwise. Status 0: no difference. 1: a difference. 2: a file " +
			"cannot be read.",
		Args: arguments("OLD", "NEW"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return diffPolicies(cmd, environ, args[0], args[1], log)
		},
	}
	cmd.Flags().StringVar(&log, "audit", "", "an audit log, a `FILE` or - for standard input")
	return cmd
}

// difference is the result of the command diff, as JSON.
type difference struct {
	diff.Difference
	Requests *diff.Replayed `json:"requests,omitempty"`
}

func diffPolicies(cmd *cobra.Command, environ []string, oldFile, newFile, log string) error {
	was, err := ReadPolicy(oldFile)
	if err != nil {
		return err
	}
	is, err := ReadPolicy(newFile)
	if err != nil {
		return err
	}
	result := difference{Difference: diff.Policies(was, is)}
	if log != "" {
		if result.Requests, err = replay(cmd, environ, was, is, log); err != nil {
			return err
		}
	}
	if err := write(cmd, result, result.text); err != nil {
		return err
	}
	if result.Empty() && (result.Requests == nil || result.Requests.Empty()) {
		return nil
	}
	return ErrNo
}

func replay(cmd *cobra.Command, environ []string, was, is *policy.Policy, name string) (*diff.Replayed, error) {
	log, err := open(cmd, name)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	shown, done := terminal.Progress(environ, cmd.ErrOrStderr(), logName(name), log, sizeOf(log))
	replayed, err := diff.Replay(was, is, shown)
	done()
	if err != nil {
		return nil, fmt.Errorf("reading the audit log %s: %w", name, err)
	}
	return &replayed, nil
}

// open opens a file for reading; "-" is standard input.
func open(cmd *cobra.Command, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(cmd.InOrStdin()), nil
	}
	return OpenFile(name)
}

// logName returns a name of a log for messages.
func logName(name string) string {
	if name == "-" {
		return "standard input"
	}
	return name
}

// sizeOf returns the size of a log that is a regular file, else 0.
func sizeOf(log io.Reader) int64 {
	if f, ok := log.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return info.Size()
		}
	}
	return 0
}

func (d difference) text(w io.Writer) error {
	if err := d.WriteText(w); err != nil || d.Requests == nil {
		return err
	}
	return d.Requests.WriteText(w)
}
