package caller

import (
	"net/netip"
	"slices"
)

// conjunction is an identity of kind All: kinds of evidence that must all be there.
type conjunction struct {
	owner
	kinds    []string       // of its members
	networks []netip.Prefix // of the member of kind network
	unix     *unixOwner     // the member of kind unix
}

// proof is what evidence of one kind proves.
type proof struct {
	Found
	parts []part // set if it proves the caller only together with other evidence
}

// part is one kind of evidence of a conjunction.
type part struct {
	of   *conjunction
	kind string
}

// addAllOf takes an identity of kind All.
func (b *builder) addAllOf(o owner, id Identity) {
	if len(id.All) < 2 {
		b.problem(o, "all: holds evidence that must be there together: write two kinds or more")
		return
	}
	o.all = &conjunction{owner: o}
	for _, member := range id.All {
		switch {
		case member.Kind == All || member.Kind == Anyone:
			b.problem(o, "all: holds %s, which adds nothing to other evidence: take it out", member.Kind)
			return
		case slices.Contains(o.all.kinds, member.Kind):
			b.problem(o, "all: holds two identities of kind %s, and a request has one: write each kind once", member.Kind)
			return
		}
		o.all.kinds = append(o.all.kinds, member.Kind)
	}
	if slices.Contains(o.all.kinds, Unix) && slices.Contains(o.all.kinds, Network) {
		b.problem(o, "all: holds unix and network, and the peer of a unix socket is in no network: write one of them")
		return
	}
	for _, member := range id.All {
		b.add(o, member)
	}
}

// aloneAndTogether reports evidence that proves a caller alone, and that stands in all: of the same caller, too.
func (b *builder) aloneAndTogether(o, before owner, what string) {
	if o.name != before.name || (o.all == nil) == (before.all == nil) {
		return
	}
	at := before.place(o.file)
	if at == "" {
		at = "another identity"
	}
	b.problem(o, "%s proves this caller alone and in all: (%s), so what else stands in all: is never needed: "+
		"take one of the two out", what, at)
}

// complete returns the caller whose evidence is all there.
func (a *Authenticator) complete(holder, sender proof, from place) (Found, *Error) {
	strongest := holder
	if holder.Name == "" {
		strongest = sender
	}
	for _, p := range strongest.parts {
		isWhole, err := a.isWhole(p.of, holder, sender, from)
		if err != nil {
			return Found{}, err
		}
		if isWhole {
			found := strongest.Found
			if p.of.credential != "" {
				found.Credential = p.of.credential
			}
			return found, nil
		}
	}
	if sender.Name == holder.Name && sender.parts == nil {
		return sender.Found, nil // which proves the same caller alone
	}
	return Found{}, errIncomplete()
}

// isWhole reports whether each kind of evidence of a conjunction is there.
func (a *Authenticator) isWhole(c *conjunction, holder, sender proof, from place) (bool, *Error) {
	for _, kind := range c.kinds {
		ok := false
		switch kind {
		case Certificate:
			ok = slices.Contains(holder.parts, part{c, kind})
		case Token, Key:
			ok = slices.Contains(sender.parts, part{c, kind})
		case Unix:
			ok = from.hasProcess && c.unix.holds(from.process)
		case Network:
			if !from.isTCP {
				return false, nil
			}
			addr, err := a.origin(from.remote, from.forwarded)
			if err != nil {
				return false, err
			}
			ok = slices.ContainsFunc(c.networks, func(p netip.Prefix) bool { return p.Contains(addr) })
		}
		if !ok {
			return false, nil
		}
	}
	return true, nil
}
