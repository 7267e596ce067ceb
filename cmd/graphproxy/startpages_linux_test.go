package main

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestOnlyUnchangedMappingsOfTheProgramAreReleased(t *testing.T) {
	const mappings = `00400000-01400000 r-xp 00000000 fe:00 131                               /opt/graph proxy
Rss:               10816 kB
Anonymous:             0 kB
01400000-02400000 r--p 01000000 fe:00 131                               /opt/graph proxy
Anonymous:             0 kB
02400000-02500000 r--p 02000000 fe:00 131                               /opt/graph proxy
Anonymous:             4 kB
02500000-02600000 rw-p 02100000 fe:00 131                               /opt/graph proxy
Anonymous:             0 kB
02600000-02700000 ---p 02200000 fe:00 131                               /opt/graph proxy
Anonymous:             0 kB
02700000-02800000 r--s 02300000 fe:00 131                               /opt/graph proxy
Anonymous:             0 kB
7f0000000000-7f0000100000 r-xp 00000000 fe:00 7                         /lib/libc.so.6
Anonymous:             0 kB
7f0000200000-7f0000300000 r--p 00000000 00:00 0
Anonymous:             0 kB
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                         [stack]
Anonymous:            12 kB
`
	got := unchanged(strings.NewReader(mappings), "/opt/graph proxy")
	want := []mapping{{0x400000, 0x1400000}, {0x1400000, 0x2400000}}
	if !slices.Equal(got, want) {
		t.Errorf("would release %x, want %x", got, want)
	}
}

func TestReleasedPagesAreNoLongerResidentAndComeBack(t *testing.T) {
	before := residentOfFiles(t)
	releaseStartPages()
	if after := residentOfFiles(t); after > before/2 {
		t.Errorf("%d kB of files are resident, and were %d kB before", after, before)
	}
	var help bytes.Buffer
	if err := run(t.Context(), []string{"serve", "--help"}, nil, nil, &help, &help); err != nil ||
		!strings.Contains(help.String(), "GRAPHPROXY_LISTEN") {
		t.Errorf("the program no longer runs: %v, %q", err, &help)
	}
}

// residentOfFiles returns how much of mapped files is resident, in kB.
func residentOfFiles(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("NOT CHECKED on this machine, which has no /proc/self/status")
	}
	_, rest, _ := strings.Cut(string(status), "RssFile:")
	size, err := strconv.Atoi(strings.Fields(rest + " -")[0])
	if err != nil {
		t.Skip("NOT CHECKED on this machine: its kernel does not count pages of files")
	}
	return size
}
