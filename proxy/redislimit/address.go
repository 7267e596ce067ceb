package redislimit

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// Address is where a Redis is, with the password, so it never prints. ParseAddress and UnmarshalText make one; the zero
// value is no address. It is immutable.
type Address struct{ p **redis.UniversalOptions } // one pointer deeper than fmt's misfit verbs look

// ParseAddress reads an address:
//
//	redis://user:password@host:6379/0                 rediss:// is the same over TLS, here and below
//	unix://user:password@/run/redis.sock?db=0
//	redis+sentinel://user:password@host1:26379,host2:26379/mymaster/0?sentinel_username=u&sentinel_password=p
//	redis+cluster://user:password@host1:6379,host2:6379
//
// User, password, port and database may be missing. Errors name the fault, and never hold the address.
func ParseAddress(text string) (Address, error) {
	o, err := parse(text)
	if err != nil {
		return Address{}, fmt.Errorf("address of redis: %w", err)
	}
	return Address{&o}, nil
}

// UnmarshalText implements encoding.TextUnmarshaler. The error continues a sentence that begins with the setting's
// name.
func (a *Address) UnmarshalText(text []byte) error {
	o, err := parse(string(text))
	if err != nil {
		return fmt.Errorf("is not the address of a Redis: %w", err)
	}
	a.p = &o
	return nil
}

// IsSet reports whether there is an address.
func (a Address) IsSet() bool { return a.p != nil }

const hiddenAddress = "[redis address]"

// Format implements fmt.Formatter for every verb.
func (Address) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hiddenAddress) }

// String implements fmt.Stringer.
func (Address) String() string { return hiddenAddress }

// MarshalText implements encoding.TextMarshaler, for JSON too.
func (Address) MarshalText() ([]byte, error) { return []byte(hiddenAddress), nil }

// LogValue implements slog.LogValuer.
func (Address) LogValue() slog.Value { return slog.StringValue(hiddenAddress) }
