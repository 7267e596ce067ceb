// Package loopback decides whether the host of an address is this machine. Plain HTTP is accepted there only.
//
// It decides by the spelling alone and looks up no names, because the address of a name may change. What is
// refused for other hosts is decided by its callers.
package loopback

import (
	"net/netip"
	"strings"
)

// Host reports whether host, which has no port and no brackets, is this machine: localhost in any letter case, or a
// loopback address (127.0.0.0/8, ::1, or IPv4 written as IPv6).
func Host(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
