package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"graphproxy/auth/entratest"
	"graphproxy/proxy/graphtest"
)

const (
	tenantID = "3f1c5a52-9a3e-4f0a-9b5e-0d5c3c7a1b11"
	clientID = "6b7e0f7e-43cf-4a0e-8f5c-5b1f3f0b6c22"
)

// onlyUsers lets programs on this machine read users.
const onlyUsers = `
version: 1
callers:
  local:
    identity: [{network: [127.0.0.0/8]}]
    allow: [GET /users, "GET /users/{id}"]
`

// world is an Entra ID and a Graph on TLS listeners, and a directory for files.
type world struct {
	ca     *entratest.CA
	entra  *entratest.Server
	graph  *graphtest.Server
	dir    string
	policy string // path of the policy file
}

// signingKey is the key of every world's Entra: making one takes as long as most tests.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir()}
	var err error
	w.ca, err = entratest.NewCA()
	must(t, err)
	signing, err := signingKey()
	must(t, err)
	w.entra, err = entratest.NewServer(entratest.Options{CA: w.ca, Key: signing})
	must(t, err)
	t.Cleanup(w.entra.Close)
	config, err := w.ca.TLS()
	must(t, err)
	w.graph, err = graphtest.NewServer(graphtest.Options{TLS: config, Verify: func(token string) ([]string, error) {
		claims, err := w.entra.Verify(token)
		return claims.Roles, err
	}})
	must(t, err)
	t.Cleanup(w.graph.Close)
	w.write(t, "ca.pem", string(w.ca.PEM()))
	w.policy = w.write(t, "policy.yaml", onlyUsers)
	return w
}

// app is the app registration, without a credential.
func app() entratest.App {
	return entratest.App{
		TenantID: tenantID,
		ClientID: clientID,
		Roles:    []string{"User.ReadWrite.All", "Group.ReadWrite.All", "Mail.ReadWrite", "Mail.Send"},
	}
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// write writes a file as mounted volumes do: under another name first, so that no process reads half of it.
func (w *world) write(t *testing.T, name, content string) string {
	t.Helper()
	must(t, os.WriteFile(w.path(name)+".new", []byte(content), 0o600))
	must(t, os.Rename(w.path(name)+".new", w.path(name)))
	return w.path(name)
}

// environ is the environment of a proxy between the two, without a credential. Later lines win.
func (w *world) environ(more ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "SSL_CERT_FILE=" + w.path("ca.pem"),
		"AZURE_TENANT_ID=" + tenantID, "AZURE_CLIENT_ID=" + clientID, "AZURE_AUTHORITY_HOST=" + w.entra.URL(),
		"GRAPHPROXY_INSTANCE_DISCOVERY=false", "GRAPHPROXY_GRAPH_URL=" + w.graph.URL(),
		"GRAPHPROXY_SCOPE=https://graph.microsoft.com/.default",
		"GRAPHPROXY_LISTEN=127.0.0.1:0", "GRAPHPROXY_ADMIN_LISTEN=127.0.0.1:0", "GRAPHPROXY_POLICY=" + w.policy,
	}, more...)
}

// process is a running graphproxy: this test binary under another name, see TestMain.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *lines
	client         *http.Client
	callers, admin string // URLs
	ended          chan struct{}
}

// serve starts graphproxy serve and waits until it listens.
func (w *world) serve(t *testing.T, more ...string) *process {
	t.Helper()
	return w.serveTo(t, nil, more...)
}

// serveTo is serve with a file as stdout; nil: process.stdout collects it.
func (w *world) serveTo(t *testing.T, stdout *os.File, more ...string) *process {
	t.Helper()
	p := prepare(t, stdout, w.environ(more...), "serve")
	w.start(t, p)
	return p
}

// start runs serve and waits until it listens.
func (w *world) start(t *testing.T, p *process) {
	t.Helper()
	p.run(t)
	p.client.Transport = &http.Transport{
		TLSClientConfig:    &tls.Config{RootCAs: w.ca.Pool()},
		ForceAttemptHTTP2:  true,
		DisableCompression: true,
	}
	until(t, "listening", func() bool {
		p.callers, p.admin = p.listening("callers"), p.listening("health")
		return p.callers != "" && p.admin != "" || p.hasEnded()
	})
	if p.hasEnded() {
		t.Fatalf("serve ended: %s", p.stderr)
	}
}

// noPause removes the second that a process with a race detector waits at its end.
const noPause = "GORACE=atexit_sleep_ms=0"

func start(t *testing.T, environ []string, args ...string) *process {
	t.Helper()
	return startTo(t, nil, environ, args...)
}

func startTo(t *testing.T, stdout *os.File, environ []string, args ...string) *process {
	t.Helper()
	p := prepare(t, stdout, environ, args...)
	p.run(t)
	return p
}

// prepare returns a process that has not been started.
func prepare(t *testing.T, stdout *os.File, environ []string, args ...string) *process {
	t.Helper()
	p := &process{
		cmd:    exec.Command("graphproxy", args...),
		stdout: new(lines),
		stderr: new(lines),
		client: new(http.Client),
		ended:  make(chan struct{}),
	}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = append(environ, noPause), p.stdout, p.stderr
	if stdout != nil {
		p.cmd.Stdout = stdout
	}
	return p
}

// run starts a process that was prepared, and ends it with the test.
func (p *process) run(t *testing.T) {
	t.Helper()
	must(t, p.cmd.Start())
	go func() { defer close(p.ended); _ = p.cmd.Wait() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		p.client.CloseIdleConnections()
		if t.Failed() {
			t.Logf("stdout:\n%sstderr:\n%s", p.stdout, p.stderr)
		}
	})
}

