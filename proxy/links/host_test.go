package links_test

import (
	"testing"

	"graphproxy/proxy/links"
)

// FuzzAHostIsOneThatAnAddressCanHave compares IsHost with New, which reads the address by net/url.
func FuzzAHostIsOneThatAnAddressCanHave(f *testing.F) {
	for _, host := range []string{
		"graph.contoso.com", "graph.contoso.com:8443", "127.0.0.1:8080", "[::1]:8080", "[::1]", "::1", "a:", ":80", "a:80:80",
		"a:8o", "", ".", "-", "_", "[", "]", "[::1", "[]", "a]", "[::1]x", "a b", "a/b", "a@b", "a\n", "é", "A.B", "1",
		"a:-1", "[fe80::1%25en0]",
	} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		_, err := links.New("https://graph.microsoft.com", "https://"+host)
		if want := err == nil; links.IsHost(host) != want {
			t.Errorf("IsHost(%q) is %v, and New says %v", host, !want, err)
		}
	})
}
