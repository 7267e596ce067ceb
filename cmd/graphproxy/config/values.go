package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"graphproxy/auth"
	"graphproxy/auth/loopback"
	"graphproxy/proxy"
)

// The types of Config's fields. The errors of their UnmarshalText continue a sentence that begins with the variable's
// name, and never quote the value.

// Truth is true or false, and 1 or 0, which the Azure SDKs take.
type Truth bool

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Truth) UnmarshalText(text []byte) error {
	v, err := strconv.ParseBool(string(text))
	if err != nil {
		return errors.New("is neither true nor false: write one of them")
	}
	*t = Truth(v)
	return nil
}

// Count is a whole number of at least 1.
type Count int

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Count) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 {
		return errors.New("is not a whole number of at least 1: write one")
	}
	*c = Count(n)
	return nil
}

// Duration is a duration greater than 0.
type Duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Duration) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return errors.New("is not a duration of more than 0: write a number and its unit, such as 30s or 2m")
	}
	*s = Duration(d)
	return nil
}

// Pause is a duration, or 0 for none.
type Pause time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Pause) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 {
		return errors.New("is not a duration: write a number and its unit, such as 10s, or 0s for none")
	}
	*p = Pause(d)
	return nil
}

// OnLoss is what happens to requests while audit lines cannot be written: "continue" or "refuse".
type OnLoss string

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *OnLoss) UnmarshalText(text []byte) error {
	switch s := OnLoss(strings.ToLower(string(text))); s {
	case "continue", "refuse":
		*o = s
		return nil
	}
	return errors.New("is neither continue nor refuse: write continue to serve without an audit log while it cannot " +
		"be written, or refuse to answer 503")
}

// Way is the transport to Graph: "direct" or "std".
type Way string

// UnmarshalText implements encoding.TextUnmarshaler.
func (w *Way) UnmarshalText(text []byte) error {
	switch s := Way(strings.ToLower(string(text))); s {
	case proxy.TransportDirect, proxy.TransportStd:
		*w = s
		return nil
	}
	return errors.New("is neither direct nor std: write direct, or std for Go's own http.Transport")
}

// List is items separated by commas, without the spaces around them.
type List []string

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *List) UnmarshalText(text []byte) error {
	*l = nil
	for item := range strings.SplitSeq(string(text), ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			return errors.New("has an empty item: write items separated by single commas")
		}
		*l = append(*l, item)
	}
	return nil
}

// Address is a TCP address to listen on, host:port; without a host it is every address of the machine.
type Address string

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Address) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	if strings.HasPrefix(s, socketPrefix) {
		return errors.New("names a unix socket, which only callers can be served on: write host:port")
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || strings.ContainsAny(host, " \t/@") {
		return errors.New("is not an address to listen on: write host:port, such as 127.0.0.1:8080, " +
			"[::1]:8080 or :8080")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return errors.New("has no port from 0 to 65535 after the last colon: write host:port, such as 127.0.0.1:8080")
	}
	*a = Address(s)
	return nil
}

// loopback reports whether only this machine can connect to a.
func (a Address) loopback() bool {
	if a.isSocket() {
		return true
	}
	host, _, err := net.SplitHostPort(string(a))
	return err == nil && loopback.Host(host)
}

// IsLoopback reports whether only this machine can connect to an address, host:port.
func IsLoopback(address string) bool { return Address(address).loopback() }

// socketPrefix begins the address of a unix socket.
const socketPrefix = "unix:"

// listener reads an address for callers, which may also be a unix socket's, unix:/path.
func (a *Address) listener(text string) error {
	path, ok := strings.CutPrefix(text, socketPrefix)
	switch {
	case !ok:
		return a.UnmarshalText([]byte(text))
	case !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") || strings.ContainsRune(path, 0):
		return errors.New("has no path of a socket after unix: write such as unix:/run/graphproxy/graphproxy.sock")
	}
	*a = Address(text)
	return nil
}

// isSocket reports whether a is a unix socket.
func (a Address) isSocket() bool { return strings.HasPrefix(string(a), socketPrefix) }

// Addresses are several for callers, separated by commas. Each is host:port, or unix:/path.
type Addresses []Address

// UnmarshalText implements encoding.TextUnmarshaler.
func (as *Addresses) UnmarshalText(text []byte) error {
	var items List
	if err := items.UnmarshalText(text); err != nil {
		return err
	}
	*as = nil
	for i, item := range items {
		var a Address
		if err := a.listener(item); err != nil {
			return fmt.Errorf("(item %d) %w", i+1, err)
		}
		if slices.Contains(*as, a) && !strings.HasSuffix(item, ":0") {
			return fmt.Errorf("(item %d) is there twice: keep one", i+1)
		}
		*as = append(*as, a)
	}
	return nil
}

// Networks are networks and single addresses, separated by commas.
type Networks []netip.Prefix

