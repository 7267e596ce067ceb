package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// The linker sets these: -ldflags "-X main.version=1.2.3 -X main.commit=… -X main.date=…". No code changes them.
var version, commit, date string

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit and its date",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "graphproxy %s %s %s/%s commit %s of %s\n",
				versionName(), runtime.Version(), runtime.GOOS, runtime.GOARCH,
				orUnknown(buildSetting("vcs.revision", commit)), orUnknown(buildSetting("vcs.time", date)))
			return err
		},
	}
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// buildSetting returns the linker's value, else the go command's in the binary (debug.BuildInfo), else "".
func buildSetting(key, linked string) string {
	if linked != "" {
		return linked
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// versionName returns the linker's value, else the go command's (the module's version for go install
// MODULE@VERSION, the commit for a checkout), else "devel".
func versionName() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return strings.TrimPrefix(v, "v")
	}
	if revision := buildSetting("vcs.revision", ""); len(revision) >= 12 {
		return "devel-" + revision[:12]
	}
	return "devel"
}
