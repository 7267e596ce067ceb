package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"graphproxy/proxy/graphtest"
)

const (
	sdkDir = "../../proxy/graphtest/sdk"
	sdkKey = "contoso-sdk-key-5b0f6f0e7c1d4a1f"
)

// sdkPolicy is the policy in docs/sdks.md: the caller with sdkKey may do what the recipes do, but not to the CEO.
func sdkPolicy(t *testing.T) string {
	t.Helper()
	docs, err := os.ReadFile("../../docs/sdks.md")
	must(t, err)
	_, rest, begins := strings.Cut(string(docs), "```yaml\n")
	policy, _, ends := strings.Cut(rest, "```\n")
	if sum := sha256.Sum256([]byte(sdkKey)); !begins || !ends || !strings.Contains(policy, hex.EncodeToString(sum[:])) {
		t.Fatalf("docs/sdks.md shows no policy with the key's hash %x", sum)
	}
	return policy
}

// recipe is a client of docs/sdks.md.
type recipe struct {
	name    string
	file    string   // below sdkDir
	command []string // run where file is
	needs   []string // commands
	https   bool     // the client refuses http
}

func recipes() []recipe {
	node := func(name, file string, https bool) recipe {
		return recipe{
			name:    name,
			file:    "node/" + file,
			command: []string{"node", "--import", "./check.mjs", file},
			needs:   []string{"node"},
			https:   https,
		}
	}
	return []recipe{
		node("microsoft-graph-client", "graph-client.mjs", true),
		node("Kiota for TypeScript", "kiota.mjs", false),
		node("PnPjs", "pnp.mjs", false),
		{name: "msgraph-sdk-go-core", file: "go/recipe.go", command: []string{sdkTests, "-test.v"}, needs: []string{"go"}},
		{name: "curl", file: "curl/curl.sh", command: []string{"bash", "curl.sh"}, needs: []string{"bash", "curl", "jq"}},
	}
}

// sdkTests stands for the compiled tests of proxy/graphtest/sdk/go in a recipe's command.
const sdkTests = "sdk.test"

// compiledSDK compiles the tests of proxy/graphtest/sdk/go, once for all tests that run them.
var compiledSDK = sync.OnceValues(func() (string, error) {
	dir, err := sharedDir()
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, sdkTests)
	build := exec.Command("go", "test", "-c", "-o", file, ".")
	build.Dir = filepath.Join(sdkDir, "go")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go test -c: %w\n%s", err, output)
	}
	return file, nil
})

// hasSDKModules reports whether the modules of proxy/graphtest/sdk/go are on this machine.
var hasSDKModules = sync.OnceValue(func() bool {
	list := exec.Command("go", "list", "-deps", "-test", ".")
	list.Dir, list.Env = filepath.Join(sdkDir, "go"), append(os.Environ(), "GOPROXY=off")
	return list.Run() == nil
})

// sdkWorld has two proxies with one policy: by its scheme, the address of each.
type sdkWorld struct {
	*world
	proxies map[string]string
}

func newSDKWorld(t *testing.T, policy string, roles ...string) *sdkWorld {
	t.Helper()
	w := newWorld(t)
	w.graph.Close()
	config, err := w.ca.TLS()
	must(t, err)
	w.graph, err = graphtest.NewServer(graphtest.Options{
		TLS:   config,
		Users: 500,
		Verify: func(token string) ([]string, error) {
			claims, err := w.entra.Verify(token)
			return claims.Roles, err
		},
	})
	must(t, err)
	t.Cleanup(w.graph.Close)
	w.policy = w.write(t, "policy.yaml", policy)
	a := app()
	a.Secret, a.Roles = "secret", append(append(a.Roles, "Files.ReadWrite.All"), roles...)
	w.entra.Add(a)
	w.writeKeyPair(t)
	plain := w.serve(t, "AZURE_CLIENT_SECRET=secret")
	tls := w.serve(t, "AZURE_CLIENT_SECRET=secret", "GRAPHPROXY_TLS_CERT_FILE="+w.path("tls.crt"),
		"GRAPHPROXY_TLS_KEY_FILE="+w.path("tls.key"))
	return &sdkWorld{w, map[string]string{"http": local(plain), "https": local(tls)}}
}

// local is the proxy's address by name: clients distinguish hosts by name alone, and the foreign host of uploads is
// 127.0.0.1.
func local(p *process) string { return strings.Replace(p.callers, "127.0.0.1", "localhost", 1) }

// The clients of docs/sdks.md, as their publishers ship them, work through graphproxy. None ever sees Graph's
// address, and no other host, not even Graph, gets their key.
func TestPublishedClientsWorkThroughTheProxy(t *testing.T) {
	t.Parallel()
	w := newSDKWorld(t, sdkPolicy(t))
	for _, r := range recipes() {
		t.Run(r.name, func(t *testing.T) {
			r.mustBeInstalled(t)
			for _, scheme := range slices.Sorted(maps.Keys(w.proxies)) {
				t.Run(scheme, func(t *testing.T) {
					output, err := w.run(t, r, scheme)
					if r.https && scheme == "http" {
						w.wantNothing(t, output, err)
						return
					}
					t.Logf("\n%s", output)
					if err != nil {
						t.Errorf("%s: %v", strings.Join(r.command, " "), err)
					}
					w.wantKeyKept(t, 25)
				})
			}
		})
	}
}

