package service

import "graphproxy/policy/graph/odata"

// path has the parts of a path that the cost of a directory request depends on: root[/key][/relation[/below]].
type path struct {
	root     string
	keyed    bool
	relation string // the first name after the key, ignoring casts; "" if there is none
	below    bool   // something other than a cast, $count or $ref follows
}

func (p path) is(relation, root string) bool {
	return !p.below && p.root == root && p.relation == relation
}

// principalPath reads the segments in every spelling: users('x'), users/x, users(userPrincipalName='x') and
// users/graph.user/x.
func principalPath(t *odata.Target) path {
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

// directoryUnits returns the base cost with the modifiers: $select -1, $expand +1, $top below 20 -1, never below 1.
// They are published for queries. A POST keeps its base cost, except for the two with a published cost for $select.
func directoryUnits(method string, t *odata.Target) int {
	_, selects := t.Option("$select")
	base := 1
	switch {
	case isRead(method):
		base = readUnits(t)
	case method == "POST":
		return actionUnits(last(t), selects)
	default:
		return 1
	}
	if selects {
		base--
	}
	if _, expands := t.Option("$expand"); expands {
		base++
	}
	if top, found := t.Option("$top"); found {
		if small(top) {
			base--
		}
	}
	return max(base, 1)
}

// small reports whether a text is a number below 20, as people write it.
func small(text string) bool {
	digit := func(i int) bool { return text[i] >= '0' && text[i] <= '9' }
	return len(text) == 1 && digit(0) || len(text) == 2 && text[0] == '1' && digit(1)
}

// readUnits returns the base cost of a GET. A cast, $count and $ref after a collection do not change it.
func readUnits(t *odata.Target) int {
	p := principalPath(t)
	switch p.root {
	case "oauth2permissiongrants":
		return 2
	case "applications", "users":
		if p.relation == "" && !p.keyed || p.is("extensionproperties", "applications") {
			return 2
		}
	case "contracts", "subscribedskus":
		if !p.keyed && p.relation == "" {
			return 3
		}
	}
	switch {
	case p.below:
		return 1
	case p.is("domainnamereferences", "domains"):
		return 4
	case p.is("members", "groups"):
		return 3
	case p.is("transitivemembers", "groups"):
		return 5
	case p.is("approleassignments", "serviceprincipals"):
		return 2
	case p.root == "users":
		switch p.relation {
		case "licensedetails", "memberof", "ownedobjects", "transitivememberof":
			return 2
		}
	}
	return 1
}

// actionUnits returns the base cost of a POST to an action, by its name, for each resource that the action is bound to.
func actionUnits(name string, selects bool) int {
	switch name {
	case "getbyids", "getobjectsbyid":
		if selects {
			return 2
		}
		return 5
	case "ismemberof", "checkmembergroups", "checkmemberobjects":
		return 4
	case "getmembergroups", "getmemberobjects":
		return 2
	}
	return 1
}

// last returns the base name of the last segment, "" if it is not a name.
func last(t *odata.Target) string {
	s := &t.Segments[len(t.Segments)-1]
	if s.Kind != odata.Name {
		return ""
	}
	return s.Base
}
