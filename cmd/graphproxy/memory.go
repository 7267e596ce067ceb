package main

import (
	"fmt"
	"log/slog"
	"math"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// memoryShare is the part of the cgroup's memory limit that the Go runtime may use. The rest is for memory that the
// runtime does not count, such as the kernel's memory for sockets.
const memoryShare = 0.9

// followMemoryLimit sets the runtime's memory limit from that of the process, unless GOMEMLIMIT is set. Garbage is
// then collected more often before the kernel ends the process. The runtime itself follows the cgroup's CPU limit
// (GOMAXPROCS, since Go 1.25).
func followMemoryLimit(log *slog.Logger, limit memlimit.Provider) {
	set, err := memlimit.Set(memlimit.WithProvider(limit), memlimit.WithRatio(memoryShare))
	switch {
	case err != nil:
		log.Warn("the memory limit of the cgroup cannot be read: set GOMEMLIMIT to nine tenths of it", "error", err)
	case set != math.MaxInt64:
		log.Info("memory limit", "GOMEMLIMIT", fmt.Sprintf("%dMiB", set>>20))
	}
}
