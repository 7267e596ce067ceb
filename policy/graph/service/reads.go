package service

import (
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
)

// Reading is a POST of Graph that only reads.
type Reading struct {
	Operation string `json:"operation"` // last name of the path: "getByIds"
	// the resource that it is called on: the name before it, or the one before a key; nil: see Reads
	On     []string `json:"on,omitempty"`
	Source string   `json:"source"` // page of Graph's documentation
}

// readings are collected by hand from Graph's API reference. A POST that is not listed counts as a write. An
// operation is listed if its page describes only a result, and an app needs no permission to write for it.
var readings = [...]Reading{
	{"checkMemberGroups", principals, api + "directoryobject-checkmembergroups"},
	{"checkMemberObjects", principals, api + "directoryobject-checkmemberobjects"},
	{"findMeetingTimes", []string{"users"}, api + "user-findmeetingtimes"},
	{"getAvailableExtensionProperties", []string{"directoryObjects"},
		api + "directoryobject-getavailableextensionproperties"},
	{"getByIds", collections, api + "directoryobject-getbyids"},
	{"getMailTips", []string{"users"}, api + "user-getmailtips"},
	{"getMemberGroups", principals, api + "directoryobject-getmembergroups"},
	{"getMemberObjects", principals, api + "directoryobject-getmemberobjects"},
	{"getPresencesByUserId", []string{"communications"}, api + "cloudcommunications-getpresencesbyuserid"},
	{"getSchedule", []string{"calendar", "calendars"}, api + "calendar-getschedule"},
	{"query", []string{"search"}, api + "search-query"},
	{"translateExchangeIds", []string{"users"}, api + "user-translateexchangeids"},
	{"validateProperties", append([]string{"directoryObjects"}, collections...),
		api + "directoryobject-validateproperties"},
	{"functions", nil, "https://learn.microsoft.com/graph/api/resources/excel#functions"},
}

const api = "https://learn.microsoft.com/graph/api/"

// principals are the collections for whose items membership can be requested.
var principals = []string{"users", "groups", "directoryObjects", "devices", "servicePrincipals", "contacts",
	"applications"}

// collections are those that getByIds is called on.
var collections = []string{"directoryObjects", "users", "groups", "devices", "servicePrincipals", "contacts",
	"applications"}

// Readings returns the POSTs that only read, by name. The entry "functions" stands for every calculating function
// of a workbook, .../workbook/functions/{name}.
func Readings() []Reading { return slices.Clone(readings[:]) }

// Reads reports whether a POST to a target only reads.
func Reads(segments []odata.Segment) bool {
	last := len(segments) - 1
	if last < 1 || segments[last].Kind != odata.Name || segments[last].Var {
		return false
	}
	if last >= 2 && isNamed(&segments[last-1], "functions") && isNamed(&segments[last-2], "workbook") {
		return true
	}
	for i := range readings {
		if r := &readings[i]; r.On != nil && isNamed(&segments[last], r.Operation) && r.isOn(segments[:last]) {
			return true
		}
	}
	return false
}

// isOn reports whether the operation is called on the resource of the segments: a collection, or an item of one
// with its key.
func (r *Reading) isOn(segments []odata.Segment) bool {
	last := len(segments) - 1
	return slices.ContainsFunc(r.On, func(name string) bool {
		return isNamed(&segments[last], name) || last > 0 && isNamed(&segments[last-1], name)
	})
}

// isNamed reports whether a segment is a name, in any letter case and with or without its namespace.
func isNamed(s *odata.Segment, name string) bool {
	return s.Kind == odata.Name && !s.Var && len(s.Base) == len(name) && strings.EqualFold(name, s.Base)
}
