package policycmd

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"graphproxy/cmd/graphproxy/config"
	"graphproxy/policy"
	"graphproxy/policy/analysis/lint"
	"graphproxy/policy/operations"
	"graphproxy/proxy"
)

func newCheck(settings *config.Config) *cobra.Command {
	var strict bool
	var operations, listen []string
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Tell all errors and warnings of a policy file",
		Long: "check reports every error of a policy file, its failing tests among them, and every warning. Status 0: it " +
			"loads. 1: it does not, or\nthere is a warning and --strict is given. 2: the file cannot be read.",
		Args: arguments("[FILE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			known, err := readOperations(operations)
			if err != nil {
				return err
			}
			o := lint.Options{Operations: known, Public: settings.Public(), Now: time.Now()}
			if len(listen) > 0 {
				if o.Public, err = config.IsPublic(listen); err != nil {
					return fmt.Errorf("--listen: %w", err)
				}
			}
			o.Plain = o.Public && settings.TLSCertFile == ""
			o.Keyless = keyless(settings)
			return check(cmd, fileOf(args, settings), o, strict)
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "end with status 1 for warnings, too")
	cmd.Flags().StringArrayVar(&listen, "listen", nil,
		"warn of what is unsafe where the proxy listens on this `ADDRESS`, host:port or unix:/path; without it "+
			"GRAPHPROXY_LISTEN counts. "+
			"May be given several times")
	cmd.Flags().StringArrayVar(&operations, "operations", nil,
		"know the operations of a `FILE` of lines METHOD /path, too; beta in its name means the version beta. May be given "+
			"several times")
	return cmd
}

// keyless returns the names of the app registrations whose links cannot be marked.
func keyless(settings *config.Config) []string {
	var names []string
	for _, a := range settings.Apps() {
		if settings.LinkKeyFile == "" && a.LacksLinkKey() {
			names = append(names, a.Name)
		}
	}
	return names
}

// checkResult is the result of the command check, as JSON.
type checkResult struct {
	File     string    `json:"file"`
	Hash     string    `json:"hash,omitempty"` // if it loads
	OK       bool      `json:"ok"`             // it loads
	Callers  int       `json:"callers"`
	Rules    int       `json:"rules"`
	Tests    int       `json:"tests"`
	Errors   []problem `json:"errors"`
	Warnings []problem `json:"warnings"`
}

type problem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line"`
	Where   string `json:"where,omitempty"`
	Message string `json:"message"`

	place string
}

func check(cmd *cobra.Command, file string, o lint.Options, strict bool) error {
	files, err := readFiles(file)
	if err != nil {
		return err
	}
	result := checkResult{File: file, Errors: []problem{}, Warnings: []problem{}}
	p, err := policy.ParseFiles(time.Now(), files, proxy.CheckEvidence)
	if err != nil {
		result.Errors = problemsOf(err)
	} else {
		result.loaded(p, lint.Check(p, o))
	}
	if err := write(cmd, result, result.text); err != nil {
		return err
	}
	if !result.OK || strict && len(result.Warnings) > 0 {
		return ErrNo
	}
	return nil
}

func problemsOf(err error) []problem {
	var known policy.Errors
	if !errors.As(err, &known) {
		return []problem{{Message: err.Error()}}
	}
	return problems(known)
}

func problems(errs []*policy.Error) []problem {
	all := []problem{}
	for _, e := range errs {
		all = append(all, problem{File: e.File, Line: e.Line, Where: e.Where, Message: e.Message, place: e.Place() + ": "})
	}
	return all
}

func (r *checkResult) loaded(p *policy.Policy, warnings []*policy.Error) {
	r.OK, r.Hash, r.Callers, r.Tests, r.Warnings = true, p.Hash(), len(p.Callers()), len(p.Test()), problems(warnings)
	for _, c := range p.Callers() {
		allow, deny := p.Rules(c.Name)
		r.Rules += len(allow) + len(deny)
	}
}

func (r checkResult) text(w io.Writer) error {
	for _, e := range r.Errors {
		fmt.Fprintf(w, "%s%s\n", e.place, e.Message)
	}
	for _, e := range r.Warnings {
		fmt.Fprintf(w, "%swarning: %s\n", e.place, e.Message)
	}
	if !r.OK {
		_, err := fmt.Fprintf(w, "%s does not load: %s\n", r.File, count(len(r.Errors), "error"))
		return err
	}
	_, err := fmt.Fprintf(w, "%s loads, hash %s: %s, %s, %s, %s\n", r.File, r.Hash, count(r.Callers, "caller"),
		count(r.Rules, "rule"), count(r.Tests, "test"), count(len(r.Warnings), "warning"))
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// readOperations returns Graph's operations: those of the embedded lists and of the files.
func readOperations(files []string) (*operations.Set, error) {
	all, err := operations.Embedded()
	if err != nil {
		return nil, err
	}
	return all, eachOperations(files, func(f io.Reader, version string) error { return all.Read(f, version) })
}
