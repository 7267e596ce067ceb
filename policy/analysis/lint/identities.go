package lint

import (
	"net/netip"
	"strconv"

	"graphproxy/policy"
)

// identities reports evidence that proves too many callers, if other machines can present it.
func (c *checker) identities() {
	if !c.Public {
		return
	}
	for i := range c.books {
		b := &c.books[i]
		if len(b.allow) == 0 {
			continue
		}
		for _, id := range b.caller.Identities {
			c.tooWide(b, id)
			for _, member := range id.All { // its networks are one proof of several, and its key or token may be read
				member.Networks = nil
				c.tooWide(b, member)
			}
		}
	}
}

func (c *checker) tooWide(b *book, id policy.Identity) {
	if id.Kind == "anyone" {
		c.report.AddIn(id.File, id.Line, b.where+".identity",
			"every client that can reach the proxy is this caller, and it listens for others "+
				"than this machine. Listen on 127.0.0.1, or name evidence that proves the caller")
	}
	if c.Plain && (id.Kind == "key" || id.Kind == "token") {
		c.report.AddIn(id.File, id.Line, b.where+".identity",
			"the %s of this caller crosses the network without TLS, and who reads it there is this caller. Set "+
				"GRAPHPROXY_TLS_CERT_FILE and GRAPHPROXY_TLS_KEY_FILE, or listen on 127.0.0.1 behind a proxy that ends TLS",
			id.Kind)
	}
	for _, n := range id.Networks {
		if isWide(n) {
			c.report.AddIn(id.File, id.Line, b.where+".identity",
				"network %s stands for %s addresses, each of which is this caller without any "+
					"other proof. Name the networks that the caller is in, or evidence that proves it", n, addresses(n))
		}
	}
}

// isWide reports whether a network is larger than one site's: more than 65,536 addresses of IPv4, or more than the
// /32 of IPv6 that a provider gets. Loopback networks never are.
func isWide(n netip.Prefix) bool {
	if n.Addr().IsLoopback() && n.Bits() >= 8 {
		return false
	}
	if n.Addr().Is4() {
		return n.Bits() < 16
	}
	return n.Bits() < 32
}

// addresses returns how many addresses a network has: "16,777,216", or "2^120" where the number is too long to read.
func addresses(n netip.Prefix) string {
	bits := n.Addr().BitLen() - n.Bits()
	if bits > 32 {
		return "2^" + strconv.Itoa(bits)
	}
	digits := strconv.Itoa(1 << bits)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
