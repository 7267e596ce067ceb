package permissions

import (
	_ "embed"
	"strings"
	"sync"
)

// frequent is written by hand, from the section Permissions of each operation's page in Graph's reference. It has the
// format of permissions.json, and is never changed.
//
//go:embed frequent.json
var frequent string

var readFrequent = sync.OnceValues(func() (*Data, error) { return Read(strings.NewReader(frequent)) })

// Frequent returns the roles of frequent operations: on users, groups, mail, calendars, files, sites, devices and a few
// more. Everything else is not documented there; Microsoft's own list is what Read takes. The error means that the
// program was built wrongly.
func Frequent() (*Data, error) { return readFrequent() }
