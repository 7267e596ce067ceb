package service_test

import (
	"strings"
	"testing"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/graph/service"
)

func parse(t testing.TB, request string) (string, *odata.Target) {
	t.Helper()
	method, address, _ := strings.Cut(request, " ")
	if !strings.HasPrefix(address, "/beta/") {
		address = "/v1.0" + address
	}
	path, query, _ := strings.Cut(address, "?")
	target, err := odata.Parse(path, query)
	if err != nil {
		t.Fatalf("%s: %v", request, err)
	}
	return method, target
}

func isDirectory(t *odata.Target) bool {
	if t == nil {
		return false
	}
	s, _ := service.Of(t.Segments)
	return s == service.Directory
}

func TestCostsOfIdentityAndAccess(t *testing.T) {
	for request, want := range map[string]int{
		"GET /applications":                                              2,
		"GET /applications/7":                                            1,
		"GET /applications(appId='7')":                                   1,
		"GET /applications/7/extensionProperties":                        2,
		"GET /applications(appId='7')/extensionProperties":               2,
		"GET /contracts":                                                 3,
		"GET /contracts/7":                                               1,
		"GET /domains/contoso.com/domainNameReferences":                  4,
		"GET /domains('contoso.com')/domainNameReferences":               4,
		"GET /groups":                                                    1,
		"GET /groups/7":                                                  1,
		"GET /groups/7/members":                                          3,
		"GET /Groups('7')/Members":                                       3,
		"HEAD /groups/7/members":                                         3,
		"GET /beta/groups/7/members":                                     3,
		"GET /groups/7/members/microsoft.graph.user":                     3,
		"GET /groups/7/members/graph.user/$count":                        3,
		"GET /groups/7/members/$ref":                                     3,
		"GET /groups/7/members/8":                                        1,
		"GET /groups/7/transitiveMembers":                                5,
		"GET /groups/7/transitiveMembers?$expand=manager":                6,
		"GET /groups/7/transitiveMembers?$select=id&$top=5":              3,
		"GET /oauth2PermissionGrants":                                    2,
		"GET /oauth2PermissionGrants/7":                                  2,
		"GET /servicePrincipals/7/appRoleAssignments":                    2,
		"GET /servicePrincipals(appId='7')/appRoleAssignments":           2,
		"GET /servicePrincipals/7/appRoleAssignments/8":                  1,
		"GET /users/7/appRoleAssignments":                                1,
		"GET /subscribedSkus":                                            3,
		"GET /subscribedSkus/7":                                          1,
		"GET /users":                                                     2,
		"GET /users?$select=id":                                          1,
		"GET /users?select=id":                                           1,
		"GET /users?$top=19":                                             1,
		"GET /users?$top=20":                                             2,
		"GET /users?$top=many":                                           2,
		"GET /users?$expand=manager":                                     3,
		"GET /users?$select=id&$top=5":                                   1,
		"GET /users/adele@contoso.com":                                   1,
		"GET /users/adele@contoso.com?$expand=manager":                   2,
		"GET /users/delta":                                               1,
		"GET /users/microsoft.graph.delta()":                             1,
		"GET /users/7/licenseDetails":                                    2,
		"GET /users('adele@contoso.com')/memberOf":                       2,
		"GET /users(userPrincipalName='adele@contoso.com')/ownedObjects": 2,
		"GET /users/7/microsoft.graph.user/transitiveMemberOf":           2,
		"GET /users/7/memberOf/microsoft.graph.group":                    2,
		"GET /me":                                           1,
		"GET /me/memberOf":                                  2,
		"GET /users/7/manager":                              1,
		"POST /users":                                       1,
		"POST /users?$select=id":                            1,
		"PATCH /users/7":                                    1,
		"DELETE /groups/7/members/8/$ref":                   1,
		"POST /groups/7/members/$ref":                       1,
		"POST /directoryObjects/getByIds":                   5,
		"POST /directoryObjects/microsoft.graph.getByIds":   5,
		"POST /directoryObjects/getByIds?$select=id":        2,
		"POST /users/7/checkMemberGroups":                   4,
		"POST /groups/7/microsoft.graph.checkMemberObjects": 4,
		"POST /servicePrincipals/7/getMemberGroups":         2,
		"POST /me/getMemberObjects":                         2,
	} {
		if got := service.Units(parse(t, request)); got != want {
			t.Errorf("Units(%s) = %d, want %d", request, got, want)
		}
		if _, target := parse(t, request); !isDirectory(target) {
			t.Errorf("isDirectory(%s) = false", request)
		}
	}
}

