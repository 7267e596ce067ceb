package policycmd

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"graphproxy/policy"
	"graphproxy/policy/yamlfile"
)

// readSource reads the files of a policy from a path, from standard input ("-"), or from a revision of the git
// repository that the command runs in ("git:main:policy.yaml", from the top of the repository).
func readSource(cmd *cobra.Command, name string) (policy.Files, error) {
	if name == "-" {
		data, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), yamlfile.MaxSize+1))
		if err != nil {
			return policy.Files{}, fmt.Errorf("reading standard input: %w", err)
		}
		return policy.Files{All: []policy.File{{Name: "stdin", Data: data}}}, nil
	}
	if source, ok := strings.CutPrefix(name, "git:"); ok {
		return readRevision(name, source)
	}
	return readFiles(name)
}

// readRevision reads a file, with what it includes, or a directory, as it is in a revision.
func readRevision(name, source string) (policy.Files, error) {
	revision, file, found := strings.Cut(source, ":")
	if !found || revision == "" || file == "" {
		return policy.Files{}, fmt.Errorf("%q is no revision and path; write git:REVISION:PATH, such as git:main:policy.yaml",
			name)
	}
	commit, err := git("rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{commit}")
	if err != nil {
		return policy.Files{}, fmt.Errorf("%s: git finds no revision %.80q here: %w", name, revision, err)
	}
	file = path.Clean(file)
	if path.IsAbs(file) || file == ".." || strings.HasPrefix(file, "../") {
		return policy.Files{}, fmt.Errorf("%s: write the path as git does, from the top of the repository", name)
	}
	dir, err := os.MkdirTemp("", "graphproxy-")
	if err != nil {
		return policy.Files{}, fmt.Errorf("making a directory for %s: %w", name, err)
	}
	defer os.RemoveAll(dir)
	if err := extract(strings.TrimSpace(string(commit)), file, dir); err != nil {
		return policy.Files{}, fmt.Errorf("%s: %w", name, err)
	}
	files, err := readFiles(filepath.Join(dir, file))
	files.Prefix = strings.Replace(files.Prefix, dir+"/", revision+":", 1)
	if err != nil {
		err = errors.New(strings.ReplaceAll(err.Error(), dir+"/", revision+":"))
	}
	return files, err
}

// extract writes what a policy may be made of, in a commit, to a directory: the file or directory of that name, and
// what is beside and below the file.
func extract(commit, file, dir string) error {
	top, err := git("rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	arguments := []string{"-C", strings.TrimSpace(string(top)), "archive", "--format=tar", commit}
	if parent := path.Dir(file); parent != "." {
		arguments = append(arguments, "--", parent)
	}
	archive, err := git(arguments...)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for in := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := in.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("reading what git has: %w", err)
		case header.Typeflag == tar.TypeReg && (header.Name == file || mayBePart(header.Name)):
			if err := writeBelow(root, header.Name, in); err != nil {
				return err
			}
		}
	}
}

// mayBePart reports whether a file of this name may be included, or hold a list.
func mayBePart(name string) bool {
	switch path.Ext(name) {
	case ".yaml", ".yml", ".txt", ".list", ".csv":
		return true
	}
	return false
}

func writeBelow(root *os.Root, name string, from io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, io.LimitReader(from, yamlfile.MaxSize+1))
	return errors.Join(err, f.Close())
}

// git runs git and returns what it prints. The error is what git says.
func git(arguments ...string) ([]byte, error) {
	out, err := exec.Command("git", arguments...).Output()
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, errors.New("git is not installed, or not in PATH")
	case errors.As(err, &exit) && len(bytes.TrimSpace(exit.Stderr)) > 0:
		return nil, fmt.Errorf("git: %.200s", bytes.TrimSpace(exit.Stderr))
	case err != nil:
		return nil, fmt.Errorf("git: %w", err)
	}
	return out, nil
}
