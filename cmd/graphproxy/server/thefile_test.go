package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"graphproxy/auth/caller"
	"graphproxy/cmd/graphproxy/server"
)

func TestAFileThatCannotBeReadIsNamed(t *testing.T) {
	s := newSecured(t, authority(t, "clients"))
	missing, broken := s.path("missing"), s.path("broken.pem")
	write(t, broken, "canary")
	pair := func(cert, key string) error { _, err := server.LoadKeyPair(cert, key, time.Now()); return err }
	ca := func(file string) error { _, err := server.LoadClientCA(file, time.Now()); return err }
	rules := func(file string) error { _, err := server.LoadPolicy(file, nil, caller.Options{}, nil); return err }
	for name, tt := range map[string]struct {
		err  error
		want []string
	}{
		"a policy": {rules(missing),
			[]string{"GRAPHPROXY_POLICY ", `the file "` + missing + `" cannot be opened`}},
		"a policy beside the process": {rules("no-such-policy"), []string{`the file "no-such-policy" cannot be opened`}},
		"a certificate": {pair(missing, s.path("tls.key")),
			[]string{"GRAPHPROXY_TLS_CERT_FILE: ", `the file "` + missing + `" `}},
		"a key": {pair(s.path("tls.crt"), missing),
			[]string{"GRAPHPROXY_TLS_KEY_FILE: ", `the file "` + missing + `" `}},
		"a key beside the process": {pair(s.path("tls.crt"), "missing.key"),
			[]string{`the file "missing.key" cannot be opened`}},
		"a key that is none": {pair(s.path("tls.crt"), broken), []string{s.path("tls.crt"), broken}},
		"CAs of clients": {ca(missing),
			[]string{"GRAPHPROXY_TLS_CLIENT_CA_FILE: ", `the file "` + missing + `" `}},
		"CAs of clients that are none":  {ca(broken), []string{"there is no certificate in the file: ", broken}},
		"a directory in a file's place": {ca(s.dir), []string{`the file "` + s.dir + `" `}},
	} {
		for _, want := range tt.want {
			if tt.err == nil || !strings.Contains(tt.err.Error(), want) || strings.Contains(tt.err.Error(), "canary") {
				t.Errorf("%s: %v, want %s", name, tt.err, want)
			}
		}
	}
}

// A key that is set in place of its path is not shown.
func TestAKeyInThePlaceOfItsPathIsNotNamed(t *testing.T) {
	s := newSecured(t, authority(t, "clients"))
	pem, err := os.ReadFile(s.path("tls.key"))
	must(t, err)
	lines := strings.Split(string(pem), "\n")
	for name, value := range map[string]string{
		"PEM":                       string(pem),
		"PEM on one line":           strings.ReplaceAll(string(pem), "\n", ` `),
		"PEM on one line, in a dir": "/run/" + strings.ReplaceAll(string(pem), "\n", ` `),
		"the base64 of PEM":         strings.Join(lines[1:len(lines)-2], ""),
		"a line of it":              lines[1],
	} {
		_, err := server.LoadKeyPair(s.path("tls.crt"), value, time.Now())
		if err == nil || !strings.HasPrefix(err.Error(), "GRAPHPROXY_TLS_KEY_FILE: the file ") ||
			strings.Contains(err.Error(), lines[1][:20]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFilesThatAreGoneLaterAreNamedInTheLog(t *testing.T) {
	for _, name := range []string{"tls.crt", "tls.key", "clients.pem"} {
		s := newSecured(t, authority(t, "clients"))
		must(t, os.Remove(s.path(name)))
		s.keys.Reload(t.Context())
		s.ca.Reload(t.Context())
		if !strings.Contains(s.log.String(), filepath.Base(s.dir)+"/"+name) {
			t.Errorf("%s: %s", name, s.log.String())
		}
	}
}
