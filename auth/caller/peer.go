package caller

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Peer is the process at the other end of a unix socket, as the kernel knew it when it connected.
type Peer struct{ UID, GID uint32 }

type peerKey struct{}

// WithPeer returns a context for the requests of a connection over a unix socket (http.Server's ConnContext). Whoever
// calls it has asked the kernel: see unix(7), SO_PEERCRED.
func WithPeer(ctx context.Context, p Peer) context.Context {
	return context.WithValue(ctx, peerKey{}, p)
}

type unixOwner struct {
	uid, gid *int
	name     string
}

func (o *unixOwner) holds(p Peer) bool {
	return (o.uid == nil || *o.uid == int(p.UID)) && (o.gid == nil || *o.gid == int(p.GID))
}

type networkOwner struct {
	prefix netip.Prefix
	name   string
}

// peer names the caller by where it calls from. An address of another form than net/http gives to TCP connections is a
// unix socket's ("@", "") and no network evidence.
func (a *Authenticator) peer(r *http.Request) (Found, *Error) {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	switch {
	case err != nil && len(a.unix) > 0:
		return a.user(r.Context()) // it has a user, who may be a caller: not just anyone
	case err == nil && len(a.networks) > 0:
		addr, refusal := a.origin(plain(remote.Addr()), r.Header["X-Forwarded-For"])
		if refusal != nil {
			return Found{}, refusal
		}
		if name := a.network(addr); name != "" {
			return Found{name, Network}, nil
		}
	}
	if a.anyone != "" {
		return Found{a.anyone, Anyone}, nil
	}
	return Found{}, errCaller()
}

// user names the caller by the peer of a unix socket.
func (a *Authenticator) user(ctx context.Context) (Found, *Error) {
	p, ok := ctx.Value(peerKey{}).(Peer)
	if !ok {
		return Found{}, errUnix()
	}
	var whose onlyCaller
	for i := range a.unix {
		if a.unix[i].holds(p) {
			whose.add(a.unix[i].name)
		}
	}
	switch {
	case whose.several: // New sees to it that this cannot be
		return Found{}, errAmbiguous("the user at the other end of the unix socket could be several callers: " +
			"ask the policy's owner to tell them apart")
	case whose.name == "":
		return Found{}, errUnix()
	}
	return Found{whose.name, Unix}, nil
}

// origin returns the address that a request comes from. Each proxy appends whom it got the request from, so what stands
// at the end is true for as far as the proxies are to be trusted, and what stands before is whatever the sender wrote.
func (a *Authenticator) origin(remote netip.Addr, forwarded []string) (netip.Addr, *Error) {
	text := strings.Join(forwarded, ",")
	if blanks(text) == "" {
		return remote, nil
	}
	for hops := strings.Split(text, ","); a.trusts(remote) && len(hops) > 0; hops = hops[:len(hops)-1] {
		var ok bool
		if remote, ok = hop(blanks(hops[len(hops)-1])); !ok {
			return netip.Addr{}, errForwarded()
		}
	}
	return remote, nil
}

func (a *Authenticator) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(a.proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// hop reads an entry of X-Forwarded-For: an address, with or without a port, IPv6 with or without brackets. One that a
// proxy did not want to tell is the zero Addr, which is in no network.
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

// plain returns an address as it is compared.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// network returns whose network the address is in. The networks are disjoint, so only the one that begins at the
// address or last before it can hold it.
func (a *Authenticator) network(addr netip.Addr) string {
	i, exact := slices.BinarySearchFunc(a.networks, addr, func(n networkOwner, addr netip.Addr) int {
		return n.prefix.Addr().Compare(addr)
	})
	if !exact {
		i--
	}
	if i < 0 || !a.networks[i].prefix.Contains(addr) {
		return ""
	}
	return a.networks[i].name
}
