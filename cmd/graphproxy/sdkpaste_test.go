package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pasted is a recipe as in docs/sdks.md, and the code that an app's developer adds to call it.
type pasted struct {
	recipe
	call  string
	wants []string // what the calls print; the sandbox has 60 users
}

const callInGo = `package recipe

import (
	"fmt"
	"testing"
)

func TestPasted(t *testing.T) {
	adapter, err := newAdapter(nil)
	if err != nil {
		t.Fatal(err)
	}
	users, err := everybody(t.Context(), adapter)
	if err != nil {
		t.Fatal(err)
	}
	statuses, err := several(t.Context(), adapter, "/users/adele@contoso.com", "/users/ceo@contoso.com")
	fmt.Println(len(users), "users; batch", statuses, err)
}
`

func pastedRecipes() []pasted {
	calls := map[string]pasted{
		"node/graph-client.mjs": {
			call: "console.log((await everybody()).length, 'users');\n" +
				"console.log('batch', (await several('/users/adele@contoso.com', '/users/ceo@contoso.com')).map((answer) => " +
				"answer.status));\n" +
				"console.log('changes', (await (await changes())()).value.length);\n",
			wants: []string{"60 users", "batch [ 200, 403 ]", "changes 0"}, // no upload: docs/sandbox.md explains why
		},
		"node/kiota.mjs": {
			call: "console.log((await everybody()).length, 'users');\nconst ids = ['adele@contoso.com', 'ceo@contoso.com'];\n" +
				"console.log('batch', (await several(...ids.map((id) => " +
				"graph.users.byUserId(id).toGetRequestInformation()))).map((answer) => answer.status));\n" +
				"console.log('changes', (await (await changes())()).value.length);\nprocess.exit();\n",
			wants: []string{"60 users", "batch [ 200, 403 ]", "changes 0"},
		},
		"node/pnp.mjs": {
			call: "console.log((await everybody()).length, 'users');\n" +
				"console.log('batch', (await several('adele@contoso.com', 'ceo@contoso.com')).map((answer) => answer.status));\n" +
				"process.exit();\n",
			wants: []string{"60 users", "batch [ 'fulfilled', 'rejected' ]"},
		},
		"curl/curl.sh": {
			call: "echo $(everybody | sort -u | wc -l) users\necho batch $(several adele@contoso.com ceo@contoso.com | jq -c " +
				"'[.responses | sort_by(.id)[].status]')\n" +
				"echo pasted > file.txt\nfile=users/adele@contoso.com/drive/root:/Reports/curl.txt\necho uploaded $(upload " +
				"file.txt $file | jq -r .name)\necho downloaded $(download $file)\n",
			wants: []string{"60 users", "batch [200,403]", "uploaded curl.txt", "downloaded pasted"},
		},
		"go/recipe.go": {call: callInGo, wants: []string{"60 users; batch [200 403] <nil>"}},
	}
	var all []pasted
	for _, r := range recipes() {
		p := calls[r.file]
		p.recipe = r
		all = append(all, p)
	}
	return all
}

// Each recipe that this machine can run works when it is pasted, with the addresses and the key that the sandbox
// prints.
func TestTheRecipesWorkInTheSandboxAsPasted(t *testing.T) {
	t.Parallel()
	sandbox, _ := startSandbox(t)
	printed := sandbox.stdout.String()
	export := regexp.MustCompile(`export (GRAPHPROXY_URL=\S+) (GRAPHPROXY_KEY=\S+)`).FindStringSubmatch(printed)
	https := regexp.MustCompile(`(?m)^  callers  \S+ and (https://\S+)$`).FindStringSubmatch(printed)
	ca := regexp.MustCompile(`(?m)^  CA       (.+) \(of the HTTPS certificate\)$`).FindStringSubmatch(printed)
	if export == nil || https == nil || ca == nil {
		t.Fatalf("the sandbox prints:\n%s", printed)
	}
	blocks := recipeBlocks(t)
	for _, p := range pastedRecipes() {
		t.Run(p.name, func(t *testing.T) {
			p.mustBeInstalled(t)
			environ := append(os.Environ(), export[1], export[2])
			if p.https {
				environ = append(environ, "GRAPHPROXY_URL="+https[1], "NODE_EXTRA_CA_CERTS="+ca[1])
			}
			output := p.run(t, blocks[p.file], environ)
			for _, want := range p.wants {
				if !strings.Contains(output, want) {
					t.Errorf("no %q in:\n%s", want, output)
				}
			}
		})
	}
	sandbox.stop(t)
}

// run pastes the block into a directory of its own, with the client's packages beside it, and runs it. It returns
// the output.
func (p *pasted) run(t *testing.T, block string, environ []string) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) { must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)) }
	var command []string
	switch filepath.Ext(p.file) {
	case ".mjs":
		packages, err := filepath.Abs(filepath.Join(sdkDir, "node/node_modules"))
		must(t, err)
		must(t, os.Symlink(packages, filepath.Join(dir, "node_modules")))
		write("pasted.mjs", block+p.call)
		command = []string{"node", "pasted.mjs"}
	case ".sh":
		write("pasted.sh", block+p.call)
		command = []string{"bash", "pasted.sh"}
	case ".go":
		for _, name := range []string{"go.mod", "go.sum"} {
			text, err := os.ReadFile(filepath.Join(sdkDir, "go", name))
			must(t, err)
			write(name, string(text))
		}
		write("pasted.go", block)
		write("pasted_test.go", p.call)
		command = []string{"go", "test", "-v", "."}
		environ = append(environ, "GOPROXY=off", "GOFLAGS=-mod=mod")
	}
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, environ, patience
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(command, " "), err, output)
	}
	return string(output)
}
