package throttle

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"graphproxy/policy/graph/service"
)

// maxHold bounds how long an answer can hold a scope. Graph asks for minutes at most. A longer time is a mistake, or a
// block that an administrator must end; one probe an hour finds out when it is over.
const maxHold = time.Hour

// The names as http.Header keeps them.
const (
	retryAfterHeader = "Retry-After"
	percentageHeader = "X-Ms-Throttle-Limit-Percentage"
	scopeHeader      = "X-Ms-Throttle-Scope"
	limitHeader      = "Ratelimit-Limit"
	remainingHeader  = "Ratelimit-Remaining"
	resetHeader      = "Ratelimit-Reset"
)

// limitInfo is what the headers of an answer report about limits.
type limitInfo struct {
	wait  time.Duration // Retry-After; 0: missing
	reset time.Duration // until the window of RateLimit-* ends; 0: missing
	spent bool          // nothing is left of that window
	limit bool          // the answer has a header RateLimit-*, so it is about the service's limit
	share float64       // x-ms-throttle-limit-percentage: 1 is the whole limit. 0: missing
	usage float64       // share of the limit beyond 80 % of it: from 0 to 1, which is 180 %. -1: missing
}

// readHeader reads the headers of an answer that came at now.
func readHeader(now time.Time, h http.Header) limitInfo {
	s := limitInfo{wait: retryAfter(now, h), usage: -1}
	if v := h.Get(percentageHeader); v != "" {
		if share, ok := decimal(v); ok {
			s.share, s.usage = share, beyond(share)
		}
	}
	s.readWindow(h)
	return s
}

// readWindow reads SharePoint's RateLimit-* (an early draft of draft-ietf-httpapi-ratelimit-headers: Reset in seconds).
func (s *limitInfo) readWindow(h http.Header) {
	s.limit = h.Get(resetHeader) != "" || h.Get(remainingHeader) != "" || h.Get(limitHeader) != ""
	if h.Get(resetHeader) == "" && h.Get(remainingHeader) == "" {
		return
	}
	if reset, ok := decimal(h.Get(resetHeader)); ok {
		s.reset = seconds(reset)
	}
	remaining, ok := decimal(h.Get(remainingHeader))
	if !ok {
		return
	}
	s.spent = remaining <= 0
	if limit, ok := decimal(h.Get(limitHeader)); ok && limit > 0 {
		s.usage = max(s.usage, beyond(1-remaining/limit))
	}
}

// beyond returns how far a share of a limit is beyond 80 %, at most 1. Graph reports shares from 0.8 to 1.8. At 1.2 it
// refuses a fifth of the requests, at 1.8 four fifths.
func beyond(share float64) float64 { return min(max(share-0.8, 0), 1) }

// hold returns how long the scope of a refused request must be held; 0 if the answer has no such header. SharePoint
// asks clients to use the longer time.
func (s *limitInfo) hold() time.Duration { return max(s.wait, s.reset) }

// retryAfter reads Retry-After (RFC 9110, 10.2.3) as Graph sends it: seconds, also with decimals ("2.128"), or a date,
// which is compared with the answer's own Date so that a wrong clock here does not matter. A value that is malformed,
// negative or zero counts as missing. If there are several, the longest time counts.
func retryAfter(now time.Time, h http.Header) (longest time.Duration) {
	for _, v := range h[retryAfterHeader] {
		if n, ok := decimal(v); ok {
			longest = max(longest, seconds(n))
			continue
		}
		at, err := http.ParseTime(strings.TrimSpace(v))
		if err != nil {
			continue
		}
		from, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			from = now
		}
		longest = max(longest, min(at.Sub(from), maxHold))
	}
	return longest
}

// seconds is n seconds, at most maxHold.
func seconds(n float64) time.Duration {
	if n >= maxHold.Seconds() {
		return maxHold
	}
	return time.Duration(n * float64(time.Second))
}

// decimal reads digits with at most one point among them: no sign, exponent, infinity or hexadecimal, all of which
// ParseFloat takes.
func decimal(text string) (float64, bool) {
	text = strings.TrimSpace(text)
	points := 0
	for i := range len(text) {
		if text[i] == '.' {
			points++
		} else if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
	}
	if points > 1 {
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil
}

// ofResource reports whether a refusal in scope s is at first taken to be about the resource alone. SharePoint refuses
// every request for a blocked drive, without Retry-After, and accepts requests for other drives. A workbook is refused
// by itself.
func (s Scope) ofResource(info limitInfo) bool {
	return s.resource.isSet() && (s.service == service.Excel && s.resource.item != "" || info.hold() == 0 && !info.limit)
}

// narrowed returns the scope that an answer to a request in scope s is about. It is the scope of the service, unless
// x-ms-throttle-scope (Scope/Limit/app/resource) names only reads or writes, the app in all tenants, or the tenant for
// all apps. Unknown words in that header are ignored.
func (s Scope) narrowed(h http.Header) Scope {
	s.access = readWrite
	v := h.Get(scopeHeader)
	if v == "" {
		return s
	}
	who, rest, _ := strings.Cut(v, "/")
	what, _, _ := strings.Cut(rest, "/")
	switch strings.ToLower(strings.TrimSpace(what)) {
	case "read":
		s.access = read
	case "write":
		s.access = write
	}
	switch strings.ToLower(strings.TrimSpace(who)) {
	case "application":
		s = s.wide()
		s.tenant = ""
	case "tenant":
		s = s.wide()
		s.app = ""
	}
	return s
}
