package loopback_test

import (
	"testing"

	"graphproxy/auth/loopback"
)

func TestHost(t *testing.T) {
	for _, host := range []string{"localhost", "LocalHost", "127.0.0.1", "127.255.1.2", "::1", "0:0:0:0:0:0:0:1",
		"::ffff:127.0.0.1", "::1%lo"} {
		if !loopback.Host(host) {
			t.Errorf("%q is not this machine", host)
		}
	}
	for _, host := range []string{
		"", "localhost.", "localhost.contoso.com", "a.localhost", "localhost:80", "[::1]", "0.0.0.0", "::", "10.0.0.7",
		"127.1", "2130706433", "0x7f.0.0.1", "127.0.0.01", "127.0.0.1.nip.io", "::ffff:10.0.0.7", "fe80::1",
	} {
		if loopback.Host(host) {
			t.Errorf("%q is this machine", host)
		}
	}
}
