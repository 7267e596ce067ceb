package caller_test

import (
	"crypto/sha256"
	"net/netip"
	"strings"
	"testing"

	"graphproxy/auth/caller"
)

func at(line int, id caller.Identity) caller.Identity {
	id.Line = line
	return id
}

func tokenOf(subject string, claims map[string][]string) caller.Identity {
	id := token
	id.Subject, id.Claims = subject, claims
	return id
}

func TestCheckRefusesAnIssuerWhoseKeysComeFromTwoPlaces(t *testing.T) {
	fromFile := token
	fromFile.Subject, fromFile.JWKSFile = "other", "keys.json"
	for _, tt := range []struct {
		name          string
		first, second caller.Identity
		want          string
	}{
		{"discovery first", token, fromFile, `from "keys.json" here, and from discovery`},
		{"the file first", fromFile, token, `from discovery here, and from "keys.json"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := caller.Check([]caller.Caller{is("a", at(3, tt.first)), is("b", at(7, tt.second))})
			want := `line 7: callers.b: the keys of "https://oidc.contoso.example" come ` + tt.want +
				" in callers.a on line 3; write the same jwks_file in both, or in neither"
			if err == nil || err.Error() != want {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	empty := caller.Identity{Kind: caller.Key, KeySHA256: sha256.Sum256(nil)}
	for _, tt := range []struct {
		name    string
		callers []caller.Caller
		want    string // the whole message
	}{
		{"a caller without a name", []caller.Caller{is("", anyone)}, "a caller has no name: give it one"},
		{"a name twice", []caller.Caller{is("hr", anyone), is("hr", key(hrKey))},
			"callers.hr: there is another caller of this name: rename one of them"},
		{"a caller without an identity", []caller.Caller{is("hr")},
			"callers.hr: has no identity, so no request can be from it: add one, such as a key; write anyone if that is meant"},
		{"an unknown kind", []caller.Caller{is("hr", caller.Identity{Kind: "Key", Line: 7})},
			`line 7: callers.hr: unknown kind of identity "Key": write certificate, token, key, unix, network, anyone or all`},
		{"a key without a hash", []caller.Caller{is("hr", caller.Identity{Kind: caller.Key})},
			"callers.hr: the sha256 of the key is missing or that of an empty key: write the SHA-256 of a long random one"},
		{"the hash of an empty key", []caller.Caller{is("hr", empty)},
			"callers.hr: the sha256 of the key is missing or that of an empty key: write the SHA-256 of a long random one"},
		{"a name with a percent sign", []caller.Caller{is("50%d")},
			"callers.50%d: has no identity, so no request can be from it: add one, such as a key; write anyone if that is " +
				"meant"},
		{"no networks", []caller.Caller{is("hr", network())},
			`callers.hr: network: names no network: write such as ["10.20.0.0/16"]`},
		{"an invalid network", []caller.Caller{is("hr", caller.Identity{Kind: caller.Network, Networks: []netip.Prefix{{}}})},
			"callers.hr: network: a network is not valid: write such as 10.20.0.0/16"},
		{"a network with host bits", []caller.Caller{is("hr", at(3, network("10.1.2.3/8")))},
			"line 3: callers.hr: network: 10.1.2.3/8 has bits beyond its length: write 10.0.0.0/8 for the network or " +
				"10.1.2.3/32 for the address"},
		{"a network of more than all mapped addresses", []caller.Caller{is("hr", network("::ffff:0:0/90"))},
			"callers.hr: network: ::ffff:0.0.0.0/90 is IPv6 that holds IPv4 addresses, which are compared as IPv4: write " +
				"them so, such as 10.20.0.0/16"},
		{"a certificate without a name", []caller.Caller{is("hr", caller.Identity{Kind: caller.Certificate})},
			"callers.hr: certificate: names no caller: write uri, dns or common_name"},
		{"a token without an audience",
			[]caller.Caller{is("hr", caller.Identity{Kind: caller.Token, Issuer: "https://contoso.example"})},
			"callers.hr: token: names no caller: write issuer and audience"},
		{"a unix user without a name", []caller.Caller{is("hr", caller.Identity{Kind: caller.Unix})},
			"callers.hr: unix: names no caller: write uid, gid or user"},

		{"the same key", []caller.Caller{is("a", at(2, key(hrKey))), is("b", at(5, key(hrKey)))},
			"line 5: callers.b: the same key could identify this caller and callers.a (line 2): give each a key of its own"},
		{"two of anyone", []caller.Caller{is("a", anyone), is("b", anyone)},
			"callers.b: any request could identify this caller and callers.a: leave anyone to one of them"},
		{"the same network", []caller.Caller{is("a", network("10.0.0.0/8")), is("b", network("10.0.0.0/8"))},
			"callers.b: an address in both 10.0.0.0/8 and 10.0.0.0/8 could identify this caller and callers.a: write " +
				"networks that share no address"},
		{"a network within another",
			[]caller.Caller{is("a", at(4, network("10.1.2.0/24", "10.0.0.0/9"))),
				is("b", at(9, network("192.0.2.1/32", "10.0.0.0/8")))},
			"line 4: callers.a: an address in both 10.0.0.0/9 and 10.0.0.0/8 could identify this caller and callers.b (line " +
				"9): write networks that share no address\n" +
				"line 4: callers.a: an address in both 10.1.2.0/24 and 10.0.0.0/8 could identify this caller and callers.b " +
				"(line 9): write networks that share no address"},
		{"a network within one that is not the first",
			[]caller.Caller{is("a", network("10.0.0.0/8", "192.168.0.0/16")), is("b", network("192.168.7.0/24"))},
			"callers.b: an address in both 192.168.7.0/24 and 192.168.0.0/16 could identify this caller and callers.a: write " +
				"networks that share no address"},
		{"a network spelled as IPv6",
			[]caller.Caller{is("a", network("10.0.0.0/8")), is("b", network("::ffff:10.1.0.0/112"))},
			"callers.b: an address in both 10.1.0.0/16 and 10.0.0.0/8 could identify this caller and callers.a: write " +
				"networks that share no address"},
		{"the same certificate", []caller.Caller{is("a", certificate), is("b", certificate)},
			"callers.b: the same certificate could identify this caller and callers.a: give them different names, or one of " +
				"them another kind of identity"},
		{"the same token", []caller.Caller{is("a", token), is("b", token)},
			"callers.b: the same token could identify this caller and callers.a: make them differ by subject, audience " +
				"or claims"},
		{"the same user", []caller.Caller{is("a", unix), is("b", unix)},
			"callers.b: the same user could identify this caller and callers.a: give both a uid, and different ones"},
		{"several things at once", []caller.Caller{is("a", anyone, network()), is("b", anyone), is("c")},
			`callers.a: network: names no network: write such as ["10.20.0.0/16"]` + "\n" +
				"callers.b: any request could identify this caller and callers.a: leave anyone to one of them\n" +
				"callers.c: has no identity, so no request can be from it: add one, such as a key; write anyone if that is meant"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := caller.Check(tt.callers); err == nil || err.Error() != tt.want {
				t.Errorf("Check = %v", err)
			}
			a, err := caller.New(tt.callers, caller.Options{Tokens: offline()})
			if err == nil || a != nil {
				t.Fatalf("New = %v, %v, want an error", a, err)
			}
			if err.Error() != tt.want {
				t.Errorf("got  %s\nwant %s", err, tt.want)
			}
			if strings.Contains(err.Error(), hrKey) {
				t.Error("the message holds a key")
			}
		})
	}
}

func TestNewDistinguishesIdentities(t *testing.T) {
	cert := func(uri, dns, cn string) caller.Identity {
		return caller.Identity{Kind: caller.Certificate, URI: uri, DNS: dns, CommonName: cn}
	}
	user := func(uid, gid *int, name string) caller.Identity {
		return caller.Identity{Kind: caller.Unix, UID: uid, GID: gid, User: name}
	}
	claim := func(kv ...string) map[string][]string { return map[string][]string{kv[0]: kv[1:]} }
	otherAudience := token
	otherAudience.Audience = "elsewhere"
	for _, tt := range []struct {
		name  string
		a, b  caller.Identity
		apart bool
	}{
		{"keys", key(hrKey), key(mailKey), true},
		{"networks side by side", network("10.0.0.0/9"), network("10.128.0.0/9"), true},
		{"networks of IPv4 and IPv6", network("0.0.0.0/0"), network("::/0"), true},
		{"a network and anyone", network("0.0.0.0/0"), anyone, true},
		{"different kinds", token, certificate, true},

		{"different URIs", cert("spiffe://x/a", "", ""), cert("spiffe://x/b", "", ""), true},
		{"a URI below a pattern", cert("spiffe://x/a/b", "", ""), cert("spiffe://x/a/*", "", ""), false},
		{"a URI beside a pattern", cert("spiffe://x/ab", "", ""), cert("spiffe://x/a/*", "", ""), true},
		{"a pattern below a pattern", cert("spiffe://x/*", "", ""), cert("spiffe://x/a/*", "", ""), false},
		{"patterns side by side", cert("spiffe://x/a/*", "", ""), cert("spiffe://x/b/*", "", ""), true},
		{"DNS names but for letter case", cert("", "HR.contoso.example", ""), cert("", "hr.contoso.example", ""), false},
		{"one name shared, the other not", cert("", "hr.contoso.example", "hr"), cert("", "hr.contoso.example", "it"), true},
		{"one asks for more", cert("spiffe://x/a", "", "hr"), cert("spiffe://x/a", "", ""), false},
		{"different kinds of names", cert("spiffe://x/a", "", ""), cert("", "hr.contoso.example", ""), true},

		{"different subjects", tokenOf("hr", nil), tokenOf("it", nil), true},
		{"any subject", tokenOf("hr", nil), tokenOf("", nil), false},
		{"different audiences", token, otherAudience, true},
		{"a subject in a pattern", tokenOf("ns:hr:*", nil), tokenOf("ns:hr:sync", nil), false},
		{"a subject between two stars", tokenOf("*:hr:*", nil), tokenOf("ns:hr:sync", nil), false},
		{"a subject too short for a pattern", tokenOf("ab*ba", nil), tokenOf("aba", nil), true},
		{"a subject without the middle", tokenOf("a*x*b", nil), tokenOf("ayb", nil), true},
		{"patterns with different ends", tokenOf("*:sync", nil), tokenOf("ns:*:mail", nil), true},
		{"patterns that meet", tokenOf("ns:*", nil), tokenOf("*:mail", nil), false},
		{"different values of a claim", tokenOf("", claim("env", "prod")), tokenOf("", claim("env", "test", "dev")), true},
		{"values of a claim that meet", tokenOf("", claim("env", "prod", "d*")), tokenOf("", claim("env", "test", "dev")),
			false},
		{"different claims", tokenOf("", claim("env", "prod")), tokenOf("", claim("team", "hr")), false},

		{"different users", user(new(1), nil, ""), user(new(2), nil, ""), true},
		{"a user and a group", user(new(1), nil, ""), user(nil, new(1), ""), false},
		{"a user in different groups", user(new(1), new(1), ""), user(new(1), new(2), ""), true},
		{"a number and a name", user(new(1), nil, ""), user(nil, nil, "bin"), false},
		{"different user names", user(nil, nil, "sync"), user(nil, nil, "bin"), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, callers := range [][]caller.Caller{{is("a", tt.a), is("b", tt.b)}, {is("b", tt.b), is("a", tt.a)}} {
				if err := caller.Check(callers); (err == nil) != tt.apart {
					t.Errorf("of two callers: %v, want apart: %v", err, tt.apart)
				}
			}
			if err := caller.Check([]caller.Caller{is("a", tt.a, tt.b)}); err != nil {
				t.Errorf("of one caller: %v", err)
			}
		})
	}
}
