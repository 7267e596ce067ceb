package main

import (
	"errors"
	"io"
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
	p := w.activated(t)
	p.expect(t, 200)
	if strings.Contains(p.stderr.String(), "127.0.0.1:1\"") {
		t.Errorf("it listens at GRAPHPROXY_LISTEN, too: %s", p.stderr)
	}
}

// activated starts a proxy with a listening socket in the place of GRAPHPROXY_LISTEN, as systemd does.
func (w *world) activated(t *testing.T, more ...string) *process {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	must(t, err)
	defer file.Close()
	settings := append(more, "AZURE_CLIENT_SECRET=secret", "LISTEN_FDS=1", "GRAPHPROXY_LISTEN=127.0.0.1:1")
	p := prepare(t, nil, w.environ(settings...), "serve")
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
	return p
}

// The connections of a socket that systemd has opened are capped as others are: the one that has been idle for longest
// makes room for the next, and while each carries a request the next one waits.
func TestConnectionsOfASocketOfSystemdAreCapped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	arrived, release := w.slow()
	p := w.activated(t, "GRAPHPROXY_MAX_CONNECTIONS=2")
	if most := p.connections(t, "connections_max"); most != 2 {
		t.Errorf("%d connections may be open", most)
	}
	first, second := p.dial(t, p.callers), p.dial(t, p.callers)
	first.expect(t, "/v1.0/users?$top=1")
	p.awaitMetric(t, `graphproxy_connections_idle{listener="callers"}`, "1")
	second.expect(t, "/v1.0/users?$top=1")
	p.awaitMetric(t, `graphproxy_connections_idle{listener="callers"}`, "2")
	third := p.dial(t, p.callers)
	third.send(t, "/v1.0/users/slow")
	<-arrived
	if _, err := first.answers.ReadByte(); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the connection that was idle for longest: %v", err)
	}
	close(release)
	if status, body := third.receive(t); status != 200 {
		t.Errorf("the third connection: %d %s", status, body)
	}
	second.expect(t, "/v1.0/users?$top=1")
	if n := p.connections(t, "connections_evicted_total"); n != 1 || p.connections(t, "connections_open") > 2 {
		t.Errorf("%d connections were closed for others", n)
	}
	p.stop(t)
	if n := len(p.audited(t)); n != 4 {
		t.Errorf("%d audit lines", n)
	}
}
