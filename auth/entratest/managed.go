package entratest

import (
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// ManagedIdentityURL is the address of a managed identity endpoint in the shape of App Service, for
// IDENTITY_ENDPOINT. Every app that was added is an identity of the host. A request with client_id gets the
// identity of that ID; one without gets the app that was added first, as the system-assigned identity.
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
	app, status, problem := s.identity(r)
	if problem != "" {
		writeManaged(w, status, problem)
		return
	}
	resource := query.Get("resource")
	if refused := s.identityRefused(&app, resource); refused != nil {
		s.refuseManaged(w, refused)
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

// identity returns the identity that is requested, or the endpoint's own refusal of the request.
func (s *Server) identity(r *http.Request) (_ App, status int, problem string) {
	const missing = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
	query := r.URL.Query()
	switch {
	case subtle.ConstantTimeCompare([]byte(r.Header.Get("X-IDENTITY-HEADER")), []byte(s.msiHeader)) != 1:
		return App{}, http.StatusUnauthorized, "The header X-IDENTITY-HEADER is missing or wrong."
	case query.Get("api-version") != "2019-08-01":
		return App{}, http.StatusBadRequest, "The api-version must be 2019-08-01."
	case query.Get("resource") == "":
		return App{}, http.StatusBadRequest, "The parameter resource is missing."
	case query.Has("mi_res_id"), query.Has("principal_id"), query.Has("object_id"):
		return App{}, http.StatusBadRequest, missing
	}
	clientID := query.Get("client_id")
	app, ok := s.find(func(a *App) bool { return clientID == "" || strings.EqualFold(a.ClientID, clientID) })
	if !ok {
		return App{}, http.StatusBadRequest, missing
	}
	return app, 0, ""
}

// identityRefused is Entra's refusal of a token for an identity; nil: a token is issued.
func (s *Server) identityRefused(app *App, resource string) *refusal {
	switch {
	case app.Disabled:
		return refuseWith(appDisabled, "{app}", app.ClientID, "{name}", app.name())
	case !s.knows(resource):
		return refuseWith(resourceNotFound, "{resource}", resource, "{tenant}", app.TenantID)
	}
	return nil
}

// refuseManaged answers an AADSTS error as App Service passes it on.
func (s *Server) refuseManaged(w http.ResponseWriter, f *refusal) {
	writeManaged(w, f.status, f.message(uuid.NewString(), uuid.NewString(), s.now()))
}

func writeManaged(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]any{"statusCode": status, "message": message, "correlationId": uuid.NewString()})
}
