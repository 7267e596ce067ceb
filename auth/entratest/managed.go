package entratest

import (
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// ManagedIdentityURL is the address of a managed identity endpoint in the shape of App Service, for IDENTITY_ENDPOINT.
// Every app that was added is an identity of the host: with client_id the one so called, without it the first added,
// as the system-assigned one.
// https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
func (s *Server) ManagedIdentityURL() string { return s.url + "/msi/token" }

// ManagedIdentityHeader is what requests to that endpoint must carry in X-IDENTITY-HEADER, for IDENTITY_HEADER.
func (s *Server) ManagedIdentityHeader() string { return s.msiHeader }

func (s *Server) serveManagedIdentity(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	s.mu.Lock()
	s.tokenRequests++
	s.lastForm = cloneValues(query)
	fault, healed := hit(&s.tokenFaults), s.healed
	s.mu.Unlock()
	if s.fail(w, r, fault, healed, func(f *refusal) { s.refuseManaged(w, f.about(r, query)) }) {
		return
	}
	app, problem := s.identity(r)
	if problem != "" {
		status := http.StatusBadRequest
		if problem == wrongHeader {
			status = http.StatusUnauthorized
		}
		writeManaged(w, status, problem)
		return
	}
	resource := query.Get("resource")
	if app.Disabled || !s.knows(resource) {
		code := resourceNotFound
		if app.Disabled {
			code = appDisabled
		}
		s.refuseManaged(w, refuseWith(code, "{app}", app.ClientID, "{name}", app.name(), "{resource}", resource, "{tenant}", app.TenantID))
		return
	}
	t, err := s.issue(grant{app: app, resource: resource, acr: "2", base: base(r)})
	if err != nil {
		http.Error(w, "no token could be signed", http.StatusInternalServerError)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{
		"access_token": t.token,
		"client_id":    app.ClientID,
		"expires_on":   strconv.FormatInt(t.expires.Unix(), 10),
		"resource":     resource,
		"token_type":   "Bearer",
	})
}

const wrongHeader = "The header X-IDENTITY-HEADER is missing or wrong."

// identity is the identity that is asked for, or the problem with the request.
func (s *Server) identity(r *http.Request) (App, string) {
	query := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("X-IDENTITY-HEADER")), []byte(s.msiHeader)) != 1 {
		return App{}, wrongHeader
	}
	if query.Get("api-version") != "2019-08-01" {
		return App{}, "The api-version must be 2019-08-01."
	}
	if query.Get("resource") == "" {
		return App{}, "The parameter resource is missing."
	}
	for _, other := range []string{"mi_res_id", "principal_id", "object_id"} {
		if query.Has(other) {
			return App{}, noIdentity
		}
	}
	clientID := query.Get("client_id")
	app, ok := s.find(func(a *App) bool { return clientID == "" || strings.EqualFold(a.ClientID, clientID) })
	if !ok {
		return App{}, noIdentity
	}
	return app, ""
}

const noIdentity = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."

// refuseManaged answers an AADSTS error as App Service hands it on.
func (s *Server) refuseManaged(w http.ResponseWriter, f *refusal) {
	writeManaged(w, f.status, f.message(uuid.NewString(), uuid.NewString(), s.now()))
}

func writeManaged(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]any{"statusCode": status, "message": message, "correlationId": uuid.NewString()})
}
