package caller_test

import (
	"net/http"
	"net/netip"
	"testing"

	"graphproxy/auth/caller"
)

func over(p caller.Peer, r *http.Request) *http.Request {
	r.RemoteAddr = "@"
	return r.WithContext(caller.WithPeer(r.Context(), p))
}

func TestUnixPeers(t *testing.T) {
	user := func(uid, gid *int, name string) caller.Identity {
		return caller.Identity{Kind: caller.Unix, UID: uid, GID: gid, User: name}
	}
	a := mustNew(t, is("app", user(new(1000), nil, "")), is("job", user(new(1001), new(50), "")),
		is("group", user(new(1001), new(60), "")),
		is("root", user(nil, new(0), "root")), is("mail", key(mailKey)), is("all", anyone))
	for _, tt := range []struct {
		name     string
		uid, gid uint32
		headers  []string
		want     string
	}{
		{"by uid", 1000, 9, nil, "app by unix"},
		{"by uid and gid", 1001, 50, nil, "job by unix"},
		{"the same uid with another gid", 1001, 60, nil, "group by unix"},
		{"the right uid and a wrong gid", 1001, 61, nil, "unixUnknown"},
		{"by name", 0, 0, nil, "root by unix"},
		{"nobody", 1002, 9, nil, "unixUnknown"},
		{"the greatest uid", 1<<32 - 1, 1<<32 - 1, nil, "unixUnknown"},
		{"a key is stronger", 1000, 9, []string{"X-Api-Key: " + mailKey}, "mail by key"},
		{"a key is enough for a user that is nobody", 1002, 9, []string{"X-Api-Key: " + mailKey}, "mail by key"},
		{"a wrong key is refused", 1000, 9, []string{"X-Api-Key: " + wrongKey}, "keyUnknown"},
		{"an address in a header says nothing", 1002, 9, []string{"X-Forwarded-For: 10.1.2.3"}, "unixUnknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := outcome(t, a, over(caller.Peer{UID: tt.uid, GID: tt.gid}, request(tt.headers...))); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("by gid alone", func(t *testing.T) {
		if got := outcome(t, mustNew(t, is("staff", user(nil, new(70), ""))),
			over(caller.Peer{UID: 4, GID: 70}, request())); got != "staff by unix" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("one that the kernel says nothing of", func(t *testing.T) {
		if got := outcome(t, a, from("@", request())); got != "unixUnknown" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("a number by two names", func(t *testing.T) {
		_, err := caller.New([]caller.Caller{is("a", user(new(0), nil, "")), is("b", user(nil, nil, "root"))},
			caller.Options{})
		const want = "callers.b: the same user could identify this caller and callers.a: give both a uid, and different ones"
		if err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a name that this machine does not have", func(t *testing.T) {
		_, err := caller.New([]caller.Caller{is("a", at(7, user(nil, nil, "no-such-user-here")))}, caller.Options{})
		const want = `line 7: callers.a: unix: this machine has no user "no-such-user-here": write one that it has, or ` +
			`the uid`
		if err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	})
}

func TestForwardedAddresses(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48"),
		netip.MustParsePrefix("::ffff:192.0.2.8/128")}
	callers := []caller.Caller{is("lab", network("172.16.0.0/12", "2001:db8:2::/48")), is("edge", network("10.9.0.0/16")),
		is("all", anyone)}
	a := mustNewWith(t, caller.Options{Proxies: proxies}, callers...)
	const xff = "X-Forwarded-For: "
	for _, tt := range []struct {
		name, remote string
		headers      []string
		want         string
	}{
		{"from a proxy, without the header", "10.9.0.1:5", nil, "edge by network"},
		{"from a proxy, with an empty header", "10.9.0.1:5", []string{xff}, "edge by network"},
		{"from a proxy, of a caller", "10.0.0.1:5", []string{xff + "172.16.1.1"}, "lab by network"},
		{"from a proxy by another spelling", "[::ffff:192.0.2.8]:5", []string{xff + "172.16.1.1"}, "lab by network"},
		{"from a proxy, of somebody", "10.0.0.1:5", []string{xff + "203.0.113.1"}, "all by anyone"},
		{"from a proxy in a caller's network, of somebody", "10.9.0.1:5", []string{xff + "203.0.113.1"}, "all by anyone"},
		{"from somebody, who says it is a caller", "203.0.113.1:5", []string{xff + "172.16.1.1"}, "all by anyone"},
		{"from somebody, who says it is a proxy's", "203.0.113.1:5", []string{xff + "172.16.1.1, 10.0.0.1"}, "all by anyone"},
		{"from a caller, who says it is somebody", "172.16.1.1:5", []string{xff + "203.0.113.1"}, "lab by network"},
		{"what the sender wrote stands before", "10.0.0.1:5", []string{xff + "172.16.1.1, 203.0.113.1"}, "all by anyone"},
		{"what the sender wrote in a header of its own", "10.0.0.1:5", []string{xff + "172.16.1.1", xff + "203.0.113.1"},
			"all by anyone"},
		{"through two proxies", "10.0.0.1:5", []string{xff + "203.0.113.1, 172.16.1.1, 10.0.0.2"}, "lab by network"},
		{"through two proxies, in two headers", "10.0.0.1:5", []string{xff + "203.0.113.1,172.16.1.1", xff + "10.0.0.2"},
			"lab by network"},
		{"proxies only", "10.0.0.1:5", []string{xff + "10.9.0.7, 10.0.0.2"}, "edge by network"},
		{"garbage that a stranger wrote is not looked at", "10.0.0.1:5", []string{xff + "%%, ,172.16.1.1"}, "lab by network"},
		{"with a port", "10.0.0.1:5", []string{xff + "172.16.1.1:4711"}, "lab by network"},
		{"IPv6", "[2001:db8:1::1]:5", []string{xff + "2001:db8:2::7"}, "lab by network"},
		{"IPv6 in brackets", "10.0.0.1:5", []string{xff + "[2001:db8:2::7]"}, "lab by network"},
		{"IPv6 in brackets with a port", "10.0.0.1:5", []string{xff + "[2001:db8:2::7]:4711"}, "lab by network"},
		{"IPv4 in IPv6", "10.0.0.1:5", []string{xff + "::ffff:172.16.1.1"}, "lab by network"},
		{"with blanks and a tab", "10.0.0.1:5", []string{xff + "203.0.113.9 ,\t 172.16.1.1 "}, "lab by network"},
		{"one that is not told", "10.0.0.1:5", []string{xff + "172.16.1.1, unknown"}, "all by anyone"},
		{"one that is hidden", "10.0.0.1:5", []string{xff + "172.16.1.1, _hidden"}, "all by anyone"},
		{"no address", "10.0.0.1:5", []string{xff + "172.16.1.1, x"}, "evidenceAmbiguous"},
		{"an empty entry", "10.0.0.1:5", []string{xff + "172.16.1.1,"}, "evidenceAmbiguous"},
		{"a comma only", "10.0.0.1:5", []string{xff + ","}, "evidenceAmbiguous"},
		{"quotes", "10.0.0.1:5", []string{xff + `"172.16.1.1"`}, "evidenceAmbiguous"},
		{"IPv4 in brackets", "10.0.0.1:5", []string{xff + "[172.16.1.1]"}, "evidenceAmbiguous"},
		{"leading zeros", "10.0.0.1:5", []string{xff + "172.016.1.1"}, "evidenceAmbiguous"},
		{"a network", "10.0.0.1:5", []string{xff + "172.16.1.1/32"}, "evidenceAmbiguous"},
		{"an empty port", "10.0.0.1:5", []string{xff + "172.16.1.1:"}, "evidenceAmbiguous"},
		{"other headers say nothing", "10.0.0.1:5",
			[]string{"X-Real-Ip: 172.16.1.1", "Forwarded: for=172.16.1.1", "X-Forwarded: 172.16.1.1",
				"X_Forwarded_For: 172.16.1.1"}, "all by anyone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := outcome(t, a, from(tt.remote, request(tt.headers...))); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("garbage is ignored where no caller has a network", func(t *testing.T) {
		a := mustNewWith(t, caller.Options{Proxies: proxies}, is("all", anyone))
		if got := outcome(t, a, from("10.0.0.1:5", request(xff+"x"))); got != "all by anyone" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("a network of proxies that is not valid", func(t *testing.T) {
		if _, err := caller.New(callers, caller.Options{Proxies: []netip.Prefix{{}}}); err == nil {
			t.Error("it is taken")
		}
	})
}
