package auth

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"time"
	"unicode"
)

// Description is what a token contains, unverified. It is for people who look for a mistake, never for a
// decision. The format of Graph's tokens is no contract
// (https://learn.microsoft.com/entra/identity-platform/access-tokens), so any field may be zero: the token does
// not have it. It contains no secret and no unprintable text.
type Description struct {
	Readable bool      // the token is a JWT that could be read; false: the other fields are zero
	TenantID string    // of the tenant that issued it, a GUID (tid)
	ClientID string    // of the app (appid, or azp in version 2.0)
	AppName  string    // display name of the app registration (app_displayname)
	Audience string    // the service that the token is for (aud): a URL, or an application ID
	Version  string    // of the token's format, "1.0" or "2.0" (ver)
	Issued   time.Time // UTC; Entra ID writes a time some minutes ago, for services whose clock is slow (iat)
	Expires  time.Time // UTC; Status.Expires is what Entra ID said beside the token (exp)
	Roles    []string  // application permissions, as the token lists them; empty: none has been granted
}

// Describe reads the token's claims without verifying them. The zero Token has none. No network is used.
func (t Token) Describe() Description {
	if t.p == nil {
		return Description{}
	}
	return describe(strings.TrimPrefix((*t.p.header)[0], "Bearer "))
}

// OtherTenant reports whether the tenant's ID in a token or in an answer of Entra ID differs from that of the
// app's tenant. If one of the two is not a GUID, they cannot be compared, and it reports false. A managed
// identity has no configured tenant: it reports false.
func (a App) OtherTenant(tenantID string) bool {
	isGUID := func(s string) bool { return guidPattern.MatchString(`"` + s + `"`) }
	return !a.ManagedIdentity && isGUID(tenantID) && isGUID(a.TenantID) && !strings.EqualFold(tenantID, a.TenantID)
}

func describe(access string) Description {
	roles, ok := rolesOf(access)
	var claims map[string]json.RawMessage
	if !ok || !payload(access, &claims) {
		return Description{}
	}
	d := Description{
		Readable: true,
		Roles:    roles,
		TenantID: text(claims["tid"]),
		ClientID: text(claims["appid"]),
		AppName:  text(claims["app_displayname"]),
		Audience: audience(claims["aud"]),
		Version:  text(claims["ver"]),
		Issued:   date(claims["iat"]),
		Expires:  date(claims["exp"]),
	}
	if d.ClientID == "" {
		d.ClientID = text(claims["azp"])
	}
	for i, r := range d.Roles {
		d.Roles[i] = printable(r)
	}
	return d
}

// payload decodes the claims of a JWT into v, without verifying them. It reports false for what is not a JWT.
func payload(access string, v any) bool {
	parts := strings.Split(access, ".")
	if len(parts) != 3 {
		return false
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	return err == nil && json.Unmarshal(data, v) == nil
}

// text returns a claim that is a string, else "".
func text(claim json.RawMessage) string {
	var s string
	if json.Unmarshal(claim, &s) != nil {
		return ""
	}
	return printable(s)
}

// audience returns the claim aud: a string, or an array of strings (RFC 7519, section 4.1.3), of which an
// access token has one.
func audience(claim json.RawMessage) string {
	var several []string
	if json.Unmarshal(claim, &several) == nil {
		return printable(strings.Join(several, ", "))
	}
	return text(claim)
}

// date returns a claim that is a NumericDate (RFC 7519, section 2), else the zero time. A time beyond the year
// 9999 cannot be written as JSON.
func date(claim json.RawMessage) time.Time {
	const year10000 = 253402300800
	var seconds float64
	if json.Unmarshal(claim, &seconds) != nil || seconds <= 0 || seconds >= year10000 {
		return time.Time{}
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)).UTC()
}

// printable replaces characters that would move the cursor or colour the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
