package throttle

import (
	"net/http"
	"strings"

	"graphproxy/policy/graph/odata"
)

// service is one of Graph's services as far as it counts by itself (learn.microsoft.com/graph/throttling-limits).
type service uint8

const (
	other              service = iota // not known: by the first segment of the path
	directory                         // identity and access: users, groups, applications, devices, roles, …
	identityReports                   // auditLogs and the reports on credentials
	identityProtection                // and conditional access: one a second for the whole tenant, whoever asks
	userFlows                         // identity providers and user flows
	invitations                       // for the whole tenant
	outlook                           // mail, calendar, contacts, people, photos, places: by mailbox
	bookings                          // by business, which is a mailbox
	files                             // SharePoint and OneDrive: drives, sites, shares, lists
	excel                             // workbooks, wherever the drive item is
	oneNote                           // for the app, in all tenants
	teams                             // by team or chat, or for the tenant where there is none
	presence
	calls
	callRecords
	intune
	usageReports // by report
	subscriptions
	security // by area: alerts, secureScores, …
	announcements
	education
	planner
	services // how many there are
)

var serviceNames = [services]string{ // never written to
	"other", "directory", "identity-reports", "identity-protection", "user-flows", "invitations", "outlook", "bookings", "files", "excel",
	"onenote", "teams", "presence", "calls", "call-records", "intune", "usage-reports", "subscriptions", "security", "announcements",
	"education", "planner",
}

// ScopeOf returns what Graph counts a request against, for an app registration in a tenant, both as the proxy names them. GET and
// HEAD read, every other method writes. v1.0 and beta count together.
//
// The mailbox of Outlook is the user's or group's key in lower case, so the id and the principal name of one user are two scopes:
// which belong together only Graph knows. Letter case of chat and team ids is dropped likewise. A path that is not known counts by its
// first segment. Where Graph counts by the service alone, the scope also knows the resource, see Seen. ScopeOf allocates nothing, save for an alternate key with capital letters; the scope shares memory with t.
func ScopeOf(app, tenant, method string, t *odata.Target) Scope {
	s := Scope{app: app, tenant: tenant, access: write}
	if method == http.MethodGet || method == http.MethodHead {
		s.access = read
	}
	s.service, s.key = classify(t.Segments)
	switch s.service {
	case identityProtection, invitations:
		s.app = "" // the limit is the tenant's
	case oneNote:
		s.tenant = "" // the limit is the app's
	}
	if len(s.key) > maxKey {
		s.key = s.key[:maxKey]
	}
	if s.key == "" && len(t.Segments) > 0 {
		s.own = ownOf(s.service, t.Segments).bounded()
	}
	return s
}

// ownOf is the resource that a path is below, and for a workbook its drive item. The same drive by two ways is one where both name it.
func ownOf(kind service, path []odata.Segment) own {
	o := own{set: path[0].Base}
	if o.set != "me" {
		o.key = keyOf(path)
	}
	if o.key != "" && o.set == "sites" && len(path) > 2 && path[2].Kind == odata.Path {
		o.item = path[2].Fold
	}
	for i := range path {
		if path[i].Kind != odata.Name {
			continue
		}
		switch {
		case path[i].Fold == "workbook" && kind == excel:
			return o
		case path[i].Base == "drives" && keyOf(path[i:]) != "":
			o = own{set: "drives", key: keyOf(path[i:])}
		case kind == excel && path[i].Base == "items" && keyOf(path[i:]) != "":
			o.item = keyOf(path[i:])
		case kind == excel && i+1 < len(path) && path[i+1].Kind == odata.Path:
			o.item = path[i+1].Fold
		}
	}
	return o
}

// classify tells the service that answers for a path, and the key that it counts by; "" if it counts by none.
func classify(path []odata.Segment) (service, string) {
	if len(path) == 0 {
		return other, ""
	}
	switch root := path[0].Base; root {
	case "users", "groups", "me":
		return ofPrincipal(path)
	case "drives", "drive", "sites", "shares", "lists", "storage":
		return ofFiles(path), ""
	case "teams", "chats":
		return teams, keyOf(path)
	case "teamwork", "teamstemplates", "appcatalogs":
		return teams, ""
	case "places":
		return outlook, "/places" // of no mailbox; a key holds no slash
	default:
		return ofRoot(path)
	}
}

// ofRoot is classify for paths whose first two segments tell.
func ofRoot(path []odata.Segment) (service, string) {
	switch root := path[0].Base; root {
	case "reports":
		return ofReports(path)
	case "identity":
		return ofIdentity(path), ""
	case "communications":
		return ofCommunications(path), ""
	case "solutions", "bookingbusinesses", "bookingcurrencies":
		return ofSolutions(path)
	case "admin":
		if base(path, 1) == "serviceannouncement" {
			return announcements, ""
		}
	case "policies":
		if base(path, 1) == "conditionalaccesspolicies" {
			return identityProtection, ""
		}
		return directory, ""
	case "security":
		return security, base(path, 1)
	default:
		if s := alone(root); s != other {
			return s, ""
		}
	}
	return other, path[0].Fold
}

