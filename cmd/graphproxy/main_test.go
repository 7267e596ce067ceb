package main

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts")

// TestMain makes this test binary also the command graphproxy: scripts and tests run the real command as a process.
//
// Most tests wait for other processes or for a file that must rest, so more of them run at a time than there are
// processors. The flag -parallel wins.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	testscript.Main(cleaning{m}, map[string]func(){"graphproxy": main})
}

// sharedDir makes a directory for what several tests share.
var sharedDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "graphproxy-tests-") })

// cleaning removes what tests share, at their end.
type cleaning struct{ *testing.M }

// Run implements testscript.TestingM.
func (c cleaning) Run() int {
	defer func() {
		if dir, err := sharedDir(); err == nil {
			_ = os.RemoveAll(dir)
		}
	}()
	return c.M.Run()
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               func(e *testscript.Env) error { e.Vars = append(e.Vars, noPause); return nil },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"refuses":   refuses,
			"shows":     shows,
			"showsfile": showsFile,
		},
	})
}

// exits runs a command that must end with a status: exits 2 graphproxy serve.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM [ARGUMENT ...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("running %s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// shows runs a command that must end with a status, and whose output docs/policy.md must show: shows 1 graphproxy
// policy test.
func shows(ts *testscript.TestScript, neg bool, args []string) {
	exits(ts, neg, args)
	command := strings.Join(args[1:], " ")
	if i := slices.IndexFunc(args, func(arg string) bool { return strings.Contains(arg, " ") }); i > 0 {
		command = strings.Join(args[1:i], " ") + " '" + args[i] + "'"
	}
	inDocs(ts, "$ "+command+"\n"+ts.ReadFile("stdout"), "    ")
}

// showsFile checks that docs/policy.md shows a file of the script: showsfile policy.yaml.
func showsFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: showsfile FILE")
	}
	indent := "    "
	if strings.HasSuffix(args[0], ".yaml") {
		indent = ""
	}
	inDocs(ts, ts.ReadFile(args[0]), indent)
}

func inDocs(ts *testscript.TestScript, text, indent string) {
	docs, err := os.ReadFile("../../docs/policy.md")
	ts.Check(err)
	var block strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			line = indent + line
		}
		block.WriteString(line)
	}
	if !strings.Contains(string(docs), "\n"+block.String()) {
		ts.Fatalf("docs/policy.md does not show this:\n%s", block.String())
	}
}

// refuses starts graphproxy with a policy file that must be the only problem: refuses FILE LINE TEXT.
func refuses(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: refuses FILE LINE TEXT")
	}
	ts.Setenv("GRAPHPROXY_POLICY", args[0])
	exits(ts, false, []string{"2", "graphproxy", "serve"})
	message, place := ts.ReadFile("stderr"), args[0]+":"+args[1]+": "
	if !strings.Contains("\n"+message, "\n"+place) || !strings.Contains(message, args[2]) {
		ts.Fatalf("want %s… %s…, got\n%s", place, args[2], message)
	}
	for line := range strings.Lines(message) {
		if !strings.HasPrefix(line, args[0]+":") {
			ts.Fatalf("a line does not begin with the file's name: %s", line)
		}
	}
}
