package console_test

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"graphproxy/auth/caller/pkitest"
)

// TestThePagesInChromium drives every page in a real browser, with axe: see browser/check.mjs. With GRAPHPROXY_SHOTS
// set to a directory it also makes the pictures of docs/console.md.
func TestThePagesInChromium(t *testing.T) {
	chromium := needBrowser(t)
	dir := t.TempDir()
	binary := filepath.Join(dir, "graphproxy")
	if out, err := exec.Command("go", "build", "-o", binary, "graphproxy/cmd/graphproxy").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	callers, sandboxConsole := startSandbox(t, binary)
	ca, err := pkitest.New("clients")
	if err != nil {
		t.Fatal(err)
	}
	cert, key := leaf(t, ca, dir, "ann.contoso.example")
	otherCert, otherKey := leaf(t, ca, dir, "bob.contoso.example")
	check := exec.Command("node", "check.mjs")
	check.Dir = "browser"
	check.Env = append(os.Environ(),
		"SANDBOX="+callers,
		"CONSOLE="+sandboxConsole,
		"GUARDED="+startGuarded(t, ca, binary, dir),
		"LOOK_KEY="+lookKey,
		"CALL_KEY="+callKey,
		"CERT="+cert,
		"CERT_KEY="+key,
		"OTHER_CERT="+otherCert,
		"OTHER_KEY="+otherKey,
		"CHROMIUM="+chromium,
		"SHOTS="+os.Getenv("GRAPHPROXY_SHOTS"),
	)
	out, err := check.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	furtherInChromium(t, binary, chromium)
}

// furtherInChromium drives the pages of proposals, of Try, of candidates and of callers: see browser/further.mjs.
func furtherInChromium(t *testing.T, binary, chromium string) {
	t.Helper()
	file := write(t, t.TempDir(), "policy.yaml", []byte("version: 1\ncallers:\n  local:\n"+
		"    identity: [{network: [127.0.0.0/8]}]\n    limit: {rate: 50/s, burst: 100}\n    allow:\n      - GET /users\n"))
	callers, sandboxConsole := startSandbox(t, binary, "--policy", file)
	check := exec.Command("node", "further.mjs")
	check.Dir = "browser"
	check.Env = append(os.Environ(), "SANDBOX="+callers, "CONSOLE="+sandboxConsole, "POLICY="+file, "CHROMIUM="+chromium)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// needBrowser returns the path of Chromium, or skips the test.
func needBrowser(t *testing.T) string {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err == nil {
		_, err = exec.LookPath("node")
	}
	if err == nil {
		_, err = exec.LookPath("patch")
	}
	if err == nil {
		_, err = os.Stat("browser/node_modules/playwright-core")
	}
	if err != nil {
		t.Skip("NOT CHECKED: the pages of the console in a browser, for which this machine lacks Chromium, Node, patch or " +
			"browser/node_modules (apt-get install chromium nodejs npm patch; npm ci --ignore-scripts in browser): " +
			err.Error())
	}
	return chromium
}

// start runs graphproxy until the test ends.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
}

// startSandbox returns the addresses of the sandbox's callers and of its console.
func startSandbox(t *testing.T, binary string, more ...string) (callers, console string) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"sandbox", "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0",
		"--admin-listen", "127.0.0.1:0", "--console-listen", "127.0.0.1:0"}, more...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	lines := bufio.NewScanner(out)
	for lines.Scan() && console == "" {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) > 1 && fields[0] == "callers":
			callers = fields[1]
		case len(fields) > 1 && fields[0] == "console":
			console = strings.TrimSuffix(fields[1], "/")
		}
	}
	if console == "" {
		t.Fatal("the sandbox prints no address of its console")
	}
	go drain(lines)
	return callers, console
}

// leaf writes a client certificate and its key, and returns their paths.
func leaf(t *testing.T, ca *pkitest.Authority, dir, name string) (cert, key string) {
	t.Helper()
	made, err := ca.Leaf(pkitest.Leaf{DNS: []string{name}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	chain, private, err := pkitest.Files(made)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, dir, name+".pem", chain), write(t, dir, name+".key", private)
}

func write(t *testing.T, dir, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// startGuarded runs a proxy whose console is not on loopback, and returns the console's address. Its Entra ID does not
// answer, which the console does not need.
func startGuarded(t *testing.T, ca *pkitest.Authority, binary, dir string) string {
	t.Helper()
	cert, key := leaf(t, ca, dir, "localhost")
	policy := base(keyItem(lookKey) + "  - certificate: {dns: ann.contoso.example, name: ann-by-certificate}\n")
	cmd := exec.Command(binary, "serve")
	cmd.Env = []string{
		"AZURE_TENANT_ID=84841066-274d-4ec0-a5c1-276be684bdd3",
		"AZURE_CLIENT_ID=84841066-274d-4ec0-a5c1-276be684bdd4",
		"AZURE_CLIENT_SECRET=secret-of-nothing",
		"AZURE_AUTHORITY_HOST=https://127.0.0.1:1",
		"GRAPHPROXY_GRAPH_URL=https://127.0.0.1:1",
		"GRAPHPROXY_INSTANCE_DISCOVERY=false",
		"GRAPHPROXY_LISTEN=127.0.0.1:0",
		"GRAPHPROXY_ADMIN_LISTEN=127.0.0.1:0",
		"GRAPHPROXY_CONSOLE_LISTEN=0.0.0.0:0",
		"GRAPHPROXY_AUDIT_LOG=off",
		"GRAPHPROXY_POLICY=" + write(t, dir, "policy.yaml", []byte(policy)),
		"GRAPHPROXY_TLS_CERT_FILE=" + cert,
		"GRAPHPROXY_TLS_KEY_FILE=" + key,
		"GRAPHPROXY_TLS_CLIENT_CA_FILE=" + write(t, dir, "ca.pem", ca.PEM()),
	}
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	lines := bufio.NewScanner(out)
	var all strings.Builder
	for lines.Scan() {
		var l struct{ Msg, Address, For string }
		all.WriteString(lines.Text() + "\n")
		if json.Unmarshal(lines.Bytes(), &l) == nil && l.Msg == "listening" && l.For == "console" {
			go drain(lines)
			_, port, _ := net.SplitHostPort(l.Address)
			return "https://localhost:" + port
		}
	}
	t.Fatalf("serve says no address of its console:\n%s", all.String())
	return ""
}

// drain reads what a process writes further.
func drain(lines *bufio.Scanner) {
	for lines.Scan() {
		continue
	}
}
