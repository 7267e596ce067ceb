package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"runtime"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/spf13/cobra"

	"graphproxy/auth/caller"
	"graphproxy/auth/caller/oidc"
	"graphproxy/cmd/graphproxy/config"
	"graphproxy/cmd/graphproxy/logwriter"
	"graphproxy/cmd/graphproxy/server"
	"graphproxy/cmd/graphproxy/terminal"
	"graphproxy/cmd/graphproxy/tracing"
	"graphproxy/proxy"
)

func newServe(environ []string) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve callers; settings come from the environment",
		Long: "serve forwards what the policy allows to Microsoft Graph. Settings come from environment variables, which\n" +
			"docs/configuration.md explains. It ends with status 2 if it cannot start, having written every reason, and " +
			"with 0 on\n" +
			"SIGTERM or SIGINT.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if check {
				return checkServe(environ, cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			return serve(cmd.Context(), environ, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&check, "check", false,
		"read every setting and file, report all problems, and end without listening")
	usual := cmd.HelpFunc()
	cmd.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		usual(cmd, args)
		fmt.Fprintln(cmd.OutOrStdout(), "\nEnvironment variables:")
		_ = config.WriteVariables(cmd.OutOrStdout(), terminal.Width(environ, cmd.OutOrStdout()))
	})
	return cmd
}

// checkServe does everything that serve does before it listens. It creates no file.
func checkServe(environ []string, stdout, stderr io.Writer) error {
	c, problems := config.Parse(environ)
	if where := c.AuditLog; where != "-" && where != "off" {
		if err := logwriter.Check(where); err != nil {
			problems = append(problems, fmt.Errorf("GRAPHPROXY_AUDIT_LOG: the audit log %w", err))
		}
	}
	c.AuditLog = "off"
	p, err := load(c, problems, stdout, c.Log(stderr))
	if err != nil {
		return err
	}
	s, err := server.New(p)
	if err != nil {
		return err
	}
	s.LogCertificates(time.Now())
	beside := ""
	if candidate := p.Candidate.Describe(); candidate != "" {
		beside = "; " + candidate
	}
	_, err = fmt.Fprintf(stdout, "graphproxy can start: policy %s, %d callers%s\n",
		p.Policy.Hash(), p.Policy.Callers(), beside)
	return err
}

// serve is the command serve, from settings to the end of the last request.
func serve(ctx context.Context, environ []string, stdout, stderr io.Writer) error {
	signals := watchSignals()
	defer signals.end()
	c, problems := config.Parse(environ)
	logs := newLog(stderr, c.Log)
	defer logs.close()
	followMemoryLimit(logs.Logger, memlimit.FromCgroup)
	held := holdCalm(environ)
	defer runtime.KeepAlive(held)
	p, err := load(c, problems, stdout, logs.Logger)
	if err != nil {
		return err
	}
	defer p.Audit.Close()
	traces, err := tracing.Start(&c.Tracing, versionName(), logs.Logger)
	if err != nil {
		return err
	}
	defer traces.Close()
	p.Tracing = traces.Proxy()
	s, err := server.New(p)
	if err != nil {
		return err
	}
	callers, health, err := listen(c, server.TLS(p.Keys, p.ClientCA))
	if err != nil {
		return err
	}
	if p.Console != nil {
		l, err := listenConsole(c, server.TLS(p.Keys, p.ClientCA))
		if err != nil {
			server.CloseAll(append(callers, health))
			return err
		}
		s.ServeConsole(l)
	}
	return s.Run(ctx, callers, health, signals.second, releaseStartPages)
}

