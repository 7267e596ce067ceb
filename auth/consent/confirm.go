package consent

import (
	"context"
	"errors"
	"time"

	"graphproxy/auth"
)

// pauses are the times between the tokens that Confirm takes, about a minute in all: a grant takes seconds to appear,
// and sometimes longer.
func pauses() []time.Duration {
	const s = time.Second
	return []time.Duration{1 * s, 2 * s, 4 * s, 8 * s, 15 * s, 15 * s, 15 * s}
}

// Confirm gets tokens, with pauses, until one has a role or cannot be read, for about a minute, and returns the
// description of the last one. take must ask Entra ID for a new token each time, because a cached token has the
// old roles. The error is ctx's, or an error of take that will not pass with time.
func Confirm(ctx context.Context, take func(context.Context) (auth.Description, error)) (auth.Description, error) {
	for _, pause := range pauses() {
		d, err := take(ctx)
		if err == nil && (!d.Readable || len(d.Roles) > 0) || err != nil && !passes(err) {
			return d, err
		}
		select {
		case <-ctx.Done():
			return d, ctx.Err()
		case <-time.After(pause):
		}
	}
	return take(ctx)
}

// passes reports whether Entra ID may issue a token a little later: some of its servers do not have the grant
// yet, or it is failing.
func passes(err error) bool {
	var e *auth.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case 7000229, 700016, 700011, 650056, 65005, 65001:
		return true
	}
	return e.Status >= 500 || e.Status == 429
}
