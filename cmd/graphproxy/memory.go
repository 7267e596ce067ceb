package main

import (
	"fmt"
	"log/slog"
	"math"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// memoryShare is the part of the cgroup's memory limit that the Go runtime keeps to. The rest is for memory that the
// runtime does not count, such as what the kernel holds for sockets.
const memoryShare = 0.9

// followMemoryLimit sets the runtime's memory limit from the limit that the process runs under, unless GOMEMLIMIT is
// set. Garbage is then collected more often before the kernel ends the process. The runtime follows the cgroup's CPU
// limit by itself (GOMAXPROCS, since Go 1.25).
func followMemoryLimit(log *slog.Logger, limit memlimit.Provider) {
	set, err := memlimit.Set(memlimit.WithProvider(limit), memlimit.WithRatio(memoryShare))
	switch {
	case err != nil:
		log.Warn("the memory limit of the cgroup cannot be read: set GOMEMLIMIT to nine tenths of it", "error", err)
	case set != math.MaxInt64:
		log.Info("memory limit", "GOMEMLIMIT", fmt.Sprintf("%dMiB", set>>20))
	}
}
