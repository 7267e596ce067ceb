package policy

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// claimant is one identity of one caller.
type claimant struct {
	caller *Caller
	id     *Identity
	index  int // in the caller's list
}

// sharedIdentities refuses evidence that could prove two callers: which one it is would be a matter of
// chance. What only the running system knows, such as the number of a user's name, is left to auth/caller.
func (l *loader) sharedIdentities() {
	l.keyFiles()
	byKind := make(map[string][]claimant)
	for i := range l.policy.callers {
		c := &l.policy.callers[i]
		for j := range c.Identities {
			id := &c.Identities[j]
			group := id.Kind
			if id.Kind == "token" {
				group += "\x00" + id.Issuer + "\x00" + id.Audience // the rest of it is compared in pairs
			}
			byKind[group] = append(byKind[group], claimant{c, id, j})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byKind)) {
		group := byKind[name]
		switch group[0].id.Kind {
		case "key":
			sharedBy(l, group, "the same key as", func(id *Identity) string { return string(id.KeySHA256[:]) })
		case "anyone":
			sharedBy(l, group, "anyone is already", func(*Identity) string { return "" })
		case "certificate":
			sharedBy(l, group, "the same certificate as", certificateName)
		case "network":
			l.sharedNetworks(group)
		default:
			l.sharedPairs(group)
		}
	}
}

// keyFiles refuses an issuer whose keys are said to be in two places: a token would verify or not by which of them is
// asked.
func (l *loader) keyFiles() {
	first := make(map[string]claimant) // by issuer
	for i := range l.policy.callers {
		c := &l.policy.callers[i]
		for j := range c.Identities {
			id := &c.Identities[j]
			before, found := first[id.Issuer]
			switch {
			case id.Kind != "token" || id.Issuer == "":
			case !found:
				first[id.Issuer] = claimant{c, id, j}
			case before.id.JWKSFile != id.JWKSFile:
				l.report.Add(id.Line, "callers."+c.Name+".identity",
					"the keys of %.80q come from %s here, and from %s in callers.%s on line %d; "+
						"write the same jwks_file in both, or in neither", id.Issuer, keysFrom(id), keysFrom(before.id),
					before.caller.Name, before.id.Line)
			}
		}
	}
}

func keysFrom(id *Identity) string {
	if id.JWKSFile == "" {
		return "discovery"
	}
	return strconv.Quote(id.JWKSFile)
}

func certificateName(id *Identity) string {
	return id.URI + "\x00" + strings.ToLower(id.DNS) + "\x00" + id.CommonName
}

// share reports the later of two identities that the same evidence could prove.
func (l *loader) share(a, b claimant, what string) {
	if a.caller == b.caller {
		return
	}
	if a.id.Line > b.id.Line {
		a, b = b, a
	}
	l.report.Add(b.id.Line, "callers."+b.caller.Name+".identity",
		"%s callers.%s on line %d; evidence must prove one caller only", what, a.caller.Name, a.id.Line)
}

// sharedBy finds identities with the same text.
func sharedBy(l *loader, group []claimant, what string, text func(*Identity) string) {
	first := make(map[string]claimant)
	for _, c := range group {
		key := text(c.id)
		if other, found := first[key]; found {
			l.share(other, c, what)
			continue
		}
		first[key] = c
	}
}

// sharedNetworks finds networks that overlap, which means that one holds the other. Sorted by address and
// then by size, a network comes after all that hold it, and the last of those that are still open is the
// nearest.
func (l *loader) sharedNetworks(group []claimant) {
	type claimed struct {
		claimant
		network netip.Prefix
	}
	var all []claimed
	for _, c := range group {
		for _, n := range c.id.Networks {
			all = append(all, claimed{c, n})
		}
	}
	slices.SortStableFunc(all, func(a, b claimed) int {
		return cmp.Or(a.network.Addr().Compare(b.network.Addr()), a.network.Bits()-b.network.Bits())
	})
	var open []claimed
	for _, c := range all {
		for len(open) > 0 && !open[len(open)-1].network.Overlaps(c.network) {
			open = open[:len(open)-1]
		}
		for _, holder := range open {
			if holder.caller != c.caller {
				l.share(holder.claimant, c.claimant, c.network.String()+" overlaps "+holder.network.String()+" of")
				break
			}
		}
		open = append(open, c)
	}
}

// sharedPairs compares the identities of a group two by two.
func (l *loader) sharedPairs(group []claimant) {
	for i, a := range group {
		for _, b := range group[:i] {
			if a.caller == b.caller {
				continue
			}
			if a.id.Kind == "unix" && unixOverlap(a.id, b.id) {
				l.share(a, b, "a peer could be this one and the one of")
			}
			if a.id.Kind == "token" && tokensOverlap(a.id, b.id) {
				l.share(a, b, "a token could be this one and the one of")
			}
		}
	}
}

// unixOverlap reports whether one peer could be both: it has a user's number, a group and a name at once.
func unixOverlap(a, b *Identity) bool {
	return !(a.UID != nil && b.UID != nil && *a.UID != *b.UID ||
		a.GID != nil && b.GID != nil && *a.GID != *b.GID ||
		a.User != "" && b.User != "" && a.User != b.User)
}

// tokensOverlap reports whether one token of the issuer could be both: nothing that both look at tells them apart.
func tokensOverlap(a, b *Identity) bool {
	if a.Subject != "" && b.Subject != "" && a.Subject != b.Subject {
		return false
	}
	for name, values := range a.Claims {
		others, both := b.Claims[name]
		if both && !slices.ContainsFunc(values, func(v string) bool { return slices.Contains(others, v) }) {
			return false
		}
	}
	return true
}
