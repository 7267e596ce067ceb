package caller_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/auth/caller"
	"graphproxy/auth/caller/oidc"
)

const (
	mailKey  = "mail-MN3tVn5JvzN8dN0w5tV2CkVf6cQ1d9b0"
	hrKey    = "hr-2Vq7dN0w5tV2CkVf6cQ1d9b0MN3tVn5J"
	dotKey   = "three.dotted.parts"
	jwt      = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJocyJ9.c2lnbmF0dXJl"
	wrongKey = "wrong-0w5tV2CkVf6cQ1d9b0MN3tVn5Jxxxx"
)

func key(k string) caller.Identity {
	return caller.Identity{Kind: caller.Key, KeySHA256: sha256.Sum256([]byte(k))}
}

func network(prefixes ...string) caller.Identity {
	id := caller.Identity{Kind: caller.Network}
	for _, p := range prefixes {
		id.Networks = append(id.Networks, netip.MustParsePrefix(p))
	}
	return id
}

func is(name string, ids ...caller.Identity) caller.Caller {
	return caller.Caller{Name: name, Identities: ids}
}

var (
	anyone = caller.Identity{Kind: caller.Anyone}
	token  = caller.Identity{
		Kind:     caller.Token,
		Issuer:   "https://oidc.contoso.example",
		Audience: "graphproxy",
		Subject:  "hr",
	}
	certificate = caller.Identity{Kind: caller.Certificate, URI: "spiffe://contoso.example/hr"}
	unix        = caller.Identity{Kind: caller.Unix, UID: new(1000)}
)

func mustNew(t testing.TB, callers ...caller.Caller) *caller.Authenticator {
	t.Helper()
	return mustNewWith(t, caller.Options{Tokens: offline()}, callers...)
}

func mustNewWith(t testing.TB, o caller.Options, callers ...caller.Caller) *caller.Authenticator {
	t.Helper()
	a, err := caller.New(callers, o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// offline is the key store of issuers that cannot be reached.
func offline() *oidc.Keys {
	return oidc.NewKeys(oidc.Options{Client: &http.Client{Transport: unreachable{}}})
}

type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no network")
}

// request is one from 192.0.2.1 with these headers, each "Name: value".
func request(headers ...string) *http.Request {
	r := httptest.NewRequest("GET", "/v1.0/users", nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		r.Header.Add(name, strings.TrimPrefix(value, " "))
	}
	return r
}

func from(remote string, r *http.Request) *http.Request {
	r.RemoteAddr = remote
	return r
}

func withCertificate(r *http.Request) *http.Request {
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}}
	return r
}

// outcome returns "name by evidence" or the error's code.
func outcome(t *testing.T, a *caller.Authenticator, r *http.Request) string {
	t.Helper()
	found, err := a.Authenticate(r)
	if err == nil {
		return found.Name + " by " + found.Evidence
	}
	var e *caller.Error
	if !errors.As(err, &e) || found != (caller.Found{}) {
		t.Fatalf("Authenticate = %+v, %v: want either a caller or an *Error", found, err)
	}
	for _, evidence := range []string{mailKey, hrKey, dotKey, wrongKey, jwt, "eyJ", "192.0.2.1", "10.1.2.3"} {
		if strings.Contains(err.Error(), evidence) {
			t.Errorf("the message %q holds evidence", err)
		}
	}
	if e.Message == "" || !strings.Contains(err.Error(), e.Code) {
		t.Errorf("no message or code in %q", err)
	}
	return e.Code
}

