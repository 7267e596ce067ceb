package main

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestSystemdIsNotifiedOfStartAndStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	address := w.path("notify.sock")
	inbox, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	must(t, err)
	defer inbox.Close()
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret", "NOTIFY_SOCKET="+address,
		"WATCHDOG_USEC="+strconv.Itoa(int(50*time.Millisecond/time.Microsecond)))
	receive := func(want string) {
		t.Helper()
		must(t, inbox.SetReadDeadline(time.Now().Add(patience)))
		for buf := make([]byte, 4096); ; {
			n, err := inbox.Read(buf)
			must(t, err)
			if string(buf[:n]) == want {
				return
			}
		}
	}
	receive("READY=1")
	receive("WATCHDOG=1")
	p.signal(t, syscall.SIGINT)
	receive("STOPPING=1")
	p.wait(t)
}

func TestSocketsOfSystemdTakeThePlaceOfTheSetting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	must(t, err)
	defer file.Close()
	p := prepare(t, nil, w.environ("AZURE_CLIENT_SECRET=secret", "LISTEN_FDS=1", "GRAPHPROXY_LISTEN=127.0.0.1:1"), "serve")
	// systemd sets LISTEN_PID to the process that it starts; a shell that becomes that process can set it, too.
	p.cmd.Path, p.cmd.Args = "/bin/sh", append([]string{"sh", "-c", `LISTEN_PID=$$ exec graphproxy "$@"`, "sh"},
		p.cmd.Args[1:]...)
	if path, err := exec.LookPath("sh"); err == nil {
		p.cmd.Path = path
	}
	p.cmd.ExtraFiles = []*os.File{file} // descriptor 3
	p.run(t)
	until(t, "listening",
		func() bool { return p.listening("callers") != "" && p.listening("health") != "" || p.hasEnded() })
	if got := p.listening("callers"); got != "http://"+l.Addr().String() {
		t.Fatalf("it listens at %q: %s", got, p.stderr)
	}
	p.callers, p.admin = p.listening("callers"), p.listening("health")
	p.expect(t, 200)
	if strings.Contains(p.stderr.String(), "127.0.0.1:1\"") {
		t.Errorf("it listens at GRAPHPROXY_LISTEN, too: %s", p.stderr)
	}
}
