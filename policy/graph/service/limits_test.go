package service_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"graphproxy/policy"
	"graphproxy/policy/analysis/lint"
	"graphproxy/policy/graph/catalog/catalogtest"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/graph/service"
	"graphproxy/policy/limit"
	"graphproxy/policy/operations"
)

func presets(t *testing.T, size service.Size) []service.Preset {
	t.Helper()
	all, err := service.Presets(size)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// load makes a policy of limits, with a caller that may do what they cover.
func load(t *testing.T, all []service.Preset) *policy.Policy {
	t.Helper()
	text := "version: 1\n" + service.Text(all) + "callers:\n  app:\n    identity: [anyone]\n    allow:\n"
	seen := make(map[string]bool)
	for _, s := range all {
		for _, l := range s.Limits {
			for _, c := range l.Covers {
				if !seen[c] {
					text += "      - " + c + "\n"
				}
				seen[c] = true
			}
		}
	}
	if len(seen) == 0 {
		text += "      - GET /users\n"
	}
	p, err := policy.Parse("policy.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v\nin:\n%s", err, text)
	}
	return p
}

// covering returns the names of the limits that cover a request, with their keys.
func covering(t *testing.T, p *policy.Policy, text string) (names []string) {
	t.Helper()
	method, address, _ := strings.Cut(text, " ")
	path, query, _ := strings.Cut(address, "?")
	target, err := odata.Parse("/v1.0"+path, query)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	r := policy.Request{Caller: "app", Method: method, Target: target}
	d := p.Decide(r)
	if !d.Allow {
		t.Errorf("%s is not allowed by what covers it: %s", text, d.Reason)
	}
	for _, c := range p.Charges(nil, r, d) {
		name := strings.TrimPrefix(c.Limit.Name, "limits.") + " " + c.Key
		if c.Limit.Unit == limit.ResourceUnits {
			name += fmt.Sprintf(" ×%d", c.Cost)
		}
		names = append(names, name)
	}
	return names
}

// samples has a request that each limit covers.
var samples = map[string]string{
	"any app=default":                                      "GET /users",
	"directory app=default&tenant=default ×5":              "GET /groups/7/transitiveMembers",
	"directory app=default&tenant=default ×1":              "GET /users/adele@contoso.com",
	"directory app=default&tenant=default ×2":              "GET /users('adele@contoso.com')/memberOf",
	"directory-writes app=default&tenant=default":          "PATCH /users/adele@contoso.com",
	"identity-reports app=default&tenant=default":          "GET /auditLogs/signIns",
	"identity-protection tenant=default":                   "GET /identityProtection/riskyUsers",
	"identity-providers app=default&tenant=default":        "GET /identity/identityProviders",
	"invitations tenant=default":                           "POST /invitations",
	"subscriptions-writes app=default&tenant=default":      "POST /subscriptions",
	"subscriptions-reads app=default&tenant=default":       "GET /subscriptions/7",
	"subscriptions-lists app=default&tenant=default":       "GET /subscriptions",
	"subscriptions-reauthorize app=default&tenant=default": "POST /subscriptions/7/reauthorize",
	"extensions app=default&tenant=default":                "GET /users/7/extensions",
	"mailbox app=default&id=adele@contoso.com": "GET /users/Adele@contoso.com/" +
		"mailFolders/inbox/messages?$top=5",
	"bookings app=default&id=hr@contoso.com": "GET /solutions/bookingBusinesses/" +
		"hr@contoso.com/appointments",
	"sharepoint app=default&tenant=default ×2":      "GET /drives/7/root/children",
	"sharepoint app=default&tenant=default ×1":      "GET /sites/7",
	"sharepoint-day app=default&tenant=default ×5":  "GET /drives/7/items/8/permissions",
	"sharepoint-sharing app=default&tenant=default": "POST /drives/7/items/8/invite",
	"search app=default":                            "POST /search/query",
	"excel app=default&tenant=default": "GET /drives/7/root:/Reports/" +
		"a.xlsx:/workbook/worksheets",
	"onenote app=default":                                              "GET /users/7/onenote/pages",
	"onenote-hour app=default":                                         "GET /sites/7/onenote/pages",
	"teams-reads app=default&tenant=default":                           "GET /teams/7",
	"teams-writes app=default&tenant=default":                          "PATCH /teams/7",
	"teams-deletions app=default&tenant=default":                       "DELETE /chats/7/members/8",
	"teams-new app=default&tenant=default":                             "POST /teams",
	"teams-members app=default&tenant=default&team=7":                  "POST /teams/7/members",
	"teams-channel-reads app=default&tenant=default&team=7&channel=8":  "GET /teams/7/channels/8/messages",
	"teams-channel-writes app=default&tenant=default&team=7&channel=8": "POST /teams/7/channels/8/messages",
	"teams-chat-reads app=default&tenant=default&chat=7":               "GET /chats/7/messages",
	"teams-chat-writes app=default&tenant=default&chat=7":              "POST /chats/7/messages",
	"presence app=default&tenant=default":                              "GET /users/7/presence",
	"calls app=default&tenant=default":                                 "POST /communications/calls",
	"call-records app=default&tenant=default":                          "GET /communications/callRecords/7",
	"call-record tenant=default&record=7":                              "GET /communications/callRecords/7/sessions",
	"reports app=default&tenant=default": "GET /reports/" +
		"getEmailActivityUserDetail(period='D7')",
	"service-announcements app=default&tenant=default":      "GET /admin/serviceAnnouncement/issues",
	"service-announcements-hour app=default&tenant=default": "GET /admin/serviceAnnouncement/messages/7",
	"education app=default&tenant=default":                  "GET /education/schools",
	"education-assignments app=default&tenant=default":      "GET /education/classes/7/assignments",
	"education-assignments-hour app=default&tenant=default": "GET /education/users/7/assignments",
	"intune app=default&tenant=default":                     "GET /deviceManagement/managedDevices",
	"intune-writes app=default&tenant=default":              "POST /deviceAppManagement/mobileApps",
	"windows365-lists app=default&tenant=default":           "GET /deviceManagement/virtualEndpoint/cloudPCs",
	"windows365-reads app=default&tenant=default":           "GET /deviceManagement/virtualEndpoint/cloudPCs/7",
	"security app=default&tenant=default":                   "GET /security/alerts_v2",
	"ediscovery app=default&tenant=default":                 "GET /security/cases/ediscoveryCases/7",
}

