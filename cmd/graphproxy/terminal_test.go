package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/creack/pty"
)

// screen is the output of a command on a terminal, and its exit status.
type screen struct {
	text   string
	status int
}

// rows are the lines without colours.
func (s screen) rows() []string {
	plain := regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(s.text, "")
	return strings.Split(strings.ReplaceAll(strings.TrimRight(plain, "\r\n"), "\r\n", "\n"), "\n")
}

// onTerminal runs graphproxy with its output on a terminal with this many columns. It does so in this process: to start
// one takes longer than most of these commands, above all under the race detector.
func onTerminal(t *testing.T, columns int, environ []string, args ...string) screen {
	t.Helper()
	master, slave, err := pty.Open()
	must(t, err)
	defer master.Close()
	must(t, pty.Setsize(slave, &pty.Winsize{Rows: 24, Cols: uint16(columns)}))
	ended := make(chan error, 1)
	go func() {
		defer slave.Close()
		ended <- run(t.Context(), args, append([]string{"TERM=xterm"}, environ...), strings.NewReader(""), slave, slave)
	}()
	text, _ := io.ReadAll(master) // it ends with an error when the command has closed the terminal
	return screen{string(text), status(<-ended)}
}

// piped runs graphproxy with its output in a pipe.
func piped(t *testing.T, environ []string, args ...string) string {
	t.Helper()
	read, write, err := os.Pipe()
	must(t, err)
	defer read.Close()
	go func() {
		defer write.Close()
		_ = run(t.Context(), args, append([]string{"TERM=xterm"}, environ...), strings.NewReader(""), write, write)
	}()
	text, err := io.ReadAll(read)
	must(t, err)
	return string(text)
}

const shownPolicy = `version: 1
callers:
  hr-sync:
    identity: [{network: [127.0.0.0/8]}]
    allow:
      - GET /users/{id}
      - GET /groups/{id}/members/microsoft.graph.user/{member}/with/a/path/that/is/long
      - GET /users/adele@contoso.com
    deny:
      - ANY /users/{id}/messages/**:
          where: {id: [ceo@contoso.com]}
tests:
  - caller: hr-sync
    allow: [GET /users/adele@contoso.com]
    deny: [GET /users/ceo@contoso.com/messages]
`

// policies writes two policy files and returns their paths.
func policies(t *testing.T) (now, next string) {
	t.Helper()
	dir := t.TempDir()
	now, next = filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "next.yaml")
	must(t, os.WriteFile(now, []byte(shownPolicy), 0o600))
	changed := strings.Replace(shownPolicy, "      - GET /users/adele@contoso.com\n    deny",
		"      - PATCH /users/{id}\n    deny", 1)
	must(t,
		os.WriteFile(next,
			[]byte(strings.Replace(changed, "[GET /users/adele@contoso.com]", "[PATCH /users/adele@contoso.com]", 1)), 0o600))
	return now, next
}

func TestCommandsAreInColourOnATerminalAndNeverInAPipe(t *testing.T) {
	t.Parallel()
	now, next := policies(t)
	for _, test := range []struct {
		name string
		args []string
		want string // in colour
	}{
		{"a policy that loads", []string{"policy", "check", now}, "\x1b[32m" + now + " loads"},
		{"a warning", []string{"policy", "check", now}, "\x1b[33mwarning\x1b[0m: "},
		{"a policy that does not", []string{"policy", "check", filepath.Join(filepath.Dir(now), "bad.yaml")}, "\x1b[31m"},
		{"a test that passes", []string{"policy", "test", "-v", now}, "\x1b[32mok\x1b[0m  "},
		{"what is allowed", []string{"policy", "explain", "--policy", now, "hr-sync", "GET /users/a"},
			"\x1b[32mallow\x1b[0m"},
		{"what is denied", []string{"policy", "explain", "--policy", now, "hr-sync", "GET /sites"}, "\x1b[31mdeny\x1b[0m"},
		{"what a caller gains", []string{"policy", "diff", now, next}, "\x1b[32m+ may PATCH"},
	} {
		must(t, os.WriteFile(filepath.Join(filepath.Dir(now), "bad.yaml"), []byte("version: 1\ncallers: {a: {}}\n"), 0o600))
		if got := onTerminal(t, 200, nil, test.args...); !strings.Contains(got.text, test.want) {
			t.Errorf("%s: %q, want it with %q", test.name, got.text, test.want)
		}
		for _, off := range []string{"NO_COLOR=1", "TERM=dumb"} {
			if got := onTerminal(t, 200, []string{off}, test.args...); strings.Contains(got.text, "\x1b") {
				t.Errorf("%s with %s: %q", test.name, off, got.text)
			}
		}
		if got := onTerminal(t, 200, []string{"NO_COLOR="}, test.args...); !strings.Contains(got.text, test.want) {
			t.Errorf("%s: an empty NO_COLOR is not set: %q", test.name, got.text)
		}
		if got := piped(t, nil, test.args...); strings.Contains(got, "\x1b") || got == "" {
			t.Errorf("%s in a pipe: %q", test.name, got)
		}
		if got := onTerminal(t, 200, nil, append(test.args, "--json")...); strings.Contains(got.text, "\x1b") ||
			!strings.HasPrefix(got.text, "{") {
			t.Errorf("%s as JSON: %q", test.name, got.text)
		}
	}
}

