package caller_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/auth/caller"
	"graphproxy/auth/caller/pkitest"
)

// named is an identity with a name.
func named(name string, id caller.Identity) caller.Identity {
	id.Name = name
	return id
}

func TestTheCredentialIsTheIdentitysNameOrItsHash(t *testing.T) {
	digits := func(k string) string { sum := sha256.Sum256([]byte(k)); return hex.EncodeToString(sum[:4]) }
	callers := []caller.Caller{
		is("mail", key(mailKey), named("new", key(hrKey))),
		is("cron", named("nightly", caller.Identity{Kind: caller.Unix, UID: new(7)}), unix),
		is("lab", named("bench-3", network("192.0.2.0/24"))),
		is("all", anyone),
	}
	a := mustNew(t, callers...)
	for _, tt := range []struct {
		name string
		r    *http.Request
		want caller.Found
	}{
		{"a key without a name", request("X-Api-Key: " + mailKey),
			caller.Found{Name: "mail", Evidence: caller.Key, Credential: digits(mailKey)}},
		{"a key with a name", request("Authorization: Bearer " + hrKey),
			caller.Found{Name: "mail", Evidence: caller.Key, Credential: "new"}},
		{"a key in both headers", request("Authorization: Bearer "+mailKey, "X-Api-Key: "+mailKey),
			caller.Found{Name: "mail", Evidence: caller.Key, Credential: digits(mailKey)}},
		{"two keys of one caller: that of the bearer", request("Authorization: Bearer "+hrKey, "X-Api-Key: "+mailKey),
			caller.Found{Name: "mail", Evidence: caller.Key, Credential: "new"}},
		{"a user with a name", over(caller.Peer{UID: 7}, from("@", request())),
			caller.Found{Name: "cron", Evidence: caller.Unix, Credential: "nightly"}},
		{"a user without one", over(caller.Peer{UID: 1000}, from("@", request())),
			caller.Found{Name: "cron", Evidence: caller.Unix}},
		{"a network with a name", request(), caller.Found{Name: "lab", Evidence: caller.Network, Credential: "bench-3"}},
		{"anyone", from("203.0.113.9:1", request()), caller.Found{Name: "all", Evidence: caller.Anyone}},
	} {
		got, err := a.Authenticate(tt.r)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, diff)
		}
	}
}

func TestTheCredentialOfACertificate(t *testing.T) {
	p := newPKI(t)
	known := pkitest.Leaf{DNS: []string{"hr.contoso.example"}}
	dns := caller.Identity{Kind: caller.Certificate, DNS: "hr.contoso.example"}
	plain := mustNewWith(t, caller.Options{Authorities: p.trusted}, is("hr", dns))
	r := p.shown(known)
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	if got, err := plain.Authenticate(r); err != nil ||
		got != (caller.Found{Name: "hr", Evidence: caller.Certificate, Credential: hex.EncodeToString(sum[:4])}) {
		t.Errorf("without a name: %+v, %v", got, err)
	}
	withName := mustNewWith(t, caller.Options{Authorities: p.trusted},
		is("hr", uri("spiffe://contoso.example/other"), named("laptop", dns)))
	if got, err := withName.Authenticate(r); err != nil || got.Credential != "laptop" {
		t.Errorf("with a name: %+v, %v", got, err)
	}
}

func TestTheOriginIsThePeerOrWhomATrustedProxyNames(t *testing.T) {
	const proxy, inner = "10.0.0.1:5000", "10.0.0.2"
	a := mustNewWith(t, caller.Options{
		Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")},
	}, is("all", anyone))
	for _, tt := range []struct {
		name      string
		r         *http.Request
		want, via string
	}{
		{"a peer", from("203.0.113.9:1", request()), "203.0.113.9", ""},
		{"a peer that is not trusted names nobody", from("203.0.113.9:1", request("X-Forwarded-For: 198.51.100.7")),
			"203.0.113.9", ""},
		{"a trusted proxy that names nobody", from(proxy, request()), "10.0.0.1", ""},
		{"a trusted proxy names one", from(proxy, request("X-Forwarded-For: 198.51.100.7")), "198.51.100.7", "10.0.0.1"},
		{"the last that is not trusted", from(proxy, request("X-Forwarded-For: 1.2.3.4, 198.51.100.7, "+inner)),
			"198.51.100.7", "10.0.0.1"},
		{"what the sender wrote before does not count", from(proxy, request("X-Forwarded-For: nonsense, 198.51.100.7")),
			"198.51.100.7", "10.0.0.1"},
		{"in two headers", from(proxy, request("X-Forwarded-For: 1.2.3.4", "X-Forwarded-For: 198.51.100.7")), "198.51.100.7",
			"10.0.0.1"},
		{"all are trusted: the first", from(proxy, request("X-Forwarded-For: 10.9.9.9, "+inner)), "10.9.9.9", "10.0.0.1"},
		{"with a port", from(proxy, request("X-Forwarded-For: 198.51.100.7:4711")), "198.51.100.7", "10.0.0.1"},
		{"IPv6 with brackets and port", from(proxy, request("X-Forwarded-For: [2001:db9::7]:4711")), "2001:db9::7",
			"10.0.0.1"},
		{"IPv4 in IPv6", from("[::ffff:10.0.0.1]:1", request("X-Forwarded-For: ::ffff:198.51.100.7")), "198.51.100.7",
			"10.0.0.1"},
		{"a zone", from("[fe80::1%eth0]:1", request()), "fe80::1", ""},
		{"no address leaves the proxy that wrote it", from(proxy, request("X-Forwarded-For: nonsense, "+inner)), inner,
			"10.0.0.1"},
		{"a hidden one leaves the peer", from(proxy, request("X-Forwarded-For: unknown")), "10.0.0.1", ""},
		{"an empty header", from(proxy, request("X-Forwarded-For: ")), "10.0.0.1", ""},
		{"a unix socket", over(caller.Peer{UID: 1000, GID: 5}, from("@", request())), "unix:1000", ""},
		{"a unix socket of a user that is not known", from("@", request("X-Forwarded-For: 198.51.100.7")), "unix", ""},
		{"the PROXY protocol", behind("10.0.0.3", from("198.51.100.7:4711", request())), "198.51.100.7", "10.0.0.3"},
		{"the PROXY protocol, told nothing", behind("10.0.0.3", from("10.0.0.3:9", request())), "10.0.0.3", ""},
		{"the PROXY protocol and then a header", behind("10.0.0.3", from(proxy, request("X-Forwarded-For: 198.51.100.7"))),
			"198.51.100.7", "10.0.0.3"},
	} {
		if got := a.Origin(tt.r); got != (caller.Origin{Client: tt.want, Peer: tt.via}) {
			t.Errorf("%s: %+v, want %s by %q", tt.name, got, tt.want, tt.via)
		}
	}
}

func behind(proxy string, r *http.Request) *http.Request {
	return r.WithContext(caller.WithProxy(r.Context(), netip.MustParseAddr(proxy)))
}
