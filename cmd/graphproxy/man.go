package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write man pages into a directory",
		Long:  "man writes a man page for each command into a directory, which it creates if it is not there.",
		Args:  oneDirectory,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("graphproxy man: %w", err)
			}
			date := commitTime() // not the day of this run, so that the same version writes the same pages
			header := &doc.GenManHeader{Section: "1", Source: "graphproxy " + versionName(), Date: &date}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("graphproxy man: %w", err)
			}
			return nil
		},
	}
}

func oneDirectory(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s: takes one argument, the directory for the pages; see %s --help", cmd.CommandPath(),
			cmd.CommandPath())
	}
	return nil
}

// commitTime is the time of the commit that the binary was built from; the zero time of Unix if the binary does not
// have it.
func commitTime() time.Time {
	if t, err := time.Parse(time.RFC3339, buildSetting("vcs.time", date)); err == nil {
		return t
	}
	return time.Unix(0, 0).UTC()
}