func TestEachLimitLoadsAndCoversItsSample(t *testing.T) {
	for _, size := range []service.Size{service.Small, service.Medium, service.Large} {
		all := presets(t, size)
		whole := load(t, all)
		left := make(map[string]bool)
		for _, s := range all {
			load(t, []service.Preset{s})
			for _, l := range s.Limits {
				if left[l.Name] {
					t.Errorf("two limits have the name %s", l.Name)
				}
				left[l.Name] = true
			}
		}
		for want, request := range samples {
			if got := covering(t, whole, request); !slices.Contains(got, want) {
				t.Errorf("%s is covered by %q, not by %q", request, got, want)
			}
			name, _, _ := strings.Cut(want, " ")
			delete(left, name)
		}
		for name := range left {
			t.Errorf("no sample for %s", name)
		}
	}
}

func TestALimitCoversItsServiceAndNoOther(t *testing.T) {
	p := load(t, presets(t, service.Small))
	for request, want := range map[string][]string{
		"GET /users/7":          {"any app=default", "directory app=default&tenant=default ×1"},
		"GET /users/7/messages": {"any app=default", "mailbox app=default&id=7"},
		"GET /users/7/drive": {
			"any app=default",
			"sharepoint app=default&tenant=default ×1",
			"sharepoint-day app=default&tenant=default ×1",
		},
		"DELETE /groups/7": {
			"any app=default",
			"directory app=default&tenant=default ×1",
			"directory-writes app=default&tenant=default",
		},
		"GET /groups/7/threads":    {"any app=default", "mailbox app=default&id=7"},
		"GET /groups/7/team":       {"any app=default", "teams-reads app=default&tenant=default"},
		"POST /users/7/extensions": {"any app=default", "extensions app=default&tenant=default"},
	} {
		if got := covering(t, p, request); !slices.Equal(got, want) {
			t.Errorf("%s is covered by %q, want %q", request, got, want)
		}
	}
}

func TestTheSizeOfTheTenantSetsTheUnitsOfTheDirectory(t *testing.T) {
	for size, want := range map[service.Size]float64{service.Small: 350, service.Medium: 500, service.Large: 800} {
		for _, l := range load(t, presets(t, size)).Limits() {
			if l.Limit.Name == "limits.directory" && (l.Limit.Rate != want || l.Limit.Unit != limit.ResourceUnits) {
				t.Errorf("%s: %+v, want %v a second", size, *l.Limit, want)
			}
		}
	}
	if _, err := service.Presets("XL"); err == nil || !strings.Contains(err.Error(), `"XL"`) {
		t.Errorf("Presets(XL) = %v", err)
	}
}

func TestTheTextIsTheSameEachTime(t *testing.T) {
	first := service.Text(presets(t, service.Large))
	for range 10 {
		if service.Text(presets(t, service.Large)) != first {
			t.Fatal("two texts differ")
		}
	}
	for i, line := range strings.Split(first, "\n") {
		if len(line) > 150 || strings.TrimRight(line, " ") != line {
			t.Errorf("line %d is long, or ends in a space: %s", i+1, line)
		}
	}
}

// The limits of identity and access cover every path for which Of returns identity and access, because both are the
// same fact.
func TestTheLimitsOfTheDirectoryCoverWhatItAnswers(t *testing.T) {
	p := load(t, presets(t, service.Small))
	variable := regexp.MustCompile(`\{[^}]*\}`)
	count := 0
	for line := range strings.Lines(catalogtest.Short("v1.0")) {
		text := strings.TrimSpace(line)
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		request := variable.ReplaceAllString(text, "7")
		_, target := parse(t, request)
		if of, _ := service.Of(target.Segments); of != service.Directory {
			continue
		}
		count++
		if !slices.ContainsFunc(covering(t, p, request), func(name string) bool {
			return strings.HasPrefix(name, "directory ")
		}) {
			t.Errorf("%s is of the directory, and no limit of it covers that", text)
		}
	}
	if count < 20 {
		t.Errorf("only %d operations of the directory were tried", count)
	}
}

func TestEveryCoverIsInGraph(t *testing.T) {
	var o operations.Set
	if err := o.Read(strings.NewReader(catalogtest.List(t, "v1.0")), "v1.0"); err != nil {
		t.Fatal(err)
	}
	for _, w := range lint.Check(load(t, presets(t, service.Small)), lint.Options{Operations: &o}) {
		if strings.Contains(w.Message, "names nothing") {
			t.Error(w)
		}
	}
}
