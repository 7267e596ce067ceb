package entratest

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxForm bounds a token request in bytes. The largest hold an assertion with a certificate chain, of some 10 kB.
const maxForm = 256 << 10

// serveToken is the token endpoint (RFC 6749, section 4.4).
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	form, refused := readForm(w, r)
	s.mu.Lock()
	s.tokenRequests++
	s.lastForm = cloneValues(form)
	fault, healed := hit(&s.tokenFaults), s.healed
	s.mu.Unlock()
	if s.fail(w, r, fault, healed, func(f *refusal) { s.refuse(w, r, f.about(r, form)) }) {
		return
	}
	var g grant
	if refused == nil {
		g, refused = s.grant(r, form)
	}
	if refused != nil {
		s.refuse(w, r, refused.about(r, form))
		return
	}
	t, err := s.issue(g)
	if err != nil {
		http.Error(w, "no token could be signed", http.StatusInternalServerError)
		return
	}
	writeJSON(w, http.StatusOK, t.answer())
}

// answer is the body of a successful answer.
func (t issued) answer() any {
	life := int(t.life.Seconds())
	return struct {
		Type         string `json:"token_type"`
		ExpiresIn    int    `json:"expires_in"`
		ExtExpiresIn int    `json:"ext_expires_in"`
		RefreshIn    int    `json:"refresh_in,omitempty"`
		Token        string `json:"access_token"`
	}{"Bearer", life, life, int(t.refreshIn.Seconds()), t.token}
}

// about fills in the placeholders that are still open from the request; all of them for an error that a Fault
// causes.
func (f *refusal) about(r *http.Request, form url.Values) *refusal {
	client, scope := form.Get("client_id"), form.Get("scope")
	f.text = strings.NewReplacer(
		"{app}", client, "{name}", client, "{tenant}", r.PathValue("tenant"), "{scope}", scope, "{resource}",
		strings.TrimSuffix(scope, "/.default"),
		"{reason}", "The key was not found.", "{issuer}", "", "{subject}", "", "{audience}", "", "{now}", "", "{from}", "",
		"{until}", "",
		"{parameter}", "grant_type", "{grant}", form.Get("grant_type"), "{method}", r.Method, "{redirect}",
		form.Get("redirect_uri"),
	).Replace(f.text)
	return f
}

// readForm reads the form of a request. A body of another type is not read, and is refused like an empty form,
// because Entra finds no parameter in it. The form includes the credentials of HTTP Basic.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, *refusal) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return url.Values{}, refuseWith(malformed)
	}
	if r.Method != http.MethodPost {
		return url.Values{}, refuseWith(onlyPOST, "{method}", r.Method)
	}
	form := url.Values{}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/x-www-form-urlencoded" {
		if form, err = url.ParseQuery(string(body)); err != nil {
			return url.Values{}, refuseWith(malformed)
		}
	}
	for name, values := range form {
		if len(values) > 1 {
			return form, refuseWith(doubledParameter, "{parameter}", name)
		}
	}
	return form, addBasic(form, r)
}

// addBasic adds the client's name and password of HTTP Basic to the form. The form must not have them already,
// except for the same name. Both are form-encoded before they are joined (RFC 6749, section 2.3.1).
func addBasic(form url.Values, r *http.Request) *refusal {
	if r.Header.Get("Authorization") == "" {
		return nil
	}
	user, password, ok := r.BasicAuth()
	id, err1 := url.QueryUnescape(user)
	secret, err2 := url.QueryUnescape(password)
	if !ok || err1 != nil || err2 != nil || form.Has("client_secret") ||
		form.Has("client_id") && !strings.EqualFold(form.Get("client_id"), id) {
		return refuseWith(malformed)
	}
	form.Set("client_id", id)
	form.Set("client_secret", secret)
	return nil
}

// grant decides about a token request.
func (s *Server) grant(r *http.Request, form url.Values) (grant, *refusal) {
	for _, name := range []string{"grant_type", "client_id"} {
		if form.Get(name) == "" {
			return grant{}, refuseWith(missingParameter, "{parameter}", name)
		}
	}
	if g := form.Get("grant_type"); g != "client_credentials" {
		return grant{}, refuseWith(unsupportedGrant, "{grant}", g)
	}
	app, refused := s.client(r.PathValue("tenant"), form.Get("client_id"))
	if refused != nil {
		return grant{}, refused
	}
	g := grant{app: app, base: base(r)}
	if g.acr, refused = s.authenticate(&app, r, form); refused != nil {
		return grant{}, refused
	}
	if g.resource, refused = s.resource(form.Get("scope")); refused != nil {
		return grant{}, refused
	}
	g.claims = form.Get("claims")
	g.capabilities, refused = capabilities(g.claims)
	return g, refused
}

