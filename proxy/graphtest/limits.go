package graphtest

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Rate is a number of units in a time. The zero Rate is no limit.
type Rate struct {
	Units float64
	Per   time.Duration
}

func (r Rate) limits() bool { return r.Units > 0 && r.Per > 0 }

// Limits are the limits that Graph itself enforces, each for an app (which Limits.App returns) in the tenant. Zero
// fields limit nothing. They follow learn.microsoft.com/graph/throttling-limits and, for Files, SharePoint's own
// page on throttling. Refused requests count too, so an app that never waits is always refused.
type Limits struct {
	// resource units at the identity service, a token bucket. Answers near the limit have x-ms-throttle-limit-percentage
	Directory  Rate
	Writes     Rate // requests that write there, a token bucket
	Mailbox    Rate // requests for a mailbox, by id or principal name, a token bucket
	Concurrent int  // requests for a mailbox at the same time; refused without Retry-After, as observed from Outlook
	// resource units at SharePoint and OneDrive, a window that begins with its first request. RateLimit-* from 80 %
	Files Rate

	// the app that a bearer token was issued to; nil: the token itself. Must be safe for concurrent use
	App func(token string) string
	Now func() time.Time // nil: time.Now. Must be safe for concurrent use
}

// Published are Graph's limits for a small tenant, as Microsoft publishes them.
func Published() Limits {
	return Limits{
		Directory: Rate{3500, 10 * time.Second}, Writes: Rate{3000, 150 * time.Second},
		Mailbox: Rate{10_000, 10 * time.Minute}, Concurrent: 4,
		Files: Rate{1250, time.Minute},
	}
}

