package service

import (
	"strings"

	"graphproxy/policy/graph/odata"
)

// Of returns the service that answers a path, and the key by which it counts; "" if it has none. v1.0 and beta are
// the same.
//
// The key of Outlook is the user's or group's key in lower case, so the id and the principal name of one user are
// two keys: only Graph knows which belong together. Chat and team ids are in lower case, too. Of allocates nothing,
// except for an alternate key with capital letters; the key shares memory with the path.
func Of(path []odata.Segment) (Service, string) {
	if len(path) == 0 {
		return Other, ""
	}
	root := path[0].Base
	if path[0].Kind != odata.Name {
		return Other, path[0].Fold
	}
	switch root {
	case "users", "groups", "me":
		return ofPrincipal(path)
	case "drives", "drive", "sites", "shares", "storage":
		return ofFiles(path), ""
	case "teams", "chats":
		return Teams, KeyOf(path)
	case "places":
		return Outlook, "/places" // of no mailbox; a key holds no slash
	case "reports":
		return ofReports(path)
	case "security":
		return Security, name(path, 1)
	case "bookingbusinesses", "bookingcurrencies":
		return Bookings, KeyOf(path)
	case "solutions":
		if next := name(path, 1); next == "bookingbusinesses" || next == "bookingcurrencies" {
			return Bookings, KeyOf(path[1:])
		}
	default:
		s := ofRoot(root, name(path, 1))
		if s == Directory && name(path, 2) == "extensions" {
			s = Extensions
		}
		if s != Other {
			return s, ""
		}
	}
	return Other, path[0].Fold
}

// ofRoot is the table of the services that the first name, or the first two names, of a path decide. See the
// package's comment for its sources. These are not in it, because the page names no limit for them:
//   - roleManagement (unifiedRoleDefinition and the like), applicationTemplates, tenantRelationships and
//     certificateBasedAuthConfiguration: the list of identity and access has none of them, and none is a
//     directoryObject.
//   - resources below identity that are neither conditional access, nor an identity provider, nor part of a
//     user flow.
func ofRoot(root, next string) Service {
	switch root {
	case "applications", "serviceprincipals", "devices", "directoryobjects", "directoryroles", "directoryroletemplates",
		"domains",
		"domaindnsrecords", "organization", "contacts", "contracts", "oauth2permissiongrants", "subscribedskus",
		"groupsettings",
		"groupsettingtemplates", "permissiongrants", "scopedrolememberships", "directory",
		"administrativeunits": // an administrative unit is a directoryObject, which the page lists
		return Directory
	case "policies":
		if next == "conditionalaccesspolicies" {
			return IdentityProtection
		}
		return Directory // policyBase
	case "identity":
		return ofIdentity(next)
	case "auditlogs":
		return IdentityReports
	case "identityprotection", "riskyusers", "riskdetections", "conditionalaccess":
		return IdentityProtection
	case "identityproviders":
		return UserFlows
	case "invitations":
		return Invitations
	case "schemaextensions":
		return Extensions
	case "teamwork", "teamstemplates", "appcatalogs":
		return Teams
	case "communications":
		return ofCommunications(next)
	case "devicemanagement", "deviceappmanagement":
		return Intune
	case "subscriptions":
		return Subscriptions
	case "education":
		return Education
	case "planner":
		return Planner
	case "admin":
		if next == "serviceannouncement" {
			return Announcements
		}
	}
	return Other
}

func ofIdentity(next string) Service {
	switch next {
	case "conditionalaccess":
		return IdentityProtection
	case "identityproviders", "b2xuserflows", "b2cuserflows", "userflows", "userflowattributes", "apiconnectors":
		return UserFlows
	}
	return Other
}

func ofCommunications(next string) Service {
	switch next {
	case "presences", "getpresencesbyuserid":
		return Presence
	case "callrecords":
		return CallRecords
	}
	return Calls
}

func ofReports(path []odata.Segment) (Service, string) {
	report := name(path, 1)
	switch report {
	case "authenticationmethods", "credentialuserregistrationdetails", "usercredentialusagedetails",
		"getcredentialusagesummary",
		"getcredentialuserregistrationcount", "applicationsignindetailedsummary", "getazureadapplicationsigninsummary",
		"getrelyingpartydetailedsummary", "serviceprincipalsigninactivities", "appcredentialsigninactivities":
		return IdentityReports, ""
	}
	return UsageReports, report
}

