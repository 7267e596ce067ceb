package caller

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os/user"
	"slices"
	"strconv"
	"time"

	"graphproxy/auth/caller/oidc"
)

// New returns an Authenticator of these callers, and does not keep the slice. The error contains all problems
// at once, each with its cure: the problems of NewJudge, users that this machine does not have, and issuers whose
// keys cannot be had (oidc.Keys.Verifier). The keys of new issuers are fetched in the background.
func New(callers []Caller, o Options) (*Authenticator, error) {
	b := newBuilder(lookUp)
	b.addAll(callers)
	b.trust(o)
	if err := errors.Join(b.problems...); err != nil {
		return nil, err
	}
	b.a.authorities, b.a.now = o.Authorities, o.Now
	if b.a.now == nil {
		b.a.now = time.Now
	}
	return &b.a, nil
}

// lookUp returns the uid of a user of this machine.
func lookUp(name string) (uid int, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(u.Uid)
}

func newBuilder(lookUp func(string) (int, error)) *builder {
	return &builder{hashes: make(map[[32]byte]owner), lookUp: lookUp}
}

func (b *builder) addAll(callers []Caller) {
	names := map[string]bool{}
	for _, c := range callers {
		switch {
		case c.Name == "":
			b.problem(owner{}, "a caller has no name: give it one")
		case names[c.Name]:
			b.problem(owner{name: c.Name}, "there is another caller of this name: rename one of them")
		case len(c.Identities) == 0:
			b.problem(owner{name: c.Name}, "has no identity, so no request can be from it: add one, such as a key; "+
				"write anyone if that is meant")
		}
		names[c.Name] = true
		for _, id := range c.Identities {
			b.add(ownerOf(c.Name, &id), id)
		}
	}
	b.sortNetworks()
	b.checkKeyPlaces()
}

// checkKeyPlaces refuses an issuer whose keys come from two places: whether a token verifies would depend on
// which place was read.
func (b *builder) checkKeyPlaces() {
	first := make(map[string]*tokenOwner)
	for i := range b.a.tokens {
		t := &b.a.tokens[i]
		before := first[t.Issuer]
		switch {
		case before == nil:
			first[t.Issuer] = t
		case before.JWKSFile != t.JWKSFile:
			at := ""
			if place := before.owner().place(t.File); place != "" {
				at = " on " + place
			}
			b.problem(t.owner(), "the keys of %.80q come from %s here, and from %s in callers.%s%s; "+
				"write the same jwks_file in both, or in neither", t.Issuer, keysFrom(t.JWKSFile),
				keysFrom(before.JWKSFile), before.found.Name, at)
		}
	}
}

func keysFrom(file string) string {
	if file == "" {
		return "discovery"
	}
	return strconv.Quote(file)
}

// trust sets which issuers and proxies are trusted.
func (b *builder) trust(o Options) {
	for _, p := range o.Proxies {
		p = unmap(p)
		if !p.IsValid() {
			b.problem(owner{}, "a network of trusted proxies is not valid: write such as 10.20.0.0/16")
			continue
		}
		b.a.proxies = append(b.a.proxies, p.Masked())
	}
	if len(b.a.tokens) == 0 {
		return
	}
	if o.Tokens == nil {
		b.problem(b.a.tokens[0].owner(), "token: the keys of issuers are not to be had here, "+
			"so no token can be verified: take the identity out")
		return
	}
	var all []oidc.Source
	for i := range b.a.tokens {
		t := &b.a.tokens[i]
		source := oidc.Source{Issuer: t.Issuer, JWKSFile: t.JWKSFile}
		all = append(all, source)
		if _, err := o.Tokens.Verifier([]oidc.Source{source}); err != nil { // one by one, so that each problem has its line
			b.problem(t.owner(), "token: %s", err)
		}
	}
	verifier, err := o.Tokens.Verifier(all)
	if err != nil && len(b.problems) == 0 {
		b.problem(b.a.tokens[0].owner(), "token: %s", err)
	}
	b.a.verifier = verifier
}

