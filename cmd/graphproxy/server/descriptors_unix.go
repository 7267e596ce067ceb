//go:build unix

package server

import (
	"math"
	"syscall"
)

// descriptorLimit is RLIMIT_NOFILE. At start, Go has raised the soft limit to the hard one.
func descriptorLimit() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return mostDescriptors
	}
	return int(min(uint64(l.Cur), math.MaxInt32))
}