// ofPrincipal is Of below users, groups and me.
func ofPrincipal(path []odata.Segment) (Service, string) {
	id, next := "me", 1
	if path[0].Base != "me" {
		id, next = KeyOf(path), 2
	}
	if id == "" {
		return Directory, "" // the collection, or a function on it
	}
	for next < len(path) && path[next].Kind == odata.Name && path[next].Qualified && isCast(path[next].Base) {
		next++
	}
	relation := name(path, next)
	switch s := ofRelation(path[0].Base, relation); s {
	case Outlook:
		return Outlook, id
	case Files:
		return ofFiles(path), ""
	case Teams:
		return Teams, teamsKey(path[next:], relation, id)
	case Other:
		return Other, relation
	default:
		return s, ""
	}
}

func teamsKey(path []odata.Segment, relation, id string) string {
	switch relation {
	case "team":
		return id
	case "chats":
		return KeyOf(path)
	}
	return ""
}

// ofRelation is the table of the resources below a user or a group. A resource that is not in it is Other: single
// properties, and services without published limits, such as insights and onlineMeetings.
func ofRelation(root, relation string) Service {
	switch relation {
	case "messages", "mailfolders", "events", "calendar", "calendars", "calendargroups", "calendarview", "contacts",
		"contactfolders",
		"people", "photo", "photos", "outlook", "todo", "mailboxsettings", "inferenceclassification", "sendmail",
		"getmailtips",
		"findmeetingtimes", "getschedule", "reminderview", "translateexchangeids", "findrooms", "findroomlists",
		"conversations", "threads",
		"acceptedsenders", "rejectedsenders":
		return Outlook
	case "drive", "drives", "sites", "followedsites":
		return Files
	case "team", "chats", "joinedteams", "teamwork":
		return Teams
	case "presence":
		return Presence
	case "onenote":
		return OneNote
	case "planner":
		return Planner
	case "extensions":
		return Extensions
	case "manageddevices", "managedappregistrations", "deviceenrollmentconfigurations",
		"wipemanagedappregistrationsbydevicetag":
		return Intune
	case "settings":
		if root == "groups" { // groupSetting, which the page lists; it does not list userSettings
			return Directory
		}
		return Other
	}
	if relation == "" || isRelation(relation) {
		return Directory
	}
	return Other
}

// isRelation reports whether the directory itself answers for the resource of this name below an object.
func isRelation(name string) bool {
	switch name {
	case "memberof", "transitivememberof", "ownedobjects", "owneddevices", "registereddevices", "createdobjects",
		"directreports", "transitivereports", "manager", "sponsors", "licensedetails", "approleassignments",
		"oauth2permissiongrants", "scopedrolememberof", "members", "transitivemembers", "memberswithlicenseerrors", "owners",
		"grouplifecyclepolicies", "settings", "permissiongrants",
		"assignlicense", "reprocesslicenseassignment", "changepassword", "revokesigninsessions", "restore",
		"checkmembergroups", "checkmemberobjects", "getmembergroups", "getmemberobjects", "ismemberof",
		"delta", "getbyids", "getavailableextensionproperties", "validateproperties":
		return true
	}
	return false
}

// ofFiles returns the service of a resource below a drive or a site.
func ofFiles(path []odata.Segment) Service {
	for i := range path {
		if path[i].Kind != odata.Name {
			continue
		}
		switch path[i].Fold {
		case "workbook":
			return Excel
		case "onenote":
			return OneNote
		}
	}
	return Files
}

// name is the Base of segment i if that is a name; "" if there is none.
func name(path []odata.Segment, i int) string {
	if i < len(path) && path[i].Kind == odata.Name {
		return path[i].Base
	}
	return ""
}

// KeyOf returns the key of the first collection in path, in either spelling and in lower case; "" if there is none.
// For an alternate key it returns the value: users(userPrincipalName='adele@contoso.com') is the same mailbox as
// users/adele@contoso.com. It allocates as Of does.
func KeyOf(path []odata.Segment) string {
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
		return "/keys" // a composite key: no mailbox has one
	}
	return ""
}

// isCast reports whether a qualified name is a type and not a function or an action.
func isCast(base string) bool {
	switch base {
	case "user", "group", "device", "orgcontact", "serviceprincipal", "application", "administrativeunit",
		"directoryrole", "directoryobject":
		return true
	}
	return false
}
