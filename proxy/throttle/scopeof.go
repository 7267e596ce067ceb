package throttle

import (
	"net/http"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/graph/service"
)

// ScopeOf returns what Graph counts a request against, for an app registration in a tenant, both as the proxy names
// them. GET and HEAD read, every other method writes. v1.0 and beta count together.
//
// service.Of decides which service answers and what key it counts by. Where Graph counts the service as a whole, the
// scope also has the resource, see Seen. ScopeOf allocates only for an alternate key with capital letters. The scope
// shares memory with t.
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
		s.resource = resourceOf(s.service, t.Segments).bounded()
	}
	return s
}

// resourceOf returns the resource that a path is below, and for a workbook its drive item. Two paths to the same drive
// give one resource if both name the drive.
func resourceOf(kind service.Service, path []odata.Segment) resource {
	o := resource{set: path[0].Base}
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
			o = resource{set: "drives", key: service.KeyOf(path[i:])}
		case kind == service.Excel && path[i].Base == "items" && service.KeyOf(path[i:]) != "":
			o.item = service.KeyOf(path[i:])
		case kind == service.Excel && i+1 < len(path) && path[i+1].Kind == odata.Path:
			o.item = path[i+1].Fold
		}
	}
	return o
}