// owner is a caller and the line of one of its identities.
type owner struct {
	name       string
	file       string
	line       int
	credential string // name of the identity; "": none

	all *conjunction // that the identity is part of; nil: it proves the caller alone
}

func ownerOf(name string, id *Identity) owner {
	return owner{name: name, file: id.File, line: id.Line, credential: id.Name}
}

// place returns where the owner stands, for a message about what stands in a file: "line 12", "teams/hr.yaml:12", or ""
// if that is not known.
func (o owner) place(file string) string {
	switch {
	case o.line <= 0:
		return ""
	case o.file != file:
		return fmt.Sprintf("%s:%d", o.file, o.line)
	}
	return fmt.Sprintf("line %d", o.line)
}

func (o owner) found(evidence string) Found { return Found{o.name, evidence, o.credential} }

// builder collects an Authenticator and all problems.
type builder struct {
	a        Authenticator
	lookUp   func(user string) (uid int, err error) // nil: users are not looked up
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
	uri uriPattern
}

// Problem is one thing that is wrong with callers. The errors of New and Check unwrap to these (errors.Join).
type Problem struct {
	File    string // of the identity; "": unknown
	Line    int    // of the identity; 0: unknown
	Caller  string // the caller's name; "": the problem belongs to none
	Message string // what is wrong, and the cure
}

// Error returns "line 12: callers.hr-sync: message".
func (p *Problem) Error() string {
	where := ""
	if p.Line > 0 {
		where = fmt.Sprintf("line %d: ", p.Line)
	}
	if p.Caller != "" {
		where += "callers." + p.Caller + ": "
	}
	return where + p.Message
}

func (b *builder) problem(o owner, format string, args ...any) {
	b.problems = append(b.problems, &Problem{o.file, o.line, o.name, fmt.Sprintf(format, args...)})
}

// clash reports that the same evidence could identify two callers. One caller may have the same identity twice.
func (b *builder) clash(o, before owner, what, cure string) {
	if o.name == before.name {
		return
	}
	other := fmt.Sprintf("callers.%s", before.name)
	if place := before.place(o.file); place != "" {
		other += " (" + place + ")"
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
	case All:
		b.addAllOf(o, id)
	case Certificate, Token, Unix:
		b.addDescribed(described{Identity: id, owner: o})
	default:
		b.problem(o, "unknown kind of identity %q: write certificate, token, key, unix, network, anyone or all", id.Kind)
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
		b.aloneAndTogether(o, before, "the same key")
		b.addPart(o, hash)
		return
	}
	b.hashes[hash] = o
	if o.credential == "" {
		o.credential = hex.EncodeToString(hash[:digits/2])
	}
	b.a.keys = append(b.a.keys, keyOwner{hash: hash, Found: o.found(Key)})
	b.addPart(o, hash)
}

// addPart notes that a key is part of an identity of kind All.
func (b *builder) addPart(o owner, hash [32]byte) {
	if i := slices.IndexFunc(b.a.keys, func(k keyOwner) bool { return k.hash == hash }); i >= 0 && o.all != nil {
		b.a.keys[i].parts = append(b.a.keys[i].parts, part{o.all, Key})
	}
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
			if o.all != nil {
				o.all.networks = append(o.all.networks, plain)
				continue
			}
			b.nets = append(b.nets, network{plain, o})
		}
	}
}

// unmap returns ::ffff:a.b.c.d/n as the IPv4 network that it is, and an invalid Prefix when n is below 96.
func unmap(p netip.Prefix) netip.Prefix {
	if !p.Addr().Is4In6() {
		return p
	}
	return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
}

// sortNetworks sorts the networks and leaves out each network within another of the same caller. Two networks
// share no address, or one contains the other. In this order the larger comes first.
func (b *builder) sortNetworks() {
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
		b.a.networks = append(b.a.networks, networkOwner{n.prefix, n.found(Network)})
	}
}
