package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"

	"graphproxy/cmd/graphproxy/logwriter"
)

// flushTimeout is how long the process waits at its end for a log that is slow.
const flushTimeout = 5 * time.Second

// AuditLog is the destination of audit lines, and decides what happens while they cannot be written. A nil AuditLog
// discards them. It is safe for concurrent use.
type AuditLog struct {
	*logwriter.Writer
	refuse bool // requests that cannot be recorded are refused
	log    *slog.Logger
}

// OpenAudit opens the destination of audit lines: "-" is stdout, "off" discards them (nil), any other is a file's
// path. Only its owner may read a new file, because it shows who asked for whom. With refuse, requests must not go
// on while lines cannot be written.
func OpenAudit(where string, refuse bool, stdout io.Writer, log *slog.Logger) (*AuditLog, error) {
	a := &AuditLog{refuse: refuse, log: log}
	options := logwriter.Options{Lost: lostLines, Failed: a.failed, Reopened: a.reopened, Resumed: a.resumed}
	switch where {
	case "off":
		return nil, nil
	case "-":
		a.Writer = logwriter.New(stdout, options)
		return a, nil
	}
	w, err := logwriter.Open(where, options)
	if err != nil {
		return nil, fmt.Errorf("the audit log %w", err)
	}
	a.Writer = w
	return a, nil
}

// lostLines is the audit line that stands for n lines that were lost.
func lostLines(n int) []byte {
	line, _ := json.Marshal(struct { // of a time and a number: cannot fail
		Time time.Time `json:"time"`
		Lost int       `json:"lost"`
	}{time.Now().UTC(), n})
	return append(line, '\n')
}

func (a *AuditLog) failed(err error) {
	a.log.Error("audit lines cannot be written", "error", err, "requests_are_refused", a.refuse)
}

func (a *AuditLog) reopened() { a.log.Info("the audit log is open anew") }

func (a *AuditLog) resumed(lost int64) {
	a.log.Warn("audit lines are written again", "lost_since_start", lost)
}

// writer returns a in the form for proxy.Config: nil for none, and not an interface that contains nil.
func (a *AuditLog) writer() io.Writer {
	if a == nil {
		return nil
	}
	return a
}

// refusal returns why requests must be refused now, or nil.
func (a *AuditLog) refusal() error {
	if a == nil || !a.refuse {
		return nil
	}
	return a.Err()
}

// reopen opens a file by its name again.
func (a *AuditLog) reopen() {
	if a != nil {
		a.Reopen()
	}
}

// Close writes the waiting lines, for a few seconds at most. No line may be written afterwards.
func (a *AuditLog) Close() {
	if a == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := a.Writer.Close(ctx); err != nil {
		a.log.Error("audit lines are lost", "error", err)
	}
}

// auditState is the audit log in /readyz.
type auditState struct {
	Ready   bool   `json:"ready"` // lines can be written, or requests go on without
	Error   string `json:"error,omitempty"`
	Waiting int    `json:"waiting"`
	Lost    int64  `json:"lost"`
}

// state returns the audit log's part of /readyz; nil without an audit log.
func (a *AuditLog) state() *auditState {
	if a == nil {
		return nil
	}
	now := a.State()
	s := &auditState{Ready: now.Err == nil || !a.refuse, Waiting: now.Waiting, Lost: now.Lost}
	if now.Err != nil {
		s.Error = now.Err.Error()
	}
	return s
}
