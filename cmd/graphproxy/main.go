// Command graphproxy is an authenticating reverse proxy to Microsoft Graph.
//
// This package decides what the process does with its flags, its environment, its files, its listeners and its
// signals, and connects the other packages. It is the only one that reads the environment or ends the process.
// Package graphproxy/policy decides what a request may do, graphproxy/auth/caller who its caller is, and
// graphproxy/proxy how it reaches Graph.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"graphproxy/cmd/graphproxy/policycmd"
)

// Exit statuses besides 0, which means yes. A command without a yes or no ends with 0 or 2.
const (
	no           = 1
	couldNotTell = 2
)

func main() {
	os.Exit(status(run(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)))
}

func status(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, policycmd.ErrNo):
		return no
	}
	return couldNotTell
}

// run is the whole command. Before it returns an error, it has written the problem to stderr. SIGINT, SIGTERM and
// the end of ctx end the command, and a second signal ends the process at once.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root := newRoot(environ)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && !errors.Is(err, policycmd.ErrNo) {
		fmt.Fprintln(stderr, err)
	}
	return err
}

func newRoot(environ []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "graphproxy",
		Short: "An authenticating reverse proxy to Microsoft Graph",
		Long: "graphproxy lets internal apps call Microsoft Graph without a secret of their own. It finds out who is\n" +
			"calling, checks the request against the policy and its limits, and forwards it with an access token of its own.",
		Args:          cobra.ArbitraryArgs, // otherwise cobra answers an unknown command itself, in several lines
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          policycmd.RunNone,
	}
	root.SuggestionsMinimumDistance = 2
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%s: %w; see %s --help", cmd.CommandPath(), err, cmd.CommandPath())
	})
	root.AddCommand(newServe(environ), newSandbox(environ), policycmd.New(environ), newConsent(environ),
		newToken(environ), newKey(), newPermissions(environ), newHealthcheck(environ),
		newWhoami(environ), newMan(), newVersion())
	return root
}

// noArguments refuses arguments, with graphproxy's own message.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s: takes no arguments, but %q was given; see %s --help", cmd.CommandPath(), args[0],
			cmd.CommandPath())
	}
	return nil
}
