package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"

	"graphproxy/proxy"
)

// Activated returns the listeners that systemd has opened (LISTEN_FDS, sd_listen_fds(3)), with the settings of o,
// and none if it has opened none. They replace GRAPHPROXY_LISTEN. systemd sets the mode of unix sockets.
func Activated(o Sockets) ([]net.Listener, error) {
	opened, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("LISTEN_FDS: %w", err)
	}
	var all []net.Listener
	for i, l := range opened {
		if l == nil { // a descriptor that is not a stream socket
			CloseAll(all)
			return nil, fmt.Errorf(
				"LISTEN_FDS: socket %d is no listening stream socket: write ListenStream= in the socket unit", i,
			)
		}
		all = append(all, o.speak(l))
	}
	return all, nil
}

// speak adds to a listener what its connections need, and to one for TCP the PROXY protocol and TLS, as far as o has
// them.
func (o Sockets) speak(l net.Listener) net.Listener {
	isTCP := l.Addr().Network() != "unix"
	if isTCP && len(o.Proxies) > 0 {
		l = behind(l, o.Proxies)
	}
	l = proxy.GatherWrites(l)
	if isTCP && o.TLS != nil {
		l = OverTLS(l, o.TLS)
	}
	return l
}

// notify reports a state to systemd (sd_notify(3)). Without NOTIFY_SOCKET it does nothing.
func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("systemd cannot be notified", "state", state, "error", err)
	}
}

// keepAlive reports to systemd's watchdog at half its interval, until ctx ends. Without a watchdog it returns at once.
func keepAlive(ctx context.Context, log *slog.Logger) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval <= 0 {
		return
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			notify(log, daemon.SdNotifyWatchdog)
		case <-ctx.Done():
			return
		}
	}
}
