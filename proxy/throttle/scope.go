package throttle

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"graphproxy/policy/graph/service"
)

// access is which requests a scope is about.
type access uint8

const (
	readWrite access = iota
	read
	write
)

var accessNames = [...]string{readWrite: "any", read: "read", write: "write"} // never written to

// maxKey bounds what is kept of a key, in bytes. Longer keys with the same beginning share a hold: no mailbox has so
// long a name.
const maxKey = 128

// Scope is what Graph counts requests against: an app registration in a tenant at one of Graph's services and, where
// the service counts so, one mailbox, team, chat or report; for reads, for writes or for both. Scopes compare with ==.
// The zero Scope is a service that is not known, of no app: useless, but safe. A Scope made by ScopeOf shares memory
// with the target it came from.
type Scope struct {
	app, tenant string // "" stands for all of them
	key         string // "" stands for all of the service's
	// the resource, where Graph counts the service as a whole: a refusal may be about it alone, see ofResource
	resource resource
	service  service.Service
	access   access
}

// resource can be refused by itself: a drive, a site, a user, a workbook. The zero value is no resource.
type resource struct {
	set  string // "drives"
	key  string // "" where the path names none
	item string // of a workbook: its drive item; of a site that is named by a path: that path
}

func (o resource) isSet() bool { return o != resource{} }

// text writes o as a key that ParseScope reads. It begins with a slash, which is escaped in other keys.
func (o resource) text() string {
	return "/" + url.PathEscape(o.set) + "/" + url.PathEscape(o.key) + "/" + url.PathEscape(o.item)
}

func parseResource(text string) (resource, bool) {
	parts := strings.Split(text, "/")
	if len(parts) != 4 || parts[0] != "" {
		return resource{}, false
	}
	var o resource
	for i, to := range []*string{&o.set, &o.key, &o.item} {
		value, err := url.PathUnescape(parts[1+i])
		if err != nil || len(value) > maxKey {
			return resource{}, false
		}
		*to = value
	}
	return o, o.isSet()
}

// bounded cuts what is too long. It keeps the beginning of a key, and the end of an item, where paths differ.
func (o resource) bounded() resource {
	if len(o.key) > maxKey {
		o.key = o.key[:maxKey]
	}
	if n := len(o.item); n > maxKey {
		o.item = o.item[n-maxKey:]
	}
	return o
}

// Key writes the scope as text that ParseScope reads: "outlook/any/default/contoso.com/adele@contoso.com". Each part is
// escaped as a path segment is. It names a mailbox where the scope does: do not log it.
func (s Scope) Key() string {
	if s.resource.isSet() {
		s.key = s.resource.text()
	}
	return strings.Join([]string{
		s.service.String(), accessNames[s.access], url.PathEscape(s.app), url.PathEscape(s.tenant), url.PathEscape(s.key),
	}, "/")
}

// Service names what the scope counts against in one word, "outlook", for logs and metrics: there are about twenty, and
// none names a person.
func (s Scope) Service() string { return s.service.String() }

// ParseScope reads what Key wrote. The text may come from a replica of another version; the error names the part that
// is not understood.
func ParseScope(text string) (Scope, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 5 {
		return Scope{}, errors.New("reading a throttle scope: it has not the five parts service/access/app/tenant/key")
	}
	kind, ok := service.Parse(parts[0])
	if !ok {
		return Scope{}, fmt.Errorf("reading a throttle scope: unknown service %q", parts[0])
	}
	who, ok := indexOf(accessNames[:], parts[1])
	if !ok {
		return Scope{}, fmt.Errorf("reading a throttle scope: unknown access %q; it is any, read or write", parts[1])
	}
	s := Scope{service: kind, access: access(who)}
	for i, to := range []*string{&s.app, &s.tenant, &s.key} {
		value, err := url.PathUnescape(parts[2+i])
		if err != nil {
			return Scope{}, fmt.Errorf("reading a throttle scope: %w", err)
		}
		*to = value
	}
	if o, isResource := parseResource(s.key); isResource {
		s.key, s.resource = "", o
	}
	if len(s.key) > maxKey {
		return Scope{}, fmt.Errorf("reading a throttle scope: the key has %d bytes; at most %d are kept", len(s.key), maxKey)
	}
	return s, nil
}

func indexOf(names []string, name string) (int, bool) {
	for i := range names {
		if names[i] == name {
			return i, true
		}
	}
	return 0, false
}

// kept returns a copy of the scope that shares no memory with a target: a hold may outlive the request by an hour.
func (s Scope) kept() Scope {
	s.app, s.tenant, s.key = strings.Clone(s.app), strings.Clone(s.tenant), strings.Clone(s.key)
	s.resource = resource{strings.Clone(s.resource.set), strings.Clone(s.resource.key), strings.Clone(s.resource.item)}
	return s
}

// wide returns the scope of the whole service, for this app and tenant.
func (s Scope) wide() Scope {
	s.key, s.resource = "", resource{}
	return s
}

// narrow reports whether the scope is less than its service.
func (s Scope) narrow() bool { return s.key != "" || s.resource.isSet() }

// places returns the scopes whose holds apply to a request in scope s, each once, and their number: s itself, its
// service, the app in all tenants, and the tenant for all apps; each for any access and for the access of s.
func (s Scope) places() (all [8]Scope, n int) {
	few := [4]Scope{s, s.wide(), s.wide(), s.wide()}
	few[2].tenant, few[3].app = "", ""
	for i, place := range few {
		if i > 0 && place == few[0] || i > 1 && place == few[1] {
			continue
		}
		all[n] = place
		all[n].access = readWrite
		n++
		if s.access != readWrite {
			all[n] = place
			n++
		}
	}
	return all, n
}
