package server

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"graphproxy/auth"
	"graphproxy/auth/caller"
	"graphproxy/auth/filewatch"
	"graphproxy/policy"
	"graphproxy/proxy"
)

// maxFile bounds a policy or certificate file, in bytes. What is larger is another file.
const maxFile = 16 << 20

// PolicyFile keeps the rules in force in step with a file. A file that does not load leaves those from before in force.
// Make it with LoadPolicy; it serves one Server. look is for one goroutine; state may be called by any, and never waits.
type PolicyFile struct {
	path    string
	apps    []auth.App
	known   caller.Options // what the process knows of callers besides the policy
	reach   reach
	log     *slog.Logger
	use     func(*proxy.Rules) error
	reloads *prometheus.CounterVec

	files   *filewatch.Set
	current atomic.Pointer[policyInForce]
}

// policyInForce is what a PolicyFile knows at one moment.
type policyInForce struct {
	rules *proxy.Rules
	bad   error // why the file as it is now is not in force; nil: it is
}

// reach is by which ways callers come, as far as a policy can be out of step with it.
type reach struct {
	public       bool // from other machines
	unix         bool // over a unix socket
	certificates bool // with client certificates that count
}

// LoadPolicy reads the file for the first time. The errors of one that does not load begin with its name and a line. A policy that
// names other app registrations than these does not load, nor does one whose callers' evidence cannot be verified with what
// is known.
func LoadPolicy(path string, apps []auth.App, known caller.Options) (*PolicyFile, error) {
	p := &PolicyFile{path: path, apps: apps, known: known, files: filewatch.New(maxFile, path), use: func(*proxy.Rules) error { return nil }}
	contents, err := p.files.Read()
	if err != nil {
		return nil, fmt.Errorf("GRAPHPROXY_POLICY (policy.yaml unless it is set): the file %q %w", path, err)
	}
	rules, err := p.parse(contents[0])
	if err != nil {
		return nil, err
	}
	p.current.Store(&policyInForce{rules: rules})
	p.reloads = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "graphproxy_policy_reloads_total",
		Help: "Times that a changed policy file was read again, by result: success, or failure that left the old one in force.",
	}, []string{"result"})
	p.reloads.WithLabelValues("success")
	p.reloads.WithLabelValues("failure")
	return p, nil
}

// parse makes rules of a file's bytes. They carry the file's name without its directory: callers see it, in the names of
// limits, and where the operator keeps the file is none of their business.
func (p *PolicyFile) parse(data []byte) (*proxy.Rules, error) {
	parsed, err := policy.Parse(filepath.Base(p.path), data)
	if err != nil {
		return nil, err
	}
	if err := checkApps(parsed, p.apps); err != nil {
		return nil, err
	}
	return proxy.NewRules(parsed, p.known)
}

// PolicyReloaded is what the log says when a policy file that changed is in force.
const PolicyReloaded = "policy loaded anew"

// start begins to change what use puts in force, and tells what is odd in the file.
func (p *PolicyFile) start(log *slog.Logger, r reach, use func(*proxy.Rules) error) {
	p.log, p.reach, p.use = log, r, use
	p.tell("policy loaded")
}

// look reads the file again if it has changed.
func (p *PolicyFile) look(ctx context.Context) {
	contents, err := p.files.Changed(ctx)
	switch {
	case err != nil:
		err = fmt.Errorf("the file %q %w", p.path, err)
		if bad := p.current.Load().bad; bad == nil || bad.Error() != err.Error() { // logged once, not at every look
			p.fail(err)
		}
	case contents != nil:
		rules, err := p.parse(contents[0])
		if err == nil {
			err = p.use(rules)
		}
		if err != nil {
			p.fail(err)
			return
		}
		p.current.Store(&policyInForce{rules: rules})
		p.reloads.WithLabelValues("success").Inc()
		p.tell(PolicyReloaded)
	}
}

// fail notes why the file as it is now is not in force.
func (p *PolicyFile) fail(err error) {
	rules := p.current.Load().rules
	p.current.Store(&policyInForce{rules: rules, bad: err})
	p.reloads.WithLabelValues("failure").Inc()
	p.log.Error("the policy file does not load, the policy from before stays in force",
		"file", p.path, "policy", rules.Policy().Hash(), "error", err)
}

// tell logs the policy in force and what is odd about it.
func (p *PolicyFile) tell(what string) {
	now := p.current.Load().rules.Policy()
	p.log.Info(what, "file", p.path, "policy", now.Hash(), "callers", len(now.Callers()))
	for _, w := range now.Warnings() {
		p.log.Warn("odd in the policy", "warning", w.Error())
	}
	for _, c := range now.Callers() {
		for _, id := range c.Identities {
			if odd := p.reach.odd(id.Kind); odd != "" {
				p.log.Warn(odd, "caller", c.Name, "where", fmt.Sprintf("%s:%d", now.File(), id.Line))
			}
		}
	}
}

// odd says what does not fit between an identity and the ways that callers come.
func (r reach) odd(kind string) string {
	switch {
	case kind == caller.Anyone && r.public:
		return "a caller needs no evidence, and a listener is open to other machines: anyone on the network is that caller"
	case kind == caller.Certificate && !r.certificates:
		return "a caller is known by a client certificate, and none counts: set GRAPHPROXY_TLS_CLIENT_CA_FILE"
	case kind == caller.Unix && !r.unix:
		return "a caller is known by its user at a unix socket, and there is none: add unix:/path to GRAPHPROXY_LISTEN"
	}
	return ""
}

// Hash is that of the policy in force.
func (p *PolicyFile) Hash() string { return p.inForce().Policy().Hash() }

// Callers counts the callers that the policy in force names.
func (p *PolicyFile) Callers() int { return len(p.inForce().Policy().Callers()) }

// inForce returns the rules in force.
func (p *PolicyFile) inForce() *proxy.Rules { return p.current.Load().rules }

// state is the policy in force, and why the file as it is now is not.
func (p *PolicyFile) state() (hash string, bad error) {
	now := p.current.Load()
	return now.rules.Policy().Hash(), now.bad
}