// listening finds an address in the log, as an URL.
func (p *process) listening(who string) string {
	for _, line := range p.stderr.all() {
		var rec struct {
			Msg, Address, For string
			TLS               bool
		}
		if json.Unmarshal([]byte(line), &rec) == nil && rec.Msg == "listening" && rec.For == who {
			if rec.TLS {
				return "https://" + rec.Address
			}
			return "http://" + rec.Address
		}
	}
	return ""
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	must(t, p.cmd.Process.Signal(s))
}

// wait waits for the end of the process and returns its exit status.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatalf("the process did not end within %v", patience)
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop ends the process as an orchestrator does, and expects exit status 0.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	if status := p.wait(t); status != 0 {
		t.Errorf("exit status %d after SIGTERM: %s", status, p.stderr)
	}
}

// answer is what a caller saw.
type answer struct {
	status int
	header http.Header
	body   string
	last   bool // it ended its connection
}

// get requests a URL; header is given as "Name: value" lines.
func (p *process) get(t *testing.T, url string, header ...string) answer {
	t.Helper()
	return p.do(t, http.MethodGet, url, "", header...)
}

func (p *process) do(t *testing.T, method, url, body string, header ...string) answer {
	t.Helper()
	a, err := p.try(method, url, body, header...)
	must(t, err)
	return a
}

func (p *process) try(method, url, body string, header ...string) (answer, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if req.Header.Add(name, value); name == "Host" {
			req.Host = value
		}
	}
	res, err := p.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(text), res.Close}, err
}

// expect requests the users and expects a status. On a machine so slow that the first request for a token took longer
// than it may, it waits for the next one.
func (p *process) expect(t *testing.T, status int) {
	t.Helper()
	a := p.get(t, p.callers+"/v1.0/users?$top=1")
	if status == http.StatusOK && strings.Contains(a.body, `"tokenUnavailable"`) && p.tokenTimedOut() {
		until(t, "a token", func() bool { status, _ := p.ready(t); return status == http.StatusOK })
		a = p.get(t, p.callers+"/v1.0/users?$top=1")
	}
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
}

// tokenTimedOut reports whether the process logs that Entra ID, which is in the test's process, did not answer in time.
func (p *process) tokenTimedOut() bool {
	return strings.Contains(p.stderr.String(), "did not answer in time")
}

// readiness is the body of /readyz, as described in docs/operations.md.
type readiness struct {
	Ready, Stopping bool
	Apps            []appState
	Policy          struct {
		Ready      bool
		File, Hash string
		InForce    bool `json:"in_force"`
		Errors     []string
	}
	Audit struct {
		Ready         bool
		Error         string
		Waiting, Lost int
	}
	Redis *struct {
		Shared   bool
		Replicas int
		Error    string
	}
}

type appState struct {
	Ready          bool
	App, Tenant    string
	Expires        *time.Time
	Roles          []string
	Cause, Cure    string
	AADSTS         int
	CredentialFile string `json:"credential_file"`
}

// app is the first app registration.
func (r readiness) app() appState {
	if len(r.Apps) == 0 {
		return appState{}
	}
	return r.Apps[0]
}

// ready is the body of /readyz.
func (p *process) ready(t *testing.T) (int, readiness) {
	t.Helper()
	a := p.get(t, p.admin+"/readyz")
	var r readiness
	if err := json.Unmarshal([]byte(a.body), &r); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return a.status, r
}

// metric is the value of a metric, written as Prometheus does with its labels, or "".
func (p *process) metric(t *testing.T, name string) string {
	t.Helper()
	for line := range strings.Lines(p.get(t, p.admin+"/metrics").body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// awaitMetric waits until a metric has a value.
func (p *process) awaitMetric(t *testing.T, name, value string) {
	t.Helper()
	until(t, name+" "+value, func() bool { return p.metric(t, name) == value })
}

// lines collects output. Safe for concurrent use.
type lines struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	gone bool
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return 0, io.ErrClosedPipe // exec stops to copy, and closes its end of the pipe
	}
	return l.buf.Write(p)
}

// leave makes the process's next output fail, because there is no reader.
func (l *lines) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *lines) all() []string {
	var all []string
	for s := bufio.NewScanner(strings.NewReader(l.String())); s.Scan(); {
		all = append(all, s.Text())
	}
	return all
}

// patience is how long a test waits for what must happen. Only a test that fails waits so long.
const patience = 2 * time.Minute

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within %v", what, patience)
		}
	}
}

// logged waits until a text is in the log, and returns how many times it is. A process writes its log from another
// goroutine than its answers, and this process reads it from a pipe: a line may come later than the answer.
func (p *process) logged(t *testing.T, text string) int {
	t.Helper()
	until(t, text+" in the log", func() bool { return strings.Contains(p.stderr.String(), text) })
	return strings.Count(p.stderr.String(), text)
}

// awaitCount waits until a counter is at least 1: what fails may have been tried again since.
func (p *process) awaitCount(t *testing.T, name string) {
	t.Helper()
	until(t, name, func() bool { n := p.metric(t, name); return n != "" && n != "0" })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// peer is the certificate of a TLS address.
func peer(t *testing.T, address string, roots *x509.CertPool) *x509.Certificate {
	t.Helper()
	c, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, ServerName: "localhost"})
	must(t, err)
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0]
}

// must2 is must for what returns a number and an error.
func must2(t *testing.T) func(int, error) {
	t.Helper()
	return func(_ int, err error) { t.Helper(); must(t, err) }
}

// httpClient keeps no connections.
func httpClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}
