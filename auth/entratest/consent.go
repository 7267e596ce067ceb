package entratest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// serveConsent is the page where an administrator consents to an app. No click is needed: it answers at once
// with a redirect to redirect_uri, as Entra does. Refusals of the v2.0 page have admin_consent=True too.
// https://learn.microsoft.com/entra/identity-platform/v2-admin-consent
func (s *Server) serveConsent(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	v2 := strings.HasSuffix(r.URL.Path, "/v2.0/adminconsent")
	app, redirect, refused := s.consentTo(r.PathValue("tenant"), query, v2)
	if refused != nil {
		s.showError(w, refused.about(r, query))
		return
	}
	s.mu.Lock()
	refuse := s.refuseConsent
	s.mu.Unlock()
	answer := redirect.Query()
	set := func(name, value string) {
		if value != "" {
			answer.Set(name, value)
		}
	}
	set("state", query.Get("state"))
	switch {
	case refuse && !v2:
		set("error", "permission_denied")
		set("error_description", "The admin canceled the request")
	case refuse:
		f := refuseWith(declined)
		set("admin_consent", "True")
		set("error", f.err)
		set("error_description", f.message(uuid.NewString(), correlationID(r), s.now()))
	default:
		set("admin_consent", "True")
		set("tenant", app.tid())
		if v2 {
			set("scope", query.Get("scope"))
		}
	}
	redirect.RawQuery = answer.Encode()
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.Header().Set("Location", redirect.String())
	w.WriteHeader(http.StatusFound)
}

// consentTo checks a request for consent. A refused request is shown on the page and not redirected, because
// the sender may not be the app.
func (s *Server) consentTo(tenant string, query url.Values, v2 bool) (App, *url.URL, *refusal) {
	needed := []string{"client_id", "redirect_uri"}
	if v2 {
		needed = append(needed, "scope")
	}
	for _, name := range needed {
		if query.Get(name) == "" {
			return App{}, nil, refuseWith(missingParameter, "{parameter}", name)
		}
	}
	app, refused := s.consentClient(tenant, query.Get("client_id"))
	if refused != nil {
		return App{}, nil, refused
	}
	redirect, err := url.Parse(query.Get("redirect_uri"))
	if err != nil || !app.redirectsTo(redirect, query.Get("redirect_uri")) {
		return App{}, nil, refuseWith(wrongRedirect, "{redirect}", query.Get("redirect_uri"))
	}
	return app, redirect, nil
}

// consentClient returns the app to consent to. The tenant may be "organizations": it stands for the tenant of
// the administrator who signs in, which is the app's.
func (s *Server) consentClient(tenant, clientID string) (App, *refusal) {
	if !strings.EqualFold(tenant, "organizations") {
		return s.client(tenant, clientID)
	}
	app, ok := s.find(func(a *App) bool { return strings.EqualFold(a.ClientID, clientID) })
	if !ok {
		return App{}, refuseWith(appNotFound)
	}
	return app, nil
}

// redirectsTo reports whether an address is registered: as one of RedirectURIs, exactly.
func (a *App) redirectsTo(u *url.URL, text string) bool {
	if len(a.RedirectURIs) > 0 {
		return slices.Contains(a.RedirectURIs, text)
	}
	return u.Scheme == "http" && loopback(u.Hostname())
}

// showError is the page with an error, which Entra shows to the administrator.
func (s *Server) showError(w http.ResponseWriter, f *refusal) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(f.status)
	_, _ = fmt.Fprintln(w, f.message(uuid.NewString(), uuid.NewString(), s.now()))
}
