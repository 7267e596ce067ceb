// Package proxy serves requests: it is the only code that writes to a caller.
//
// Handler.serve has the steps: authenticate, read, decide, admit, token, forward. Each request leaves one record.
// The package decides which bytes and headers reach Graph, which come back, what a refused caller sees, and what
// the audit line contains. Package auth/caller decides the identity, policy/graph/odata the grammar of Graph's
// URLs, policy the rules, policy/limit the limits, and auth has the tokens.
package proxy

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"graphproxy/auth"
	"graphproxy/policy/limit"
	"graphproxy/policy/limit/queue"
	"graphproxy/proxy/meter"
	"graphproxy/proxy/throttle"
)

// TokenSource returns access tokens for Graph. *auth.Source is one.
type TokenSource interface {
	Token(ctx context.Context) (auth.Token, error)
	Refused(auth.Token, auth.Refusal) auth.Renewal // Graph answered 401 to it
}

// App is an app registration as requests use it: in one tenant.
type App struct {
	Tenant string // its tokens are for this tenant; targets may begin /v1.0/{tenant}/
	Tokens TokenSource
	// the keys that links of delta queries are marked with, the one for new marks first; nil or none: such links are not
	// marked, and where a rule bounds what they hold they are refused. It is called for each such request and must be safe
	// for concurrent use
	LinkKeys func() []auth.LinkKey
}

// Apps are the configured app registrations. App returns the one that a policy calls by this name ("" is the
// default one), in this tenant ("" is its own), and nil if there is none. It is called for each request and must be
// safe for concurrent use.
type Apps interface {
	App(name, tenant string) *App
}

// Config is the configuration of a Handler. Graph, Apps and Authorization must be set.
type Config struct {
	Graph         *url.URL // Graph's root: scheme and host only, e.g. https://graph.microsoft.com
	Apps          Apps     // must have every app that Authorization names
	Authorization *Authorization
	Buckets       Buckets          // nil: of this process
	Throttle      *throttle.Memory // what Graph reported about its limits; nil: a new one
	// scheme and host in links, e.g. https://graph.contoso.com; "": the caller's
	PublicURL string
	// further names of the proxy besides those in PublicURL and localhost, without ports
	Hosts          []string
	ForwardHeaders []string       // request headers that reach Graph besides those that its SDKs and documentation use
	MaxInFlight    int            // requests in flight; beyond it 503 at once. 0: 1000
	KeptToGraph    int            // connections to Graph that wait for a next request, at most. 0: 512
	Roots          *x509.CertPool // CAs of Graph's certificate; nil: the system's
	Transport      string         // TransportDirect or TransportStd; "": TransportDirect
	// one JSON line a request, each in one Write; nil: off. Must be safe for concurrent use
	Audit        io.Writer
	AuditFailure func() error // returns why requests must be refused, because audit lines cannot be written; nil: never
	Log          *slog.Logger // nil: slog.Default()
	Metrics      prometheus.Registerer
	Tracing      *Tracing // nil: requests are not traced
}

// Handler is the proxy. It is safe for concurrent use.
type Handler struct {
	graph         *url.URL
	apps          Apps
	authorization atomic.Pointer[Authorization]
	candidate     atomic.Pointer[candidate] // nil: there is none
	pairing       sync.Mutex                // held to change one of the two
	buckets       Buckets
	queue         *queue.Queue
	throttle      *throttle.Memory
	headers       headerList
	wire          *wire
	audit         *auditor
	unaudited     func() error // Config.AuditFailure
	log           *slog.Logger
	quiet         *log.Logger // of the reverse proxy: the record has what it logs
	meter         *meter.Meter
	unknown       pool     // requests whose caller is not known yet
	places        pool     // requests that are worked on
	waiting       pool     // requests that wait for a limit
	usages        sync.Map // *usage by caller
	refused       sync.Map // *refusals by caller
	memory        *memory
	buffers       *bufferPool
	alarms        *sync.Pool // of *alarm
	tracing       *Tracing
	public        string
	hosts         Hosts
	origins       *http.CrossOriginProtection
	links         atomic.Pointer[addressed]
	zip           zipper
}

