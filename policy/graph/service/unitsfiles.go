package service

import (
	"strings"

	"graphproxy/policy/graph/odata"
)

// filesOf returns the segments of a SharePoint or OneDrive request from where the files begin: drives, sites,
// shares, or the drive of a user or group. nil: the request belongs to another service.
func filesOf(t *odata.Target) []odata.Segment {
	if len(t.Segments) == 0 {
		return nil
	}
	first := 1
	switch t.Segments[0].Base {
	case "drives", "sites", "shares":
		return t.Segments
	case "users", "groups":
		first = 2 // after the key
	case "me":
	default:
		return nil
	}
	for i := first; i < len(t.Segments); i++ {
		switch s := &t.Segments[i]; {
		case s.Qualified && isCast(s.Base):
			continue
		case s.Base == "drive" || s.Base == "drives" || s.Base == "sites" || s.Base == "followedsites":
			return t.Segments[i:]
		}
		return nil
	}
	return nil
}

// fileUnits returns the cost by SharePoint's classes: 5 for permissions, 2 for a list, for delta without a token
// and for a write, 1 for a single item, a download and delta with a token.
func fileUnits(method string, t *odata.Target, files []odata.Segment) int {
	if sharing(t, files) {
		return 5
	}
	if !isRead(method) {
		return 2
	}
	name, keyed, args := lastName(files)
	switch {
	case name == "delta":
		if args || hasToken(t) {
			return 1
		}
		return 2
	case name == "search", name == "getallsites", isCollection(name) && !keyed:
		return 2
	}
	return 1
}

func sharing(t *odata.Target, files []odata.Segment) bool {
	for i := range files {
		switch s := &files[i]; s.Base {
		case "permissions", "permission", "invite", "createlink":
			if s.Kind == odata.Name {
				return true
			}
		}
	}
	expand, _ := t.Option("$expand")
	return containsFold(expand, "permission")
}

func hasToken(t *odata.Target) bool {
	for _, name := range [...]string{"token", "$deltatoken", "$skiptoken"} {
		if value, _ := t.Option(name); value != "" {
			return true
		}
	}
	return false
}

// lastName returns the last name that is neither a key nor a cast, whether a key follows it, and whether arguments
// do.
func lastName(files []odata.Segment) (name string, keyed, args bool) {
	for i := range files {
		switch s := &files[i]; {
		case s.Kind == odata.System && s.Base == "$count":
		case s.Kind == odata.Args && !isCollection(name):
			args = true
		case s.Kind != odata.Name:
			keyed = true
		case isCollection(name) && !keyed && !s.Call && !s.Qualified && !isFunction(s.Base):
			keyed = true
		default:
			name, keyed, args = s.Base, false, false
		}
	}
	return name, keyed, args
}

func isCollection(name string) bool {
	switch name {
	case "drives", "sites", "shares", "lists", "items", "children", "versions", "columns", "contenttypes", "bundles",
		"following",
		"followedsites", "subscriptions", "pages", "operations", "thumbnails", "documentsetversions", "termstores":
		return true
	}
	return false
}

// isFunction reports whether a name after a collection is a function and not a key.
func isFunction(name string) bool {
	return name == "delta" || name == "search" || name == "getallsites"
}

// containsFold reports whether text contains word, which is lower case, in any letter case.
func containsFold(text, word string) bool {
	for i := 0; i+len(word) <= len(text); i++ {
		if strings.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}
