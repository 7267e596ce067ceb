package server

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"graphproxy/cmd/graphproxy/policyfiles"
	"graphproxy/policy"
	"graphproxy/proxy"
)

// CandidateFile keeps the candidate policy in step with a file, or with several. It is loaded and tested as the policy
// is. What does not load is not judged, and neither is what was there before: a decision in the audit log is always
// that of the present file. A nil CandidateFile is that of a proxy without a candidate. It serves one Server. Only one
// goroutine may call reload. Any may call state, which never waits.
type CandidateFile struct {
	path  string
	parse func(policy.Files) (*proxy.Authorization, error)
	log   *slog.Logger
	use   func(*proxy.Authorization)

	files   *policyfiles.Watcher
	current atomic.Pointer[candidateState]
}

// candidateState is the state of a CandidateFile at one moment.
type candidateState struct {
	authorization *proxy.Authorization // nil: there is none, because of bad
	files         policy.Files
	since         time.Time // when it was loaded
	bad           error     // why the file's present content is not judged
	pending       bool      // the file has changed, and may still be changing
}

// LoadCandidate reads the candidate at a path for the first time; nil for no path. It never fails: state has why there
// is no candidate. Its settings are those of the policy that it stands beside.
func LoadCandidate(path string, beside *PolicyFile) *CandidateFile {
	if path == "" || beside == nil {
		return nil
	}
	c := &CandidateFile{
		path:  path,
		parse: beside.parse,
		files: policyfiles.Watch(path),
		use:   func(*proxy.Authorization) {},
	}
	files, err := c.files.Read()
	c.load(files, err)
	return c
}

// load makes files the candidate, or none if there is an error or they do not load.
func (c *CandidateFile) load(files policy.Files, err error) {
	next := &candidateState{files: files, since: time.Now(), bad: err}
	if err == nil {
		next.authorization, next.bad = c.parse(files)
	}
	if next.bad != nil {
		next.authorization = nil
	}
	c.current.Store(next)
}

// CandidateReloaded is the log message when a changed candidate is judged.
const CandidateReloaded = "candidate policy loaded anew"

// start sets the function that puts candidates beside the policy in force; nil: there is none. It logs the first one.
func (c *CandidateFile) start(log *slog.Logger, use func(*proxy.Authorization)) {
	if c == nil {
		return
	}
	c.log, c.use = log, use
	c.put("candidate policy loaded")
}

// put uses and logs the present candidate.
func (c *CandidateFile) put(message string) {
	now := c.current.Load()
	c.use(now.authorization)
	if now.bad != nil {
		c.log.Error("the candidate policy does not load: no request is judged by it, and the policy in force is not "+
			"affected; mend the file, which graphproxy policy check explains, or take GRAPHPROXY_POLICY_CANDIDATE out",
			"file", c.path, "error", now.bad)
		return
	}
	p := now.authorization.Policy()
	c.log.Info(message+": requests are judged by it beside the policy, and it changes nothing",
		"file", c.path, "candidate", p.Hash(), "callers", len(p.Callers()))
	for _, w := range p.Warnings() {
		c.log.Warn("odd in the candidate policy", "warning", w.Error())
	}
}

// reload reads the file again if it has changed.
func (c *CandidateFile) reload(ctx context.Context) {
	if c == nil {
		return
	}
	files, changed, err := c.files.Changed(ctx)
	switch {
	case err != nil:
		if bad := c.current.Load().bad; bad != nil && bad.Error() == err.Error() { // logged already
			return
		}
		c.load(policy.Files{}, err)
		c.put(CandidateReloaded)
	case changed:
		c.load(files, nil)
		c.put(CandidateReloaded)
	default:
		c.notePending()
	}
}

// notePending records whether the file has changed and the change does not count yet.
func (c *CandidateFile) notePending() {
	now := *c.current.Load()
	if pending := c.files.Pending(); pending != now.pending {
		now.pending = pending
		c.current.Store(&now)
	}
}

// state returns the state of the file; nil if there is no candidate.
func (c *CandidateFile) state() *candidateState {
	if c == nil {
		return nil
	}
	return c.current.Load()
}

// hash returns the hash of the candidate; "" if there is none.
func (s *candidateState) hash() string {
	if s.authorization == nil {
		return ""
	}
	return s.authorization.Policy().Hash()
}

// isFile reports whether the file's present content is judged.
func (s *candidateState) isFile() bool { return s.bad == nil && !s.pending }

// candidateReadiness is the candidate in /readyz. It makes no replica unready.
type candidateReadiness struct {
	File   string   `json:"file"`
	Hash   string   `json:"hash,omitempty"`   // absent while there is no candidate
	Loaded bool     `json:"loaded"`           // the file's present content is judged
	Errors []string `json:"errors,omitempty"` // why it is not; absent also while the file is still changing
}

func (c *CandidateFile) readiness() *candidateReadiness {
	now := c.state()
	if now == nil {
		return nil
	}
	r := &candidateReadiness{File: c.path, Hash: now.hash(), Loaded: now.isFile()}
	if now.bad != nil {
		r.Errors = strings.Split(now.bad.Error(), "\n")
	}
	return r
}

// Describe returns the candidate in a few words for serve --check: its hash, or that it does not load; "" without one.
func (c *CandidateFile) Describe() string {
	switch now := c.state(); {
	case now == nil:
		return ""
	case now.bad != nil:
		return "the candidate does not load"
	default:
		return fmt.Sprintf("candidate %s", now.hash())
	}
}
