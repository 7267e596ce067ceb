package diff

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"graphproxy/policy"
)

// identities reports evidence that proves the caller in one policy only.
func identities(old, newer *side) []Change {
	return identityChanges(evidence(old), evidence(newer), KindIdentity, "")
}

// consoles reports evidence that proves those who may look in one policy only.
func consoles(old, newer *policy.Policy) []Change {
	return identityChanges(old.Console(), newer.Console(), KindConsole, "the visitor of the console ")
}

// identityChanges reports evidence that proves in one policy only. Whom it proves stands before what it says.
func identityChanges(was, is []policy.Identity, kind Kind, whom string) []Change {
	var changes []Change
	for _, id := range is {
		if !slices.ContainsFunc(was, func(w policy.Identity) bool { return proves(&w, &id) }) {
			changes = append(changes, Change{Sign: "+", Kind: kind, Gains: true,
				Text: whom + "is known by " + identityText(&id), Where: place(id.File, id.Line)})
		}
	}
	for _, id := range was {
		if !slices.ContainsFunc(is, func(i policy.Identity) bool { return proves(&i, &id) }) {
			changes = append(changes, Change{Sign: "-", Kind: kind, Loses: true,
				Text: whom + "is no longer known by " + identityText(&id), Where: place(id.File, id.Line)})
		}
	}
	return changes
}

// evidence returns the caller's identities, each network for itself.
func evidence(s *side) []policy.Identity {
	if s.caller == nil {
		return nil
	}
	var all []policy.Identity
	for _, id := range s.caller.Identities {
		if len(id.Networks) == 0 {
			all = append(all, id)
			continue
		}
		for _, n := range id.Networks {
			one := id
			one.Networks = []netip.Prefix{n}
			all = append(all, one)
		}
	}
	return all
}

// proves reports whether a accepts all evidence that b accepts.
func proves(a, b *policy.Identity) bool {
	switch {
	case a.Kind == "all":
		return b.Kind == "all" && eachIsProved(a, b)
	case b.Kind == "all": // the strongest evidence decides
		return a.Kind == b.All[0].Kind && len(b.All[0].Networks) == 0 && proves(a, &b.All[0])
	}
	if a.Kind != b.Kind || a.KeySHA256 != b.KeySHA256 || a.URI != b.URI ||
		!strings.EqualFold(a.DNS, b.DNS) || a.CommonName != b.CommonName {
		return false
	}
	switch a.Kind {
	case "token":
		return a.Issuer == b.Issuer && a.JWKSFile == b.JWKSFile && a.Audience == b.Audience &&
			(a.Subject == "" || a.Subject == b.Subject) && claimsProve(a.Claims, b.Claims)
	case "unix":
		return number(a.UID, b.UID) && number(a.GID, b.GID) && (a.User == "" || a.User == b.User)
	case "network":
		return a.Networks[0].Bits() <= b.Networks[0].Bits() && a.Networks[0].Contains(b.Networks[0].Addr())
	}
	return true
}

// eachIsProved reports whether each kind of evidence that a needs is among what b needs, and no narrower.
func eachIsProved(a, b *policy.Identity) bool {
	if a.All[0].Kind != b.All[0].Kind {
		return false // another kind of evidence is the strongest, and decides
	}
	return !slices.ContainsFunc(a.All, func(member policy.Identity) bool {
		return !slices.ContainsFunc(b.All, func(other policy.Identity) bool {
			if member.Kind != "network" || other.Kind != "network" {
				return proves(&member, &other)
			}
			return !slices.ContainsFunc(other.Networks, func(n netip.Prefix) bool {
				return !slices.ContainsFunc(member.Networks, func(m netip.Prefix) bool {
					return m.Bits() <= n.Bits() && m.Contains(n.Addr())
				})
			})
		})
	})
}

func claimsProve(a, b map[string][]string) bool {
	for name, values := range a {
		others, found := b[name]
		if !found || slices.ContainsFunc(others, func(v string) bool { return !slices.Contains(values, v) }) {
			return false
		}
	}
	return true
}

func number(a, b *int) bool { return a == nil || b != nil && *a == *b }

// identityText returns the text of evidence as in the file. A key's hash is shortened to a recognisable part.
func identityText(id *policy.Identity) string {
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+value)
		}
	}
	switch id.Kind {
	case "key":
		add("sha256:", hex.EncodeToString(id.KeySHA256[:])[:12]+"…")
	case "network":
		for _, n := range id.Networks {
			add("", n.String())
		}
	case "all":
		for i := range id.All {
			parts = append(parts, identityText(&id.All[i]))
		}
		add("name ", id.Name)
		return "all of " + strings.Join(parts, " and ")
	}
	add("uri ", id.URI)
	add("dns ", id.DNS)
	add("common_name ", id.CommonName)
	add("issuer ", id.Issuer)
	add("audience ", id.Audience)
	add("subject ", id.Subject)
	for _, name := range slices.Sorted(maps.Keys(id.Claims)) {
		add("claim ", fmt.Sprintf("%s %q", name, id.Claims[name]))
	}
	add("jwks_file ", id.JWKSFile)
	add("uid ", numberText(id.UID))
	add("gid ", numberText(id.GID))
	add("user ", id.User)
	add("name ", id.Name)
	return strings.TrimSuffix(id.Kind+" "+strings.Join(parts, ", "), " ")
}

func numberText(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}
