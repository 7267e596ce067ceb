package main

import (
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"slices"
	"strings"

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

// calm is how much memory the process holds and never touches, so that none of it is resident. The runtime collects
// garbage when it has doubled what it holds: this much more may gather first. Without it, a process with a small
// policy, which holds 4 MiB, would collect 60 times a second under load.
const calm = 8 << 20

// holdCalm returns memory to be held while requests are served. It returns nil where GOGC says how much garbage may
// gather, or where the memory limit is so low that the runtime, which counts this memory as used, would soon reach it.
func holdCalm(environ []string) []byte {
	isGOGC := func(variable string) bool { return strings.HasPrefix(variable, "GOGC=") && variable != "GOGC=" }
	if slices.ContainsFunc(environ, isGOGC) || debug.SetMemoryLimit(-1) < 8*calm {
		return nil
	}
	return make([]byte, calm)
}
