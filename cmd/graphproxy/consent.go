package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"graphproxy/auth"
	"graphproxy/auth/consent"
	"graphproxy/cmd/graphproxy/config"
	"graphproxy/cmd/graphproxy/policycmd"
	"graphproxy/cmd/graphproxy/server"
)

// consentPort is the port of the redirect URI unless another is given. A redirect URI must be registered, so an
// arbitrary free port cannot be used.
const consentPort = 8400

// consenting is the command consent: its flags, and its output.
type consenting struct {
	app, redirect string
	port          int
	timeout       time.Duration
	urlOnly, v1   bool
	stdout        io.Writer
}

func newConsent(environ []string) *cobra.Command {
	var c consenting
	cmd := &cobra.Command{
		Use:   "consent",
		Short: "Ask an administrator to grant the app its permissions, and see what comes of it",
		Long: "consent prints the address where an administrator grants an app registration the permissions that it " +
			"lists, waits on this\nmachine for the answer, and shows the roles in a token acquired after it. docs/consent.md " +
			"has the whole way.\nStatus 0: granted. 1: refused. 2: no answer.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.stdout = cmd.OutOrStdout()
			return c.run(cmd, environ)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.app, "app", "", "the `NAME` of the app registration (default the first one)")
	flags.StringVar(&c.redirect, "redirect", "", "the redirect `URL` as it is registered (default http://localhost:8400/)")
	flags.IntVar(&c.port, "port", consentPort, "the port of the redirect URL http://localhost:`N`/")
	flags.DurationVar(&c.timeout, "timeout", 10*time.Minute, "how long to wait for the answer")
	flags.BoolVar(&c.urlOnly, "url-only", false, "print the address and end; needs no credential")
	flags.BoolVar(&c.v1, "v1", false, "ask on Entra ID's older consent page")
	return cmd
}

func (c *consenting) run(cmd *cobra.Command, environ []string) error {
	a, redirect, err := c.settings(cmd, environ)
	if err != nil {
		return err
	}
	question := consent.NewQuestion(a, redirect, c.v1)
	if c.urlOnly {
		_, err := fmt.Fprintln(c.stdout, question.URL())
		return err
	}
	answer, err := c.awaitAnswer(cmd.Context(), a, question, redirect)
	if err != nil {
		return fmt.Errorf("graphproxy consent: %w", err)
	}
	return c.conclude(cmd.Context(), a, question, answer)
}

// settings returns the app to ask for and its redirect URI, or all problems with them.
func (c *consenting) settings(cmd *cobra.Command, environ []string) (auth.App, consent.Redirect, error) {
	settings, problems := config.Parse(environ)
	a, err := appNamed(settings.Apps(), c.app)
	switch {
	case err != nil:
		problems = append(problems, err)
	case a.ManagedIdentity:
		problems = append(problems,
			fmt.Errorf("app %q is a managed identity, for which there is no consent page: %s", a.Name, managedCure))
	case c.urlOnly:
		problems = append(problems, a.CheckAddress()...)
	default:
		problems = append(problems, a.Check()...)
	}
	redirect, flagProblems := c.flags(cmd)
	return a, redirect, errors.Join(append(problems, flagProblems...)...)
}

// flags returns the redirect URI of the flags, and their problems.
func (c *consenting) flags(cmd *cobra.Command) (redirect consent.Redirect, problems []error) {
	text, byPort := c.redirect, !cmd.Flags().Changed("redirect")
	if byPort {
		text = fmt.Sprintf("http://localhost:%d/", c.port)
	}
	redirect, err := consent.ParseRedirect(text)
	switch {
	case err != nil && byPort:
		problems = append(problems,
			errors.New("--port is not a port from 1 to 65535: write one that is free on this machine"))
	case err != nil:
		problems = append(problems, fmt.Errorf("--redirect %w", err))
	}
	if !byPort && cmd.Flags().Changed("port") {
		problems = append(problems,
			errors.New("--redirect and --port are both given: the redirect URL holds the port; keep one of them"))
	}
	if c.timeout <= 0 {
		problems = append(problems, errors.New("--timeout is not more than 0: write a number and its unit, such as 10m"))
	}
	return redirect, problems
}

