package entratest

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
)

// shared reports whether the name in a tenant's place stands for many tenants.
func shared(tenant string) bool {
	switch strings.ToLower(tenant) {
	case "common", "organizations", "consumers":
		return true
	}
	return false
}

// in reports whether tenant is one of the names of the app's tenant.
func (a *App) in(tenant string) bool {
	return strings.EqualFold(tenant, a.TenantID) || strings.EqualFold(tenant, a.tid()) ||
		a.Domain != "" && strings.EqualFold(tenant, a.Domain)
}

// tenant returns the GUID of the tenant with the given name.
func (s *Server) tenant(name string) (tid string, err *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.apps {
		if s.apps[i].in(name) {
			return s.apps[i].tid(), nil
		}
	}
	if _, err := uuid.Parse(name); err != nil && !strings.Contains(name, ".") {
		return "", refuseWith(badTenantName, "{tenant}", name)
	}
	return "", refuseWith(tenantNotFound, "{tenant}", name)
}

// serveConfiguration answers OpenID Connect discovery, of version 2.0 and 1.0. The issuers are those of the
// tokens: the document with and without v2.0 in the address has the matching issuer.
func (s *Server) serveConfiguration(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.discoveryRequests++
	fault, healed := hit(&s.discoveryFaults), s.healed
	s.mu.Unlock()
	if s.fail(w, r, fault, healed, func(f *refusal) { s.refuse(w, r, f) }) {
		return
	}
	name := r.PathValue("tenant")
	tid := "{tenantid}" // Entra writes this for names that stand for many tenants
	if !shared(name) {
		var err *refusal
		if tid, err = s.tenant(name); err != nil {
			err.err = "invalid_tenant"
			s.refuse(w, r, err)
			return
		}
		name = tid
	}
	writeJSON(w, http.StatusOK, configuration(base(r), name, tid, strings.Contains(r.URL.Path, "/v2.0/")))
}

// configuration is the discovery document. Its endpoints contain the tenant's GUID, also when it was requested
// by another name of the tenant.
func configuration(base, name, tid string, v2 bool) map[string]any {
	root := base + "/" + name
	issuer := base + "/" + tid + "/"
	if v2 {
		issuer += "v2.0"
	}
	return map[string]any{
		"issuer":                                issuer,
		"authorization_endpoint":                root + "/oauth2/v2.0/authorize",
		"token_endpoint":                        root + "/oauth2/v2.0/token",
		"jwks_uri":                              root + "/discovery/v2.0/keys",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"response_types_supported":              []string{"code", "id_token", "code id_token", "id_token token"},
		"response_modes_supported":              []string{"query", "fragment", "form_post"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
		"claims_supported":                      []string{"sub", "iss", "aud", "exp", "iat", "tid", "ver"},
		"request_uri_parameter_supported":       false,
		"tenant_region_scope":                   "EU",
		"cloud_instance_name":                   "microsoftonline.com",
		"msgraph_host":                          "graph.microsoft.com",
	}
}

// serveInstance answers instance discovery: whether an authority is Entra's. This server and the public cloud
// are.
func (s *Server) serveInstance(w http.ResponseWriter, r *http.Request) {
	asked, err := url.Parse(r.URL.Query().Get("authorization_endpoint"))
	if err != nil || asked.Host == "" ||
		!strings.EqualFold(asked.Host, r.Host) && !strings.EqualFold(asked.Host, "login.microsoftonline.com") {
		s.refuse(w, r, refuseWith(unknownInstance))
		return
	}
	root := base(r)
	if !strings.EqualFold(asked.Host, r.Host) {
		root = "https://" + asked.Host
	}
	tenant, _, _ := strings.Cut(strings.TrimPrefix(asked.Path, "/"), "/")
	writeJSON(w, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": root + "/" + tenant + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata": []map[string]any{{
			"preferred_network": asked.Host,
			"preferred_cache":   asked.Host,
			"aliases":           []string{asked.Host},
		}},
	})
}
