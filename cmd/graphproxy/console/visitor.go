package console

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"

	"graphproxy/auth/caller"
	"graphproxy/policy/graph/odata"
)

// visitor is the person who looks.
type visitor struct {
	Name     string // as the policy names the evidence, or the subject of a token
	Evidence string // the kind of it
	Signed   bool   // in, with a key: the visitor may sign out
	client   string // the address that the visitor comes from
}

type visitorKey struct{}

// visitorOf returns the visitor of a request that admit let through.
func visitorOf(r *http.Request) visitor {
	v, _ := r.Context().Value(visitorKey{}).(visitor)
	return v
}

func withVisitor(r *http.Request, v visitor) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), visitorKey{}, v))
}

// errClosed is why nobody may look: the policy in force does not say who may.
var errClosed = errors.New("the policy in force does not say who may look")

// identify returns the visitor of a request: by the evidence that it carries, and else by its session. It fails closed:
// whatever the policy in force does not accept now is an error, however long a session still lasts.
func (c *Console) identify(r *http.Request) (visitor, error) {
	if c.open {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		return visitor{client: host}, nil
	}
	visitors := c.source.Authorization().Visitors()
	if visitors == nil {
		return visitor{}, errClosed
	}
	found, err := visitors.Authenticate(r)
	signed := false
	if key, ok := c.sessions.key(r, c.now()); ok && err != nil {
		found, err = byKey(visitors, r, key)
		signed = err == nil
	}
	if err != nil {
		return visitor{}, err
	}
	v := visitor{Name: nameOf(r, found), Evidence: found.Evidence, Signed: signed, client: visitors.Origin(r).Client}
	return v, nil
}

// byKey authenticates a request as if a program had sent it with a key. A token that a proxy in front adds counts
// beside the key, where the policy wants both. Otherwise it is left out.
func byKey(visitors *caller.Authenticator, r *http.Request, key string) (caller.Found, error) {
	keyed := r.Clone(r.Context())
	keyed.Header["X-Api-Key"] = []string{key}
	found, err := visitors.Authenticate(keyed)
	if err != nil && len(keyed.Header["Authorization"]) > 0 {
		keyed.Header.Del("Authorization")
		found, err = visitors.Authenticate(keyed)
	}
	return found, err
}

// nameOf returns the name of a visitor for the log and the page.
func nameOf(r *http.Request, found caller.Found) string {
	name := found.Credential
	if found.Evidence == caller.Token {
		name = strings.TrimSpace(name + " " + subject(r.Header.Get("Authorization")))
	}
	return cmp.Or(name, found.Evidence)
}

// mostSubject bounds what a page and the log show of a token's subject, in bytes.
const mostSubject = 128

// subject returns the subject of a token that has been verified.
func subject(authorization string) string {
	_, token, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	parts := strings.Split(strings.TrimSpace(token), ".")
	if len(parts) != 3 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return ""
	}
	shown := odata.Visible(claims.Subject)
	return strings.ToValidUTF8(shown[:min(len(shown), mostSubject)], "")
}
