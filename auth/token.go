package auth

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Token is an access token for Graph. Like Secret it never prints, and SetAuthorization is the only way to its value.
// The zero Token is none. Tokens are immutable, safe for concurrent use, and comparable: two are equal when they came
// from the same answer of Entra ID.
type Token struct{ p *token }

// token is what a Token points to. It is built once and never changed.
//
// For a verb that does not fit, such as %q, fmt prints the fields of a struct behind an unexported pointer, but
// prints the pointers among those fields as addresses. So the header lies one pointer deeper.
type token struct {
	header    *[]string // "Bearer …", shared by every request that carries the token; a pointer for fmt, see below
	acquired  time.Time // when the answer arrived
	expires   time.Time // as Entra ID said
	usable    time.Time // until when it is served: before expires, so that it does not expire on its way to Graph
	refresh   time.Time // when a new one is asked for
	roles     []string  // application permissions in the token
	rolesRead bool      // whether the token could be read; Graph's tokens are opaque by contract
}

// SetAuthorization puts the token into h, replacing every Authorization that is there. It allocates nothing: the slice
// is shared by all requests with this token, so a caller may replace h["Authorization"] but must not write into it.
// The zero Token changes nothing.
func (t Token) SetAuthorization(h http.Header) {
	if t.p != nil {
		h["Authorization"] = *t.p.header
	}
}

const hiddenToken = "[token]"

// Format implements fmt.Formatter for every verb.
func (Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hiddenToken) }

// String implements fmt.Stringer.
func (Token) String() string { return hiddenToken }

// GoString implements fmt.GoStringer.
func (Token) GoString() string { return hiddenToken }

// MarshalText implements encoding.TextMarshaler.
func (Token) MarshalText() ([]byte, error) { return []byte(hiddenToken), nil }

// MarshalJSON implements json.Marshaler.
func (Token) MarshalJSON() ([]byte, error) { return []byte(`"` + hiddenToken + `"`), nil }

// MarshalBinary implements encoding.BinaryMarshaler, for encoding/gob.
func (Token) MarshalBinary() ([]byte, error) { return []byte(hiddenToken), nil }

// LogValue implements slog.LogValuer.
func (Token) LogValue() slog.Value { return slog.StringValue(hiddenToken) }

// acquired is an answer of Entra ID as the source needs it.
type acquired struct {
	access  string
	expires time.Time
	refresh time.Time // zero if Entra did not set one
}

// newToken builds the token of an answer that arrived at now. fraction in [0, 1) spreads the renewals of replicas that
// were started together. It reports false for an answer that cannot be used as a token at all.
func newToken(a acquired, now time.Time, fraction float64) (*token, bool) {
	// Without monotonic readings: those stand still while a machine is suspended, and tokens go on ageing.
	a.expires, a.refresh, now = a.expires.Round(0), a.refresh.Round(0), now.Round(0)
	life := a.expires.Sub(now)
	if life <= 0 || !visible(a.access) {
		return nil, false
	}
	t := &token{header: &[]string{"Bearer " + a.access}, acquired: now, expires: a.expires}
	t.usable = a.expires.Add(-margin(life))
	t.refresh = refreshAt(a, now, life, fraction)
	if t.refresh.After(t.usable) {
		t.refresh = t.usable
	}
	t.roles, t.rolesRead = rolesOf(a.access)
	return t, true
}

// margin returns how long before its end a token of the given life is no longer served. It is long enough for
// the way to Graph and for a clock that is a little off, and short enough that the proxy survives an outage of
// Entra ID for nearly the whole life of the token.
func margin(life time.Duration) time.Duration {
	if life > 5*time.Minute {
		return 30 * time.Second
	}
	return min(max(life/20, time.Second), life/2)
}

// longestAge is the age at which a token is renewed although it lives for a day, as a token of continuous
// access evaluation does: a role that was granted or removed since is not in the old token. The rest of its
// life is a reserve for an outage.
const longestAge = time.Hour

// refreshAt returns when to renew: at the time that Entra named, else at 50 to 60 % of the token's life, and
// after about an hour at the latest. MSAL alone renews five minutes before the end, which leaves five minutes
// to survive an outage. Half of a life is half an hour.
func refreshAt(a acquired, now time.Time, life time.Duration, fraction float64) time.Time {
	own := min(life/2, longestAge)
	soon := now.Add(own + time.Duration(float64(own/5)*fraction))
	if a.refresh.IsZero() || a.refresh.After(soon) {
		return soon
	}
	// "refresh_in": 0 must not become a loop without a pause.
	if soonest := now.Add(min(time.Second, life/2)); a.refresh.Before(soonest) {
		return soonest
	}
	return a.refresh
}

// visible reports whether s can stand in a header unchanged: printable ASCII without spaces.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}

// rolesOf reads the roles claim of a JWT without verifying it, for diagnostics only. The format of Graph's
// tokens is not a contract: ok is false for a token that cannot be read.
func rolesOf(access string) (roles []string, ok bool) {
	var claims struct {
		Roles []string `json:"roles"`
	}
	if !payload(access, &claims) {
		return nil, false
	}
	return claims.Roles, true
}