// client returns the app of a client ID in a tenant. The server has no multi-tenant app, so the shared tenant
// names are refused.
func (s *Server) client(tenant, clientID string) (App, *refusal) {
	if shared(tenant) {
		return App{}, s.sharedTenant(tenant, clientID)
	}
	tid, refused := s.tenant(tenant)
	if refused != nil {
		return App{}, refused
	}
	app, ok := s.find(func(a *App) bool { return a.tid() == tid && strings.EqualFold(a.ClientID, clientID) })
	switch {
	case !ok:
		return App{}, refuseWith(appNotFound)
	case app.Disabled:
		return App{}, refuseWith(appDisabled, "{name}", app.name())
	}
	return app, nil
}

func (s *Server) sharedTenant(tenant, clientID string) *refusal {
	app, known := s.find(func(a *App) bool { return strings.EqualFold(a.ClientID, clientID) })
	switch {
	case strings.EqualFold(tenant, "consumers"):
		return refuseWith(noSharedEndpoint)
	case known:
		return refuseWith(singleTenant, "{name}", app.name())
	}
	return refuseWith(noTenant)
}

// find returns the first app for which wanted reports true.
func (s *Server) find(wanted func(*App) bool) (App, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.apps, func(a App) bool { return wanted(&a) }); i >= 0 {
		return s.apps[i], true
	}
	return App{}, false
}

// assertionType is the only client_assertion_type (RFC 7523, section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// authenticate checks the credential of a request, which must have exactly one, and returns the claim appidacr.
func (s *Server) authenticate(app *App, r *http.Request, form url.Values) (acr string, _ *refusal) {
	secret, assertion := form.Get("client_secret"), form.Get("client_assertion")
	switch {
	case secret != "" && assertion != "":
		return "", refuseWith(malformed)
	case secret != "":
		return "1", checkSecret(app, secret)
	case assertion != "" && form.Get("client_assertion_type") == assertionType:
		return "2", s.checkAssertion(app, r, assertion)
	}
	return "", refuseWith(noCredential)
}

// checkSecret compares digests, so that the time it takes reveals nothing of the secret, not even its length.
func checkSecret(app *App, secret string) *refusal {
	got, want := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(app.Secret))
	switch {
	case app.Secret == "" || subtle.ConstantTimeCompare(got[:], want[:]) != 1:
		return refuseWith(wrongSecret)
	case app.SecretExpired:
		return refuseWith(expiredSecret)
	}
	return nil
}

// resource returns the resource of a scope: the one scope "<resource>/.default". MSAL adds the scopes of OpenID
// Connect, which have no meaning for an app.
func (s *Server) resource(scope string) (string, *refusal) {
	if scope == "" {
		return "", refuseWith(missingParameter, "{parameter}", "scope")
	}
	asked := slices.DeleteFunc(strings.Fields(scope), func(one string) bool {
		return slices.Contains([]string{"openid", "profile", "email", "offline_access"}, one)
	})
	if len(asked) > 1 {
		return "", refuseWith(mixedScope, "{scope}", scope)
	}
	resource, ok := "", false
	if len(asked) == 1 {
		resource, ok = strings.CutSuffix(asked[0], "/.default")
	}
	switch {
	case !ok || resource == "":
		return "", refuseWith(notDefaultScope, "{scope}", scope)
	case !s.knows(resource):
		return "", refuseWith(resourceNotFound, "{resource}", resource)
	}
	return resource, nil
}

// capabilities returns the client capabilities in a claims request (OpenID Connect Core, section 5.5) that
// Entra knows. It knows only CP1: the client understands claims challenges. Other claims change nothing in a
// token.
func capabilities(claims string) ([]string, *refusal) {
	if claims == "" {
		return nil, nil
	}
	var request *struct {
		AccessToken struct {
			Capabilities struct {
				Values []string `json:"values"`
			} `json:"xms_cc"`
		} `json:"access_token"`
	}
	if !bytes.HasPrefix(bytes.TrimSpace([]byte(claims)), []byte("{")) || json.Unmarshal([]byte(claims), &request) != nil {
		return nil, refuseWith(malformed)
	}
	known := func(value string) bool { return strings.EqualFold(value, "cp1") }
	return slices.DeleteFunc(request.AccessToken.Capabilities.Values, func(v string) bool { return !known(v) }), nil
}
