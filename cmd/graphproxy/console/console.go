// Package console serves pages on which the owners of a policy see what it does: which requests are decided how, by
// which rule, and what the proxy is doing now.
//
// The pages only show. Nothing here writes a policy or sends a request to Graph. The package decides which pages there
// are, who may see them, and how much of the past is kept: see Records and history. It reads the proxy through Source.
package console

import (
	"context"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"graphproxy/policy"
	"graphproxy/policy/analysis/lint"
	"graphproxy/policy/analysis/permissions"
	"graphproxy/proxy"
)

// Source is what the console reads of a running proxy. It is safe for concurrent use.
type Source interface {
	// Authorization returns the policy in force, with those who may look.
	Authorization() *proxy.Authorization
	// State returns what the proxy is doing now. It may take milliseconds.
	State() State
}

// State is the state of a proxy at one moment.
type State struct {
	Version      string
	Policy       PolicyState
	Candidate    *CandidateState // nil: there is no candidate
	Work         proxy.Work
	MaxInFlight  int
	Tokens       []Token
	Certificates []Certificate
	Replicas     *Replicas // nil: limits are not shared
}

// PolicyState is the policy in force and its files.
type PolicyState struct {
	File    string // as configured
	Policy  *policy.Policy
	Files   policy.Files // whose texts are in force
	Since   time.Time    // when it was put in force
	Problem string       // why the present content of the files is not in force; "": it is
	Check   lint.Options // where the proxy listens, for the warnings; without Operations and Now
}

// CandidateState is the policy that is judged beside the one in force.
type CandidateState struct {
	File    string         // as configured
	Policy  *policy.Policy // nil: it does not load
	Files   policy.Files
	Since   time.Time
	Problem string // why the present content of the files is not judged; "": it is
}

// Token is the state of the access token of an app registration in a tenant.
type Token struct {
	App, Tenant string
	Ready       bool
	Expires     time.Time // zero: there is none
	Roles       []string
	Problem     string // why the last attempt failed, and the cure
}

// Certificate is a certificate that an operator must replace before it ends.
type Certificate struct {
	Use         string // what it is for, in words
	App, Tenant string
	Ends        time.Time
	Problem     string // why the present content of its file is not in use; "": it is
}

// Replicas is the state of the limits that replicas share.
type Replicas struct {
	Shared  bool // the shared limits count; else each replica enforces its share
	Count   int  // replicas, as far as this one knows
	Since   time.Time
	Problem string
}

// Options are the settings of a Console. Source, Hosts and Log must be set.
type Options struct {
	Source Source
	Hosts  proxy.Hosts // the names that the console is known by
	Open   bool        // the pages need no sign-in; only for a listener on loopback
	// Permissions is Microsoft's list of the app roles that operations need; nil: that of frequent operations.
	Permissions *permissions.Data
	Log         *slog.Logger
	Now         func() time.Time // nil: time.Now
}

// Console serves the pages. Make it with New. It is safe for concurrent use.
type Console struct {
	source  Source
	hosts   proxy.Hosts
	open    bool
	log     *slog.Logger
	now     func() time.Time
	started time.Time
	records *Records
	history *history
	views   map[string]*template.Template // by file
	handler http.Handler

	permissions *permissions.Data
	allRoles    bool // permissions is Microsoft's list
	watchers    watchers
	sessions    sessions
	looks       looks
	findings    findings
	comparer    comparer

	proposals  proposals
	operations graphOperations
}

// New makes a Console. The error is of a page that cannot be read, which a test excludes.
func New(o Options) (*Console, error) {
	if o.Source == nil || o.Log == nil {
		return nil, errors.New("console.Options: Source and Log must be set")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	roles, err := o.Permissions, error(nil)
	if roles == nil {
		roles, err = permissions.Frequent()
	}
	if err != nil {
		return nil, err
	}
	views, err := parseViews()
	if err != nil {
		return nil, err
	}
	c := &Console{
		source:  o.Source,
		hosts:   o.Hosts,
		open:    o.Open,
		log:     o.Log,
		now:     o.Now,
		started: o.Now(),
		records: NewRecords(),
		history: newHistory(),
		views:   views,

		permissions: roles,
		allRoles:    o.Permissions != nil,
		comparer:    comparer{patience: patience},
	}
	c.handler = c.guard(c.admit(c.routes()))
	return c, nil
}

// Records returns the place for audit lines, which takes a Write for each request.
func (c *Console) Records() *Records { return c.records }

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// Run samples the proxy's counters until ctx ends.
func (c *Console) Run(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	c.sample()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.sample()
		}
	}
}

func (c *Console) sample() {
	state := c.source.State()
	c.history.add(c.now(), state.Policy.Policy, state.Work.Counts)
}
