package service_test

import (
	"strings"
	"testing"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/graph/service"
)

// Older tables gave different services for these paths. The package's comment has the sources.
func TestPathsThatTheTablesOnceDisagreedOn(t *testing.T) {
	for _, row := range []struct {
		why     string
		request string
		want    service.Service
		key     string
	}{
		{"the page lists domainDnsRecord", "GET /domainDnsRecords/7", service.Directory, ""},
		{"an administrativeUnit is a directoryObject, which the page lists", "GET /administrativeUnits/7", service.Directory,
			""},
		{"the same by its path of v1.0", "GET /directory/administrativeUnits/7/members", service.Directory, ""},
		{"nothing is published for unifiedRoleDefinition", "GET /roleManagement/directory/roleDefinitions", service.Other,
			"rolemanagement"},
		{"nor for applicationTemplate", "GET /applicationTemplates/7", service.Other, "applicationtemplates"},
		{"nor for delegatedAdminRelationship", "GET /tenantRelationships/delegatedAdminRelationships", service.Other,
			"tenantrelationships"},
		{"nor for certificateBasedAuthConfiguration", "GET /certificateBasedAuthConfiguration", service.Other,
			"certificatebasedauthconfiguration"},
		{"which is the organization's below it", "GET /organization/7/certificateBasedAuthConfiguration", service.Directory,
			""},
		{"the page lists groupSetting", "GET /groups/7/settings", service.Directory, ""},
		{"and not userSettings", "GET /users/7/settings", service.Other, "settings"},
		{"extensions have a limit of their own", "GET /users/7/extensions", service.Extensions, ""},
		{"of devices, too", "GET /devices('7')/extensions/8", service.Extensions, ""},
		{"and their schemas", "GET /schemaExtensions", service.Extensions, ""},
		{"an extension of an event is the mailbox's", "GET /users/7/events/8/extensions", service.Outlook, "7"},
		{"an action in its long spelling is the mailbox's", "POST /users/7/microsoft.graph.sendMail", service.Outlook, "7"},
		{"the page lists identityApiConnector", "GET /identity/apiConnectors", service.UserFlows, ""},
		{"and nothing else of identity", "GET /identity/riskPrevention", service.Other, "identity"},
		{"a report on relying parties is Entra's", "GET /reports/getRelyingPartyDetailedSummary(period='D7')",
			service.IdentityReports, ""},
		{"nothing is published for insights", "GET /users/7/insights/used", service.Other, "insights"},
		{"nor for a property by itself", "GET /users/7/displayName", service.Other, "displayname"},
	} {
		t.Run(row.why, func(t *testing.T) {
			_, target := parse(t, row.request)
			if got, key := service.Of(target.Segments); got != row.want || key != row.key {
				t.Errorf("Of(%s) = %s %q, want %s %q", row.request, got, key, row.want, row.key)
			}
		})
	}
}

func TestEachServiceIsReadBackByItsName(t *testing.T) {
	seen := make(map[string]bool)
	for i := range service.Count {
		s := service.Service(i)
		if back, ok := service.Parse(s.String()); !ok || back != s || s.String() == "" || seen[s.String()] {
			t.Errorf("%d is written %q and read back as %d, %v", i, s, back, ok)
		}
		seen[s.String()] = true
	}
	if s, ok := service.Parse("telepathy"); ok || s != service.Other {
		t.Errorf("telepathy is %s, %v", s, ok)
	}
}

// The preset's service answers every path that its published limit covers.
func TestThePublishedLimitsAndOfAgree(t *testing.T) {
	for _, p := range presets(t, service.Small) {
		for _, l := range p.Limits {
			for _, rule := range l.Covers {
				if got := serviceOfRule(t, rule); got != p.Service {
					t.Errorf("the limit %s of %s covers %s, which is answered by %s", l.Name, p.Service, rule, got)
				}
			}
			if p.Service != service.Other && strings.Contains(strings.Join(l.Per, " "), "app") != p.Service.ByApp() &&
				l.Name != "call-record" {
				t.Errorf("the limit %s is per %q, and %s counts each app by itself: %v", l.Name, l.Per, p.Service,
					p.Service.ByApp())
			}
		}
	}
}

// serviceOfRule returns the service of a request that a rule allows: the template itself, with a key in each place.
func serviceOfRule(t *testing.T, rule string) service.Service {
	t.Helper()
	_, path, _ := strings.Cut(rule, " ")
	path = strings.TrimSuffix(path, "/**")
	for strings.Contains(path, "{") {
		i, j := strings.IndexByte(path, '{'), strings.IndexByte(path, '}')
		value := "7"
		if i > 0 && path[i-1] == '=' {
			value = "'7'"
		}
		path = path[:i] + value + path[j+1:]
	}
	target, err := odata.Parse("/v1.0"+path, "")
	if err != nil {
		t.Fatalf("%s: %v", rule, err)
	}
	s, _ := service.Of(target.Segments)
	return s
}

func TestOfAllocatesNothing(t *testing.T) {
	for _, request := range []string{
		"GET /users('adele@contoso.com')/messages", "GET /drives/7/root:/A.xlsx:/workbook/tables",
		"GET /roleManagement/directory", "GET /teams/7/channels", "GET /",
	} {
		_, target := parse(t, request)
		if n := testing.AllocsPerRun(100, func() { service.Of(target.Segments) }); n != 0 {
			t.Errorf("%s: %v allocations", request, n)
		}
	}
}
