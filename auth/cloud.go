package auth

import "strings"

// Cloud is one of Microsoft's clouds: separate copies of Entra ID and Graph whose tokens are not interchangeable.
// See https://learn.microsoft.com/graph/deployments.
type Cloud struct {
	Name          string // "public", "usgov", "usgov-dod", "china"
	AuthorityHost string // Entra's root, without a slash at its end
	GraphURL      string // Graph's root, without a version or a slash at its end
}

// Scope returns the scope of an app-only token for the cloud's Graph.
func (c Cloud) Scope() string { return c.GraphURL + "/.default" }

// Clouds returns the clouds that are known by name, the public one first. The caller may keep and change the slice.
func Clouds() []Cloud {
	return []Cloud{
		{"public", "https://login.microsoftonline.com", "https://graph.microsoft.com"},
		{"usgov", "https://login.microsoftonline.us", "https://graph.microsoft.us"},
		{"usgov-dod", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us"},
		{"china", "https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"},
	}
}

// CloudByName returns the cloud called name, in any letter case; ok is false if there is none.
func CloudByName(name string) (c Cloud, ok bool) {
	for _, c := range Clouds() {
		if strings.EqualFold(c.Name, name) {
			return c, true
		}
	}
	return Cloud{}, false
}

// microsoftLogin reports whether host is one of Microsoft's own sign-in hosts, which need no check that they
// are genuine. The list is MSAL's list of trusted hosts.
func microsoftLogin(host string) bool {
	switch strings.ToLower(host) {
	case "login.microsoftonline.com", "login.microsoft.com", "login.windows.net", "sts.windows.net", // public
		"login.microsoftonline.us", "login-us.microsoftonline.com", "login.usgovcloudapi.net", // US government
		"login.partner.microsoftonline.cn", "login.chinacloudapi.cn", // China
		"login.sovcloud-identity.fr", "login.sovcloud-identity.de", "login.sovcloud-identity.sg": // sovereign
		return true
	}
	return false
}
