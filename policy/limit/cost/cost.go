// Package cost says what a request costs where Microsoft Graph counts resource units instead of requests.
//
// It is a table of what Microsoft publishes, no more: the base costs and modifiers of identity and access requests
// (https://learn.microsoft.com/graph/throttling-limits) and the classes of SharePoint and
// OneDrive requests (https://learn.microsoft.com/sharepoint/dev/general-development/how-to-avoid-getting-throttled-or-blocked-in-sharepoint-online).
// Every other request is one unit. What a request really cost, Graph says afterwards, in x-ms-resource-unit, for identity and access
// only; to correct the buckets by it is left to limit.Limiter.Adjust.
//
// Not modelled: write units, of which every POST, PATCH, PUT and DELETE takes one from a quota of its own (write a second limit
// that covers those methods and counts requests); the 4 more units for creating a user in a B2C tenant, which a request does not
// tell; and what a request costs while a service is loaded.
package cost

import "graphproxy/policy/graph/odata"

// Most is the most that Of returns: the transitive members of a group, with $expand.
const Most = 6

// Of returns how many resource units a request costs, from 1 to Most. It is the greater one where the spelling leaves it open. It
// allocates nothing. A nil target costs 1.
func Of(method string, t *odata.Target) int {
	switch {
	case t == nil:
		return 1
	case Identity(t):
		return ofIdentity(method, t)
	}
	if files := filesOf(t); files != nil {
		return ofFiles(method, t, files)
	}
	return 1
}

func isRead(method string) bool { return method == "GET" || method == "HEAD" }

// ofIdentity is the base cost and the modifiers: $select -1, $expand +1, $top below 20 -1, never below 1. They are published for
// queries; what is posted keeps its base cost, but for the two that have one with $select.
func ofIdentity(method string, t *odata.Target) int {
	_, selects := t.Option("$select")
	base := 1
	switch {
	case isRead(method):
		base = ofRead(t)
	case method == "POST":
		return ofAction(last(t), selects)
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

// ofRead returns the base cost of a GET. A cast, $count and $ref behind a collection leave it as it is.
func ofRead(t *odata.Target) int {
	p := identityPath(t)
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

// ofAction returns the base cost of a POST to an action, by its name; of whatever the action is bound to.
func ofAction(name string, selects bool) int {
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
