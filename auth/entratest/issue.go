package entratest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// signer is Entra's signing key and its certificate, as published under jwks_uri.
type signer struct {
	key  *rsa.PrivateKey
	cert []byte // DER
	kid  string // the certificate's SHA-1 thumbprint, as in Entra
}

func newSigner(now time.Time, key *rsa.PrivateKey) (*signer, error) {
	if key == nil {
		var err error
		if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, err
		}
	}
	template, err := newTemplate("accounts.accesscontrol.windows.net")
	if err != nil {
		return nil, err
	}
	template.NotBefore, template.NotAfter = now.Add(-5*time.Minute), now.Add(5*year)
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	sum := sha1.Sum(cert)
	return &signer{key: key, cert: cert, kid: base64.RawURLEncoding.EncodeToString(sum[:])}, nil
}

// randomHex returns 128 random bits.
func randomHex() (string, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return "", err
	}
	return strings.ToUpper(hex.EncodeToString(b)), nil
}

// serveKeys answers the JSON Web Key Set (RFC 7517).
func (s *Server) serveKeys(w http.ResponseWriter, r *http.Request) {
	public := s.signer.key.PublicKey
	writeJSON(w, http.StatusOK, map[string]any{"keys": []map[string]any{{
		"kty": "RSA",
		"use": "sig",
		"kid": s.signer.kid,
		"x5t": s.signer.kid,
		"n":   base64.RawURLEncoding.EncodeToString(public.N.Bytes()),
		"e":   base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes()),
		"x5c": []string{base64.StdEncoding.EncodeToString(s.signer.cert)},
	}}})
}

// namespace is the prefix of names from which GUIDs are made: the same name always gets the same GUID.
const namespace = "graphproxy/auth/entratest "

func guidOf(name string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(namespace+strings.ToLower(name))).String()
}

// tid is the GUID of the app's tenant.
func (a *App) tid() string {
	if id, err := uuid.Parse(a.TenantID); err == nil {
		return id.String()
	}
	return guidOf(a.TenantID)
}

// oid is the object ID of the app's service principal.
func (a *App) oid() string { return guidOf(a.tid() + " " + a.ClientID) }

func (a *App) name() string {
	if a.Name == "" {
		return a.ClientID
	}
	return a.Name
}

// accessClaims are the claims of an app-only access token of version 1.0, which is what Microsoft Graph gets.
// https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
type accessClaims struct {
	jwt.RegisteredClaims
	AppID        string   `json:"appid"`
	DisplayName  string   `json:"app_displayname"`
	Authenticity string   `json:"appidacr"` // "1": by secret, "2": by certificate or federated token
	Provider     string   `json:"idp"`
	Type         string   `json:"idtyp"`
	ObjectID     string   `json:"oid"`
	Roles        []string `json:"roles,omitempty"`
	TenantID     string   `json:"tid"`
	ID           string   `json:"uti"`
	Version      string   `json:"ver"`
	Capabilities []string `json:"xms_cc,omitempty"`
}

// grant is the content of a token before it is issued.
type grant struct {
	app          App
	resource     string
	acr          string
	capabilities []string
	claims       string // of the claims request, as it was sent
	base         string // the address that the client uses for this server
}

// issued is a token and its answer's expiry.
type issued struct {
	token           string
	expires         time.Time
	life, refreshIn time.Duration
}

// issue signs a new token. No two are the same.
func (s *Server) issue(g grant) (issued, error) {
	id, err := randomHex()
	if err != nil {
		return issued{}, err
	}
	now := s.now()
	s.mu.Lock()
	out := issued{expires: now.Add(s.life), life: s.life, refreshIn: s.refreshIn}
	s.mu.Unlock()
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, g.accessClaims(id, now, out.expires))
	t.Header["kid"], t.Header["x5t"] = s.signer.kid, s.signer.kid
	if out.token, err = t.SignedString(s.signer.key); err != nil {
		return issued{}, err
	}
	s.remember(id, now, living{out.expires, g.claims})
	return out, nil
}

// remember keeps the id of a token until it expires or is revoked.
func (s *Server) remember(id string, now time.Time, t living) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, other := range s.live {
		if !now.Before(other.expires) {
			delete(s.live, id)
		}
	}
	s.live[id] = t
}

// living is a token that has neither expired nor been revoked.
type living struct {
	expires time.Time
	claims  string // that were asked for
}