// awaitAnswer listens for the answer, prints the address and waits.
func (c *consenting) awaitAnswer(ctx context.Context, a auth.App, question consent.Question,
	redirect consent.Redirect) (consent.Answer, error) {
	listeners, err := listenFor(redirect)
	if err != nil {
		return consent.Answer{}, err
	}
	receiver := consent.NewReceiver(question)
	serving := &http.Server{
		Handler:           receiver,
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	for _, l := range listeners {
		go func() { _ = serving.Serve(l) }()
	}
	defer finish(serving)
	fmt.Fprintf(c.stdout, `An administrator of the tenant opens this address in a browser on this machine, and agrees:

  %s

Entra ID sends the answer to %s, which must be a redirect URI of the app registration, letter for letter
(Authentication, platform Web). If Entra ID shows AADSTS50011 instead, it is not.
Waiting for the answer, for up to %s; Ctrl-C gives up.
`, question.URL(), redirect, c.timeout)
	timer := time.NewTimer(c.timeout)
	defer timer.Stop()
	select {
	case answer := <-receiver.Answers():
		return answer, nil
	case <-timer.C:
		return consent.Answer{}, fmt.Errorf(
			"no answer came within %s: if Entra ID showed AADSTS50011, register %s as a redirect URI; if an administrator "+
				"agreed all the same, graphproxy token%s shows the roles", c.timeout, redirect, appFlag(a),
		)
	case <-ctx.Done():
		return consent.Answer{}, errors.New("given up before an answer came")
	}
}

// listenFor opens the addresses of a redirect URI. A machine may have no IPv4 or no IPv6. An address that another
// program uses is refused, because a browser could bring the answer there.
func listenFor(redirect consent.Redirect) ([]net.Listener, error) {
	var open []net.Listener
	var missing error
	for _, address := range redirect.Addresses() {
		l, err := net.Listen("tcp", address)
		switch {
		case err == nil:
			open = append(open, l)
		case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, syscall.EACCES):
			server.CloseAll(open)
			return nil, server.ListenError(redirect.String(), err)
		default:
			missing = errors.Join(missing, server.ListenError(redirect.String(), err))
		}
	}
	if len(open) == 0 {
		return nil, missing
	}
	return open, nil
}

// finish waits until the page that answers the browser is sent, and ends.
func finish(s *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = s.Shutdown(ctx) // connections that a browser opened and did not use are cut
	_ = s.Close()
}

// conclude reports the result of the answer. A grant is only reported when a token shows it.
func (c *consenting) conclude(ctx context.Context, a auth.App, question consent.Question, answer consent.Answer) error {
	switch {
	case answer.Refusal != nil:
		fmt.Fprintf(c.stdout, "\nConsent was not granted: %v\n", answer.Refusal)
		return policycmd.ErrNo
	case !answer.Granted:
		return errors.New("graphproxy consent: the answer says neither yes nor no: see with graphproxy token" + appFlag(a) +
			" whether the app has its roles")
	case question.OtherTenant(answer):
		fmt.Fprintf(c.stdout,
			"\nConsent was granted, but in tenant %s, and the app is configured for %s: sign in as an administrator of that "+
				"one, or correct the tenant\n", answer.TenantID, a.TenantID)
		return policycmd.ErrNo
	}
	fmt.Fprintln(c.stdout, "\nConsent was granted. Acquiring a token, for up to a minute, until it shows roles.")
	d, err := consent.Confirm(ctx, func(ctx context.Context) (auth.Description, error) { return acquire(ctx, a) })
	switch {
	case err != nil:
		return fmt.Errorf("graphproxy consent: consent was granted, but no token can be had: app %q: %w", a.Name, err)
	case !d.Readable:
		fmt.Fprintln(c.stdout, "The token does not show its roles.")
		return nil
	case len(d.Roles) == 0:
		return fmt.Errorf(
			"graphproxy consent: consent was granted, but the token has no roles a minute later: see whether the app "+
				"registration lists application permissions for Microsoft Graph (API permissions); if it does, try graphproxy "+
				"token%s in a while", appFlag(a),
		)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "The token has these roles:\n")
	writeRoles(&b, d.Roles)
	_, err = io.WriteString(c.stdout, b.String())
	return err
}