func TestTextFitsTheTerminal(t *testing.T) {
	t.Parallel()
	now, next := policies(t)
	for _, args := range [][]string{
		{"policy", "check", now},
		{"policy", "test", now},
		{"policy", "explain", "--policy", now, "hr-sync", "GET /users/ceo@contoso.com/messages?$select=id"},
		{"policy", "diff", now, next},
		{"serve", "--help"},
	} {
		whole := piped(t, []string{"COLUMNS=1000"}, args...)
		for _, width := range []int{40, 60, 80, 132} {
			columns := width
			got := onTerminal(t, columns, nil, args...)
			rows := got.rows()
			if args[0] == "serve" { // cobra's text above is not folded
				rows = rows[slices.Index(rows, "Environment variables:"):]
				columns = max(columns, 60) // a name and its default are in one row
			}
			for _, row := range rows {
				if words := strings.Fields(row); len(words) > 2 && utf8.RuneCountInString(row) > columns {
					t.Errorf("%v in %d columns: a row has %d: %q", args, columns, utf8.RuneCountInString(row), row)
				}
			}
			words := strings.Fields(strings.Join(got.rows(), " "))
			if want := strings.Fields(whole); args[0] == "policy" && strings.Join(words, " ") != strings.Join(want, " ") {
				t.Errorf("%v in %d columns says something else:\n%q\n%q", args, columns, words, want)
			}
		}
	}
	if plain := piped(t, nil, "policy", "check", now); !strings.Contains(plain,
		"GET /users/adele@contoso.com never decides: GET /users/{id} (") {
		t.Errorf("a pipe gets folded lines: %q", plain)
	}
}

// The log comes through a pipe that does not end: a command that takes longer than a second shows its progress.
func TestWhatTakesLongShowsItsProgressOnATerminal(t *testing.T) {
	t.Parallel()
	now, next := policies(t)
	for _, args := range [][]string{
		{"policy", "suggest", "--audit", "-"},
		{"policy", "diff", now, next, "--audit", "-"},
	} {
		master, slave, err := pty.Open()
		must(t, err)
		in, feed, err := os.Pipe()
		must(t, err)
		cmd := exec.Command("graphproxy", args...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TERM=xterm", noPause}
		result := new(lines)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = in, result, slave
		must(t, cmd.Start())
		slave.Close()
		in.Close()
		_, err = io.WriteString(feed,
			`{"time":"2026-01-01T00:00:00Z","caller":"hr-sync","method":"GET","version":"v1.0","target":"/v1.0/users/a",`+
				`"decision":"allow","status":200}`+"\n")
		must(t, err)
		reader := bufio.NewReader(master)
		shown, err := reader.ReadString('B') // of "MB": it blocks until there is output
		if err != nil || !strings.Contains(shown, "reading standard input: 0.0 M") {
			t.Errorf("%v: shows %q, %v", args, shown, err)
		}
		must(t, feed.Close())
		rest, _ := io.ReadAll(reader)
		_ = cmd.Wait()
		if !strings.HasSuffix(string(rest), "\r\x1b[K") {
			t.Errorf("%v: the progress stays on the screen: %q", args, rest)
		}
		if strings.Contains(result.String(), "reading") || result.String() == "" {
			t.Errorf("%v: the result is %q", args, result)
		}
		master.Close()
	}
}
