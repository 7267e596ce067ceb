package cost

import "graphproxy/policy/graph/odata"

// Identity reports whether a request is one of Graph's identity and access service: one whose throttling counts resource units,
// whose answers say x-ms-resource-unit, and which knows x-ms-throttle-priority. A request that may as well be another
// service's, which may not know that header and fail on it, is not. It allocates nothing; a nil target is not one.
func Identity(t *odata.Target) bool {
	if t == nil || len(t.Segments) == 0 || t.Segments[0].Kind != odata.Name {
		return false
	}
	switch t.Segments[0].Base {
	case "applications", "serviceprincipals", "devices", "directoryobjects", "directoryroles", "directoryroletemplates", "domains",
		"organization", "contacts", "contracts", "oauth2permissiongrants", "subscribedskus", "groupsettings",
		"groupsettingtemplates", "administrativeunits", "directory", "scopedrolememberships", "permissiongrants":
		return true
	case "policies":
		return !second(t, "conditionalaccesspolicies") // identity protection's
	case "users", "groups", "me":
		p := identityPath(t)
		return p.relation == "" && !p.below || isRelation(p.relation)
	}
	return false
}

func second(t *odata.Target, name string) bool {
	return len(t.Segments) > 1 && t.Segments[1].Base == name
}

// isRelation reports whether the directory itself answers for what lies below a user or a group by this name. Mail, files, teams and
// the like belong to other services.
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

// path is what the costs of a directory request hang on: root[/key][/relation[/below]].
type path struct {
	root     string
	keyed    bool
	relation string // the first name behind the key, casts passed over; "" if there is none
	below    bool   // something other than a cast, $count or $ref follows
}

func (p path) is(relation, root string) bool {
	return !p.below && p.root == root && p.relation == relation
}

// identityPath reads the segments in every spelling: users('x'), users/x, users(userPrincipalName='x') and users/graph.user/x.
func identityPath(t *odata.Target) path {
	p := path{root: t.Segments[0].Base, keyed: t.Segments[0].Base == "me"}
	if p.root == "me" {
		p.root = "users"
	}
	for i := 1; i < len(t.Segments); i++ {
		switch s := &t.Segments[i]; {
		case s.Kind == odata.System && (s.Base == "$count" || s.Base == "$ref"):
		case s.Kind == odata.Name && s.Qualified && isCast(s.Base):
		case s.Kind == odata.Key || s.Kind == odata.Args:
			p.below = p.below || p.relation != "" && p.relation != "delta"
			p.keyed = true
		case p.relation != "" || s.Kind != odata.Name:
			p.below = true
		case !p.keyed && !s.Call && !s.Qualified && !isRelation(s.Base):
			p.keyed = true
		default:
			p.relation = s.Base
		}
	}
	return p
}

// isCast reports whether a qualified name is a type and not a function or an action.
func isCast(base string) bool {
	switch base {
	case "user", "group", "device", "orgcontact", "serviceprincipal", "application", "administrativeunit", "directoryrole", "directoryobject":
		return true
	}
	return false
}