// UnmarshalText implements encoding.TextUnmarshaler.
func (ns *Networks) UnmarshalText(text []byte) error {
	var items List
	if err := items.UnmarshalText(text); err != nil {
		return err
	}
	*ns = nil
	for i, item := range items {
		p, err := netip.ParsePrefix(item)
		if addr, single := netip.ParseAddr(item); single == nil && addr.Zone() == "" {
			p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		switch {
		case err != nil:
			return fmt.Errorf("(item %d) is neither a network nor an address: "+
				"write such as 10.20.0.0/16 or 10.20.0.7", i+1)
		case p.Masked() != p:
			return fmt.Errorf("(item %d) has bits set beyond its length: write the network's first address, "+
				"or the address without a length", i+1)
		case p.Addr().Is4In6():
			return fmt.Errorf("(item %d) is IPv4 in IPv6 dress: write it as IPv4", i+1)
		}
		*ns = append(*ns, p)
	}
	return nil
}

// Mode is the permissions of a file, in octal digits.
type Mode fs.FileMode

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || n > 0o777 || n&0o600 != 0o600 {
		return errors.New("is not a socket's mode, which lets its owner read and write: " +
			"write octal digits such as 0660")
	}
	*m = Mode(n)
	return nil
}

// Cloud is one of Microsoft's clouds, by name.
type Cloud struct{ auth.Cloud }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Cloud) UnmarshalText(text []byte) error {
	known, ok := auth.CloudByName(string(text))
	if !ok {
		var names []string
		for _, k := range auth.Clouds() {
			names = append(names, k.Name)
		}
		return errors.New("is not a cloud's name: write one of " + strings.Join(names, ", "))
	}
	c.Cloud = known
	return nil
}

// Root is a server's URL without a path: https://graph.microsoft.com.
type Root string

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Root) UnmarshalText(text []byte) error {
	u, err := parseOrigin(text)
	if err != nil {
		return err
	}
	if u.Scheme == "http" && !loopback.Host(u.Hostname()) {
		return errors.New("begins with http://, and access tokens are sent there: " +
			"write https:// (http is accepted on loopback only)")
	}
	*r = Root(u.Scheme + "://" + u.Host)
	return nil
}

// Origin is a scheme and a host, under which callers reach the proxy.
type Origin string

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *Origin) UnmarshalText(text []byte) error {
	u, err := parseOrigin(text)
	if err != nil {
		return err
	}
	*o = Origin(u.Scheme + "://" + u.Host)
	return nil
}

// HostNames are names of hosts, separated by commas. A port after a name is ignored: a name is valid with any port.
type HostNames []string

var hostName = regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?)\.?(?::[0-9]{1,5})?$`)

// UnmarshalText implements encoding.TextUnmarshaler.
func (hs *HostNames) UnmarshalText(text []byte) error {
	var items List
	if err := items.UnmarshalText(text); err != nil {
		return err
	}
	*hs = nil
	for i, item := range items {
		m := hostName.FindStringSubmatch(item)
		if m == nil {
			return fmt.Errorf("(item %d) is not the name of a host: write such as graph.contoso.com, "+
				"without https:// and path, each name whole and in ASCII", i+1)
		}
		*hs = append(*hs, m[1])
	}
	return nil
}

// parseOrigin reads a URL with a scheme and a host only. It may contain a password by mistake, so no part of it is
// shown.
func parseOrigin(text []byte) (*url.URL, error) {
	u, err := url.Parse(string(text))
	switch {
	case err != nil, u.Hostname() == "", u.Opaque != "", u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("is not a URL such as https://graph.microsoft.com: write the scheme and the host")
	case u.User != nil:
		return nil, errors.New("has a user name or password in it: remove it; nothing reads it there")
	case strings.Trim(u.Path, "/") != "":
		return nil, errors.New("has a path: write the scheme and the host only; requests carry the version")
	case u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return nil, errors.New("has a query or a fragment: write the scheme and the host only")
	}
	return u, nil
}

// Level is the lowest level that is logged.
type Level struct{ slog.Level }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Level) UnmarshalText(text []byte) error {
	switch strings.ToLower(string(text)) {
	case "debug":
		l.Level = slog.LevelDebug
	case "info":
		l.Level = slog.LevelInfo
	case "warn", "warning":
		l.Level = slog.LevelWarn
	case "error":
		l.Level = slog.LevelError
	default:
		return errors.New("is not a level of the log: write debug, info, warn or error")
	}
	return nil
}

// Format is how the log is written.
type Format string

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *Format) UnmarshalText(text []byte) error {
	switch s := strings.ToLower(string(text)); s {
	case "json", "text":
		*f = Format(s)
		return nil
	}
	return errors.New("is not a form of the log: write json or text")
}

// Failure is what happens to limits in Redis when it does not answer.
type Failure string

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *Failure) UnmarshalText(text []byte) error {
	switch s := strings.ToLower(string(text)); s {
	case "local", "deny":
		*f = Failure(s)
		return nil
	}
	return errors.New("is neither local nor deny: write local to let each replica enforce its share by itself while " +
		"Redis is gone, or deny to refuse requests that a limit covers")
}
