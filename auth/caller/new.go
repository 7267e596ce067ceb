package caller

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// New returns an Authenticator of these callers, which it does not keep. The error tells all problems at once, each with
// its cure: identities that say nothing, and any two callers that the same evidence could identify.
func New(callers []Caller) (*Authenticator, error) {
	b := builder{hashes: map[[32]byte]owner{}}
	names := map[string]bool{}
	for _, c := range callers {
		switch {
		case c.Name == "":
			b.problem(owner{}, "a caller has no name: give it one")
		case names[c.Name]:
			b.problem(owner{name: c.Name}, "there is another caller of this name: rename one of them")
		case len(c.Identities) == 0:
			b.problem(owner{name: c.Name}, "has no identity, so nobody can be it: add one, such as a key; write anyone if that is meant")
		}
		names[c.Name] = true
		for _, id := range c.Identities {
			b.add(owner{c.Name, id.Line}, id)
		}
	}
	b.disjoin()
	if err := errors.Join(b.problems...); err != nil {
		return nil, err
	}
	return &b.a, nil
}

// owner is a caller and the line that says how it is known.
type owner struct {
	name string
	line int
}

// builder collects an Authenticator and everything that is wrong with it.
type builder struct {
	a        Authenticator
	problems []error
	hashes   map[[32]byte]owner
	anyone   owner
	nets     []network
	others   []described // certificate, token, unix
}

type network struct {
	prefix netip.Prefix
	owner
}

type described struct {
	Identity
	owner
}

func (b *builder) problem(o owner, format string, args ...any) {
	where := ""
	if o.line > 0 {
		where = fmt.Sprintf("line %d: ", o.line)
	}
	if o.name != "" {
		where += "callers." + o.name + ": "
	}
	b.problems = append(b.problems, errors.New(where+fmt.Sprintf(format, args...)))
}

// clash tells that the same evidence could identify two callers. One caller may say the same thing twice.
func (b *builder) clash(o, before owner, what, cure string) {
	if o.name == before.name {
		return
	}
	other := fmt.Sprintf("callers.%s", before.name)
	if before.line > 0 {
		other += fmt.Sprintf(" (line %d)", before.line)
	}
	b.problem(o, "%s could identify this caller and %s: %s", what, other, cure)
}

func (b *builder) add(o owner, id Identity) {
	switch id.Kind {
	case Key:
		b.addKey(o, id.KeySHA256)
	case Network:
		b.addNetworks(o, id.Networks)
	case Anyone:
		if b.a.anyone != "" {
			b.clash(o, b.anyone, "any request", "leave anyone to one of them")
			return
		}
		b.a.anyone, b.anyone = o.name, o
	case Certificate, Token, Unix:
		b.addDescribed(described{id, o})
	default:
		b.problem(o, "unknown kind of identity %q: write certificate, token, key, unix, network or anyone", id.Kind)
	}
}

func (b *builder) addKey(o owner, hash [32]byte) {
	b.a.secrets = true
	if hash == ([32]byte{}) || hash == sha256.Sum256(nil) {
		b.problem(o, "the sha256 of the key is missing or that of an empty key: write the SHA-256 of a long random one")
		return
	}
	if before, ok := b.hashes[hash]; ok {
		b.clash(o, before, "the same key", "give each a key of its own")
		return
	}
	b.hashes[hash] = o
	b.a.keys = append(b.a.keys, keyOwner{hash, o.name})
}

func (b *builder) addNetworks(o owner, prefixes []netip.Prefix) {
	if len(prefixes) == 0 {
		b.problem(o, `network: names no network: write such as ["10.20.0.0/16"]`)
	}
	for _, p := range prefixes {
		switch plain := unmap(p); {
		case !p.IsValid():
			b.problem(o, "network: a network is not valid: write such as 10.20.0.0/16")
		case !plain.IsValid():
			b.problem(o, "network: %s is IPv6 that holds IPv4 addresses, which are compared as IPv4: "+
				"write them so, such as 10.20.0.0/16", p)
		case plain != plain.Masked():
			b.problem(o, "network: %s has bits beyond its length: write %s for the network or %s for the address",
				p, plain.Masked(), netip.PrefixFrom(plain.Addr(), plain.Addr().BitLen()))
		default:
			b.nets = append(b.nets, network{plain, o})
		}
	}
}

// unmap returns ::ffff:a.b.c.d/n as the IPv4 network that it is; an invalid Prefix when it is more than that.
func unmap(p netip.Prefix) netip.Prefix {
	if !p.Addr().Is4In6() {
		return p
	}
	return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
}

// disjoin sorts the networks and leaves out those within another of the same caller. Two networks share no address or one
// holds the other, and in this order the holder comes first.
func (b *builder) disjoin() {
	slices.SortStableFunc(b.nets, func(x, y network) int {
		return cmp.Or(x.prefix.Addr().Compare(y.prefix.Addr()), cmp.Compare(x.prefix.Bits(), y.prefix.Bits()))
	})
	var outer network
	for _, n := range b.nets {
		if outer.prefix.IsValid() && outer.prefix.Contains(n.prefix.Addr()) {
			what := fmt.Sprintf("an address in both %s and %s", n.prefix, outer.prefix)
			b.clash(n.owner, outer.owner, what, "write networks that share no address")
			continue
		}
		outer = n
		b.a.networks = append(b.a.networks, networkOwner{n.prefix, n.name})
	}
}
