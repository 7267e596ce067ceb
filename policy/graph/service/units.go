package service

import "graphproxy/policy/graph/odata"

// MostUnits is the most that Units returns: the transitive members of a group, with $expand.
const MostUnits = 6

// Units returns how many resource units Graph counts for a request, from 1 to MostUnits. If the spelling is
// ambiguous it returns the greater number. It allocates nothing. A nil target costs 1.
//
// The numbers are the published base costs and modifiers of identity and access, and the published classes of
// SharePoint and OneDrive; see the package's comment. Every other request is one unit. Graph reports the real cost
// of a request of the directory afterwards in x-ms-resource-unit; limit.Limiter.Adjust corrects the buckets with
// it.
//
// Three costs are not modelled. A POST, PATCH, PUT or DELETE takes a write unit from a quota of its own (write a second
// limit that covers those methods and counts requests). Creating a user in a B2C tenant costs 4 more units, but the
// request does not show that the tenant is one. And a request costs more while a service is loaded.
func Units(method string, t *odata.Target) int {
	if t == nil {
		return 1
	}
	if s, _ := Of(t.Segments); s == Directory {
		return directoryUnits(method, t)
	}
	if files := filesOf(t); files != nil {
		return fileUnits(method, t, files)
	}
	return 1
}

func isRead(method string) bool { return method == "GET" || method == "HEAD" }
