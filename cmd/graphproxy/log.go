package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"time"

	"graphproxy/cmd/graphproxy/logwriter"
)

// asyncLog is a logger whose writes never wait for the reader.
type asyncLog struct {
	*slog.Logger
	writer *logwriter.Writer
}

// newLog returns a logger to w. newLogger returns a logger to a writer, with the configured level and format.
func newLog(w io.Writer, newLogger func(io.Writer) *slog.Logger) asyncLog {
	lost := func(n int) []byte {
		var line bytes.Buffer
		newLogger(&line).Error("log lines were lost, because the program that reads the log did not read on", "lost", n)
		return line.Bytes()
	}
	writer := logwriter.New(w, logwriter.Options{Lost: lost})
	return asyncLog{Logger: newLogger(writer), writer: writer}
}

// close writes the waiting lines, for a moment at most.
func (l asyncLog) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = l.writer.Close(ctx) // there is no log left to report to
}
