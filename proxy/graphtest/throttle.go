package graphtest

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Throttle makes Graph refuse requests, as it does to an app that is over a limit.
type Throttle struct {
	Prefix     string // of the path, letter case ignored: "/v1.0/users"; "" is every request
	Status     int    // 0 is 429; 503, 504 and 509 have their documented bodies too
	RetryAfter string // the header's text, as it is: "10", "2.128", an HTTP date; "" sends none
	Times      int    // how many requests; 0: until Heal
}

type override struct {
	pattern string
	handle  http.HandlerFunc
}

// faults are the answers that a test has set instead of the tenant's.
type faults struct {
	mu        sync.Mutex
	throttles []*Throttle
	overrides []override
	batch     BatchFault
	limiter   *limiter
	cancelled atomic.Int64
}

// Throttle makes Graph answer t.Status to the requests that t covers, including batch items, after it has checked
// their token. The first throttle that covers a request is used.
func (s *Server) Throttle(t Throttle) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.throttles = append(s.faults.throttles, &t)
}

// Heal ends every throttle, the limits and the fault of batches.
func (s *Server) Heal() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.throttles, s.faults.batch, s.faults.limiter = nil, BatchFault{}, nil
}

// Handle answers requests for pattern with h instead of Graph's answer and before any check of their token. A
// pattern is "METHOD /v1.0/path", or a path alone for every method; it is compared with the decoded path without
// regard to case, and one that ends in "/**" covers everything below it too. The last pattern set wins; a nil h
// removes it. h never gets batch items.
func (s *Server) Handle(pattern string, h http.HandlerFunc) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	kept := s.faults.overrides[:0:0]
	for _, o := range s.faults.overrides {
		if !strings.EqualFold(o.pattern, pattern) {
			kept = append(kept, o)
		}
	}
	if h != nil {
		kept = append([]override{{pattern, h}}, kept...)
	}
	s.faults.overrides = kept
}

func (f *faults) override(r *http.Request) http.HandlerFunc {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.overrides {
		if o.covers(r) {
			return o.handle
		}
	}
	return nil
}

func (o override) covers(r *http.Request) bool {
	method, path, ok := strings.Cut(o.pattern, " ")
	if !ok {
		method, path = "", o.pattern
	}
	if method != "" && method != r.Method {
		return false
	}
	above, below := strings.CutSuffix(path, "/**")
	if below && len(r.URL.Path) > len(above) && strings.EqualFold(r.URL.Path[:len(above)+1], above+"/") {
		return true
	}
	return strings.EqualFold(r.URL.Path, above)
}

// throttled is the refusal of a request for path, or nil.
func (f *faults) throttled(path, tenantID string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, t := range f.throttles {
		if len(path) < len(t.Prefix) || !strings.EqualFold(path[:len(t.Prefix)], t.Prefix) {
			continue
		}
		if t.Times--; t.Times == 0 {
			f.throttles = append(f.throttles[:i:i], f.throttles[i+1:]...)
		}
		return t.failure(path, tenantID)
	}
	return nil
}

// failure is the answer to a throttled request: the body that Graph's throttling guidance shows, and the bodies seen
// with 503, 504, 509.
func (t *Throttle) failure(path, tenantID string) error {
	f := &failure{status: t.Status, header: http.Header{}}
	if t.RetryAfter != "" {
		f.header.Set("Retry-After", t.RetryAfter)
	}
	switch t.Status {
	case 0, http.StatusTooManyRequests:
		f.status = http.StatusTooManyRequests
		f.body = object{"error": object{
			"code": "TooManyRequests", "message": "Please retry again later.",
			"innerError": object{
				"code": "429", "status": "429", "message": "Please retry after", "request-id": newGUID(),
				"date": time.Now().UTC().Format("2006-01-02T15:04:05"),
			},
		}}
		if isDirectory(path) {
			f.header.Set("x-ms-throttle-scope", "Tenant_Application/ReadWrite/"+ID("Contoso Sync")+"/"+tenantID)
			f.header.Set("x-ms-throttle-information", "ResourceUnitLimitExceeded")
		}
	case http.StatusServiceUnavailable:
		f.code, f.message = "serviceNotAvailable", "The service is temporarily unavailable for maintenance or is overloaded."
	case 509:
		f.code, f.message = "bandwidthLimitExceeded", "Your app has been throttled for exceeding the maximum bandwidth cap."
	default:
		f.code = "UnknownError"
	}
	return f
}

// isDirectory reports whether the identity service answers for path.
func isDirectory(path string) bool {
	parts := strings.Split(strings.ToLower(path), "/")
	if len(parts) < 3 {
		return false
	}
	switch parts[2] {
	case "users", "groups":
		return len(parts) < 5 || !isWorkload(parts[4])
	case "applications", "serviceprincipals", "directoryobjects", "organization", "domains":
		return true
	}
	return false
}

// isWorkload reports whether Outlook or OneDrive answers for a navigation property of a user or group.
func isWorkload(name string) bool {
	switch name {
	case "messages", "mailfolders", "events", "calendar", "calendars", "calendarview", "sendmail", "photo", "photos",
		"drive", "drives":
		return true
	}
	return false
}

// throttlePath is the path that throttles are compared with: as Graph reads it, keys as segments.
func (c *call) throttlePath() string {
	var path strings.Builder
	path.WriteString("/" + c.reading.Version)
	for _, seg := range c.reading.Segments {
		path.WriteString("/" + seg.Text)
	}
	return path.String()
}
