package oidc_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"graphproxy/auth/caller/oidc"
	"graphproxy/auth/caller/oidc/oidctest"
)

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestKeysInAFile(t *testing.T) {
	r := newRig(t, oidctest.Options{})
	path := filepath.Join(t.TempDir(), "keys.json")
	write(t, path, string(r.JWKS()))
	r.v = r.verifier(oidc.Source{Issuer: r.Issuer(), JWKSFile: path})
	old := r.sign(nil, nil)
	r.want(old, "ok")
	r.want(r.stranger(1), oidc.CodeInvalid)

	if err := r.Rotate(); err != nil {
		t.Fatal(err)
	}
	r.Withdraw()
	now := r.sign(nil, nil)
	write(t, path, string(r.JWKS()))
	t.Run("is not read again before it is time", func(t *testing.T) {
		r.clock.Move(2*time.Second - time.Millisecond)
		r.want(now, oidc.CodeInvalid)
	})
	t.Run("is read again when it has changed", func(t *testing.T) {
		r.clock.Move(time.Millisecond)
		r.want(now, "ok")
		r.want(old, oidc.CodeInvalid)
	})
	for name, text := range map[string]string{
		"no JSON":               "x",
		"no keys":               `{"keys":[]}`,
		"nothing":               "",
		"a directory's absence": "-",
	} {
		t.Run("a bad file leaves the keys in use and is told once: "+name, func(t *testing.T) {
			told := r.log.Count("cannot be read")
			if write(t, path, text); text == "-" {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
			for range 3 {
				r.clock.Move(time.Minute)
				r.want(now, "ok")
			}
			if n := r.log.Count("cannot be read"); n != told+1 {
				t.Errorf("it is told %d times", n-told)
			}
		})
	}
	t.Run("and is good again later", func(t *testing.T) {
		if err := r.Rotate(); err != nil {
			t.Fatal(err)
		}
		write(t, path, string(r.JWKS()))
		r.clock.Move(time.Minute)
		r.want(r.sign(nil, nil), "ok")
	})
	r.wantFetches(0, 0)
}

func TestCheckJWKSFile(t *testing.T) {
	r := newRig(t, oidctest.Options{})
	dir := t.TempDir()
	for name, tt := range map[string]struct{ text, want string }{
		"good":          {string(r.JWKS()), ""},
		"no JSON":       {"x", "the JWK Set is not one JSON object in UTF-8"},
		"a list":        {"[]", "the JWK Set is not one JSON object in UTF-8"},
		"no keys":       {"{}", `the JWK Set has no list "keys"`},
		"keys, no list": {`{"keys":{}}`, `the JWK Set has no list "keys"`},
		"an empty list": {`{"keys":[]}`, "none of its keys can be used"},
		"doubled":       {`{"keys":[],"keys":[]}`, "the JWK Set holds a member twice"},
		"huge":          {strings.Repeat(" ", 1<<20+1), "it is larger than 1024 KiB: it is not the right file"},
		"a secret":      {`{"keys":[{"kty":"oct","k":"AAAA"}]}`, "none of its keys can be used"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			write(t, path, tt.text)
			err := oidc.CheckJWKSFile(path)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), `jwks_file "`+path+`": `+tt.want)):
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	pipe := filepath.Join(dir, "a pipe that no program writes to")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "absent"), "", pipe, "/dev/zero"} {
		if oidc.CheckJWKSFile(path) == nil {
			t.Errorf("%q is taken", path)
		}
	}
}
