package main

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/proxy/graphtest"
)

// pathsPolicy allows the drives' Reports and the site HR by their paths.
const pathsPolicy = `
version: 1
callers:
  app:
    identity: [{key: {sha256: %x}}]
    allow:
      - GET,PUT /drives/{drive}/root:/{path}:/**
      - GET,PUT /drives/{drive}/items/root:/{path}:/**
      - GET /users/{id}/drive/root:/{path}
      - GET /sites/{host}:/{path}:/**
      - GET /sites/{site}
      - GET /sites/{site}/lists
    deny:
      - ANY /drives/{drive}/root:/{path}:/**:
          where: {path: [Salaries, "Salaries/**"]}
      - ANY /users/{id}/drive/root:/{path}:/**:
          where: {path: [Salaries, "Salaries/**"]}
      - ANY /sites/{host}:/{path}:/**:
          where: {path: sites/marketing}
`

// addressing are the clients that address by path. Each has the same files and sites to find.
func addressing() []recipe {
	node := func(name, file string) recipe {
		return recipe{
			name:    name,
			file:    "node/" + file,
			command: []string{"node", "--import", "./check.mjs", file},
			needs:   []string{"node"},
		}
	}
	return []recipe{
		node("Kiota for TypeScript", "kiota-paths.mjs"),
		node("PnPjs", "pnp-paths.mjs"),
		{name: "Kiota for Go", file: "go/paths_test.go",
			command: []string{sdkTests, "-test.v", "-test.run", "TestPaths"}, needs: []string{"go"}},
	}
}

// Clients that address files and sites by path get what is allowed, and no spelling of theirs gets what is denied.
// Graph receives each path in colons with plain slashes, also when the client wrote it into one escaped segment.
func TestPublishedClientsAddressFilesAndSitesByPath(t *testing.T) {
	t.Parallel()
	w := newSDKWorld(t, fmt.Sprintf(pathsPolicy, sha256.Sum256([]byte(sdkKey))), "Sites.Read.All")
	for _, r := range addressing() {
		t.Run(r.name, func(t *testing.T) {
			r.mustBeInstalled(t)
			for _, scheme := range slices.Sorted(maps.Keys(w.proxies)) {
				t.Run(scheme, func(t *testing.T) {
					output, err := w.run(t, r, scheme, "GRAPH_DRIVE="+graphtest.DriveID("adele@contoso.com"))
					if t.Logf("\n%s", output); err != nil {
						t.Errorf("%s: %v", strings.Join(r.command, " "), err)
					}
					w.wantKeyKept(t, 10)
					w.wantPaths(t)
				})
			}
		})
	}
}

// wantPaths: the paths arrived with plain slashes, and no denied one arrived.
func (w *sdkWorld) wantPaths(t *testing.T) {
	t.Helper()
	wanted := map[string]bool{"/Reports/2026/q1/summary.txt": true, "contoso.sharepoint.com:/sites/hr": true}
	for _, r := range w.graph.Requests() {
		lower := strings.ToLower(r.Target)
		if strings.Contains(lower, "%2f") || strings.Contains(lower, "%3a") || strings.Contains(lower, "salaries") ||
			strings.Contains(lower, "marketing") {
			t.Errorf("Graph received %s %s", r.Method, r.Target)
		}
		path, err := url.PathUnescape(r.Target)
		must(t, err)
		maps.DeleteFunc(wanted, func(part string, _ bool) bool { return strings.Contains(path, part) })
	}
	if diff := cmp.Diff(map[string]bool{}, wanted); diff != "" {
		t.Errorf("Graph did not receive %s", diff)
	}
}