func (r recipe) mustBeInstalled(t *testing.T) {
	t.Helper()
	for _, command := range r.needs {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("needs %s: %v", command, err)
		}
	}
	switch r.command[0] {
	case "node":
		if _, err := os.Stat(filepath.Join(sdkDir, "node/node_modules")); err != nil {
			t.Skip("needs npm ci in proxy/graphtest/sdk/node")
		}
	case "go", sdkTests:
		if !hasSDKModules() {
			t.Skip("needs go mod download in proxy/graphtest/sdk/go")
		}
	}
}

// run runs a recipe's program against one of the proxies and returns what it printed.
func (w *sdkWorld) run(t *testing.T, r recipe, scheme string, environ ...string) (string, error) {
	t.Helper()
	w.graph.Reset()
	program := r.command[0]
	if program == sdkTests {
		compiled, err := compiledSDK()
		must(t, err)
		program = compiled
	}
	cmd := exec.CommandContext(t.Context(), program, r.command[1:]...)
	cmd.Dir, cmd.WaitDelay = filepath.Join(sdkDir, filepath.Dir(r.file)), patience
	ca := w.path("ca.pem")
	cmd.Env = append(append(os.Environ(), environ...),
		"GRAPHPROXY_URL="+w.proxies[scheme], "GRAPHPROXY_KEY="+sdkKey, "GRAPHPROXY_FILES="+t.TempDir(),
		"NODE_EXTRA_CA_CERTS="+ca, "SSL_CERT_FILE="+ca, "CURL_CA_BUNDLE="+ca, // each client's own variable
		"GRAPH_HOST="+host(t, w.graph.URL()), "FOREIGN_HOST="+host(t, w.graph.ForeignURL()))
	output, err := cmd.CombinedOutput()
	return string(output), err
}

func host(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	return u.Host
}

// wantNothing: a client that sends its key over https only is refused, and Graph receives nothing.
func (w *sdkWorld) wantNothing(t *testing.T, output string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(output, "unauthenticated") || w.graph.Count() != 0 {
		t.Errorf("docs/sdks.md says that it refuses http; error %v, %d requests at Graph, output:\n%s", err, w.graph.Count(),
			output)
	}
}

// wantKeyKept: at least this many requests reached Graph, and neither they nor those at the foreign host contain
// the caller's key.
func (w *sdkWorld) wantKeyKept(t *testing.T, least int) {
	t.Helper()
	w.graph.WaitIdle()
	received := w.graph.Requests()
	if len(received) < least {
		t.Errorf("Graph received %d requests", len(received))
	}
	for _, r := range append(received, w.graph.ForeignRequests()...) {
		if strings.Contains(fmt.Sprint(r.Target, r.Header, string(r.Body)), sdkKey) {
			t.Errorf("%s %s holds the caller's key", r.Method, r.Target)
		}
	}
	if n := w.graph.ItemTokens(); n > 0 {
		t.Errorf("%d batch items reached Graph with an Authorization of their own", n)
	}
}

// recipeBlocks returns the code in docs/sdks.md, by the linked file in the line above it.
func recipeBlocks(t *testing.T) map[string]string {
	t.Helper()
	docs, err := os.ReadFile("../../docs/sdks.md")
	must(t, err)
	blocks := map[string]string{}
	block := regexp.MustCompile("(?s)\\]\\(\\.\\./proxy/graphtest/sdk/([\\w./-]+)\\)[^\n]*\n\n```\\w+\n(.*?)```\n")
	for _, m := range block.FindAllStringSubmatch(string(docs), -1) {
		blocks[m[1]] = m[2]
	}
	return blocks
}

// The code in docs/sdks.md is the code that the test above runs: each block is the recipe in the file that the line
// above it links to.
func TestTheRecipesAreTheCodeThatIsTested(t *testing.T) {
	t.Parallel()
	blocks := recipeBlocks(t)
	for _, r := range recipes() {
		code, err := os.ReadFile(filepath.Join(sdkDir, r.file))
		must(t, err)
		_, rest, begins := strings.Cut(string(code), " recipe: begin\n")
		want, _, ends := strings.Cut(rest, " recipe: end\n")
		if !begins || !ends {
			t.Errorf("%s has no recipe: begin, recipe: end", r.file)
			continue
		}
		want = strings.TrimSuffix(strings.TrimSuffix(want, "//"), "#")
		if got := strings.TrimSpace(blocks[r.file]); got != strings.TrimSpace(want) {
			t.Errorf("docs/sdks.md does not show the recipe of %s but:\n%s", r.file, got)
		}
	}
}

// The block for Go in docs/sdks.md compiles when it is pasted into a file of its own.
func TestTheRecipeForGoCompilesAsPasted(t *testing.T) {
	t.Parallel()
	recipe{command: []string{"go"}, needs: []string{"go"}}.mustBeInstalled(t)
	docs, err := os.ReadFile("../../docs/sdks.md")
	must(t, err)
	_, rest, found := strings.Cut(string(docs), "```go\n")
	code, _, ends := strings.Cut(rest, "```\n")
	if !found || !ends || strings.Contains(rest[len(code):], "```go\n") {
		t.Fatal("docs/sdks.md does not have one block of Go")
	}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "pasted.go"), []byte(code), 0o600))
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(sdkDir, "go", name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	vet := exec.CommandContext(t.Context(), "go", "vet", ".")
	vet.Dir, vet.Env = dir, append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=mod")
	if output, err := vet.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}