func TestCostsOfFilesAndSites(t *testing.T) {
	for request, want := range map[string]int{
		"GET /sites/7": 1,
		"GET /sites/contoso.sharepoint.com:/teams/hr":       1,
		"GET /sites?search=hr":                              2,
		"GET /sites/getAllSites":                            2,
		"GET /sites/7/lists":                                2,
		"GET /sites/7/lists/8":                              1,
		"GET /sites/7/lists/8/items":                        2,
		"GET /sites/7/lists/8/items/9":                      1,
		"GET /sites/7/lists/8/items/delta":                  2,
		"POST /sites/7/lists/8/items":                       2,
		"GET /drives/7/root":                                1,
		"GET /drives/7/root/children":                       2,
		"GET /drives('7')/items('8')":                       1,
		"GET /drives/7/items/8/children":                    2,
		"GET /drives/7/items/8/content":                     1,
		"GET /drives/7/root:/Reports/a.xlsx":                1,
		"GET /drives/7/root:/Reports/a.xlsx:/content":       1,
		"GET /drives/7/root:/Reports:/children":             2,
		"PUT /drives/7/root:/Reports/a.xlsx:/content":       2,
		"DELETE /drives/7/items/8":                          2,
		"GET /drives/7/root/delta":                          2,
		"GET /drives/7/root/delta()":                        2,
		"GET /drives/7/root/delta(token='x')":               1,
		"GET /drives/7/root/delta?token=x":                  1,
		"GET /drives/7/root/delta?$deltatoken=x":            1,
		"GET /drives/7/root/search(q='x')":                  2,
		"GET /drives/7/items/8/permissions":                 5,
		"GET /drives/7/items/8/permissions/9":               5,
		"POST /drives/7/items/8/invite":                     5,
		"POST /drives/7/items/8/microsoft.graph.createLink": 5,
		"GET /drives/7/items/8?$expand=Permissions":         5,
		"GET /drives/7/items/8?$expand=children":            1,
		"GET /users/7/drive":                                1,
		"GET /users('7')/drive/root/children":               2,
		"GET /users/7/drives":                               2,
		"GET /groups/7/drive/items/8":                       1,
		"GET /groups/7/sites/root":                          1,
		"GET /me/drive/root/children":                       2,
		"GET /shares/7/driveItem":                           1,
	} {
		method, target := parse(t, request)
		if got := service.Units(method, target); got != want {
			t.Errorf("Units(%s) = %d, want %d", request, got, want)
		}
		if isDirectory(target) {
			t.Errorf("isDirectory(%s) = true", request)
		}
	}
}

func TestOtherServicesCountRequests(t *testing.T) {
	for _, request := range []string{
		"GET /users/7/messages", "GET /users/7/messages?$expand=attachments", "POST /users/7/sendMail",
		"GET /users/7/photo/$value", "GET /me/calendar", "GET /groups/7/threads", "GET /groups/7/team",
		"GET /teams/7/channels", "GET /auditLogs/signIns", "GET /identity/conditionalAccess/policies",
		"GET /policies/conditionalAccessPolicies", "GET /deviceManagement/managedDevices", "GET /reports/getX(period='D7')",
		"GET /subscriptions", "GET /users/7/unheardOf", "GET /", "GET /users/7/todo/lists", "GET /users/drive/messages",
	} {
		method, target := parse(t, request)
		if got := service.Units(method, target); got != 1 || isDirectory(target) {
			t.Errorf("Units(%s) = %d, isDirectory %v, want 1 of another service", request, got, isDirectory(target))
		}
	}
	if service.Units("GET", nil) != 1 || isDirectory(nil) {
		t.Error("no target is not one request of another service")
	}
}

func BenchmarkUnits(b *testing.B) {
	for name, request := range map[string]string{
		"user":    "GET /users/adele@contoso.com?$select=id,mail",
		"members": "GET /groups('7')/transitiveMembers?$expand=manager&$top=5",
		"file":    "GET /drives/7/items/8/children?$expand=thumbnails",
		"mail":    "GET /users/7/messages",
	} {
		b.Run(name, func(b *testing.B) {
			method, target := parse(b, request)
			b.ReportAllocs()
			for b.Loop() {
				service.Units(method, target)
			}
		})
	}
}

func TestUnitsAllocateNothing(t *testing.T) {
	for _, request := range []string{"GET /groups('7')/transitiveMembers?$expand=manager&$top=5",
		"GET /drives/7/items/8?$expand=Permissions", "GET /users?$top=many"} {
		method, target := parse(t, request)
		if n := testing.AllocsPerRun(100, func() { service.Units(method, target) }); n != 0 {
			t.Errorf("%s: %v allocations", request, n)
		}
	}
}
