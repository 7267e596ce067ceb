package server

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"graphproxy/auth"
	"graphproxy/auth/caller"
	"graphproxy/cmd/graphproxy/policyfiles"
	"graphproxy/policy"
	"graphproxy/proxy"
)

// maxFile bounds a policy or certificate file, in bytes. A larger file is certainly the wrong one.
const maxFile = 16 << 20

// PolicyFile keeps the policy in force in step with a file, or with several. What does not load as a whole leaves
// the policy from before in force. Make it with LoadPolicy. It serves one Server. Only one goroutine may call
// reload. Any may call state, which never waits.
type PolicyFile struct {
	path    string
	apps    []auth.App
	keyed   bool           // links are marked with keys of a file
	known   caller.Options // the process's settings for callers besides the policy
	reach   reach
	log     *slog.Logger
	use     func(*proxy.Authorization) error
	reloads *prometheus.CounterVec

	files   *policyfiles.Watcher
	current atomic.Pointer[policyInForce]
}

// policyInForce is the state of a PolicyFile at one moment.
type policyInForce struct {
	authorization *proxy.Authorization
	files         policy.Files // that it was made from
	since         time.Time    // when it was put in force
	bad           error        // why the file's present content is not in force
	pending       bool         // the file has changed, and may still be changing
}

// reach is the ways in which callers can connect, as far as a policy may contradict them.
type reach struct {
	public       bool // from other machines
	unix         bool // over a unix socket
	certificates bool // with client certificates that are verified
	encrypted    bool // with TLS, those that come over TCP
}

// LoadPolicy reads the file for the first time. The errors of a file that does not load begin with its name and a
// line. A policy that names other app registrations than these does not load, nor does one whose callers' evidence
// cannot be verified with the settings in known, nor one that needs keys of links where neither links
// nor the apps' credentials give them.
func LoadPolicy(path string, apps []auth.App, known caller.Options, links *LinkKeyFile) (*PolicyFile, error) {
	p := &PolicyFile{
		path:  path,
		apps:  apps,
		keyed: links != nil,
		known: known,
		files: policyfiles.Watch(path),
		use:   func(*proxy.Authorization) error { return nil },
	}
	files, err := p.files.Read()
	if err != nil {
		return nil, fmt.Errorf("GRAPHPROXY_POLICY (policy.yaml unless it is set): %w", err)
	}
	authorization, err := p.parse(files)
	if err != nil {
		return nil, err
	}
	p.current.Store(&policyInForce{authorization: authorization, files: files, since: time.Now()})
	p.reloads = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "graphproxy_policy_reloads_total",
		Help: "Times that a changed policy file was read again, by result: success, or failure that left the old one " +
			"in force.",
	}, []string{"result"})
	p.reloads.WithLabelValues("success")
	p.reloads.WithLabelValues("failure")
	return p, nil
}

// parse compiles the files.
func (p *PolicyFile) parse(files policy.Files) (*proxy.Authorization, error) {
	parsed, err := policy.ParseFiles(time.Now(), files, proxy.CheckEvidence)
	if err != nil {
		return nil, err
	}
	if err := checkApps(parsed, p.apps); err != nil {
		return nil, err
	}
	if !p.keyed {
		if err := checkLinks(parsed, p.apps); err != nil {
			return nil, err
		}
	}
	return proxy.NewAuthorization(parsed, p.known)
}

// PolicyReloaded is the log message when a changed policy file is in force.
const PolicyReloaded = "policy loaded anew"

// start sets the function that puts policies in force. It logs the first policy and its warnings.
func (p *PolicyFile) start(log *slog.Logger, r reach, use func(*proxy.Authorization) error) {
	p.log, p.reach, p.use = log, r, use
	p.logInForce("policy loaded")
}