func TestAuthenticate(t *testing.T) {
	var (
		keys     = []caller.Caller{is("mail", key(mailKey)), is("hr", key(hrKey), key(dotKey))}
		net      = is("lab", network("192.0.2.0/24"))
		all      = is("all", anyone)
		none     = []string(nil)
		hdr      = func(h ...string) []string { return h }
		bearer   = func(k string) string { return "Authorization: Bearer " + k }
		hash     = sha256.Sum256([]byte(mailKey))
		everyone = append([]caller.Caller{net, all}, keys...)
	)
	for _, tt := range []struct {
		name    string
		callers []caller.Caller
		headers []string
		want    string
	}{
		{"nobody is known to an empty policy", nil, none, "callerUnknown"},
		{"nobody is known to an empty policy, key or not", nil, hdr(bearer(mailKey)), "callerUnknown"},

		{"no evidence, keys only", keys, none, "callerUnknown"},
		{"no evidence, a network that fits", append(keys, net), none, "lab by network"},
		{"no evidence, a network that does not fit", []caller.Caller{is("lab", network("10.0.0.0/8"))}, none,
			"callerUnknown"},
		{"no evidence, anyone", append(keys, all), none, "all by anyone"},
		{"a network is stronger than anyone", everyone, none, "lab by network"},

		{"a bearer key", everyone, hdr(bearer(mailKey)), "mail by key"},
		{"another caller's bearer key", everyone, hdr(bearer(hrKey)), "hr by key"},
		{"an api key", everyone, hdr("X-Api-Key: " + hrKey), "hr by key"},
		{"a wrong bearer key, and a network and anyone that fit", everyone, hdr(bearer(wrongKey)), "keyUnknown"},
		{"a wrong api key, and a network and anyone that fit", everyone, hdr("X-Api-Key: " + wrongKey), "keyUnknown"},
		{"an empty bearer", everyone, hdr("Authorization: Bearer"), "keyUnknown"},
		{"a bearer of a blank", everyone, hdr("Authorization: Bearer  "), "keyUnknown"},
		{"an empty api key", everyone, hdr("X-Api-Key:"), "keyUnknown"},
		{"a key in another letter case", everyone, hdr(bearer(strings.ToUpper(mailKey))), "keyUnknown"},
		{"a piece of a key", everyone, hdr(bearer(mailKey[:20])), "keyUnknown"},
		{"a key and more", everyone, hdr(bearer(mailKey + "x")), "keyUnknown"},
		{"the hash of a key instead of the key", everyone, hdr("X-Api-Key: " + hex.EncodeToString(hash[:])), "keyUnknown"},
		{"a key longer than any", everyone, hdr(bearer(strings.Repeat("k", 4097))), "keyUnknown"},

		{"a key when no caller has one is ignored", []caller.Caller{net}, hdr(bearer(wrongKey)), "lab by network"},
		{"an api key when no caller has one is ignored", []caller.Caller{all}, hdr("X-Api-Key: " + wrongKey),
			"all by anyone"},
		{"doubled headers when no caller has a key are ignored", []caller.Caller{all}, hdr(bearer("a"), bearer("b")),
			"all by anyone"},
		{"a key counts when a caller has a token", []caller.Caller{is("hr", token), all}, hdr("X-Api-Key: " + wrongKey),
			"keyUnknown"},

		{"a token when callers have keys", everyone, hdr(bearer(jwt)), "tokenInvalid"},
		{"a token that says nothing, when a caller has one", []caller.Caller{is("hr", token), net, all}, hdr(bearer(jwt)),
			"tokenInvalid"},
		{"a token of empty parts", everyone, hdr(bearer("..")), "tokenInvalid"},
		{"a token beside a good key", everyone, hdr(bearer(jwt), "X-Api-Key: "+mailKey), "tokenInvalid"},
		{"a bearer of two parts is a key", everyone, hdr(bearer("a.b")), "keyUnknown"},
		{"a bearer of four parts is a key", everyone, hdr(bearer("a.b.c.d")), "keyUnknown"},
		{"a bearer of three parts is no key, even if it is one", everyone, hdr(bearer(dotKey)), "tokenInvalid"},
		{"an api key of three parts is a key", everyone, hdr("X-Api-Key: " + dotKey), "hr by key"},

		{"two good keys of one caller", everyone, hdr(bearer(hrKey), "X-Api-Key: "+dotKey), "hr by key"},
		{"the same key twice over", everyone, hdr(bearer(hrKey), "X-Api-Key: "+hrKey), "hr by key"},
		{"two good keys of different callers", everyone, hdr(bearer(hrKey), "X-Api-Key: "+mailKey), "evidenceAmbiguous"},
		{"a good bearer and a wrong api key", everyone, hdr(bearer(hrKey), "X-Api-Key: "+wrongKey), "keyUnknown"},
		{"a wrong bearer and a good api key", everyone, hdr(bearer(wrongKey), "X-Api-Key: "+hrKey), "keyUnknown"},
		{"a good bearer and an empty api key", everyone, hdr(bearer(hrKey), "X-Api-Key:"), "keyUnknown"},
		{"an empty bearer and a good api key", everyone, hdr("Authorization: Bearer", "X-Api-Key: "+hrKey), "keyUnknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := outcome(t, mustNew(t, tt.callers...), request(tt.headers...)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestHostileHeaders(t *testing.T) {
	a := mustNew(t, is("mail", key(mailKey)), is("hr", key(hrKey)), is("odd", key("two words"), key("a,b")),
		is("all", anyone))
	for _, tt := range []struct {
		name    string
		headers []string
		want    string
	}{
		{"the scheme in lower case", []string{"authorization: bearer " + hrKey}, "hr by key"},
		{"the scheme in mixed case", []string{"AUTHORIZATION: bEARER " + hrKey}, "hr by key"},
		{"more blanks and a tab", []string{"Authorization:   Bearer \t  " + hrKey + " \t"}, "hr by key"},
		{"a tab after the scheme", []string{"Authorization: Bearer\t" + hrKey}, "hr by key"},
		{"the same header twice", []string{"Authorization: Bearer " + hrKey, "Authorization: Bearer " + hrKey},
			"evidenceAmbiguous"},
		{"two bearers of different callers", []string{"Authorization: Bearer " + hrKey, "Authorization: Bearer " + mailKey},
			"evidenceAmbiguous"},
		{"basic and then a bearer", []string{"Authorization: Basic eA==", "Authorization: Bearer " + hrKey},
			"evidenceAmbiguous"},
		{"an empty header and a bearer", []string{"Authorization:", "Authorization: Bearer " + hrKey}, "evidenceAmbiguous"},
		{"two api keys", []string{"X-Api-Key: " + hrKey, "X-API-KEY: " + hrKey}, "evidenceAmbiguous"},
		{"an empty api key and a good one", []string{"X-Api-Key:", "X-Api-Key: " + hrKey}, "evidenceAmbiguous"},
		{"bearers joined with a comma", []string{"Authorization: Bearer " + hrKey + ", Bearer " + hrKey},
			"evidenceAmbiguous"},
		{"keys joined with a comma", []string{"Authorization: Bearer " + hrKey + "," + mailKey}, "evidenceAmbiguous"},
		{"a bearer joined to another scheme", []string{"Authorization: Basic eA==, bearer " + hrKey}, "evidenceAmbiguous"},
		{"another scheme joined to a bearer", []string{"Authorization: Bearer " + hrKey + ", Basic eA=="},
			"evidenceAmbiguous"},
		{"a bearer with a comma before it", []string{"Authorization: ,Bearer " + hrKey}, "evidenceAmbiguous"},
		{"a bearer with a comma after it", []string{"Authorization: Bearer " + hrKey + ","}, "evidenceAmbiguous"},
		{"the scheme and a comma", []string{"Authorization: Bearer,"}, "evidenceAmbiguous"},
		{"api keys joined with a comma", []string{"X-Api-Key: " + hrKey + ", " + hrKey}, "evidenceAmbiguous"},
		{"a bearer of two words, even if that is a key", []string{"Authorization: Bearer two words"}, "evidenceAmbiguous"},
		{"an api key with a comma, even if that is a key", []string{"X-Api-Key: a,b"}, "evidenceAmbiguous"},
		{"the scheme twice", []string{"Authorization: Bearer Bearer " + hrKey}, "evidenceAmbiguous"},
		{"the scheme in an api key", []string{"X-Api-Key: Bearer " + hrKey}, "evidenceAmbiguous"},
		{"quotes around the key", []string{`Authorization: Bearer "` + hrKey + `"`}, "keyUnknown"},
		{"a NUL after the key", []string{"Authorization: Bearer " + hrKey + "\x00"}, "keyUnknown"},
		{"a no-break space before the key", []string{"Authorization: Bearer \u00a0" + hrKey}, "keyUnknown"},

		{"basic alone is no evidence", []string{"Authorization: Basic eDp5"}, "all by anyone"},
		{"digest with its commas is no evidence", []string{`Authorization: Digest username="x", realm="bearer"`},
			"all by anyone"},
		{"an empty Authorization is no evidence", []string{"Authorization:"}, "all by anyone"},
		{"a scheme that only begins so is no evidence", []string{"Authorization: Bearer2 " + hrKey}, "all by anyone"},
		{"basic beside a good api key", []string{"Authorization: Basic eDp5", "X-Api-Key: " + hrKey}, "hr by key"},
		{"keys in other headers are no evidence",
			[]string{"X_Api_Key: " + hrKey, "Api-Key: " + hrKey, "Cookie: key=" + hrKey,
				"Proxy-Authorization: Bearer " + hrKey}, "all by anyone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := outcome(t, a, request(tt.headers...)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestKeyOfGreatestLength(t *testing.T) {
	long := strings.Repeat("k", 4096)
	a := mustNew(t, is("long", key(long), key(long+"k")))
	if got := outcome(t, a, request("X-Api-Key: "+long)); got != "long by key" {
		t.Errorf("a key of 4096 bytes: %s", got)
	}
	if got := outcome(t, a, request("X-Api-Key: "+long+"k")); got != "keyUnknown" {
		t.Errorf("a key of 4097 bytes: %s", got)
	}
}

func TestCertificate(t *testing.T) {
	const good = "X-Api-Key: " + mailKey
	mail, hr, all := is("mail", key(mailKey)), is("hr", certificate), is("all", anyone)
	for _, tt := range []struct {
		name string
		a    *caller.Authenticator
		r    *http.Request
		want string
	}{
		{"one that nobody has a use for is ignored", mustNew(t, mail, all), withCertificate(request()), "all by anyone"},
		{"one beside a key is ignored if nobody has a use for it", mustNew(t, mail, all), withCertificate(request(good)),
			"mail by key"},
		{"one that counts is refused", mustNew(t, hr, all), withCertificate(request()), "certificateUnknown"},
		{"one that counts is refused beside a good key", mustNew(t, mail, hr, all), withCertificate(request(good)),
			"certificateUnknown"},
		{"without one, over TLS, a key does", mustNew(t, mail, hr), func() *http.Request {
			r := request(good)
			r.TLS = &tls.ConnectionState{}
			return r
		}(), "mail by key"},
		{"without one, not over TLS, anyone does", mustNew(t, hr, all), request(), "all by anyone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := outcome(t, tt.a, tt.r); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPeer(t *testing.T) {
	a := mustNew(t,
		is("ten", network("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32")),
		is("lan", network("192.168.0.0/16", "::1/128")),
		is("six", network("2001:db8::/32", "fe80::/10")),
		is("mapped", network("::ffff:172.16.0.0/108")),
	)
	for _, tt := range []struct{ remote, want string }{
		{"10.0.0.0:1", "ten by network"},
		{"10.255.255.255:65535", "ten by network"},
		{"10.1.2.3:443", "ten by network"},
		{"[::ffff:10.1.2.3]:443", "ten by network"},
		{"[::ffff:a01:203]:443", "ten by network"},
		{"9.255.255.255:1", "callerUnknown"},
		{"11.0.0.0:1", "callerUnknown"},
		{"0.0.0.0:1", "callerUnknown"},
		{"255.255.255.255:1", "callerUnknown"},
		{"192.168.4.5:1", "lan by network"},
		{"[::1]:1", "lan by network"},
		{"[::2]:1", "callerUnknown"},
		{"[::]:1", "callerUnknown"},
		{"[2001:db8:ffff::1]:1", "six by network"},
		{"[2001:db9::1]:1", "callerUnknown"},
		{"[fe80::1%eth0]:1", "six by network"},
		{"[::10.1.2.3]:1", "callerUnknown"}, // IPv4-compatible: another address, no longer in use
		{"172.16.0.1:1", "mapped by network"},
		{"172.31.255.255:1", "mapped by network"},
		{"172.32.0.0:1", "callerUnknown"},
		{"[::ffff:172.16.0.1]:1", "mapped by network"},
		{"@", "callerUnknown"},
		{"", "callerUnknown"},
		{"/run/graphproxy.sock", "callerUnknown"},
		{"10.1.2.3", "callerUnknown"},
		{"localhost:80", "callerUnknown"},
		{"10.01.2.3:80", "callerUnknown"},
	} {
		t.Run("from "+tt.remote, func(t *testing.T) {
			if got := outcome(t, a, from(tt.remote, request())); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("headers say nothing about the peer", func(t *testing.T) {
		r := request("X-Forwarded-For: 10.1.2.3", "X-Real-Ip: 10.1.2.3", "Forwarded: for=10.1.2.3",
			"True-Client-Ip: 10.1.2.3")
		if got := outcome(t, a, r); got != "callerUnknown" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("all of IPv6 is none of IPv4", func(t *testing.T) {
		a := mustNew(t, is("six", network("::/0")), is("four", network("0.0.0.0/1")))
		for remote, want := range map[string]string{
			"[::ffff:10.0.0.1]:1": "four by network", "10.0.0.1:1": "four by network",
			"[2001:db8::1]:1": "six by network", "200.0.0.1:1": "callerUnknown", "[::ffff:200.0.0.1]:1": "callerUnknown",
		} {
			if got := outcome(t, a, from(remote, request())); got != want {
				t.Errorf("from %s: got %q, want %q", remote, got, want)
			}
		}
	})
}

func TestUnixSocket(t *testing.T) {
	app, mail, all := is("app", unix), is("mail", key(mailKey)), is("all", anyone)
	for _, remote := range []string{"@", "", "/run/app.sock"} {
		for _, tt := range []struct {
			name string
			a    *caller.Authenticator
			r    *http.Request
			want string
		}{
			{"its peer may be anyone if no caller is known by it", mustNew(t, mail, all), request(), "all by anyone"},
			{"its peer is not just anyone if a caller is known by it", mustNew(t, app, mail, all), request(), "unixUnknown"},
			{"its peer may use a key, which is stronger", mustNew(t, app, mail, all), request("X-Api-Key: " + mailKey),
				"mail by key"},
			{"its peer's wrong key is refused", mustNew(t, app, mail, all), request("X-Api-Key: " + wrongKey), "keyUnknown"},
		} {
			t.Run(remote+": "+tt.name, func(t *testing.T) {
				if got := outcome(t, tt.a, from(remote, tt.r)); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		}
	}
	t.Run("a TCP peer is anyone even if a caller is known by unix socket", func(t *testing.T) {
		if got := outcome(t, mustNew(t, app, all), request()); got != "all by anyone" {
			t.Errorf("got %q", got)
		}
	})
}

func TestZeroAuthenticatorHasNoCallers(t *testing.T) {
	var a caller.Authenticator
	if got := outcome(t, &a, request("X-Api-Key: "+mailKey)); got != "callerUnknown" {
		t.Errorf("got %q", got)
	}
}

func TestNewKeepsNothingOfItsArgument(t *testing.T) {
	callers := []caller.Caller{is("lab", network("192.0.2.0/24"), key(mailKey))}
	a := mustNew(t, callers...)
	callers[0].Name = "other"
	callers[0].Identities[0].Networks[0] = netip.MustParsePrefix("10.0.0.0/8")
	callers[0].Identities[1].KeySHA256 = [32]byte{}
	got := []string{outcome(t, a, request()), outcome(t, a, request("X-Api-Key: "+mailKey))}
	if d := cmp.Diff([]string{"lab by network", "lab by key"}, got); d != "" {
		t.Error(d)
	}
}

func TestAuthenticateAllocations(t *testing.T) {
	a := mustNew(t, is("lab", network("192.0.2.0/24")), is("mail", key(mailKey)), is("all", anyone))
	for name, r := range map[string]*http.Request{
		"network": request(),
		"anyone":  from("[2001:db8::1]:4", request()),
		"key":     request("Authorization: Bearer " + mailKey),
	} {
		if n := testing.AllocsPerRun(100, func() { _, _ = a.Authenticate(r) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
