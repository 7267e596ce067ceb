package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// releaseStartPages lets the kernel take the pages of the program file that are resident. Most were read at the start
// only, to prepare packages and to load the policy; the kernel maps those that are needed again from its cache of the
// file. It leaves out what the process has changed, which would be lost.
func releaseStartPages() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer smaps.Close()
	for _, m := range unchanged(smaps, program) {
		// The kernel may refuse: then the pages stay.
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, syscall.MADV_DONTNEED)
	}
}

// mapping is a range of addresses of this process.
type mapping struct{ from, to uintptr }

// unchanged returns the mappings of a file that cannot be written and have no page that differs from the file.
// smaps is in the format of proc_pid_smaps(5).
func unchanged(smaps io.Reader, file string) (found []mapping) {
	var m mapping
	readOnly := false
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		line := lines.Text()
		if head, ok := readMapping(line); ok {
			m, readOnly = head, isReadOnly(line, file)
			continue
		}
		if size, ok := strings.CutPrefix(line, "Anonymous:"); ok && readOnly && strings.TrimSpace(size) == "0 kB" {
			found = append(found, m)
		}
	}
	return found
}

// readMapping reads the addresses of a line that begins a mapping: 00400000-01a00000 r-xp 00000000 fe:00 131 /file.
func readMapping(line string) (m mapping, ok bool) {
	n, err := fmt.Sscanf(line, "%x-%x ", &m.from, &m.to)
	return m, err == nil && n == 2
}

func isReadOnly(line, file string) bool {
	fields := strings.SplitN(line, " ", 6)
	return len(fields) == 6 && strings.HasPrefix(fields[1], "r") && !strings.Contains(fields[1], "w") &&
		strings.HasSuffix(fields[1], "p") && strings.TrimSpace(fields[5]) == file
}
