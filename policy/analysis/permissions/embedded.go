package permissions

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"sync"
)

// EmbeddedOf says which permissions.json is embedded. NOTICE has its licence and how it was made.
const EmbeddedOf = "2026-08-07"

// packed is never changed.
//
//go:embed permissions.json.gz
var packed []byte

var unpacked = sync.OnceValues(func() (*Data, error) {
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("the embedded list of permissions: %w", err)
	}
	data, err := Read(zip)
	if err != nil {
		return nil, fmt.Errorf("the embedded list of permissions: %w", err)
	}
	return data, nil
})

// Embedded returns Microsoft's list of permissions of the day EmbeddedOf. It is unpacked when it is first used, and
// kept in memory after that. The error means that the program was built wrongly.
func Embedded() (*Data, error) { return unpacked() }