// Limit makes Graph enforce l from now on, instead of the limits before, until Heal. A request over a limit is
// answered 429; an item of a batch in its place, while the batch is 200. /$batch itself is not counted.
func (s *Server) Limit(l Limits) {
	if l.Now == nil {
		l.Now = time.Now
	}
	if l.App == nil {
		l.App = func(token string) string { return token }
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.limiter = &limiter{Limits: l, meters: map[string]*meter{}}
}

// ServeHTTP answers a request as at URL, without a network: for simulations on a clock of their own. The request must
// look as a server gets it, with a RequestURI; httptest.NewRequest makes such.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.graph.Handler.ServeHTTP(w, r) }

// limiter counts what apps use.
type limiter struct {
	Limits
	mu     sync.Mutex
	meters map[string]*meter
}

// meter is what one app has used of one limit.
type meter struct {
	left     float64   // of a token bucket; below zero for refused requests
	used     float64   // of a window
	at       time.Time // when left was right, or the window began
	inFlight atomic.Int32
}

// deepest is how far below zero a bucket goes, as a share of it: x-ms-throttle-limit-percentage ends at 1.8.
const deepest = 0.8

// recovered is the share of a bucket that Retry-After waits for. Microsoft does not document it; its examples wait
// for 10 s at a limit that is counted by 10 s.
const recovered = 0.5

func (l *limiter) meter(kind, app, key string, full float64) *meter {
	name := kind + "\n" + app + "\n" + key
	m := l.meters[name]
	if m == nil {
		m = &meter{left: full, at: l.Now()}
		l.meters[name] = m
	}
	return m
}

// draw takes n units from a token bucket. It returns the share that is used then, from 0 to 1.8, whether there were
// enough units, and if not, the seconds to wait.
func (m *meter) draw(now time.Time, r Rate, n float64) (share float64, ok bool, wait int) {
	perSecond := r.Units / r.Per.Seconds()
	m.left = min(m.left+max(now.Sub(m.at).Seconds(), 0)*perSecond, r.Units)
	m.at = now
	ok = m.left >= n
	m.left = max(m.left-n, -deepest*r.Units)
	return 1 - m.left/r.Units, ok, max(1, int(math.Ceil((recovered*r.Units-m.left)/perSecond)))
}

// enter counts a request against the limits that there are, and sets in h what Graph reports about them. The error is
// Graph's refusal. Each enter needs a leave.
func (c *call) enter(h http.Header) error {
	l := c.s.faults.limits()
	if l == nil {
		return nil
	}
	_, token, _ := strings.Cut(c.header.Get("Authorization"), " ")
	path := c.throttlePath()
	app, kind := l.App(token), workload(path)
	key := ""
	if kind == "mailbox" {
		key = c.mailboxKey()
	}
	units := c.unitsOf(kind)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch kind {
	case "directory":
		return c.enterDirectory(l, h, app, path, units)
	case "mailbox":
		return c.enterMailbox(l, app, key)
	case "files":
		return c.enterFiles(l, h, app, units)
	}
	return nil
}

// leave ends what enter began.
func (c *call) leave() {
	if c.occupied != nil {
		c.occupied.inFlight.Add(-1)
	}
}

func (c *call) enterDirectory(l *limiter, h http.Header, app, path string, units float64) error {
	h.Set("x-ms-resource-unit", strconv.Itoa(int(units)))
	tenant := c.s.options.TenantID
	if r := l.Directory; r.limits() {
		share, ok, wait := l.meter("directory", app, "", r.Units).draw(l.Now(), r, units)
		if share > 0.8 {
			h.Set("x-ms-throttle-limit-percentage", strconv.FormatFloat(share, 'f', 2, 64))
		}
		if !ok {
			return (&Throttle{RetryAfter: strconv.Itoa(wait)}).failure(path, tenant)
		}
	}
	if r := l.Writes; r.limits() && c.writes() {
		if _, ok, wait := l.meter("writes", app, "", r.Units).draw(l.Now(), r, 1); !ok {
			h.Set("x-ms-throttle-scope", "Tenant_Application/Write/"+ID("Contoso Sync")+"/"+tenant)
			h.Set("x-ms-throttle-information", "WriteLimitExceeded")
			return (&Throttle{RetryAfter: strconv.Itoa(wait)}).failure("", tenant)
		}
	}
	return nil
}

func (c *call) enterMailbox(l *limiter, app, key string) error {
	m := l.meter("mailbox", app, key, l.Mailbox.Units)
	if l.Concurrent > 0 && int(m.inFlight.Load()) >= l.Concurrent {
		return &failure{status: http.StatusTooManyRequests, body: object{"error": object{
			"code": "ApplicationThrottled", "message": "Application is over its MailboxConcurrency limit.",
		}}}
	}
	if r := l.Mailbox; r.limits() {
		if _, ok, wait := m.draw(l.Now(), r, 1); !ok {
			return (&Throttle{RetryAfter: strconv.Itoa(wait)}).failure("", "")
		}
	}
	m.inFlight.Add(1)
	c.occupied = m
	return nil
}

func (c *call) enterFiles(l *limiter, h http.Header, app string, units float64) error {
	r, now := l.Files, l.Now()
	if !r.limits() {
		return nil
	}
	m := l.meter("files", app, "", 0)
	if now.Sub(m.at) >= r.Per {
		m.used, m.at = 0, now
	}
	m.used += units
	reset := strconv.Itoa(max(1, int(math.Ceil((r.Per - now.Sub(m.at)).Seconds()))))
	if m.used >= 0.8*r.Units {
		h.Set("RateLimit-Limit", strconv.Itoa(int(r.Units)))
		h.Set("RateLimit-Remaining", strconv.Itoa(max(0, int(r.Units-m.used))))
		h.Set("RateLimit-Reset", reset)
	}
	if m.used <= r.Units {
		return nil
	}
	return &failure{
		status: http.StatusTooManyRequests, code: "activityLimitReached", inner: "throttledRequest",
		message: "The request has been throttled", header: http.Header{"Retry-After": {reset}},
	}
}

func (f *faults) limits() *limiter {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.limiter
}

// workload is the service that counts a request for path: "directory", "mailbox", "files", or "" for one that counts
// none here.
func workload(path string) string {
	if isDirectory(path) {
		return "directory"
	}
	parts := strings.Split(strings.ToLower(path), "/")
	if len(parts) < 3 {
		return ""
	}
	switch parts[2] {
	case "drives", "sites", "shares":
		return "files"
	case "users", "groups":
		if parts[4] == "drive" || parts[4] == "drives" { // isDirectory has seen that it is there
			return "files"
		}
		return "mailbox"
	}
	return ""
}

// mailboxKey is one for all spellings of a user or group: the id, where there is such a one.
func (c *call) mailboxKey() string {
	if _, err := c.route(); err == nil {
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		if u, err := c.user(); err == nil {
			return u.id
		}
	}
	return strings.ToLower(c.reading.Segments[1].Text)
}

// unitsOf is what the call costs at a service that counts resource units.
func (c *call) unitsOf(kind string) float64 {
	if kind == "files" {
		return c.fileUnits()
	}
	if rt, err := c.route(); err == nil {
		return float64(c.units(rt))
	}
	return 1
}

// fileUnits follows SharePoint's table: 1 for an item, a delta with a token and a download, 5 for permissions, else 2.
func (c *call) fileUnits() float64 {
	last := c.reading.Segments[len(c.reading.Segments)-1]
	switch last.Name() {
	case "permissions", "invite", "createlink":
		return 5
	case "children", "items", "drives", "lists":
		return 2
	case "delta":
		if c.reading.Options["token"] == "" && last.Args["token"] == "" {
			return 2
		}
	}
	if c.writes() {
		return 2
	}
	return 1
}

func (c *call) writes() bool { return c.method != http.MethodGet && c.method != http.MethodHead }
