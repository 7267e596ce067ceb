package policycmd

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"graphproxy/policy"
	"graphproxy/policy/analysis/edit"
	"graphproxy/policy/analysis/suggest"
	"graphproxy/proxy"
)

// merged is the result of the command suggest with --into, as JSON.
type merged struct {
	suggestion
	Patch   string   `json:"patch"`             // unified; "" if there is nothing to add
	New     []string `json:"new,omitempty"`     // callers that the patch adds, without an identity
	Notes   []string `json:"notes,omitempty"`   // what the rules do not cover
	Problem string   `json:"problem,omitempty"` // why the policy does not load with the patch
}

// suggestInto prints a patch that adds a suggestion to a policy. What is not part of the patch goes to standard error.
func suggestInto(cmd *cobra.Command, environ []string, o suggest.Options, logs []string, into string) error {
	files, err := readFiles(into)
	if err != nil {
		return err
	}
	if o.Into, err = policy.ParseFilesUntested(files, proxy.CheckEvidence); err != nil {
		return err
	}
	result, err := suggestFrom(cmd, environ, o, logs)
	if err != nil {
		return err
	}
	m, err := result.Into(time.Now(), files, o.Into, proxy.CheckEvidence)
	if err != nil {
		return err
	}
	out := merged{suggestion: result, Patch: Patches(files, m, PatchName), New: m.New}
	out.Notes = append(m.Notes, skippedNotes(result.Skipped)...)
	if m.Problem != nil {
		out.Problem = m.Problem.Error()
	}
	for _, line := range out.remarks() {
		fmt.Fprintln(cmd.ErrOrStderr(), line)
	}
	if err := write(cmd, out, func(w io.Writer) error {
		_, err := io.WriteString(w,
			out.Patch)
		return err
	}); err != nil {
		return err
	}
	return result.found()
}

// remarks are what a person must know besides the patch.
func (m merged) remarks() []string {
	lines := append([]string{}, m.Notes...)
	for _, name := range m.New {
		lines = append(lines, fmt.Sprintf("%s: this caller is new: write its identity before the policy is used; "+
			"it does not "+
			"load without it", name))
	}
	if m.Problem != "" {
		lines = append(lines, "with this patch the policy does not load:\n"+m.Problem)
	}
	return lines
}

// Patches returns the difference of the files of a policy from those with a suggestion, as one unified patch. Name
// returns the name of a file for it.
func Patches(files policy.Files, m suggest.Merged, name func(string) string) string {
	var b strings.Builder
	for _, i := range m.Changed {
		f := files.All[i]
		b.Write(edit.Patch(name(files.Prefix+f.Name), f.Data, m.Files.All[i].Data))
	}
	return b.String()
}

// PatchName returns the name of a file in a patch: from the working directory if the file is below it, else from the
// root directory.
func PatchName(file string) string {
	whole, err := filepath.Abs(file)
	if err != nil {
		return filepath.ToSlash(file)
	}
	if here, err := filepath.Abs("."); err == nil {
		if name, err := filepath.Rel(here, whole); err == nil && filepath.IsLocal(name) {
			return filepath.ToSlash(name)
		}
	}
	return strings.TrimPrefix(filepath.ToSlash(whole), "/")
}
