package policycmd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"graphproxy/cmd/graphproxy/config"
	"graphproxy/policy"
	"graphproxy/policy/analysis/diff"
	"graphproxy/policy/analysis/edit"
	"graphproxy/proxy"
)

// formatOptions are the flags of the command fmt.
type formatOptions struct{ write, list, diff, check bool }

func newFormat(settings *config.Config) *cobra.Command {
	var o formatOptions
	cmd := &cobra.Command{
		Use:   "fmt [FILE...]",
		Short: "Write policy files in one layout",
		Long: "fmt prints policy files in one layout: indentation, blank lines, blanks in brackets, columns of " +
			"comments. " +
			"Comments, order and quotes stay.\nFor a main file or a directory it does so for all files of the " +
			"policy, and for " +
			"another file of GRAPHPROXY_POLICY for that one. - is standard input.\nA policy that does not load is " +
			"refused and " +
			"stays as it is. Status 0: done. 1: with --check, a file is not in the layout. 2: a policy\ndoes not " +
			"load, or a " +
			"file cannot be read or written.",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{settings.Policy}
			}
			return format(cmd, args, settings.Policy, o)
		},
	}
	cmd.Flags().BoolVarP(&o.write, "write", "w", false, "write the files instead of printing them")
	cmd.Flags().BoolVarP(&o.list, "list", "l", false, "print the names of the files that are not in the layout")
	cmd.Flags().BoolVarP(&o.diff, "diff", "d", false, "print the changes as a unified patch")
	cmd.Flags().BoolVar(&o.check, "check", false, "end with status 1 if a file is not in the layout, and print its "+
		"name")
	return cmd
}

// formatted is one file.
type formatted struct {
	Name    string `json:"file"`
	Changed bool   `json:"changed"` // it is not in the layout

	before, after []byte
}

// formatResult is the result of the command fmt, as JSON.
type formatResult struct {
	Files []formatted `json:"files"`
}

func format(cmd *cobra.Command, args []string, own string, o formatOptions) error {
	var result formatResult
	if o.write && slices.Contains(args, "-") {
		return errors.New("standard input cannot be written to: leave -w out, or name a file")
	}
	for _, name := range args {
		files, err := formatOne(cmd, name, own)
		if err != nil {
			return err
		}
		for _, f := range files {
			if !slices.ContainsFunc(result.Files, func(g formatted) bool { return g.Name == f.Name }) {
				result.Files = append(result.Files, f)
			}
		}
	}
	if o.write {
		if err := result.write(); err != nil {
			return err
		}
	}
	if err := write(cmd, result, func(w io.Writer) error { return result.text(w, o) }); err != nil {
		return err
	}
	if o.check && slices.ContainsFunc(result.Files, func(f formatted) bool { return f.Changed }) {
		return ErrNo
	}
	return nil
}

// formatOne returns the files of a policy in the layout, or the one file that another policy, own, has.
func formatOne(cmd *cobra.Command, name, own string) ([]formatted, error) {
	if name != "-" && !sameFile(name, own) {
		if files, err := readFiles(own); err == nil {
			for _, f := range files.All[1:] {
				if !f.IsList && sameFile(name, files.Prefix+f.Name) {
					return formatFiles(files, name)
				}
			}
		}
	}
	files, err := readSource(cmd, name)
	if err != nil {
		return nil, err
	}
	return formatFiles(files, "")
}

func sameFile(a, b string) bool {
	a, errA := filepath.Abs(a)
	b, errB := filepath.Abs(b)
	return a == b && errA == nil && errB == nil
}

// formatFiles lays out the files of a policy, or only one of them. The policy must load before, and be the same after.
func formatFiles(files policy.Files, only string) ([]formatted, error) {
	before, err := policy.ParseFiles(time.Now(), files, proxy.CheckEvidence)
	if err != nil {
		return nil, err
	}
	laidOut := policy.Files{Prefix: files.Prefix, All: slices.Clone(files.All)}
	var all []formatted
	for i, f := range files.All {
		name := files.Prefix + f.Name
		if f.IsList || only != "" && !sameFile(only, name) {
			continue
		}
		after, err := edit.Layout(f.Data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		laidOut.All[i].Data = after
		all = append(all, formatted{Name: name, Changed: !bytes.Equal(f.Data, after), before: f.Data, after: after})
	}
	after, err := policy.ParseFilesUntested(laidOut, proxy.CheckEvidence)
	if err != nil {
		return nil, fmt.Errorf("the files are left as they are, because their layout would not load: %w", err)
	}
	if d := diff.Policies(before, after); !d.Empty() {
		return nil, fmt.Errorf("the files are left as they are, because their layout would change what %s means",
			before.File())
	}
	return all, nil
}

// write writes the files that change.
func (r formatResult) write() error {
	for _, f := range r.Files {
		if !f.Changed {
			continue
		}
		if err := replaceFile(f.Name, f.before, f.after); err != nil {
			return err
		}
	}
	return nil
}

// text prints what the flags ask for: names, patches, or else the files, unless they were written.
func (r formatResult) text(w io.Writer, o formatOptions) error {
	for _, f := range r.Files {
		var out []byte
		if f.Changed && (o.list || o.check && !o.diff) {
			out = append(out, f.Name+"\n"...)
		}
		if f.Changed && o.diff {
			out = append(out, edit.Patch(PatchName(f.Name), f.before, f.after)...)
		}
		if !o.list && !o.check && !o.diff && !o.write {
			out = f.after
		}
		if _, err := w.Write(out); err != nil {
			return err
		}
	}
	return nil
}
