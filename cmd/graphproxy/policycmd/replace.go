package policycmd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// replaceFile puts a new text in the place of a file that has the text before. The file is replaced as a whole, by a
// rename, and keeps its mode. Of a symbolic link the file that it leads to is replaced. A file that has changed
// meanwhile is left as it is.
func replaceFile(name string, before, after []byte) error {
	path, err := filepath.EvalSymlinks(name)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file, and cannot be written; leave -w out", name)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, before) {
		return errors.Join(fmt.Errorf("%s has changed while it was read, and is left as it is; run the command "+
			"again", name), err)
	}
	if err := replace(path, info.Mode().Perm(), after); err != nil {
		return fmt.Errorf("writing %s, which is left as it is: %w", name, err)
	}
	return nil
}

// replace writes a file beside the one at a path, and renames it to that path.
func replace(path string, mode fs.FileMode, data []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".graphproxy-fmt-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // it is not there any more after the rename
	_, err = temporary.Write(data)
	err = errors.Join(err, temporary.Chmod(mode), temporary.Sync(), temporary.Close())
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}
