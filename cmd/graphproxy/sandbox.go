package main

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"graphproxy/auth"
	"graphproxy/auth/caller"
	"graphproxy/auth/caller/oidc"
	"graphproxy/auth/entratest"
	"graphproxy/cmd/graphproxy/config"
	"graphproxy/cmd/graphproxy/policyfiles"
	"graphproxy/cmd/graphproxy/server"
	"graphproxy/policy"
	"graphproxy/proxy/graphtest"
)

//go:embed sandbox.yaml
var sandboxPolicy []byte

// sandboxKey is the key of the sandbox's caller "mailer". No other installation accepts it.
const sandboxKey = "contoso-mailer-sandbox-key-0d1f5a7c"

// sandboxAppKey is the key of its caller "app", which may do everything in the recipes of docs/sdks.md.
const sandboxAppKey = "contoso-app-sandbox-key-6c1e9a42"

const (
	sandboxListen    = "127.0.0.1:8080"
	sandboxTLSListen = "127.0.0.1:8443"
	sandboxAdmin     = "127.0.0.1:8081"
	sandboxConsole   = "127.0.0.1:8082"
)

// sandbox is the proxy with an Entra ID and a Graph in this process.
type sandbox struct {
	// "": the usual address, or a free port of its host if that is taken
	listen, tlsListen, adminListen, consoleListen string
	caFile, audit, policy                         string
	stdout, stderr                                io.Writer

	ca         *entratest.CA
	entra      *entratest.Server
	graph      *graphtest.Server
	policyFile string
	demo       bool          // the policy is the demonstration's
	lines      *requestLines // where stdout is a terminal
	plain, tls net.Listener
	health     net.Listener
	console    net.Listener
	closers    []func()
}

func newSandbox(environ []string) *cobra.Command {
	var s sandbox
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Serve a demonstration tenant: no Azure, no settings",
		Long: "sandbox runs graphproxy in front of an Entra ID and a Microsoft Graph of its own, all in this process, " +
			"with a demonstration\npolicy or one of yours, and prints curl lines to try. In a terminal it then prints a line " +
			"for each request, in colour unless\nNO_COLOR is set. It reads no other environment variables and ends with " +
			"status 0 on SIGTERM or SIGINT.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.stdout, s.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			s.lines = newRequestLines(s.stdout, environ)
			return s.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&s.listen, "listen", "", "host:port for HTTP (default "+sandboxListen+", or a free port)")
	flags.StringVar(&s.tlsListen, "tls-listen", "", "host:port for HTTPS (default "+sandboxTLSListen+", or a free port)")
	flags.StringVar(&s.adminListen, "admin-listen", "",
		"host:port for health and metrics (default "+sandboxAdmin+", or a free port)")
	flags.StringVar(&s.consoleListen, "console-listen", "",
		"host:port on loopback for the console (default "+sandboxConsole+", or a free port)")
	flags.StringVar(&s.caFile, "ca-file", "",
		"where to write the certificate of the HTTPS address's CA (default in a temporary directory)")
	flags.StringVar(&s.policy, "policy", "",
		"the policy `FILE`, which is read again when it changes; one that is not there is made of the demonstration's")
	flags.StringVar(&s.audit, "audit", "off", "where audit lines go: a file, - for stdout, or off")
	return cmd
}

func (s *sandbox) run(ctx context.Context) error {
	signals := watchSignals()
	defer signals.end()
	defer s.close()
	for _, step := range []func() error{s.open, s.writeFiles, s.startTenant} {
		if err := step(); err != nil {
			return fmt.Errorf("graphproxy sandbox: %w", err)
		}
	}
	serving, err := s.server()
	if err != nil {
		return fmt.Errorf("graphproxy sandbox: %w", err)
	}
	serving.ServeConsole(s.console)
	return serving.Run(ctx, []net.Listener{s.plain, s.tls}, s.health, signals.second, s.explain)
}

// later adds a function that is called when the sandbox ends.
func (s *sandbox) later(end func()) { s.closers = append(s.closers, end) }

func (s *sandbox) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
}

// open opens the four listeners first, because Graph's links and the printed text contain their ports.
func (s *sandbox) open() (err error) {
	if s.ca, err = entratest.NewCA(); err != nil {
		return err
	}
	if s.plain, err = s.openOne("--listen", s.listen, sandboxListen); err != nil {
		return err
	}
	if s.tls, err = s.openOne("--tls-listen", s.tlsListen, sandboxTLSListen); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(s.tls.Addr().String())
	encryption, err := s.ca.TLS(host)
	if err != nil {
		return err
	}
	encryption.NextProtos = []string{"h2", "http/1.1"}
	s.tls = server.OverTLS(s.tls, encryption)
	if s.health, err = s.openOne("--admin-listen", s.adminListen, sandboxAdmin); err != nil {
		return err
	}
	s.console, err = s.openOne("--console-listen", s.consoleListen, sandboxConsole)
	if err == nil && !config.IsLoopback(s.console.Addr().String()) {
		return errors.New("--console-listen is not on loopback, where the console needs a sign-in: " +
			"write such as 127.0.0.1:8082")
	}
	return err
}

// openOne listens on the requested address, or on the usual one, or on a free port if that is in use.
func (s *sandbox) openOne(flag, asked, usual string) (net.Listener, error) {
	at := config.Address(usual)
	if asked != "" {
		if err := at.UnmarshalText([]byte(asked)); err != nil {
			return nil, fmt.Errorf("%s %w", flag, err)
		}
	}
	l, err := net.Listen("tcp", string(at))
	if asked == "" && errors.Is(err, syscall.EADDRINUSE) {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, server.ListenError(flag, err)
	}
	s.later(func() { _ = l.Close() }) // the server may have closed it already
	return l, nil
}

