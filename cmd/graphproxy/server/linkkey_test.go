package server_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graphproxy/auth"
	"graphproxy/auth/caller"
	"graphproxy/cmd/graphproxy/server"
)

const keyLine = "0123456789abcdef0123456789abcdef"

func TestTheFileWithKeysOfLinks(t *testing.T) {
	for _, c := range []struct {
		name, text, problem string
		keys                int
	}{
		{"one key", keyLine, "", 1},
		{"several, with blank lines between", keyLine + "\n\n \r\nx" + keyLine + "\r\n", "", 2},
		{"a key that is too short", keyLine[1:], "fewer than 32 characters", 0},
		{"one that is too short behind another", keyLine + "\nshort", "fewer than 32 characters", 0},
		{"nothing", "", "is empty", 0},
		{"blank lines", "\n \n", "is empty", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "links.key")
			must(t, os.WriteFile(path, []byte(c.text), 0o600))
			f, err := server.LoadLinkKeys(path)
			switch {
			case c.problem == "" && (err != nil || len(f.Keys()) != c.keys):
				t.Error(err)
			case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem) ||
				!strings.HasPrefix(err.Error(), "GRAPHPROXY_LINK_KEY_FILE: ") || strings.Contains(err.Error(), keyLine[1:])):
				t.Error(err)
			}
		})
	}
	if _, err := server.LoadLinkKeys("/missing/links.key"); err == nil ||
		!strings.Contains(err.Error(), `GRAPHPROXY_LINK_KEY_FILE: the file "/missing/links.key"`) {
		t.Error(err)
	}
}

func TestTheKeysOfLinksAreReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "links.key")
	must(t, os.WriteFile(path, []byte(keyLine), 0o600))
	f, err := server.LoadLinkKeys(path)
	must(t, err)
	var log bytes.Buffer
	f.Start(slog.New(slog.NewTextHandler(&log, nil)))
	sum := f.Keys()[0].Sum(nil)
	for _, bad := range []string{"short", ""} {
		must(t, os.WriteFile(path, []byte(bad), 0o600))
		f.Reload(t.Context())
		f.Reload(t.Context())
		if len(f.Keys()) != 1 || !f.Keys()[0].Verify(nil, sum) ||
			!strings.Contains(log.String(), "GRAPHPROXY_LINK_KEY_FILE") {
			t.Error(log.String())
		}
	}
	must(t, os.WriteFile(path, []byte("x"+keyLine+"\n"+keyLine), 0o600))
	f.Reload(t.Context())
	if keys := f.Keys(); len(keys) != 2 || keys[0].Verify(nil, sum) || !keys[1].Verify(nil, sum) {
		t.Error(log.String())
	}
}

func TestAPolicyThatNeedsAKeyOfLinksDoesNotLoadWithoutOne(t *testing.T) {
	dir := t.TempDir()
	keys := filepath.Join(dir, "links.key")
	must(t, os.WriteFile(keys, []byte(keyLine), 0o600))
	file, err := server.LoadLinkKeys(keys)
	must(t, err)
	token := filepath.Join(dir, "token")
	must(t, os.WriteFile(token, []byte("a.b.c"), 0o600))
	managed := auth.App{Name: "default", ManagedIdentity: true}
	federated := auth.App{Name: "default", FederatedTokenFile: token}
	secret := auth.App{Name: "default", Secret: auth.NewSecret("secret")}
	const bound = "GET /users/delta: {query: {$select: [id]}}"
	for _, c := range []struct {
		name, rule string
		app        auth.App
		links      *server.LinkKeyFile
		ok         bool
	}{
		{"a managed identity", bound, managed, nil, false},
		{"a federated token", bound, federated, nil, false},
		{"a function's arguments", "\"GET /drives/{d}/root/delta(token={t})\": {query: {$top: 5}}", managed, nil, false},
		{"a managed identity and a file", bound, managed, file, true},
		{"a secret", bound, secret, nil, true},
		{"no bound", "GET /users/delta", managed, nil, true},
		{"a bound that every rule has", "GET /users/delta: {query: {$expand: none}}", managed, nil, true},
		{"a bound on the token alone", "GET /users/delta: {query: {$deltatoken: [latest]}}", managed, nil, true},
		{"a bound on a list", "GET /users: {query: {$select: [id]}}", managed, nil, true},
		{"a bound with /**", "GET /users/**: {query: {$top: 5}}", managed, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "policy.yaml")
			text := "version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow:\n      - " + c.rule + "\n"
			must(t, os.WriteFile(path, []byte(text), 0o600))
			_, err := server.LoadPolicy(path, []auth.App{c.app}, caller.Options{}, c.links)
			if (err == nil) != c.ok {
				t.Fatal(err)
			}
			if err != nil && (!strings.HasPrefix(err.Error(), "policy.yaml:6: GET /") ||
				!strings.Contains(err.Error(), "set GRAPHPROXY_LINK_KEY_FILE")) {
				t.Error(err)
			}
		})
	}
}
