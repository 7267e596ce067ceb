package server

import (
	"fmt"
	"math"
)

// How the descriptors of a process are shared out, see docs/operations.md#connections.
const (
	fixedDescriptors = 96      // of the process itself, and of the admin listener's connections
	redisDescriptors = 64      // of connections to Redis, where limits are shared
	appDescriptors   = 2       // of connections to Entra ID, for each app registration
	adminConnections = 32      // that the admin listener may have of the fixed ones
	mostKept         = 512     // connections to Graph that wait for a next request
	mostDescriptors  = 1 << 20 // that are shared out, where RLIMIT_NOFILE is greater or there is none
)

// descriptors is how many descriptors each use may have.
type descriptors struct {
	callers  int // connections of callers
	admin    int // connections to the admin listener
	inFlight int // requests in flight, each with a connection to Graph
	kept     int // connections to Graph that wait for a next request
}

// shareDescriptors shares out what a process may open. Where it is too little for all requests that p allows, the
// requests in flight are fewer, and callers have as many connections, so that over HTTP/1.1 a request that is too many
// waits to be accepted and is not refused.
func shareDescriptors(limit int, p *Parts) (descriptors, error) {
	limit = min(limit, mostDescriptors)
	reserve := fixedDescriptors + appDescriptors*len(p.Apps)
	if p.Redis.IsSet() {
		reserve += redisDescriptors
	}
	if p.Console != nil {
		reserve += consoleConnections
	}
	reserve = min(reserve, limit/2)
	usable := limit - reserve
	d := descriptors{admin: min(adminConnections, max(1, reserve/3)), inFlight: p.MaxInFlight}
	d.kept = keptOf(d.inFlight)
	if usable < 2*d.inFlight+d.kept {
		d.inFlight = max(1, usable*2/5)
		d.kept = keptOf(d.inFlight)
		d.callers = d.inFlight
	} else {
		d.callers = usable - d.inFlight - d.kept
	}
	if p.MaxConnections > d.callers {
		return d, fmt.Errorf("GRAPHPROXY_MAX_CONNECTIONS is greater than the %d that RLIMIT_NOFILE, %d, leaves for callers: "+
			"raise that (LimitNOFILE= in a systemd unit, ulimit -n in a shell), or set at most %d",
			d.callers, limit, d.callers)
	}
	if p.MaxConnections > 0 {
		d.callers = p.MaxConnections
	}
	return d, nil
}

// keptOf is how many connections to Graph are kept for so many requests in flight.
func keptOf(inFlight int) int { return max(1, min(mostKept, inFlight/2)) }

// warn logs that descriptors allow fewer requests in flight than p does.
func (d descriptors) warn(limit int, p *Parts) {
	if d.inFlight < p.MaxInFlight {
		p.Log.Warn("RLIMIT_NOFILE allows fewer requests in flight than GRAPHPROXY_MAX_IN_FLIGHT",
			"rlimit_nofile", limit, "max_in_flight", p.MaxInFlight, "in_flight_at_most", d.inFlight,
			"cure", fmt.Sprintf("raise RLIMIT_NOFILE to %d or more (LimitNOFILE= in a systemd unit, ulimit -n in a shell), "+
				"or set GRAPHPROXY_MAX_IN_FLIGHT to %d", enough(p), d.inFlight))
	}
}

// enough is a round RLIMIT_NOFILE that is enough for all requests in flight and as many connections of callers.
func enough(p *Parts) int {
	least := 2*p.MaxInFlight + keptOf(p.MaxInFlight) +
		fixedDescriptors + redisDescriptors + appDescriptors*len(p.Apps)
	return int(math.Ceil(float64(least)/1024)) * 1024
}
