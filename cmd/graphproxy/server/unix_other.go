//go:build !linux

package server

import (
	"errors"
	"io/fs"
	"net"

	"graphproxy/auth/caller"
)

var errNotHere = errors.New(
	"this system does not report who connects to a unix socket; that needs Linux: write host:port",
)

func listenUnix(string, fs.FileMode) (net.Listener, error) { return nil, errNotHere }

func peerOf(*net.UnixConn) (caller.Peer, error) { return caller.Peer{}, errNotHere }
