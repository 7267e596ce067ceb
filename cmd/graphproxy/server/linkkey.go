package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"graphproxy/auth"
	"graphproxy/auth/filewatch"
	"graphproxy/policy"
)

// LinkKeyFile has the keys that links of delta queries are marked with, in place of the keys from the apps'
// credentials: one a line, the first for new marks. It is read again when it changes. Make it with LoadLinkKeys. Any
// goroutine may use the keys; only one may call reload.
type LinkKeyFile struct {
	log     *slog.Logger
	path    string
	files   *filewatch.Set
	current atomic.Pointer[[]auth.LinkKey]
	logged  string // the problem that was logged last
}

// leastKey is how many characters a key must have: 32 of base64 or hexadecimal digits cannot be guessed.
const leastKey = 32

// LoadLinkKeys reads the file for the first time. Errors name the variable and the cure, and nothing of what is in it.
func LoadLinkKeys(path string) (*LinkKeyFile, error) {
	f := &LinkKeyFile{path: path, files: filewatch.New(maxFile, path)}
	contents, err := f.files.Read()
	if err != nil {
		return nil, fmt.Errorf("GRAPHPROXY_LINK_KEY_FILE: %s %w", theFile(path), err)
	}
	return f, f.use(contents[0])
}

// use takes the keys of a file's bytes into use.
func (f *LinkKeyFile) use(data []byte) error {
	const cure = "write one key a line, made by \"openssl rand -base64 32\", the one for new links first"
	var keys []auth.LinkKey
	for line := range bytes.Lines(data) {
		switch line = bytes.TrimSpace(line); {
		case len(line) == 0:
		case len(line) < leastKey:
			return errors.New("GRAPHPROXY_LINK_KEY_FILE: the file has a key of fewer than 32 characters: " + cure)
		default:
			keys = append(keys, auth.NewLinkKey(line))
		}
	}
	if len(keys) == 0 {
		return errors.New("GRAPHPROXY_LINK_KEY_FILE: the file is empty: " + cure)
	}
	f.current.Store(&keys)
	return nil
}

// keys are those in force.
func (f *LinkKeyFile) keys() []auth.LinkKey { return *f.current.Load() }

// reload reads the file again if it has changed. A file that cannot be used leaves the keys from before in force.
func (f *LinkKeyFile) reload(ctx context.Context) {
	contents, err := f.files.Changed(ctx)
	if err == nil && contents == nil {
		return
	}
	if err != nil {
		err = fmt.Errorf("GRAPHPROXY_LINK_KEY_FILE: %s %w", theFile(f.path), err)
	} else {
		err = f.use(contents[0])
	}
	switch {
	case err == nil:
		f.logged = ""
		f.log.Info("the file with the keys of links has changed, using what is in it now", "keys", len(f.keys()))
	case err.Error() != f.logged: // logged once, not at each look
		f.logged = err.Error()
		f.log.Error("the keys of links from before stay in use", "error", err)
	}
}

// checkLinks refuses a policy that bounds what a delta query selects, where its links cannot be marked for want of a
// key: the links that graphproxy returns would be refused when they are followed.
func checkLinks(p *policy.Policy, all []auth.App) error {
	lacks := make(map[string]bool)
	for _, a := range all {
		lacks[a.Name] = a.LacksLinkKey()
	}
	var problems []error
	for _, d := range p.BoundDeltas() {
		if app := d.App; lacks[app] {
			problems = append(problems, fmt.Errorf("%s: %s bounds query options of a delta query, whose links hold them in a "+
				"token, so graphproxy marks these links with a key. The credential of the app registration %q gives none (only a "+
				"secret or a certificate does): set GRAPHPROXY_LINK_KEY_FILE to a file with a key, made by \"openssl rand "+
				"-base64 32\", the same for all replicas; or take query: out of the rule", d.Rule.Where(), d.Rule.Text, app))
		}
	}
	return errors.Join(problems...)
}
