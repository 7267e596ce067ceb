package auth

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a client secret or a password in memory. It never prints: every verb of fmt, encoding/json, encoding/xml,
// log/slog and anything that uses encoding.TextMarshaler see "[secret]". The zero value is no secret. A Secret is
// immutable and safe for concurrent use.
//
// The value lies behind a pointer because fmt does not call methods on unexported fields of other structs. For
// a pointer fmt prints an address there; it would print a string whole.
type Secret struct{ p *string }

// NewSecret returns s as a Secret; "" is no secret.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{&s}
}

// IsSet reports whether there is a secret.
func (s Secret) IsSet() bool { return s.p != nil }

// reveal returns the secret. No other function does. It is called where MSAL or a key file needs the value.
func (s Secret) reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

const hiddenSecret = "[secret]"

// Format implements fmt.Formatter for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hiddenSecret) }

// String implements fmt.Stringer.
func (Secret) String() string { return hiddenSecret }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return hiddenSecret }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(hiddenSecret), nil }

// MarshalJSON implements json.Marshaler.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hiddenSecret + `"`), nil }

// MarshalBinary implements encoding.BinaryMarshaler, for encoding/gob.
func (Secret) MarshalBinary() ([]byte, error) { return []byte(hiddenSecret), nil }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(hiddenSecret) }

// UnmarshalText implements encoding.TextUnmarshaler, so that a Secret can be read from the environment without an
// error message that quotes it. Empty text is no secret.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}
