package auth

import (
	"context"
	"log/slog"
	"time"
)

// logged is what was logged last. With it, an outage does not fill the log, and a token without roles is logged
// once.
type logged struct {
	cause    string // of the failure that was logged last
	code     int
	at       time.Time // when
	roleless bool      // the last token had no roles
}

// failureLog returns the function that logs a failed attempt: the first one of its kind, and then one a minute.
// The caller has the lock and releases it before it calls the function, because writing a log may take long.
func (s *Source) failureLog(err *Error, now time.Time, left, wait time.Duration) func() {
	same := err.Cause == s.logged.cause && err.Code == s.logged.code
	if same && now.Sub(s.logged.at) < time.Minute {
		return func() {}
	}
	s.logged.cause, s.logged.code, s.logged.at = err.Cause, err.Code, now
	level, msg := slog.LevelError, "no token: requests are refused until there is one"
	if left > 0 {
		level, msg = slog.LevelWarn, "renewing the token did not succeed, the old one is served"
	}
	return func() {
		s.log.LogAttrs(context.Background(), level, msg, slog.Any("error", err),
			slog.Duration("served_for", left.Round(time.Second)), slog.Duration("next_attempt_in", wait.Round(time.Millisecond)))
	}
}

// tokenLog returns the function that logs a new token: at info the first, and the first after failures. The
// caller has the lock.
func (s *Source) tokenLog(t *token, first bool) func() {
	level := slog.LevelDebug
	if first {
		level = slog.LevelInfo
	}
	without := t.rolesRead && len(t.roles) == 0
	warn := without && !s.logged.roleless
	s.logged.cause, s.logged.code, s.logged.roleless = "", 0, without
	return func() {
		s.log.LogAttrs(context.Background(), level, "token "+
			"acquired", slog.Time("expires", t.expires), slog.Int("roles", len(t.roles)))
		if warn {
			s.log.Warn("the token carries no roles, so Graph will refuse every request: "+
				"no application permission has been granted", "cure", s.app.consentCure())
		}
	}
}

// consentCure returns the cure for a token without roles.
func (a App) consentCure() string {
	if a.ManagedIdentity {
		return "an administrator assigns Microsoft Graph's app roles to the managed identity's service principal " +
			"(POST /servicePrincipals/{id}/appRoleAssignments); there is no consent page for it"
	}
	return "an administrator opens " + a.consentURL() + " and consents; " +
		"this must be done again after each change of the app's permissions, and shows in tokens acquired after it"
}
