package caller_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/auth/caller"
	"graphproxy/auth/caller/pkitest"
)

// all is evidence that must hold together.
func all(ids ...caller.Identity) caller.Identity { return caller.Identity{Kind: caller.All, All: ids} }

func TestEvidenceOfAllMustBeThereTogether(t *testing.T) {
	const inside, outside, proxied = "10.20.1.1:9", "10.99.1.1:9", "192.0.2.1:9"
	bearer := func(remote string, headers ...string) *http.Request { return from(remote, request(headers...)) }
	hr := is("hr", all(key(hrKey), network("10.20.0.0/16", "10.21.0.0/16")))
	office := is("office", network("10.20.0.0/24", "10.20.1.0/24"))
	for _, c := range []struct {
		name    string
		callers []caller.Caller
		request *http.Request
		want    string
	}{
		{"the key from the network", []caller.Caller{hr}, bearer(inside, "Authorization: "+"Bearer "+hrKey), "hr by key"},
		{"the key as X-Api-Key", []caller.Caller{hr}, bearer(inside, "X-Api-Key: "+hrKey), "hr by key"},
		{"the key from another of its networks", []caller.Caller{hr}, bearer("10.21.3.4:9", "X-Api-Key: "+hrKey),
			"hr by key"},
		{"the key from elsewhere", []caller.Caller{hr}, bearer(outside, "X-Api-Key: "+hrKey), "evidenceIncomplete"},
		{"the network without the key", []caller.Caller{hr}, bearer(inside), "callerUnknown"},
		{"the network without the key, where it is that of another caller", []caller.Caller{hr, office}, bearer(inside),
			"office by network"},
		{"the key from elsewhere, where anyone is a caller", []caller.Caller{hr, is("guest", anyone)},
			bearer(outside, "X-Api-Key: "+hrKey), "evidenceIncomplete"},
		{"the network without the key, where anyone is a caller", []caller.Caller{hr, is("guest", anyone)}, bearer(inside),
			"guest by anyone"},
		{"a wrong key from the network", []caller.Caller{hr, office}, bearer(inside, "X-Api-Key: "+wrongKey), "keyUnknown"},
		{"the key over a unix socket", []caller.Caller{hr}, bearer("@", "X-Api-Key: "+hrKey), "evidenceIncomplete"},
		{"the key with an X-Forwarded-For that nobody trusts", []caller.Caller{hr},
			bearer(outside, "X-Api-Key: "+hrKey, "X-Forwarded-For: "+"10.20.1.1"), "evidenceIncomplete"},
		{"a trusted proxy names a client in the network", []caller.Caller{hr},
			bearer(proxied, "X-Api-Key: "+hrKey, "X-Forwarded-For: "+"10.20.1.1"), "hr by key"},
		{"a trusted proxy names a client outside", []caller.Caller{hr},
			bearer(proxied, "X-Api-Key: "+hrKey, "X-Forwarded-For: "+"10.20.1.1, 10.99.1.1"), "evidenceIncomplete"},
		{"a trusted proxy names what is no address", []caller.Caller{hr},
			bearer(proxied, "X-Api-Key: "+hrKey, "X-Forwarded-For: "+"inside"), "evidenceAmbiguous"},
		{"two keys of a caller, each from its network", []caller.Caller{is("hr", all(key(hrKey), network("10.20.0.0/16")),
			all(key(mailKey), network("10.99.0.0/16")))}, bearer(outside, "X-Api-Key: "+mailKey), "hr by key"},
		{"two keys of a caller, one from the other's network", []caller.Caller{is("hr",
			all(key(hrKey), network("10.20.0.0/16")), all(key(mailKey), network("10.99.0.0/16")))},
			bearer(outside, "X-Api-Key: "+hrKey), "evidenceIncomplete"},
		{"one key that counts from two networks", []caller.Caller{is("hr", all(key(hrKey), network("10.20.0.0/16")),
			all(key(hrKey), network("10.99.0.0/16")))}, bearer(outside, "X-Api-Key: "+hrKey), "hr by key"},
		{"another key proves the same caller alone", []caller.Caller{is("hr", all(key(hrKey), network("10.20.0.0/16")),
			key(mailKey))}, bearer(outside, "Authorization: "+"Bearer "+hrKey, "X-Api-Key: "+mailKey), "hr by key"},
		{"another key proves another caller", []caller.Caller{hr, is("mail", key(mailKey))},
			bearer(inside, "Authorization: "+"Bearer "+hrKey, "X-Api-Key: "+mailKey), "evidenceAmbiguous"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := mustNewWith(t, caller.Options{Tokens: offline(),
				Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, c.callers...)
			if diff := cmp.Diff(c.want, outcome(t, a, c.request)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestACertificateAndMore(t *testing.T) {
	p := newPKI(t)
	hr, gateway := uri("spiffe://contoso.example/hr"), uri("spiffe://contoso.example/gateway")
	a := mustNewWith(t, caller.Options{Tokens: offline(), Authorities: p.trusted},
		is("hr", all(key(hrKey), hr), all(key(dotKey), hr)),
		is("batch", all(gateway, caller.Identity{Kind: caller.Unix, UID: new(1000)})),
		is("mail", key(mailKey)))
	leaf := func(id string) pkitest.Leaf { return pkitest.Leaf{URIs: []string{"spiffe://contoso.example/" + id}} }
	for _, c := range []struct {
		name    string
		request *http.Request
		want    string
	}{
		{"both", p.shown(leaf("hr"), "X-Api-Key: "+hrKey), "hr by certificate"},
		{"the second of two keys", p.shown(leaf("hr"), "X-Api-Key: "+dotKey), "hr by certificate"},
		{"the certificate alone", p.shown(leaf("hr")), "evidenceIncomplete"},
		{"the key alone", request("X-Api-Key: " + hrKey), "evidenceIncomplete"},
		{"the key of another caller", p.shown(leaf("hr"), "X-Api-Key: "+mailKey), "evidenceIncomplete"},
		{"a wrong key", p.shown(leaf("hr"), "X-Api-Key: "+wrongKey), "keyUnknown"},
		{"the certificate of another caller", p.shown(leaf("gateway"), "X-Api-Key: "+hrKey), "evidenceIncomplete"},
		{"a certificate of no caller", p.shown(leaf("other"), "X-Api-Key: "+hrKey), "certificateUnknown"},
		{"a certificate and the user", over(caller.Peer{UID: 1000}, p.shown(leaf("gateway"))), "batch by certificate"},
		{"a certificate and another user", over(caller.Peer{UID: 1001}, p.shown(leaf("gateway"))), "evidenceIncomplete"},
		{"the user alone", over(caller.Peer{UID: 1000}, request()), "callerUnknown"},
		{"others are as before", request("X-Api-Key: " + mailKey), "mail by key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, outcome(t, a, c.request)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheNameOfAllIsRecorded(t *testing.T) {
	together := all(key(hrKey), network("10.20.0.0/16"))
	for want, id := range map[string]caller.Identity{"both": named("both", together), "": together} {
		found, err := mustNew(t, is("hr", id)).Authenticate(from("10.20.1.1:9", request("X-Api-Key: "+hrKey)))
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = caller.Found{Credential: found.Credential}.Credential
			if len(want) != 8 {
				t.Errorf("credential %q", want)
			}
		}
		if found.Credential != want {
			t.Errorf("credential %q, want %q", found.Credential, want)
		}
	}
}

func TestAllThatCannotBeIsRefused(t *testing.T) {
	net := network("10.0.0.0/8")
	for _, c := range []struct {
		name    string
		callers []caller.Caller
		want    string
	}{
		{"one item", []caller.Caller{is("hr", all(key(hrKey)))}, "write two kinds or more"},
		{"anyone", []caller.Caller{is("hr", all(key(hrKey), anyone))}, "all: holds anyone, which adds nothing"},
		{"all in all", []caller.Caller{is("hr", all(key(hrKey), all(net, unix)))}, "all: holds all, which adds nothing"},
		{"two of a kind", []caller.Caller{is("hr", all(key(hrKey), key(mailKey)))}, "two identities of kind key"},
		{"a user and a network", []caller.Caller{is("hr", all(key(hrKey), unix, net))},
			"the peer of a unix socket is in no network"},
		{"a key of two callers", []caller.Caller{is("hr", all(key(hrKey), net)), is("mail", key(hrKey))},
			"the same key could identify this caller and callers.hr"},
		{"a key of two callers from two networks", []caller.Caller{is("hr", all(key(hrKey), net)),
			is("mail", all(key(hrKey), network("192.168.0.0/16")))}, "the same key could identify this caller and callers.hr"},
		{"a certificate of two callers", []caller.Caller{is("hr", all(certificate, net)), is("mail", certificate)},
			"the same certificate could identify this caller and callers.hr"},
		{"a token of two callers", []caller.Caller{is("hr", all(token, net)), is("mail", all(token, key(mailKey)))},
			"the same token could identify this caller and callers.hr"},
		{"a key alone and in all", []caller.Caller{is("hr", key(hrKey), all(key(hrKey), net))},
			"the same key proves this caller alone and in all: (another identity), so what else stands in all: is never needed"},
		{"a certificate in all and alone", []caller.Caller{is("hr", all(certificate, net), certificate)},
			"the same certificate proves this caller alone and in all:"},
		{"networks of two callers are no evidence by themselves", []caller.Caller{is("hr", all(key(hrKey), net)),
			is("mail", all(key(mailKey), net)), is("office", net)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if err := caller.Check(c.callers); err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, c.want) || c.want == "" && got != "" {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
