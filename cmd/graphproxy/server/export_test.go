package server

import "context"

// Settle is how long a changed file must stay as it is.
const Settle = settle

// FileSet is a fileSet.
type FileSet struct{ fileSet }

// Watch returns a FileSet of files as they are now.
func Watch(names ...string) (*FileSet, error) {
	f := &FileSet{fileSet{names: names}}
	_, err := f.read()
	return f, err
}

// Changed is changed.
func (f *FileSet) Changed(ctx context.Context) ([][]byte, error) { return f.changed(ctx) }