// reload reads the file again if it has changed.
func (p *PolicyFile) reload(ctx context.Context) {
	files, changed, err := p.files.Changed(ctx)
	switch {
	case err != nil:
		if bad := p.current.Load().bad; bad == nil || bad.Error() != err.Error() { // logged once, not at each reload
			p.fail(err)
		}
	case changed:
		authorization, err := p.parse(files)
		if err == nil {
			err = p.use(authorization)
		}
		if err != nil {
			p.fail(err)
			return
		}
		p.current.Store(&policyInForce{authorization: authorization, files: files, since: time.Now()})
		p.reloads.WithLabelValues("success").Inc()
		p.logInForce(PolicyReloaded)
	default:
		p.notePending()
	}
}

// notePending records whether the file has changed and the change does not count yet.
func (p *PolicyFile) notePending() {
	now := *p.current.Load()
	if pending := p.files.Pending(); pending != now.pending {
		now.pending = pending
		p.current.Store(&now)
	}
}

// fail records why the file's present content is not in force.
func (p *PolicyFile) fail(err error) {
	now := p.current.Load()
	authorization := now.authorization
	p.current.Store(&policyInForce{authorization: authorization, files: now.files, since: now.since, bad: err})
	p.reloads.WithLabelValues("failure").Inc()
	p.log.Error("the policy file does not load, the policy from before stays in force",
		"file", p.path, "policy", authorization.Policy().Hash(), "error", err)
}

// logInForce logs the policy in force with its warnings.
func (p *PolicyFile) logInForce(message string) {
	now := p.current.Load().authorization.Policy()
	p.log.Info(message, "file", p.path, "policy", now.Hash(), "callers", len(now.Callers()))
	if now.ReportsByDefault() {
		p.log.Warn("the whole policy is in report mode: what it denies is let through, for each caller that has no mode "+
			"of its own; "+
			"write mode: enforce when the log shows no would_deny that is meant to pass", "file", p.path)
	}
	for _, w := range now.Warnings() {
		p.log.Warn("odd in the policy", "warning", w.Error())
	}
	for _, c := range now.Callers() {
		for _, id := range c.Identities {
			for _, one := range id.Each() {
				if odd := p.reach.odd(one.Kind); odd != "" {
					p.log.Warn(odd, "caller", c.Name, "where", fmt.Sprintf("%s:%d", one.File, one.Line))
				}
			}
		}
	}
}

// odd returns the contradiction between an identity and the ways in which callers can connect; "" if there is none.
func (r reach) odd(kind string) string {
	switch {
	case kind == caller.Anyone && r.public:
		return "a caller needs no evidence, and a listener is open to other machines: anyone on the network is that caller"
	case (kind == caller.Key || kind == caller.Token) && r.public && !r.encrypted:
		return "a caller is known by a key or token, and a listener without TLS is open to other machines: who can read " +
			"the network " +
			"can be that caller; set GRAPHPROXY_TLS_CERT_FILE and GRAPHPROXY_TLS_KEY_FILE, or let a proxy in front end TLS"
	case kind == caller.Certificate && !r.certificates:
		return "a caller is known by a client certificate, and none counts: set GRAPHPROXY_TLS_CLIENT_CA_FILE"
	case kind == caller.Unix && !r.unix:
		return "a caller is known by its user at a unix socket, and there is none: add unix:/path to GRAPHPROXY_LISTEN"
	}
	return ""
}

// Hash returns the hash of the policy in force.
func (p *PolicyFile) Hash() string { return p.inForce().Policy().Hash() }

// Callers returns the number of callers in the policy in force.
func (p *PolicyFile) Callers() int { return len(p.inForce().Policy().Callers()) }

// HasConsole reports whether the policy in force says who may look at the console.
func (p *PolicyFile) HasConsole() bool { return len(p.inForce().Policy().Console()) > 0 }

// inForce returns the policy in force, with its callers.
func (p *PolicyFile) inForce() *proxy.Authorization { return p.current.Load().authorization }

// state returns the policy in force, and the state of the file.
func (p *PolicyFile) state() *policyInForce { return p.current.Load() }

// isFile reports whether the file's present content is in force.
func (s *policyInForce) isFile() bool { return s.bad == nil && !s.pending }

// policy is the policy in force.
func (s *policyInForce) policy() *policy.Policy { return s.authorization.Policy() }
