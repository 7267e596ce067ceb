package server

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"graphproxy/auth"
	"graphproxy/proxy"
	"graphproxy/proxy/redislimit"
)

// admin serves health and metrics. It shows no secret, and takes no commands.
type admin struct {
	apps     *apps
	policy   *PolicyFile
	beside   *CandidateFile // nil: there is none
	hosts    proxy.Hosts
	audit    *AuditLog           // nil: there is none
	redis    *redislimit.Buckets // nil: limits are not shared
	stopping atomic.Bool
	registry *prometheus.Registry
}

func newAdmin(p *Parts, apps *apps, hosts proxy.Hosts) *admin {
	a := &admin{
		apps:     apps,
		policy:   p.Policy,
		beside:   p.Candidate,
		audit:    p.Audit,
		hosts:    hosts,
		registry: prometheus.NewRegistry(),
	}
	if p.Audit != nil {
		a.registry.MustRegister(newAuditCollector(p.Audit))
	}
	if p.Candidate != nil {
		a.registry.MustRegister(newCandidateCollector(p.Candidate))
	}
	a.registry.MustRegister( // it panics on doubles only, and the registry is new
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		p.Policy.reloads,
		newPolicyCollector(p.Policy),
		newTokenCollector(apps),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "graphproxy_build_info", Help: "1, labelled with the version of graphproxy and of Go.",
			ConstLabels: prometheus.Labels{"version": p.Version, "goversion": runtime.Version()},
		}, func() float64 { return 1 }),
	)
	return a
}

func (a *admin) server(log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           a.routes(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// routes are GET and HEAD of three paths; ServeMux answers any other request with 404 or 405.
func (a *admin) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /readyz", a.serveReady)
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{Registry: a.registry}))
	return a.guard(mux)
}

// guard refuses requests that a page of another site may have made a browser send under the page's own host name,
// so that the page could read the answer. Probes and scrapers that use an address, or HTTP/1.0 without a Host,
// pass.
func (a *admin) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Host != "" && !a.hosts.Knows(r.Host) {
			http.Error(w, proxy.UnknownHost(r.Host), http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// readiness is the body of /readyz. A proxy is ready when it can serve the callers of at least one app
// registration: one bad credential must not stop the callers of the others.
type readiness struct {
	Ready     bool                `json:"ready"`
	Stopping  bool                `json:"stopping"`
	Apps      []appState          `json:"apps"`
	Policy    policyState         `json:"policy"`
	Candidate *candidateReadiness `json:"candidate,omitempty"`
	Audit     *auditState         `json:"audit,omitempty"`
	Redis     *redisState         `json:"redis,omitempty"`
}

// appState is an app registration in one tenant.
type appState struct {
	Ready   bool       `json:"ready"`
	App     string     `json:"app"`
	Tenant  string     `json:"tenant,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
	Roles   []string   `json:"roles,omitempty"`

	// The cause of the last attempt, if it failed. With a token: a renewal failed, and the present token is still
	// used.
	Cause  string `json:"cause,omitempty"`
	Cure   string `json:"cure,omitempty"`
	AADSTS int    `json:"aadsts,omitempty"`

	CredentialFile string `json:"credential_file,omitempty"` // why the file's present content is not used
}

type policyState struct {
	Ready   bool     `json:"ready"`
	File    string   `json:"file"`
	Hash    string   `json:"hash"`             // of the policy in force
	InForce bool     `json:"in_force"`         // the file's present content is in force
	Errors  []string `json:"errors,omitempty"` // why it is not; absent also while the file is still changing
}

func (a *admin) readiness() readiness {
	some, states := false, []appState(nil)
	for _, source := range a.apps.all() {
		state := appStateOf(source.Status())
		some, states = some || state.Ready, append(states, state)
	}
	now := a.policy.state()
	rules := policyState{Ready: true, File: a.policy.path, Hash: now.policy().Hash(), InForce: now.isFile()}
	if now.bad != nil {
		rules.Errors = strings.Split(now.bad.Error(), "\n")
	}
	stopping, audit := a.stopping.Load(), a.audit.state()
	return readiness{
		Ready:     some && !stopping && (audit == nil || audit.Ready),
		Stopping:  stopping,
		Apps:      states,
		Policy:    rules,
		Candidate: a.beside.readiness(),
		Audit:     audit,
		Redis:     redisStateOf(a.redis),
	}
}

func appStateOf(s auth.Status) appState {
	t := appState{Ready: s.Ready, App: s.App, Tenant: s.Tenant, Roles: s.Roles, CredentialFile: s.FileErr}
	if !s.Expires.IsZero() {
		expires := s.Expires.UTC()
		t.Expires = &expires
	}
	if s.Err != nil {
		t.Cause, t.Cure, t.AADSTS = s.Err.Cause, s.Err.Cure, s.Err.Code
	}
	return t
}

func (a *admin) serveReady(w http.ResponseWriter, _ *http.Request) {
	state := a.readiness()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !state.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(state) // the connection's errors are the client's
}
