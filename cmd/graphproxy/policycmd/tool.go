// Package policycmd is the command graphproxy policy, with which a security team checks a policy file before it is
// deployed.
//
// It decides the output and the exit status of the commands: 0 yes, 1 no, 2 no answer. Package graphproxy/policy
// and the packages below it decide what a policy means. The package reads files, and only the environment that it
// is given; it uses no network.
package policycmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"graphproxy/cmd/graphproxy/config"
	"graphproxy/cmd/graphproxy/policyfiles"
	"graphproxy/cmd/graphproxy/terminal"
	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
	"graphproxy/proxy"
)

// ErrNo is returned by a command whose answer is no: denied, failing, differing. The command has printed the
// details.
var ErrNo = errors.New("no")

// New makes the command with its subcommands. They read the policy file's name, and whether other machines can
// reach the proxy, from the environment.
func New(environ []string) *cobra.Command {
	policy := &cobra.Command{
		Use:   "policy",
		Short: "Check, test, explain, compare, lay out and suggest policy files",
		Long: "policy answers questions about a policy file. Where no FILE is given it is that of GRAPHPROXY_POLICY, or " +
			"else policy.yaml.\nIt ends with status 0 for yes, 1 for no and 2 for no answer. docs/policy.md shows " +
			"each command.",
		Args: cobra.ArbitraryArgs, // otherwise cobra answers an unknown command itself, in several lines
		RunE: RunNone,
	}
	policy.SuggestionsMinimumDistance = 2
	policy.PersistentFlags().Bool("json", false, "print JSON for machines")
	settings, _ := config.Parse(environ) // serve reports problems of other settings
	shown := func(cmd *cobra.Command, look terminal.Look) *cobra.Command {
		return terminal.ForPeople(cmd, environ, look)
	}
	policy.AddCommand(
		shown(newCheck(settings), checkLook()),
		shown(newTest(settings), testLook()),
		shown(newExplain(settings, environ), explainLook()),
		shown(newDiff(environ), diffLook()),
		newGraph(settings),
		newFormat(settings), // a file is never folded
		newSuggest(environ), // YAML to paste is never folded
		newLimits(),
		newSchema(),
	)
	return policy
}

// RunNone is the RunE of a command that only has subcommands: it prints the help, and returns an error with the cure.
func RunNone(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	cmd.SetOut(cmd.ErrOrStderr()) // help after a mistake is not a result
	return errors.Join(cmd.Help(), errors.New("\nsay which command to run"))
}

func unknownCommand(cmd *cobra.Command, name string) error {
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		return fmt.Errorf("%s: unknown command %q; did you mean %q?", cmd.CommandPath(), name, near[0])
	}
	return fmt.Errorf("%s: unknown command %q; see %s --help", cmd.CommandPath(), name, cmd.CommandPath())
}

// arguments refuses too few and too many arguments. Arguments in brackets are optional.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > len(names) {
			return fmt.Errorf("%s: %q is one argument too many; see %s --help", cmd.CommandPath(), args[len(names)],
				cmd.CommandPath())
		}
		if len(args) < len(names) && !strings.HasPrefix(names[len(args)], "[") {
			return fmt.Errorf("%s: %s is missing; see %s --help", cmd.CommandPath(), names[len(args)], cmd.CommandPath())
		}
		return nil
	}
}

// fileOf returns the one argument that names a policy file, or else the environment's.
func fileOf(args []string, settings *config.Config) string {
	if len(args) > 0 {
		return args[0]
	}
	return settings.Policy
}

// ReadPolicy reads a policy without running its tests. The error says that there is no policy to answer by.
func ReadPolicy(file string) (*policy.Policy, error) {
	files, err := readFiles(file)
	if err != nil {
		return nil, err
	}
	return policy.ParseFilesUntested(files, proxy.CheckEvidence)
}

// readFiles reads the files of a policy, which is a file with what it includes, or a directory.
func readFiles(file string) (policy.Files, error) {
	if info, err := os.Stat(file); err != nil || !info.IsDir() && info.Mode().IsRegular() {
		f, err := OpenFile(file)
		if err != nil {
			return policy.Files{}, err
		}
		f.Close()
	}
	return policyfiles.Read(file)
}

// OpenFile opens a file for reading. The error names the cure.
func OpenFile(name string) (*os.File, error) {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s is not there: correct the path", name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be opened: %w", name, errors.Unwrap(err))
	}
	return f, nil
}

// write writes a result: as JSON with --json, else as text.
func write(cmd *cobra.Command, result any, text func(w io.Writer) error) error {
	if asJSON, err := cmd.Flags().GetBool("json"); err != nil || !asJSON {
		return errors.Join(err, text(cmd.OutOrStdout()))
	}
	return writeJSON(cmd, result)
}

func writeJSON(cmd *cobra.Command, result any) error {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(result); err != nil {
		return err
	}
	_, err := cmd.OutOrStdout().Write(odata.VisibleJSON(out.Bytes()))
	return err
}

// ruleText is a rule as JSON has it.
type ruleText struct {
	Text       string   `json:"text"`
	Where      string   `json:"where"`
	Conditions []string `json:"conditions,omitempty"`
}

func ruleOf(r *policy.Rule) *ruleText {
	if r == nil {
		return nil
	}
	return &ruleText{r.Text, r.Where(), r.Conditions}
}

func decision(allow bool) string {
	if allow {
		return "allow"
	}
	return "deny"
}
