package auth

import (
	"context"
	"log/slog"
	"time"
)

// told is what the log has been told, so that an outage does not fill it and a token without roles is told once.
type told struct {
	cause    string // of the last failure told
	code     int
	at       time.Time // when
	roleless bool      // the last token had no roles
}

// tellFailure returns what tells the log of a failed attempt: the first of its kind, and then one a minute. The lock is
// held, but not while the log is written, which may take its time.
func (s *Source) tellFailure(err *Error, now time.Time, left, wait time.Duration) func() {
	same := err.Cause == s.told.cause && err.Code == s.told.code
	if same && now.Sub(s.told.at) < time.Minute {
		return func() {}
	}
	s.told.cause, s.told.code, s.told.at = err.Cause, err.Code, now
	level, msg := slog.LevelError, "no token: requests are refused until there is one"
	if left > 0 {
		level, msg = slog.LevelWarn, "renewing the token did not succeed, the old one is served"
	}
	return func() {
		s.log.LogAttrs(context.Background(), level, msg, slog.Any("error", err),
			slog.Duration("served_for", left.Round(time.Second)), slog.Duration("next_attempt_in", wait.Round(time.Millisecond)))
	}
}

// tellToken returns what tells the log of a new token: at info the first, and the first after failures. The lock is
// held.
func (s *Source) tellToken(t *token, news bool) func() {
	level := slog.LevelDebug
	if news {
		level = slog.LevelInfo
	}
	without := t.rolesRead && len(t.roles) == 0
	warn := without && !s.told.roleless
	s.told.cause, s.told.code, s.told.roleless = "", 0, without
	return func() {
		s.log.LogAttrs(context.Background(), level, "token acquired", slog.Time("expires", t.expires), slog.Int("roles", len(t.roles)))
		if warn {
			s.log.Warn("the token carries no roles, so Graph will refuse every request: no application permission has been granted", "cure", s.app.consentCure())
		}
	}
}

// consentCure is what to do about a token without roles.
func (a App) consentCure() string {
	if a.ManagedIdentity {
		return "an administrator assigns Microsoft Graph's app roles to the managed identity's service principal (POST /servicePrincipals/{id}/appRoleAssignments); there is no consent page for it"
	}
	return "an administrator opens " + a.consentURL() + " and consents; this must be done again after each change of the app's permissions, and shows in tokens acquired after it"
}