// writeFiles writes the CA's certificate, for clients, and the demonstration's policy unless --policy names an
// existing file. The files of --policy and --ca-file stay when the sandbox ends.
func (s *sandbox) writeFiles() error {
	dir, err := os.MkdirTemp("", "graphproxy-sandbox-")
	if err != nil {
		return err
	}
	s.later(func() { _ = os.RemoveAll(dir) })
	if s.caFile == "" {
		s.caFile = filepath.Join(dir, "ca.pem")
	}
	if s.policyFile = s.policy; s.policyFile == "" {
		s.policyFile = filepath.Join(dir, "policy.yaml")
	}
	return errors.Join(s.writePolicy(), os.WriteFile(s.caFile, s.ca.PEM(), 0o644))
}

// writePolicy writes the demonstration's policy if the file does not exist. It never changes an existing file.
func (s *sandbox) writePolicy() error {
	f, err := os.OpenFile(s.policyFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if info, err := os.Stat(s.policyFile); err == nil && info.IsDir() {
			return nil
		}
		text, err := os.ReadFile(s.policyFile)
		s.demo = bytes.Equal(text, sandboxPolicy)
		return err
	}
	if err != nil {
		return fmt.Errorf("--policy: %w", err)
	}
	s.demo = true
	_, err = f.Write(sandboxPolicy)
	return errors.Join(err, f.Close())
}

// startTenant starts Entra ID and Graph.
func (s *sandbox) startTenant() (err error) {
	if s.entra, err = entratest.NewServer(entratest.Options{CA: s.ca}); err != nil {
		return err
	}
	s.later(s.entra.Close)
	config, err := s.ca.TLS()
	if err != nil {
		return err
	}
	s.graph, err = graphtest.NewServer(graphtest.Options{
		TLS:          config,
		Verify:       s.verify,
		ForeignHost:  storageHost(s.plain),
		ForeignPlain: true,
	})
	if err != nil {
		return err
	}
	s.later(s.graph.Close)
	return nil
}

func (s *sandbox) verify(token string) ([]string, error) {
	claims, err := s.entra.Verify(token)
	return claims.Roles, err
}

// storageHost is another name of this machine than the one for callers. Clients compare hosts by name, and send
// their key to a host of the same name; Graph's storage has names of its own.
func storageHost(callers net.Listener) string {
	if host, _, _ := net.SplitHostPort(reachable(callers)); host == "127.0.0.1" {
		return "localhost"
	}
	return "127.0.0.1"
}

// apps registers the default app registration, and each that the policy names. Their secrets are random.
func (s *sandbox) apps() []auth.App {
	names := []string{policy.DefaultApp}
	tenants := []string{graphtest.TenantID}
	if files, err := policyfiles.Read(s.policyFile); err == nil {
		if p, err := policy.ParseFilesUntested(files); err == nil { // LoadPolicy reports an error
			for _, ref := range p.Apps() {
				names, tenants = append(names, ref.Name), append(tenants, ref.Tenant)
			}
		}
	}
	var all []auth.App
	for _, name := range unique(names) {
		secret, clientID := rand.Text(), graphtest.ID("sandbox app "+name)
		for _, tenant := range unique(tenants) {
			s.entra.Add(entratest.App{TenantID: tenant, ClientID: clientID, Secret: secret, Roles: sandboxRoles()})
		}
		all = append(all, auth.App{
			Name:          name,
			TenantID:      graphtest.TenantID,
			ClientID:      clientID,
			Secret:        auth.NewSecret(secret),
			AuthorityHost: s.entra.URL(),
			Scope:         "https://graph.microsoft.com/.default",
		})
	}
	return all
}

// unique returns each text once, without "".
func unique(texts []string) []string {
	slices.Sort(texts)
	return slices.DeleteFunc(slices.Compact(texts), func(s string) bool { return s == "" })
}

// server makes the proxy.
func (s *sandbox) server() (*server.Server, error) {
	apps := s.apps()
	logs := newLog(s.stderr, func(w io.Writer) *slog.Logger {
		return slog.New(sandboxLog{Handler: slog.NewTextHandler(w, nil), lines: s.lines})
	})
	s.later(logs.close)
	log := logs.Logger
	rules, err := server.LoadPolicy(s.policyFile, apps, caller.Options{Tokens: oidc.NewKeys(oidc.Options{Log: log})}, nil)
	if err != nil {
		return nil, err
	}
	audit, err := s.openAudit(log)
	if err != nil {
		return nil, fmt.Errorf("--audit: %w", err)
	}
	return server.New(server.Parts{
		Version:     versionName(),
		Apps:        apps,
		Graph:       s.graph.URL(),
		Roots:       s.ca.Pool(),
		Policy:      rules,
		MaxInFlight: 1000,
		Patience:    5 * time.Second,
		Audit:       audit,
		Log:         log,
		Console:     &server.Console{Open: true},
	})
}

// sandboxRoles are the app registration's permissions: more than the policy gives to any caller, as in a real
// tenant.
func sandboxRoles() []string {
	return []string{"User.ReadWrite.All", "Group.ReadWrite.All", "Mail.ReadWrite", "Mail.Send", "Files.ReadWrite.All",
		"Sites.Read.All", "Reports.Read.All", "Notes.Read.All", "Calendars.ReadWrite"}
}

// reachable returns the address to connect to: for a listener on every address it is the loopback one.
func reachable(l net.Listener) string {
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