// New makes a Handler. Errors name the field and the cure.
func New(c Config) (*Handler, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.setDefaults()
	headers, err := newHeaderList(c.ForwardHeaders)
	if err != nil {
		return nil, err
	}
	hosts, err := NewHosts(c.PublicURL, c.Hosts)
	if err != nil {
		return nil, fmt.Errorf("proxy.Config.Hosts: %w", err)
	}
	origins, err := newOriginCheck(c.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("proxy.Config.PublicURL: %w", err)
	}
	waiting, err := queue.New(c.Buckets, queue.Options{Now: time.Now})
	if err != nil {
		return nil, err
	}
	h := &Handler{
		graph:     c.Graph,
		apps:      c.Apps,
		buckets:   c.Buckets,
		queue:     waiting,
		throttle:  c.Throttle,
		headers:   headers,
		audit:     newAuditor(c.Audit, c.Log),
		unaudited: c.AuditFailure,
		log:       c.Log,
		quiet:     slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
		memory:    newMemory(c.MaxInFlight),
		buffers:   newBufferPool(),
		alarms:    newAlarms(),
		tracing:   c.Tracing,
		public:    c.PublicURL,
		hosts:     hosts,
		origins:   origins,
	}
	most := int64(c.MaxInFlight)
	h.places.most, h.waiting.most, h.unknown.most = most, most, most+mostUnknown
	h.authorization.Store(c.Authorization)
	h.meter = h.newMeter()
	h.wire = newWire(&c, &h.meter.Connections)
	if err := h.meter.Register(c.Metrics); err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	return h, nil
}

func (c *Config) setDefaults() {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Buckets == nil {
		c.Buckets = localBuckets{limit.New()}
	}
	if c.Throttle == nil {
		c.Throttle = throttle.New(throttle.Options{Log: c.Log})
	}
	if c.MaxInFlight == 0 {
		c.MaxInFlight = 1000
	}
	if c.KeptToGraph == 0 {
		c.KeptToGraph = 512
	}
}

func (c *Config) check() error {
	switch {
	case c.Graph == nil || c.Graph.Host == "" || (c.Graph.Scheme != "https" && c.Graph.Scheme != "http"):
		return errors.New("proxy.Config.Graph: needs a scheme and a host, such as https://graph.microsoft.com")
	case strings.Trim(c.Graph.Path, "/") != "" || c.Graph.RawQuery != "" || c.Graph.User != nil:
		return errors.New("proxy.Config.Graph: holds more than a scheme and a host; requests carry the path")
	case c.Apps == nil:
		return errors.New("proxy.Config.Apps: is nil; requests cannot go without a token")
	case c.Authorization == nil:
		return errors.New("proxy.Config.Authorization: is nil; nothing would be allowed")
	case !isAddress(c.PublicURL):
		return errors.New("proxy.Config.PublicURL: holds more or less than a scheme and a host; " +
			"write https://graph.contoso.com")
	case c.Transport != "" && c.Transport != TransportDirect && c.Transport != TransportStd:
		return errors.New(`proxy.Config.Transport: is neither "direct" nor "std"`)
	case c.MaxInFlight < 0:
		return errors.New("proxy.Config.MaxInFlight: is negative; 0 means 1000")
	case c.KeptToGraph < 0:
		return errors.New("proxy.Config.KeptToGraph: is negative; 0 means 512")
	}
	return nil
}

// Use makes a the authorization of all later requests. Requests under way keep the one that they began with.
func (h *Handler) Use(a *Authorization) {
	h.pairing.Lock()
	defer h.pairing.Unlock()
	h.authorization.Store(a)
	h.meter.Use(a.policy)
	h.forgetRefusals(a.policy)
	if c := h.candidate.Load(); c != nil {
		h.candidate.Store(pair(c.Authorization, a))
	}
}

// Authorization returns the present one.
func (h *Handler) Authorization() *Authorization { return h.authorization.Load() }
