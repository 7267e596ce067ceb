package main

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

func TestTheMemoryLimitFollowsTheCgroup(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	for _, test := range []struct {
		name  string
		limit memlimit.Provider
		want  int64
		says  string
	}{
		{"a limit", memlimit.Limit(1000 << 20), 900 << 20, `msg="memory limit" GOMEMLIMIT=900MiB`},
		{"no limit", func() (uint64, error) { return 0, memlimit.ErrNoLimit }, math.MaxInt64, ""},
		{"a limit that cannot be read", func() (uint64, error) { return 0, errors.New("broken") }, math.MaxInt64,
			"set GOMEMLIMIT"},
	} {
		debug.SetMemoryLimit(math.MaxInt64)
		var said bytes.Buffer
		followMemoryLimit(slog.New(slog.NewTextHandler(&said, nil)), test.limit)
		if got := debug.SetMemoryLimit(-1); got != test.want {
			t.Errorf("%s: the runtime keeps to %d, want %d", test.name, got, test.want)
		}
		if !strings.Contains(said.String(), test.says) || test.says == "" && said.Len() > 0 {
			t.Errorf("%s: logs %q", test.name, &said)
		}
	}
}

func TestGOMEMLIMITWinsOverTheCgroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret", "GOMEMLIMIT=300MiB")
	if got := p.metric(t, "go_gc_gomemlimit_bytes"); got != "3.145728e+08" {
		t.Errorf("the runtime keeps to %q bytes", got)
	}
	p.logged(t, `"GOMEMLIMIT":"300MiB"`)
}

func TestGarbageMayGatherUnlessTheOperatorOrAShortLimitSaysOtherwise(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	for _, test := range []struct {
		name  string
		limit int64
		gogc  string
		want  int
	}{
		{"no limit", math.MaxInt64, "GOGC=", calm},
		{"a limit of 64 MiB", 64 << 20, "GOGC=", calm},
		{"a limit under 64 MiB", 64<<20 - 1, "GOGC=", 0},
		{"GOGC", math.MaxInt64, "GOGC=100", 0},
	} {
		debug.SetMemoryLimit(test.limit)
		if got := len(holdCalm([]string{"HOME=/", test.gogc})); got != test.want {
			t.Errorf("%s: holds %d bytes, want %d", test.name, got, test.want)
		}
	}
}
