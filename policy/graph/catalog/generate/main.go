// Command generate makes an embedded list of package catalog from the request builders of Microsoft's SDKs (MIT).
//
// It reads an SDK from a directory with the sources of a release: of the Go modules
// github.com/microsoftgraph/msgraph-sdk-go and msgraph-beta-sdk-go as go mod download -json prints it, or of the
// npm packages @microsoft/msgraph-sdk-users and others, unpacked side by side. The same sources give the same
// bytes. CONTRIBUTING.md has the commands.
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"graphproxy/policy/graph/catalog"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("generate", flag.ContinueOnError)
	about := catalog.Source{}
	flags.StringVar(&about.Version, "version", "v1.0", "the version of Graph, v1.0 or beta")
	flags.StringVar(&about.Module, "module", "", "the name of the SDK")
	flags.StringVar(&about.Release, "release", "", "the release of the SDK")
	flags.StringVar(&about.Date, "date", "", "the day of the release")
	source := flags.String("source", "", "the directories of the SDK's sources, with commas")
	out := flags.String("out", "", "the file to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	for _, value := range []string{about.Module, about.Release, about.Date, *source, *out} {
		if value == "" {
			return errors.New("-module, -release, -date, -source and -out must be given")
		}
	}
	operations, err := readSDKs(strings.Split(*source, ","), about.Version)
	if err != nil {
		return err
	}
	packed, err := pack(about, operations)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d operations, %d bytes\n", *out, len(operations), len(packed))
	return os.WriteFile(*out, packed, 0o644)
}

func pack(about catalog.Source, operations []catalog.Operation) ([]byte, error) {
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	err = errors.Join(catalog.Encode(zip, about, operations), zip.Close())
	return packed.Bytes(), err
}
