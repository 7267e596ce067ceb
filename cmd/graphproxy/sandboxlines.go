package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"graphproxy/cmd/graphproxy/server"
	"graphproxy/cmd/graphproxy/terminal"
	"graphproxy/policy/graph/odata"
)

// requestLines shows a person at a terminal a line for each request, made from its audit line, and one for each
// outcome of a reload. Each line is written with one Write. Safe for concurrent use.
type requestLines struct {
	mu     sync.Mutex
	w      io.Writer
	colour bool
}

// newRequestLines returns nil if w is no terminal. NO_COLOR with any value turns off colours
// (https://no-color.org).
func newRequestLines(w io.Writer, environ []string) *requestLines {
	if !terminal.Is(w) {
		return nil
	}
	return &requestLines{w: w, colour: terminal.Colours(environ, w)}
}

// painted returns text in a colour, without characters that a terminal would act on.
func (l *requestLines) painted(colour terminal.Colour, text string) string {
	text = odata.Visible(text)
	if !l.colour {
		return text
	}
	return colour.Paint(text)
}

func (l *requestLines) print(parts ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.w, strings.Join(parts, "  "))
}

// seen has the fields of an audit line that a line shows.
type seen struct {
	Time                                                 time.Time
	Caller, Method, Target, Rule, Decision, Reason, Item string
	Query                                                []string
	WouldDeny                                            bool `json:"would_deny"`
	Status                                               int
	Millis                                               float64 `json:"ms"`
}

// Write takes whole audit lines. It ignores other lines.
func (l *requestLines) Write(text []byte) (int, error) {
	for line := range bytes.Lines(text) {
		var s seen
		if err := json.Unmarshal(line, &s); err == nil && s.Decision != "" {
			l.show(s)
		}
	}
	return len(text), nil
}

func (l *requestLines) show(s seen) {
	target := s.Target
	if len(s.Query) > 0 {
		target += "?" + strings.Join(s.Query, "&")
	}
	if s.Item != "" {
		target = "item " + s.Item + ": " + target
	}
	l.print(l.painted(terminal.Dim, s.Time.Local().Format(time.TimeOnly)),
		l.painted(colourOf(s.Status), fmt.Sprint(s.Status)),
		l.painted(terminal.Plain, s.Method+" "+target),
		l.painted(terminal.Plain, s.who()), l.painted(colourOf(s.Status), s.outcome()), l.painted(terminal.Dim,
			fmt.Sprintf("%.0f ms", s.Millis)))
}

func colourOf(status int) terminal.Colour {
	switch {
	case status < 400:
		return terminal.Green
	case status < 500:
		return terminal.Yellow
	}
	return terminal.Red
}

func (s *seen) who() string {
	if s.Caller == "" {
		return "(no caller)"
	}
	return s.Caller
}

// outcome returns the result of a request, and its rule.
func (s *seen) outcome() string {
	text := map[string]string{"allow": "allowed", "deny": "denied", "limit": "limited", "refuse": "refused"}[s.Decision]
	if s.WouldDeny {
		text = "let through by report mode"
	}
	if s.Rule != "" {
		text += " by " + s.Rule
	}
	if s.Reason != "" {
		text += ", " + s.Reason
	}
	return text
}

// openAudit opens the audit log. At a terminal each audit line is also shown as a line for people, unless the audit
// lines themselves go there.
func (s *sandbox) openAudit(log *slog.Logger) (*server.AuditLog, error) {
	audit, err := server.OpenAudit(s.audit, false, s.stdout, log)
	if err != nil {
		return nil, err
	}
	s.later(audit.Close)
	switch {
	case s.lines == nil || s.audit == "-":
		return audit, nil
	case audit == nil:
		audit, err = server.OpenAudit("-", false, s.lines, log)
	default:
		audit, err = server.OpenAudit("-", false, io.MultiWriter(audit, s.lines), log)
	}
	s.later(audit.Close)
	return audit, err
}

// sandboxLog passes on warnings, and the outcome of each reload of the policy: at a terminal as a line for people,
// else unchanged.
type sandboxLog struct {
	slog.Handler
	lines *requestLines // nil: none
}

// Handle ignores records that are neither warnings nor about a reload.
func (h sandboxLog) Handle(ctx context.Context, r slog.Record) error {
	reloaded := r.Message == server.PolicyReloaded
	switch {
	case r.Level < slog.LevelWarn && !reloaded:
		return nil
	case h.lines == nil:
		return h.Handler.Handle(ctx, r)
	}
	colour, text := terminal.Yellow, r.Message
	switch {
	case reloaded:
		colour = terminal.Green
	case r.Level >= slog.LevelError:
		colour = terminal.Red
	}
	var details []string
	r.Attrs(func(a slog.Attr) bool {
		details = append(details, a.Key+": "+a.Value.String())
		return true
	})
	h.lines.print(h.lines.painted(terminal.Dim, r.Time.Local().Format(time.TimeOnly)), h.lines.painted(colour, text),
		h.lines.painted(terminal.Plain, strings.Join(details, ", ")))
	return nil
}

// WithAttrs and WithGroup keep the rest of the handler.
func (h sandboxLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return sandboxLog{Handler: h.Handler.WithAttrs(attrs), lines: h.lines}
}

func (h sandboxLog) WithGroup(name string) slog.Handler {
	return sandboxLog{Handler: h.Handler.WithGroup(name), lines: h.lines}
}