// alone is the service of what stands first in a path and needs no more to tell it.
func alone(root string) service {
	switch root {
	case "applications", "serviceprincipals", "devices", "directoryobjects", "directory", "directoryroles", "directoryroletemplates",
		"domains", "domaindnsrecords", "organization", "contacts", "oauth2permissiongrants", "subscribedskus", "contracts",
		"groupsettings", "groupsettingtemplates", "groupsetting", "applicationtemplates", "rolemanagement", "scopedrolememberships",
		"tenantrelationships", "permissiongrants", "certificatebasedauthconfiguration":
		return directory
	case "auditlogs":
		return identityReports
	case "identityprotection", "riskyusers", "riskdetections", "conditionalaccess":
		return identityProtection
	case "identityproviders":
		return userFlows
	case "invitations":
		return invitations
	case "devicemanagement", "deviceappmanagement":
		return intune
	case "subscriptions":
		return subscriptions
	case "education":
		return education
	case "planner":
		return planner
	}
	return other
}

// ofPrincipal is classify below users, groups and me.
func ofPrincipal(path []odata.Segment) (service, string) {
	id, next := "me", 1
	if path[0].Base != "me" {
		id, next = keyOf(path), 2
	}
	if id == "" {
		return directory, "" // the collection, or a function on it
	}
	for next < len(path) && path[next].Kind == odata.Name && path[next].Qualified && !path[next].Call {
		next++ // a cast, to microsoft.graph.user
	}
	switch name := base(path, next); name {
	case "messages", "mailfolders", "events", "calendar", "calendars", "calendargroups", "calendarview", "contacts", "contactfolders",
		"people", "photo", "photos", "outlook", "todo", "mailboxsettings", "inferenceclassification", "sendmail", "getmailtips",
		"findmeetingtimes", "getschedule", "reminderview", "translateexchangeids", "findrooms", "findroomlists", "conversations", "threads",
		"acceptedsenders", "rejectedsenders":
		return outlook, id
	case "drive", "drives", "sites", "followedsites":
		return ofFiles(path), ""
	case "team":
		return teams, id
	case "chats":
		return teams, keyOf(path[next:])
	case "joinedteams", "teamwork":
		return teams, ""
	case "presence":
		return presence, ""
	case "onenote":
		return oneNote, ""
	case "planner":
		return planner, ""
	case "manageddevices", "managedappregistrations", "deviceenrollmentconfigurations", "wipemanagedappregistrationsbydevicetag":
		return intune, ""
	case "onlinemeetings", "insights", "settings", "cloudpcs", "employeeexperience", "analytics", "informationprotection", "security",
		"copilot":
		return other, name // services of their own, of which Microsoft publishes no limit
	}
	return directory, ""
}

// ofFiles tells apart what stands below a drive or site.
func ofFiles(path []odata.Segment) service {
	for i := range path {
		if path[i].Kind != odata.Name {
			continue
		}
		switch path[i].Fold {
		case "workbook":
			return excel
		case "onenote":
			return oneNote
		}
	}
	return files
}

func ofReports(path []odata.Segment) (service, string) {
	report := base(path, 1)
	switch report {
	case "authenticationmethods", "credentialuserregistrationdetails", "usercredentialusagedetails", "getcredentialusagesummary",
		"getcredentialuserregistrationcount", "applicationsignindetailedsummary", "getazureadapplicationsigninsummary",
		"serviceprincipalsigninactivities", "appcredentialsigninactivities":
		return identityReports, ""
	}
	return usageReports, report
}

func ofIdentity(path []odata.Segment) service {
	if base(path, 1) == "conditionalaccess" {
		return identityProtection
	}
	return userFlows
}

func ofCommunications(path []odata.Segment) service {
	switch base(path, 1) {
	case "presences", "getpresencesbyuserid":
		return presence
	case "callrecords":
		return callRecords
	}
	return calls
}

func ofSolutions(path []odata.Segment) (service, string) {
	if path[0].Base != "solutions" {
		return bookings, keyOf(path)
	}
	switch base(path, 1) {
	case "bookingbusinesses", "bookingcurrencies":
		return bookings, keyOf(path[1:])
	}
	return other, path[0].Fold
}

// base is the Base of segment i if that is a name; "" if there is none.
func base(path []odata.Segment, i int) string {
	if i < len(path) && path[i].Kind == odata.Name {
		return path[i].Base
	}
	return ""
}

// keyOf is the key of the set that stands first in path, in either spelling and in lower case; "" if there is none. Of an alternate
// key it is the value: users(userPrincipalName='adele@contoso.com') is then the mailbox that users/adele@contoso.com is.
func keyOf(path []odata.Segment) string {
	if len(path) < 2 {
		return ""
	}
	switch s := &path[1]; s.Kind {
	case odata.Key:
		return s.Fold
	case odata.Name:
		if !s.Call && !s.Qualified && s.Fold != "delta" {
			return s.Fold
		}
	case odata.Args:
		if len(s.Args) == 1 {
			return strings.ToLower(s.Args[0].Value)
		}
		return "/keys" // a composite key: none of a mailbox is known
	}
	return ""
}
