// Package consent asks an administrator of a tenant to grant an app registration the permissions that it lists, and
// reads the answer.
//
// It decides which address the administrator opens, which redirect to this machine is the answer, and what the
// answer means. The command opens the listener and informs people. Only a token proves what the app may do
// afterwards (Confirm): an answer comes through a browser, and a person who knows the address can forge it.
//
// https://learn.microsoft.com/entra/identity-platform/v2-admin-consent
package consent

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/url"
	"regexp"
	"strings"

	"graphproxy/auth"
)

// Question asks for consent once. It is immutable and safe for concurrent use; the zero value is of no use. Its
// state is only in URL: a person who knows the URL can answer.
type Question struct {
	app      auth.App
	redirect Redirect
	v1       bool
	state    string
}

// NewQuestion makes a question with a state of its own, 32 random bytes. Entra ID sends the answer to redirect,
// which must be one of the app registration's. With v1 the question uses the older page, which grants the same
// permissions. The app must have passed auth.App.CheckAddress. A managed identity has no app registration, so
// no page can ask for it.
func NewQuestion(app auth.App, redirect Redirect, v1 bool) Question {
	state := make([]byte, 32)
	_, _ = rand.Read(state) // never fails: crypto/rand ends the program instead
	return Question{app, redirect, v1, base64.RawURLEncoding.EncodeToString(state)}
}

// URL is the address that an administrator opens.
func (q Question) URL() string {
	page, query := "/v2.0/adminconsent", url.Values{
		"client_id":    {q.app.ClientID},
		"redirect_uri": {q.redirect.String()},
		"state":        {q.state},
	}
	if q.v1 {
		page = "/adminconsent"
	} else {
		query.Set("scope", q.app.Scope)
	}
	return strings.TrimSuffix(q.app.AuthorityHost, "/") + "/" + q.app.TenantID + page + "?" + query.Encode()
}

// Answer is what Entra ID's page sent to the redirect URI.
type Answer struct {
	Granted bool // an administrator agreed
	// for which tenant, a GUID; "": the answer does not have it. It is not verified: it can show a mistake, but
	// proves nothing
	TenantID string
	Refusal  *auth.Error // why not; nil if Granted, or if the answer is neither yes nor no
}

// ErrForeign is the error of Read for a request that does not answer the question: its state is different or
// missing.
var ErrForeign = errors.New("the request is not the answer to this question")

// Read reads the query of a request to the redirect URI. It fails closed: only an answer with the question's
// state, with admin_consent=True and without an error is a grant (refusals carry admin_consent=True too). A
// query that cannot be read, or that names a parameter twice, is ErrForeign.
func (q Question) Read(query string) (Answer, error) {
	values, err := url.ParseQuery(query)
	if err != nil || subtle.ConstantTimeCompare([]byte(values.Get("state")), []byte(q.state)) != 1 {
		return Answer{}, ErrForeign
	}
	for _, several := range values {
		if len(several) > 1 {
			return Answer{}, ErrForeign
		}
	}
	switch {
	case values.Has("error"), values.Has("error_description"):
		return Answer{Refusal: q.app.Declined(values.Get("error"), values.Get("error_description"))}, nil
	case !strings.EqualFold(values.Get("admin_consent"), "True"):
		return Answer{}, nil
	}
	a := Answer{Granted: true}
	if tenant := values.Get("tenant"); guid.MatchString(tenant) {
		a.TenantID = strings.ToLower(tenant)
	}
	return a, nil
}

var guid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// OtherTenant reports whether a grant is for another tenant than the app is configured for. If the answer names
// no tenant, or the app is configured with a domain, they cannot be compared, and it reports false.
func (q Question) OtherTenant(a Answer) bool { return q.app.OtherTenant(a.TenantID) }
