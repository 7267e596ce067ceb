package throttle

import (
	"net/http"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/graph/service"
)

// ScopeOf returns what Graph counts a request against, for an app registration in a tenant, both as the proxy names
// them. GET and HEAD read, every other method writes. v1.0 and beta count together.
//
// Which service answers and what key it counts by, service.Of says. Where Graph counts by the service alone, the scope
// also knows the resource, see Seen. ScopeOf allocates nothing, save for an alternate key with capital letters; the
// scope shares memory with t.
func ScopeOf(app, tenant, method string, t *odata.Target) Scope {
	s := Scope{app: app, tenant: tenant, access: write}
	if method == http.MethodGet || method == http.MethodHead {
		s.access = read
	}
	s.service, s.key = service.Of(t.Segments)
	if !s.service.ByApp() {
		s.app = ""
	}
	if !s.service.ByTenant() {
		s.tenant = ""
	}
	if len(s.key) > maxKey {
		s.key = s.key[:maxKey]
	}
	if s.key == "" && len(t.Segments) > 0 {
		s.own = ownOf(s.service, t.Segments).bounded()
	}
	return s
}

// ownOf is the resource that a path is below, and for a workbook its drive item. The same drive by two ways is one
// where both name it.
func ownOf(kind service.Service, path []odata.Segment) own {
	o := own{set: path[0].Base}
	if o.set != "me" {
		o.key = service.KeyOf(path)
	}
	if o.key != "" && o.set == "sites" && len(path) > 2 && path[2].Kind == odata.Path {
		o.item = path[2].Fold
	}
	for i := range path {
		if path[i].Kind != odata.Name {
			continue
		}
		switch {
		case path[i].Fold == "workbook" && kind == service.Excel:
			return o
		case path[i].Base == "drives" && service.KeyOf(path[i:]) != "":
			o = own{set: "drives", key: service.KeyOf(path[i:])}
		case kind == service.Excel && path[i].Base == "items" && service.KeyOf(path[i:]) != "":
			o.item = service.KeyOf(path[i:])
		case kind == service.Excel && i+1 < len(path) && path[i+1].Kind == odata.Path:
			o.item = path[i+1].Fold
		}
	}
	return o
}
