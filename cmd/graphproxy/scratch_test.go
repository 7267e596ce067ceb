package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// inScratch returns bwrap's arguments for the same conditions as in the container: an empty, read-only root with
// the binary, the root certificates and the files of the settings; user 65532, no home, no environment. bwrap uses
// the kernel's namespaces, as a container's runtime does.
func inScratch(binary, certificates, settings string) []string {
	return []string{
		"--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session",
		"--uid", "65532", "--gid", "65532", "--cap-drop", "ALL", "--clearenv",
		"--ro-bind", binary, "/graphproxy",
		"--ro-bind", certificates, "/etc/ssl/certs/ca-certificates.crt",
		"--ro-bind", settings, "/etc/graphproxy",
		"--proc", "/proc",
		"--remount-ro", "/",
	}
}

// staticBinary builds graphproxy as the Dockerfile does.
func staticBinary(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "graphproxy")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

func TestItRunsAsNoRootOnAReadOnlyFileSystemWithoutAHome(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("bwrap", "--ro-bind", "/", "/", "--unshare-user", "true").CombinedOutput(); err != nil {
		t.Skipf("this machine has no bwrap that may make namespaces (apt-get install bubblewrap): %v %s", err, out)
	}
	w := newWorld(t)
	w.registerSecret("secret")
	settings := filepath.Join(t.TempDir(), "settings")
	must(t, os.Mkdir(settings, 0o755))
	for name, text := range map[string]string{"policy.yaml": onlyUsers, "client-secret": "secret"} {
		must(t, os.WriteFile(filepath.Join(settings, name), []byte(text), 0o644))
	}
	certificates := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(certificates, w.ca.PEM(), 0o644))
	binary := staticBinary(t)
	box := inScratch(binary, certificates, settings)
	for _, setting := range w.environ("AZURE_CLIENT_SECRET_FILE=/etc/graphproxy/client-secret",
		"GRAPHPROXY_POLICY=/etc/graphproxy/policy.yaml") {
		name, value, _ := strings.Cut(setting, "=")
		if name != "PATH" && name != "SSL_CERT_FILE" {
			box = append(box, "--setenv", name, value)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := &process{
		cmd:    exec.CommandContext(ctx, "bwrap", append(box, "/graphproxy", "serve")...),
		stdout: new(lines),
		stderr: new(lines),
		client: httpClient(),
		ended:  make(chan struct{}),
	}
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	began := time.Now()
	p.run(t)
	until(t, "listening", func() bool {
		p.callers, p.admin = p.listening("callers"), p.listening("health")
		return p.callers != "" && p.admin != "" || p.hasEnded()
	})
	listens := time.Since(began)
	p.expect(t, 200)
	status, ready := p.ready(t)
	if status != 200 || !ready.Ready {
		t.Errorf("readyz: %d %+v", status, ready)
	}
	info, err := os.Stat(binary)
	must(t, err)
	t.Logf("listens after %s; resident memory %s bytes; the binary has %d bytes", listens.Round(time.Millisecond),
		p.metric(t, "process_resident_memory_bytes"), info.Size())

	// In the container nothing can be written, and no process is root.
	for _, test := range []struct{ name, command, want string }{
		{"no file can be made", "man /pages", "read-only file system"},
		{"nor beside the settings", "man /etc/graphproxy/pages", "read-only file system"},
		{"a command works, too", "version", `^graphproxy `},
	} {
		out, _ := exec.Command("bwrap",
			append(inScratch(binary, certificates, settings),
				append([]string{"/graphproxy"}, strings.Fields(test.command)...)...)...).CombinedOutput()
		if !regexp.MustCompile(test.want).Match(out) {
			t.Errorf("%s: %s, want %s", test.name, out, test.want)
		}
	}
}
