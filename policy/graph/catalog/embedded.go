package catalog

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"strings"
	"sync"
)

//go:generate go run ./generate -version v1.0 -source /tmp/sdk/v1.0-ts,/tmp/sdk/v1.0 -module @microsoft/msgraph-sdk+github.com/microsoftgraph/msgraph-sdk-go -release 1.0.0-preview.87+v1.96.0 -date 2026-07-21 -out v1.0.gz
//go:generate go run ./generate -version beta -source /tmp/sdk/beta -module github.com/microsoftgraph/msgraph-beta-sdk-go -release v0.165.0 -date 2026-08-05 -out beta.gz

// The lists of operations, which package generate made from Microsoft's SDKs. NOTICE has their licence. They are
// never changed.
var (
	//go:embed v1.0.gz
	packedV1 []byte
	//go:embed beta.gz
	packedBeta []byte
)

// A list is unpacked when it is first used, and then kept in memory, some 500 kB.
var (
	unpackedV1   = sync.OnceValues(func() (*list, error) { return unpack("v1.0", packedV1) })
	unpackedBeta = sync.OnceValues(func() (*list, error) { return unpack("beta", packedBeta) })
)

func unpack(version string, packed []byte) (*list, error) {
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("the embedded list of %s: %w", version, err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		return nil, fmt.Errorf("the embedded list of %s: %w", version, err)
	}
	l, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("the embedded list of %s: %w", version, err)
	}
	return l, nil
}

func embedded(version string) (*list, error) {
	switch version {
	case "v1.0":
		return unpackedV1()
	case "beta":
		return unpackedBeta()
	}
	return nil, fmt.Errorf("there is no list of operations for the version %q of Graph", version)
}

// Versions returns the versions of Graph that have an embedded list.
func Versions() []string { return []string{"v1.0", "beta"} }

// About returns the source of the embedded list of a version. The error of this and all other functions here means
// that there is no list or that it is damaged.
func About(version string) (Source, error) {
	l, err := embedded(version)
	if err != nil {
		return Source{}, err
	}
	return l.source, nil
}

// Roots returns the first segments of the paths in the embedded list of a version, as Graph spells them.
func Roots(version string) ([]string, error) {
	l, err := embedded(version)
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range l.roots {
		names = append(names, l.roots[i].name)
	}
	return names, nil
}

// Below calls each for every operation of the embedded list of a version whose path begins with the segment root,
// sorted by path, until each returns false. Letter case of root does not matter.
func Below(version, root string, each func(Operation) bool) error {
	return Paths(version, root, func(p Path) bool {
		for _, o := range p.Operations() {
			if !each(o) {
				return false
			}
		}
		return true
	})
}

// Paths is Below for whole paths. It allocates nothing, so a Path is valid only until the function returns.
func Paths(version, root string, each func(Path) bool) error {
	l, err := embedded(version)
	if err != nil {
		return err
	}
	for i := range l.roots {
		if strings.EqualFold(l.roots[i].name, root) {
			return l.paths(l.text[l.roots[i].from:l.roots[i].to], each)
		}
	}
	return nil
}
