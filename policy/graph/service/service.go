// Package service decides which service of Microsoft Graph answers a request, and how that service counts requests:
// by app or tenant, in which units, and up to which published limits.
//
// Graph is many services at one address, and each counts requests by itself. Of maps a path to its service, for all
// uses: the scope of a refusal by Graph (proxy/throttle), the cost of a request in resource units (Units), the
// requests that may carry x-ms-throttle-priority (Directory), and the published limits that cover it (Presets). A
// test compares the paths of the published limits with Of.
//
// It does not apply limits, does not count requests, and does not predict Graph's answer.
//
// Sources, read on 2026-11-30:
//   - https://learn.microsoft.com/graph/throttling-limits, of 2026-02-06. The page names for each service the resources
//     that its limits are about. The lists stand in microsoftgraph/microsoft-graph-docs-contrib:
//     includes/throttling-identity-and-access.md @2d17482, includes/throttling-identityprotection-ca.md @1e41ec0,
//     includes/throttling-aad-reports.md @0273c46 and includes/throttling-cpim.md. -
//     https://learn.microsoft.com/sharepoint/dev/general-development/how-to-avoid-getting-throttled-or-blocked-in-sharepoint-online,
//     of 2025-10-02.
//
// For a path without a published service, Of returns Other and the path's first name as key. Then a refusal of one
// service never delays requests that another may accept, and no service gets a header that it may refuse.
package service

// Service is one of Graph's services that count requests by themselves.
type Service uint8

// The services. A comment names what a service counts by, if that is not the app in a tenant.
const (
	Other              Service = iota // unknown; by the first name of the path
	Directory                         // identity and access: users, groups, applications, devices
	IdentityReports                   // audit logs, sign-ins, and reports on credentials
	IdentityProtection                // and conditional access; the tenant, for all apps
	UserFlows                         // identity providers and user flows
	Invitations                       // the tenant, for all apps
	Outlook                           // mail, calendar, contacts, people, photos, places; by mailbox
	Bookings                          // by business, which is a mailbox
	Files                             // SharePoint and OneDrive: drives, sites, shares, lists
	Excel                             // workbooks, wherever the drive item is
	OneNote                           // the app, in all tenants
	Teams                             // by team or chat, or without a key where the path names none
	Presence
	Calls
	CallRecords
	Intune
	UsageReports // by report
	Subscriptions
	Security // by area: alerts, secureScores
	Announcements
	Education
	Planner
	Extensions // open and schema extensions of the directory's objects

	Count = int(iota) // how many services there are
)

var names = [Count]string{ // never written to
	"other", "directory", "identity-reports", "identity-protection", "user-flows", "invitations", "outlook", "bookings",
	"files", "excel",
	"onenote", "teams", "presence", "calls", "call-records", "intune", "usage-reports", "subscriptions", "security",
	"announcements",
	"education", "planner", "extensions",
}

// String returns the service in one word, such as "outlook", for logs and metrics.
func (s Service) String() string { return names[s] }

// Parse returns the service whose String is name, and whether there is one.
func Parse(name string) (Service, bool) {
	for i := range names {
		if names[i] == name {
			return Service(i), true
		}
	}
	return Other, false
}

// ByApp reports whether the service counts each app registration by itself. If not, all apps of a tenant share its
// limit.
func (s Service) ByApp() bool { return s != IdentityProtection && s != Invitations }

// ByTenant reports whether the service counts each tenant by itself. If not, an app has one limit in all tenants.
func (s Service) ByTenant() bool { return s != OneNote }
