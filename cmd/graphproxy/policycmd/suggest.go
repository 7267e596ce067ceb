package policycmd

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"graphproxy/policy/analysis/audit"
	"graphproxy/policy/analysis/suggest"
	"graphproxy/policy/graph/catalog"
)

func newSuggest(environ []string) *cobra.Command {
	var logs []string
	var pin, denied bool
	var operations []string
	var into string
	cmd := &cobra.Command{
		Use:   "suggest --audit FILE",
		Short: "Write the rules that an audit log of report mode asks for",
		Long: "suggest writes, as YAML ready to paste, the smallest set of rules that allows what an audit log " +
			"saw. Keys " +
			"become {id}; with --pin those\nof which only one value was seen stay that value. Status 0: rules were " +
			"found. 1: " +
			"the log asks for none. 2: it cannot be read.\n" +
			"With --denied it suggests rules for requests that were refused because no rule allows them, too.\n" +
			"With --into it prints a unified patch that adds the rules to a policy, for git apply or patch -p1. It " +
			"writes no file.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(logs) == 0 {
				return fmt.Errorf("%s: --audit FILE is missing; see %s --help", cmd.CommandPath(), cmd.CommandPath())
			}
			known, err := suggestOperations(operations)
			if err != nil {
				return err
			}
			o := suggest.Options{Pin: pin, Operations: known, Denied: denied}
			if into != "" {
				return suggestInto(cmd, environ, o, logs, into)
			}
			return suggestRules(cmd, environ, o, logs)
		},
	}
	cmd.Flags().StringArrayVar(&logs, "audit", nil, auditUsage)
	cmd.Flags().BoolVar(&denied, "denied", false, "suggest rules for requests that no rule allowed, too")
	cmd.Flags().BoolVar(&pin, "pin", false, "keep a key of which only one value was seen")
	cmd.Flags().StringVar(&into, "into", "", "print a unified patch that adds to this policy, a `FILE` or "+
		"directory, what "+
		"it does not allow yet")
	cmd.Flags().StringArrayVar(&operations, "operations", nil,
		"know the operations of a `FILE` of lines METHOD /path; beta in its name means the version beta. May be given "+
			"several times")
	return cmd
}

// suggestion is the result of the command suggest, as JSON.
type suggestion struct {
	*suggest.Suggestion
	Skipped audit.Skipped `json:"skipped"`
}

func suggestRules(cmd *cobra.Command, environ []string, o suggest.Options, logs []string) error {
	result, err := suggestFrom(cmd, environ, o, logs)
	if err != nil {
		return err
	}
	if err := write(cmd, result, result.text); err != nil {
		return err
	}
	return result.found()
}

// suggestFrom reads the logs and returns the suggestion for them.
func suggestFrom(cmd *cobra.Command, environ []string, o suggest.Options, logs []string) (suggestion, error) {
	s := suggest.New(o)
	var skipped audit.Skipped
	err := readLogs(cmd, environ, logs, func(log io.Reader) (err error) {
		skipped, err = audit.Read(log, func(l audit.Line) error { s.Add(l); return nil })
		return err
	})
	if err != nil {
		return suggestion{}, err
	}
	result := suggestion{s.Suggest(), skipped}
	return result, result.Verify()
}

// found returns an error that makes the answer no, unless there are rules.
func (s suggestion) found() error {
	if !slices.ContainsFunc(s.Callers, func(c suggest.Caller) bool { return len(c.Rules) > 0 }) {
		return ErrNo
	}
	return nil
}

func (s suggestion) text(w io.Writer) error {
	err := s.WriteYAML(w)
	for _, note := range skippedNotes(s.Skipped) {
		_, e := fmt.Fprintf(w, "# %s\n", note)
		err = errors.Join(err, e)
	}
	return err
}

// skippedNotes describes the lines of a log that were skipped.
func skippedNotes(s audit.Skipped) []string {
	var notes []string
	for _, reason := range slices.Sorted(maps.Keys(s.Refused)) {
		notes = append(notes, fmt.Sprintf("%s refused before it was judged: %s", count(s.Refused[reason], "request"),
			reason))
	}
	if s.Lost > 0 {
		notes = append(notes, count(s.Lost, "line")+" lost, because they could not be written: the log is not whole")
	}
	if s.Own > 0 {
		notes = append(notes, count(s.Own, "request")+" that graphproxy answered itself")
	}
	if s.Other > 0 {
		notes = append(notes, count(s.Other, "line")+" of something else than requests")
	}
	if s.Broken+s.TooLong > 0 {
		notes = append(notes, count(s.Broken+s.TooLong, "line")+" broken off or too long")
	}
	return notes
}

// suggestOperations returns Graph's operations: those of the embedded lists and of the files.
func suggestOperations(files []string) (*suggest.Operations, error) {
	all := suggest.Embedded()
	return all, eachOperations(files, func(f io.Reader, version string) error { return all.Read(f, version) })
}

// eachOperations opens files of operations, and passes each on with the version in its name.
func eachOperations(files []string, read func(f io.Reader, version string) error) error {
	for _, name := range files {
		f, err := OpenFile(name)
		if err != nil {
			return err
		}
		err = read(f, catalog.VersionOf(name))
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
