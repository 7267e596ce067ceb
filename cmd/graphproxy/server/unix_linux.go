package server

import (
	"context"
	"io/fs"
	"net"
	"os"
	"syscall"

	"graphproxy/auth/caller"
)

// listenUnix binds a socket whose file never has more permissions than the mode: Linux creates it with the mode of
// the descriptor, less the umask, so the mode is set once more afterwards.
func listenUnix(path string, mode fs.FileMode) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if outer := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), uint32(mode.Perm())) }); outer != nil {
			return outer
		}
		return err
	}}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode.Perm()); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// peerOf asks the kernel for the process that connected (SO_PEERCRED): its user and group at that time.
func peerOf(u *net.UnixConn) (caller.Peer, error) {
	raw, err := u.SyscallConn()
	if err != nil {
		return caller.Peer{}, err
	}
	var cred *syscall.Ucred
	if outer := raw.Control(func(fd uintptr) {
		cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); outer != nil {
		return caller.Peer{}, outer
	}
	if err != nil {
		return caller.Peer{}, err
	}
	return caller.Peer{UID: cred.Uid, GID: cred.Gid}, nil
}
