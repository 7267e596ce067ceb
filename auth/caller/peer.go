package caller

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Peer is the process at the other end of a unix socket, as the kernel recorded it when it connected.
type Peer struct{ UID, GID uint32 }

type peerKey struct{}

// WithPeer returns a context for the requests of a connection over a unix socket (http.Server's ConnContext). The
// caller of WithPeer must have asked the kernel: see unix(7), SO_PEERCRED.
func WithPeer(ctx context.Context, p Peer) context.Context {
	return context.WithValue(ctx, peerKey{}, p)
}

// place is where a request comes from.
type place struct {
	isTCP     bool // else it is a unix socket
	remote    netip.Addr
	forwarded []string // X-Forwarded-For

	hasProcess bool // the kernel said which process is at the other end of the unix socket
	process    process
}

// process is a Peer. A user or a group that is not known is -1.
type process struct {
	uid, gid int
	user     string // the user's name in evidence that is given to a Judge; else ""
}

// placeOf returns where a request comes from. An address of another form than net/http gives to TCP connections is a
// unix socket's ("@", "").
func placeOf(r *http.Request) place {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	from := place{isTCP: err == nil, remote: plain(remote.Addr()), forwarded: r.Header["X-Forwarded-For"]}
	if p, ok := r.Context().Value(peerKey{}).(Peer); ok {
		from.hasProcess, from.process = true, process{uid: int(p.UID), gid: int(p.GID)}
	}
	return from
}

type unixOwner struct {
	uid, gid *int
	user     string // "" once it was looked up, and then it is uid
	Found
}

func (o *unixOwner) holds(p process) bool {
	return (o.uid == nil || *o.uid == p.uid) && (o.gid == nil || *o.gid == p.gid) && (o.user == "" || o.user == p.user)
}

type networkOwner struct {
	prefix netip.Prefix
	Found
}

// peer returns the caller by the place that the request comes from. A unix socket is no network evidence.
func (a *Authenticator) peer(from place) (Found, *Error) {
	switch {
	case !from.isTCP && len(a.unix) > 0:
		return a.user(from) // it has a user, who may be a caller, so it is not anyone
	case from.isTCP && len(a.networks) > 0:
		addr, refusal := a.origin(from.remote, from.forwarded)
		if refusal != nil {
			return Found{}, refusal
		}
		if found := a.network(addr); found.Name != "" {
			return found, nil
		}
	}
	if a.anyone != "" {
		return Found{Name: a.anyone, Evidence: Anyone}, nil
	}
	return Found{}, errCaller()
}

// user returns the caller by the peer of a unix socket.
func (a *Authenticator) user(from place) (Found, *Error) {
	if !from.hasProcess {
		return Found{}, errUnix()
	}
	var whose onlyCaller
	for i := range a.unix {
		if a.unix[i].holds(from.process) {
			whose.add(a.unix[i].Found, nil)
		}
	}
	switch {
	case whose.several: // New refuses such callers
		return Found{}, errAmbiguous("the user at the other end of the unix socket could be several callers: " +
			"ask the policy's owner to make them differ")
	case whose.Name == "":
		return Found{}, errUnix()
	}
	return whose.Found, nil
}

// An Origin is where a request comes from, for its record.
type Origin struct {
	// Client is the address of the TCP peer, or the one that trusted proxies name. A unix socket has "unix:1000", with
	// the number of the peer's user, or "unix" if that is not known.
	Client string
	// Peer is the address of the TCP peer if that is a trusted proxy that names another client; else "".
	Peer string
}

type proxyKey struct{}

// WithProxy returns a context for the requests of a connection that a trusted proxy opened with a PROXY header
// (http.Server.ConnContext). The RemoteAddr of its requests is the client's. Address is the proxy's own.
func WithProxy(ctx context.Context, address netip.Addr) context.Context {
	return context.WithValue(ctx, proxyKey{}, address)
}

// Origin returns where a request comes from. It never fails. If an entry of X-Forwarded-For is no address,
// Origin returns the address of the proxy that wrote the entry. If a proxy hides the client, Origin returns the
// peer's address.
func (a *Authenticator) Origin(r *http.Request) Origin {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		if p, ok := r.Context().Value(peerKey{}).(Peer); ok {
			return Origin{Client: "unix:" + strconv.FormatUint(uint64(p.UID), 10)}
		}
		return Origin{Client: "unix"}
	}
	peer := plain(remote.Addr())
	client := peer
	if forwarded := r.Header["X-Forwarded-For"]; len(forwarded) > 0 {
		if named, _ := a.origin(peer, forwarded); named.IsValid() {
			client = named
		}
	}
	if proxy, ok := r.Context().Value(proxyKey{}).(netip.Addr); ok {
		peer = plain(proxy)
	}
	o := Origin{Client: client.String()}
	if peer != client {
		o.Peer = peer.String()
	}
	return o
}

// origin returns the address that a request comes from; with an error, the last address that is known. Each
// proxy appends the address of its client. So the end of the list is true as far as the proxies are trusted,
// and the beginning is what the sender wrote.
func (a *Authenticator) origin(remote netip.Addr, forwarded []string) (netip.Addr, *Error) {
	rest := strings.Join(forwarded, ",")
	if blanks(rest) == "" {
		return remote, nil
	}
	for more := true; more && a.trusts(remote); {
		last := rest
		if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
			rest, last = rest[:comma], rest[comma+1:]
		} else {
			more = false
		}
		next, ok := hop(blanks(last))
		if !ok {
			return remote, errForwarded()
		}
		remote = next
	}
	return remote, nil
}

func (a *Authenticator) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(a.proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// hop reads an entry of X-Forwarded-For: an address, with or without a port, IPv6 with or without brackets. An
// entry that a proxy hides is the zero Addr, which is in no network.
func hop(text string) (netip.Addr, bool) {
	if strings.EqualFold(text, "unknown") || strings.HasPrefix(text, "_") {
		return netip.Addr{}, true
	}
	if inner, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inner, "]") {
		addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return plain(addr), err == nil && addr.Is6()
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		return plain(addr), true
	}
	at, err := netip.ParseAddrPort(text)
	return plain(at.Addr()), err == nil
}

// plain returns an address in the form in which it is compared.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// network returns the caller whose network the address is in. The networks are disjoint, so only the last
// network that begins at or before the address can contain it.
func (a *Authenticator) network(addr netip.Addr) Found {
	i, exact := slices.BinarySearchFunc(a.networks, addr, func(n networkOwner, addr netip.Addr) int {
		return n.prefix.Addr().Compare(addr)
	})
	if !exact {
		i--
	}
	if i < 0 || !a.networks[i].prefix.Contains(addr) {
		return Found{}
	}
	return a.networks[i].Found
}