// load reads the files that c names. The error contains the earlier problems and all that are found here.
func load(c *config.Config, problems []error, stdout io.Writer, log *slog.Logger) (server.Parts, error) {
	problems = append(problems, c.CheckApps())
	if err := proxy.CheckForwardHeaders(c.ForwardHeaders); err != nil {
		problems = append(problems, fmt.Errorf("GRAPHPROXY_FORWARD_HEADERS: %w", err))
	}
	keys, ca, err := loadTLS(c)
	problems = append(problems, err)
	links, err := loadLinkKeys(c)
	problems = append(problems, err)
	policy, err := server.LoadPolicy(c.Policy, c.Apps(), caller.Options{
		Tokens: oidc.NewKeys(oidc.Options{Log: log}), Authorities: ca.Authorities(), Proxies: c.TrustedProxies,
	}, links)
	problems = append(problems, err, checkConsole(c, policy))
	console, err := consoleOf(c)
	problems = append(problems, err)
	audit, err := server.OpenAudit(c.AuditLog, c.AuditFailure == "refuse", stdout, log)
	if err != nil {
		problems = append(problems, fmt.Errorf("GRAPHPROXY_AUDIT_LOG: %w", err))
	}
	if err := errors.Join(problems...); err != nil {
		audit.Close()
		return server.Parts{}, err
	}
	return server.Parts{
		Console:        console,
		Version:        versionName(),
		Apps:           c.Apps(),
		Graph:          string(c.GraphURL),
		Policy:         policy,
		Candidate:      server.LoadCandidate(c.PolicyCandidate, policy),
		Public:         c.Public(),
		Unix:           c.Unix(),
		PublicURL:      string(c.PublicURL),
		Hosts:          c.Hosts,
		Headers:        c.ForwardHeaders,
		MaxInFlight:    int(c.MaxInFlight),
		MaxConnections: int(c.MaxConnections),
		Transport:      string(c.Transport),
		Drain:          time.Duration(c.Drain),
		Patience:       time.Duration(c.ShutdownTimeout),
		Audit:          audit,
		Keys:           keys,
		ClientCA:       ca,
		LinkKeys:       links,
		Redis:          c.RedisURL,
		RedisDeny:      c.RedisFailure == "deny",
		RedisWait:      time.Duration(c.RedisTimeout),
		Replicas:       int(c.RedisReplicas),
		Log:            log,
	}, nil
}

// checkConsole refuses a console that other machines can reach and no one may look at. A policy that does not load has
// problems of its own.
func checkConsole(c *config.Config, p *server.PolicyFile) error {
	if c.ConsoleListen == "" || c.ConsoleOpen() || p == nil || p.HasConsole() {
		return nil
	}
	return errors.New("GRAPHPROXY_CONSOLE_LISTEN is not on loopback, and the policy does not say who may look: add " +
		"console: with a list of evidence to the policy (docs/console.md), or listen on loopback, such as 127.0.0.1:8082")
}

// consoleOf returns the settings of the console; nil if there is none.
func consoleOf(c *config.Config) (*server.Console, error) {
	if c.ConsoleListen == "" {
		return nil, nil
	}
	s := &server.Console{Open: c.ConsoleOpen()}
	if c.ConsoleRoles == "" {
		return s, nil
	}
	var err error
	if s.Permissions, err = readPermissions(c.ConsoleRoles); err != nil {
		return nil, fmt.Errorf("GRAPHPROXY_CONSOLE_PERMISSIONS: %w", err)
	}
	return s, nil
}

// listenConsole opens the console's listener. On loopback it is plain HTTP.
func listenConsole(c *config.Config, secure *tls.Config) (net.Listener, error) {
	if c.ConsoleOpen() {
		secure = nil
	}
	open, err := server.Listen("GRAPHPROXY_CONSOLE_LISTEN", server.Sockets{TLS: secure}, string(c.ConsoleListen))
	if err != nil {
		return nil, err
	}
	return open[0], nil
}

// loadLinkKeys reads the keys that links are marked with, if they are configured.
func loadLinkKeys(c *config.Config) (*server.LinkKeyFile, error) {
	if c.LinkKeyFile == "" {
		return nil, nil
	}
	return server.LoadLinkKeys(c.LinkKeyFile)
}

// loadTLS reads the certificate for callers, and the CAs of their certificates, as far as they are configured.
func loadTLS(c *config.Config) (keys *server.KeyPair, ca *server.ClientCA, err error) {
	var badKeys, badCA error
	if c.TLSCertFile != "" && c.TLSKeyFile != "" {
		keys, badKeys = server.LoadKeyPair(c.TLSCertFile, c.TLSKeyFile, time.Now())
	}
	if c.TLSClientCAFile != "" {
		ca, badCA = server.LoadClientCA(c.TLSClientCAFile, time.Now())
	}
	return keys, ca, errors.Join(badKeys, badCA)
}

// listen opens every listener, or none and returns all that cannot be opened. Without secure, callers use plain
// HTTP.
func listen(c *config.Config, secure *tls.Config) (callers []net.Listener, health net.Listener, err error) {
	admin, adminErr := server.Listen("GRAPHPROXY_ADMIN_LISTEN", server.Sockets{}, string(c.AdminListen))
	at := make([]string, 0, len(c.Listen))
	for _, a := range c.Listen {
		at = append(at, string(a))
	}
	sockets := server.Sockets{TLS: secure, Proxies: c.TrustedProxies, Mode: fs.FileMode(c.UnixSocketMode)}
	callers, err = server.Activated(sockets)
	if err == nil && len(callers) == 0 {
		callers, err = server.Listen("GRAPHPROXY_LISTEN", sockets, at...)
	}
	if err := errors.Join(err, adminErr); err != nil {
		server.CloseAll(admin)
		server.CloseAll(callers)
		return nil, nil, err
	}
	return callers, admin[0], nil
}
