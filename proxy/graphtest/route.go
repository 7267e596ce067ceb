package graphtest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// route is one operation of Graph.
type route struct {
	method string
	// pattern has names in lower case, {key}, ":path" for a drive or site path, and "**" at its end for any further
	// segments.
	pattern  string
	handle   handler
	need     []string // any of these roles suffices; none: any role
	units    int      // resource units; 0: the service does not report them
	unlocked bool     // the handler takes the tenant's lock itself
}

// node is a place in the tree of routes.
type node struct {
	names   map[string]*node
	key     *node
	keyName string
	path    *node
	methods map[string]*route
	rest    map[string]*route
}

func buildRoutes() *node {
	root := &node{}
	for _, routes := range [][]route{
		directoryRoutes(), userRoutes(), groupRoutes(), mailRoutes(), calendarRoutes(), onenoteRoutes(), driveRoutes(),
		siteRoutes(), subscriptionRoutes(), otherRoutes(),
	} {
		for i := range routes {
			root.insert(&routes[i])
		}
	}
	return root
}

func (n *node) insert(r *route) {
	for part := range strings.SplitSeq(r.pattern, "/") {
		switch {
		case part == "**":
			if n.rest == nil {
				n.rest = map[string]*route{}
			}
			n.rest[r.method] = r
			return
		case part == ":path":
			if n.path == nil {
				n.path = &node{}
			}
			n = n.path
		case strings.HasPrefix(part, "{"):
			if n.key == nil {
				n.key, n.keyName = &node{}, strings.Trim(part, "{}")
			}
			n = n.key
		default:
			if n.names == nil {
				n.names = map[string]*node{}
			}
			if n.names[part] == nil {
				n.names[part] = &node{}
			}
			n = n.names[part]
		}
	}
	if n.methods == nil {
		n.methods = map[string]*route{}
	}
	n.methods[r.method] = r
}

// route finds the operation of the call, and takes the keys from its path.
func (c *call) route() (*route, error) {
	segments := c.normalise(c.reading.Segments)
	if len(segments) > 0 && segments[0].Name() == "me" {
		return nil, fail(http.StatusBadRequest, "BadRequest", "/me request is only valid with delegated authentication flow.")
	}
	c.keys = map[string]Segment{}
	methods, stuck := c.walk(c.s.routes, segments)
	if methods == nil {
		return nil, noSegment(stuck)
	}
	method := c.method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, m := range []string{method, "*"} {
		if r := methods[m]; r != nil {
			return r, nil
		}
	}
	return nil, noMethod()
}

// normalise takes off a tenant prefix, and casts that change nothing: /directoryObjects/{id}/microsoft.graph.user is
// /users/{id}.
func (c *call) normalise(segments []Segment) []Segment {
	if len(segments) > 1 && c.isTenant(segments[0]) {
		segments = segments[1:]
	}
	for i := 2; i < len(segments); i++ {
		if segments[i].Name() == "microsoft.graph.user" && segments[0].Name() != "groups" {
			if set := segments[i-2].Name(); set == "directoryobjects" || set == "users" {
				return slices.Concat([]Segment{{Text: "users"}}, segments[i-1:i], segments[i+1:])
			}
		}
	}
	return segments
}

func (c *call) isTenant(s Segment) bool {
	switch s.Name() {
	case "myorganization", strings.ToLower(c.t.id), "contoso.com", "contoso.onmicrosoft.com":
		return true
	}
	return false
}

// walk follows segments from n. A name goes before a key, as in OData. It returns nil and the segment that leads
// nowhere, or the methods of the place where the segments end.
func (c *call) walk(n *node, segments []Segment) (methods map[string]*route, stuck string) {
	if len(segments) == 0 {
		if n.methods == nil && n.rest != nil {
			c.rest = nil
			return n.rest, ""
		}
		return n.methods, ""
	}
	first, rest := segments[0], segments[1:]
	stuck = first.Text
	if next := n.names[first.Name()]; next != nil {
		if methods, stuck = c.walk(next, rest); methods != nil {
			c.keepArgs(first)
			return methods, ""
		}
	}
	if n.key != nil && first.canBeKey() {
		c.keys[n.keyName] = first
		if methods, stuck = c.walk(n.key, rest); methods != nil {
			return methods, ""
		}
	}
	if n.path != nil && first.Path {
		c.keys["path"] = first
		return c.walk(n.path, rest)
	}
	if n.rest != nil {
		c.rest = segments
		return n.rest, ""
	}
	return nil, stuck
}

// canBeKey reports whether a segment can be a key. One with a leading "$" must stand in parentheses.
func (s Segment) canBeKey() bool {
	return s.Key ||
		!s.Path && !s.Call && !strings.HasPrefix(s.Text, "$") && !strings.HasPrefix(s.Name(), "microsoft.graph.")
}

// keepArgs keeps a function's arguments for its handler.
func (c *call) keepArgs(s Segment) {
	if s.Args != nil {
		c.keys["()"] = s
	}
}

// arg is an argument of the function that the path calls, or the query option of that name.
func (c *call) arg(name string) string {
	if v, ok := c.keys["()"].Args[name]; ok {
		return v
	}
	return c.reading.Options[name]
}

func (c *call) permitted(r *route) error { return c.hasRole(r.need) }

func (c *call) hasRole(need []string) error {
	if c.all || len(need) == 0 || slices.ContainsFunc(need, func(role string) bool { return c.roles[role] }) {
		return nil
	}
	return fail(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
}

// setUnits sets the resource units that the request used, as the identity service does.
func (c *call) setUnits(a *answer, r *route) {
	if r.units != 0 {
		a.set("x-ms-resource-unit", strconv.Itoa(c.units(r)))
	}
}

func (c *call) units(r *route) int {
	units := r.units
	if _, ok := c.reading.Options["select"]; ok {
		units--
	}
	if _, ok := c.reading.Options["expand"]; ok {
		units++
	}
	if top, err := strconv.Atoi(c.reading.Options["top"]); err == nil && top < 20 {
		units--
	}
	return max(1, units)
}
