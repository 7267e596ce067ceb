package server

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
)

// AuditLog is where audit lines go. A nil AuditLog is nowhere. It is safe for concurrent use: a line is never mixed with another, and none is written
// to a file that was closed by reopen.
type AuditLog struct {
	path string // "" if it is not a file
	mu   sync.Mutex
	w    io.Writer
}

// OpenAudit opens where audit lines go: "-" is stdout, "off" is nowhere (nil). A new file is readable by its owner
// only, because it says who asked for whom.
func OpenAudit(where string, stdout io.Writer) (*AuditLog, error) {
	switch where {
	case "off":
		return nil, nil
	case "-":
		return &AuditLog{w: stdout}, nil
	}
	f, err := openAppend(where)
	if err != nil {
		return nil, err
	}
	return &AuditLog{path: where, w: f}, nil
}

func openAppend(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the audit log %w", fileError(err))
	}
	return f, nil
}

// Write writes one line.
func (a *AuditLog) Write(line []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.w.Write(line)
}

// writer is a as proxy.Config wants it: nil for none, and not an interface that holds nil.
func (a *AuditLog) writer() io.Writer {
	if a == nil {
		return nil
	}
	return a
}

// reopen opens the file by its name again, after whoever rotates logs has renamed it. If that cannot be done, lines go on
// to the file that is open: better in the wrong place than lost.
func (a *AuditLog) reopen(log *slog.Logger) {
	if a == nil || a.path == "" {
		return
	}
	f, err := openAppend(a.path)
	if err != nil {
		log.Error("the audit log stays the file that is open", "error", err)
		return
	}
	a.mu.Lock()
	old := a.w
	a.w = f
	a.mu.Unlock()
	closeFile(old, log)
	log.Info("the audit log is open anew")
}

// Close closes the file, if it is one. Nothing may be written afterwards.
func (a *AuditLog) Close(log *slog.Logger) {
	if a == nil || a.path == "" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	closeFile(a.w, log)
}

func closeFile(w io.Writer, log *slog.Logger) {
	if f, ok := w.(*os.File); ok {
		if err := f.Close(); err != nil {
			log.Error("closing the audit log", "error", err)
		}
	}
}
