package policycmd

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"graphproxy/cmd/graphproxy/terminal"
)

const auditUsage = "an audit log, a `FILE`, also gzipped, or - for standard input. May be given several times"

// readLogs passes the text of the logs on, one after the other.
func readLogs(cmd *cobra.Command, environ []string, names []string, read func(io.Reader) error) error {
	var all []io.Reader
	var size int64
	isKnown := true
	for _, name := range names {
		log, err := open(cmd, name)
		if err != nil {
			return err
		}
		defer log.Close()
		text, zipped, err := plain(log)
		if err != nil {
			return fmt.Errorf("reading the audit log %s: %w", logName(name), err)
		}
		size += sizeOf(log)
		isKnown = isKnown && !zipped && sizeOf(log) > 0
		all = append(all, text, strings.NewReader("\n")) // the last line of a log may have no end
	}
	if !isKnown {
		size = 0
	}
	title := logName(names[0])
	if len(names) > 1 {
		title = count(len(names), "log")
	}
	shown, done := terminal.Progress(environ, cmd.ErrOrStderr(), title, io.MultiReader(all...), size)
	err := read(shown)
	done()
	if err != nil {
		return fmt.Errorf("reading the audit log %s: %w", title, err)
	}
	return nil
}

// plain returns the text of a log, which may be gzipped.
func plain(log io.Reader) (text io.Reader, zipped bool, err error) {
	in := bufio.NewReader(log)
	if magic, _ := in.Peek(2); string(magic) != "\x1f\x8b" {
		return in, false, nil
	}
	text, err = gzip.NewReader(in)
	return text, true, err
}

// open opens a file for reading; "-" is standard input.
func open(cmd *cobra.Command, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(cmd.InOrStdin()), nil
	}
	return OpenFile(name)
}

// logName returns the name of a log for messages.
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