// accessClaims are valid from five minutes ago, as Entra's are, so that a resource whose clock is slow accepts
// them.
func (g grant) accessClaims(id string, now, expires time.Time) accessClaims {
	oid, tid := g.app.oid(), g.app.tid()
	issuer := g.base + "/" + tid + "/"
	from := jwt.NewNumericDate(now.Add(-5 * time.Minute))
	return accessClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Audience:  jwt.ClaimStrings{g.resource},
			Issuer:    issuer,
			Subject:   oid,
			IssuedAt:  from,
			NotBefore: from,
			ExpiresAt: jwt.NewNumericDate(expires),
		},
		AppID:        g.app.ClientID,
		DisplayName:  g.app.name(),
		Authenticity: g.acr,
		Provider:     issuer,
		Type:         "app",
		ObjectID:     oid,
		Roles:        g.app.Roles,
		TenantID:     tid,
		ID:           id,
		Version:      "1.0",
		Capabilities: g.capabilities,
	}
}

// Claims are the claims of a token that Verify returns.
type Claims struct {
	TenantID string   // GUID
	ClientID string   // as in App.ClientID
	Roles    []string // nil: the token has no roles claim
}

// Verify reads a token that this server issued for Microsoft Graph. It is an error if the signature is not the
// server's, the token is for another resource, it has expired by Options.Now, or it was revoked. No error
// contains anything of the token.
func (s *Server) Verify(token string) (Claims, error) {
	var c accessClaims
	_, err := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithoutClaimsValidation()).
		ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return s.signer.key.Public(), nil })
	if err != nil {
		return Claims{}, errors.New("the token is not one of this Entra ID")
	}
	if len(c.Audience) != 1 || !isGraph(c.Audience[0]) {
		return Claims{}, errors.New("the token is for another resource than Microsoft Graph")
	}
	if now := s.now(); c.ExpiresAt == nil || !now.Before(c.ExpiresAt.Time) {
		return Claims{}, fmt.Errorf("the token has expired: it is %s", timestamp(now))
	}
	s.mu.Lock()
	t, live := s.live[c.ID]
	demand := s.demand
	s.mu.Unlock()
	switch {
	case !live:
		return Claims{}, errors.New("the token was revoked")
	case demand != "" && len(c.Capabilities) > 0 && !carries(t.claims, demand):
		return Claims{}, &Challenge{demand}
	}
	return Claims{TenantID: c.TenantID, ClientID: c.AppID, Roles: c.Roles}, nil
}

// Challenge is the error of Verify for a token without claims that the resource now requires.
type Challenge struct {
	Claims string // the claims request, JSON
}

func (*Challenge) Error() string { return "the token lacks claims that are wanted now" }

// Demand makes Verify refuse tokens, with a Challenge, unless they were requested with the members that this
// claims request has below access_token, such as
// {"access_token":{"nbf":{"essential":true,"value":"1657834417"}}}. Only clients that declared the capability
// cp1 are challenged: https://learn.microsoft.com/entra/identity-platform/claims-challenge. "" ends it.
func (s *Server) Demand(claims string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.demand = claims
}

// carries reports whether a claims request has every member that another one has below access_token.
func carries(claims, wanted string) bool {
	type request struct {
		AccessToken map[string]any `json:"access_token"`
	}
	var has, want request
	if json.Unmarshal([]byte(claims), &has) != nil || json.Unmarshal([]byte(wanted), &want) != nil {
		return false
	}
	for name, value := range want.AccessToken {
		if other, ok := has.AccessToken[name]; !ok || !reflect.DeepEqual(other, value) {
			return false
		}
	}
	return true
}

// Revoke makes Verify refuse every token that was issued so far.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.live)
}

// knows reports whether the server issues tokens for a resource, which may end in a slash.
func (s *Server) knows(resource string) bool {
	return isGraph(resource) || slices.Contains(s.resources, strings.TrimSuffix(resource, "/")) ||
		slices.Contains(s.resources, resource)
}

// isGraph reports whether a resource is Microsoft Graph: by its application ID, by its root in any cloud, or by
// an address on this machine, which can only be a Graph for tests.
func isGraph(resource string) bool {
	resource = strings.TrimSuffix(strings.ToLower(resource), "/")
	switch resource {
	case "00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com", "https://graph.microsoft.us",
		"https://dod-graph.microsoft.us", "https://microsoftgraph.chinacloudapi.cn",
		"https://graph.svc.sovcloud.fr", "https://graph.svc.sovcloud.de", "https://graph.svc.sovcloud.sg":
		return true
	}
	u, err := url.Parse(resource)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && loopback(u.Hostname())
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
