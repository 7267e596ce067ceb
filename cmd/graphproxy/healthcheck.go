package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"graphproxy/cmd/graphproxy/config"
	"graphproxy/cmd/graphproxy/policycmd"
)

// healthcheckTimeout bounds the whole check, so that a hung process is found.
const healthcheckTimeout = 5 * time.Second

func newHealthcheck(environ []string) *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a graphproxy on this machine whether it serves",
		Long: "healthcheck asks for /healthz at GRAPHPROXY_ADMIN_LISTEN, on loopback when that is every address of the " +
			"machine, and\n" +
			"waits for 5 seconds at most. Status 0: it serves. Status 1: it does not. It is for containers without a shell.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, _ := config.Parse(environ) // the problems of other settings are those of serve
			return healthcheck(cmd.Context(), string(c.AdminListen), cmd.ErrOrStderr())
		},
	}
}

// healthcheck returns nil if the process with the admin listener at listen serves. Otherwise it writes the reason
// to stderr and returns policycmd.ErrNo.
func healthcheck(ctx context.Context, listen string, stderr io.Writer) error {
	problem := askHealth(ctx, listen)
	if problem == nil {
		return nil
	}
	fmt.Fprintf(stderr, "graphproxy healthcheck: %v\n", problem)
	return policycmd.ErrNo
}

func askHealth(ctx context.Context, listen string) error {
	address, err := dialable(listen)
	if err != nil {
		return err
	}
	client := http.Client{
		Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       healthcheckTimeout,
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
	if err != nil {
		return err
	}
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("http://%s/healthz answered %d", address, res.StatusCode)
	}
	return nil
}

// dialable returns the address to connect to for a listener at listen.
func dialable(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		return "", fmt.Errorf(
			"GRAPHPROXY_ADMIN_LISTEN has no port to ask at: set it as the process has it, such as 127.0.0.1:8081",
		)
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.Unmap().IsUnspecified() {
		host = "127.0.0.1"
		if err == nil && ip.Is6() && !ip.Is4In6() {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port), nil
}
