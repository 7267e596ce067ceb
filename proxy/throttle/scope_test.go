package throttle_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/proxy/throttle"
)

func TestAScopeIsWhatGraphCountsAgainst(t *testing.T) {
	long := strings.Repeat("x", 300)
	tests := []struct{ request, want string }{
		{"GET /users", "directory/read/default/contoso/%2Fusers%2F%2F"},
		{"POST /users", "directory/write/default/contoso/%2Fusers%2F%2F"},
		{"HEAD /users/u", "directory/read/default/contoso/%2Fusers%2Fu%2F"},
		{"GET /users/delta", "directory/read/default/contoso/%2Fusers%2F%2F"},
		{"GET /users/delta()", "directory/read/default/contoso/%2Fusers%2F%2F"},
		{"GET /users/$count", "directory/read/default/contoso/%2Fusers%2F%2F"},
		{"GET /users/u/manager", "directory/read/default/contoso/%2Fusers%2Fu%2F"},
		{"GET /devices", "directory/read/default/contoso/%2Fdevices%2F%2F"},
		{"GET /policies/authorizationPolicy", "directory/read/default/contoso/%2Fpolicies%2Fauthorizationpolicy%2F"},
		{"GET /users/Adele@contoso.com/messages", "outlook/read/default/contoso/adele@contoso.com"},
		{"GET /users('adele@contoso.com')/messages", "outlook/read/default/contoso/adele@contoso.com"},
		{"GET /users(userPrincipalName='Adele@contoso.com')/messages", "outlook/read/default/contoso/adele@contoso.com"},
		{"GET /users(a='1',b='2')/messages", "outlook/read/default/contoso/%2Fkeys"},
		{"GET /users/u/microsoft.graph.user/messages", "outlook/read/default/contoso/u"},
		{"GET /me/messages", "outlook/read/default/contoso/me"},
		{"POST /groups/g/threads", "outlook/write/default/contoso/g"},
		{"GET /places/microsoft.graph.room", "outlook/read/default/contoso/%2Fplaces"},
		{"GET /users/" + long + "/messages", "outlook/read/default/contoso/" + long[:128]},
		{"GET /users/u/drive/root", "files/read/default/contoso/%2Fusers%2Fu%2F"},
		{"GET /drives/d/root:/workbook:/content", "files/read/default/contoso/%2Fdrives%2Fd%2F"},
		{"GET /drives/d/items/i/workbook/tables", "excel/read/default/contoso/%2Fdrives%2Fd%2Fi"},
		{"GET /sites/s/onenote/pages", "onenote/read/default//%2Fsites%2Fs%2F"},
		{"GET /sites/S/drives/D/root", "files/read/default/contoso/%2Fdrives%2Fd%2F"},
		{"GET /users/u/drives/D/root", "files/read/default/contoso/%2Fdrives%2Fd%2F"},
		{"GET /me/drive/root", "files/read/default/contoso/%2Fme%2F%2F"},
		{"GET /sites/contoso.sharepoint.com:/sites/HR:/drive",
			"files/read/default/contoso/%2Fsites%2Fcontoso.sharepoint.com%2Fsites%252Fhr"},
		{"GET /sites/s/drives/d/items/I/workbook/tables/T/rows", "excel/read/default/contoso/%2Fdrives%2Fd%2Fi"},
		{"GET /users/u/drive/items/i/workbook/worksheets", "excel/read/default/contoso/%2Fusers%2Fu%2Fi"},
		{"GET /drives/d/root:/Books/A.xlsx:/workbook/worksheets",
			"excel/read/default/contoso/%2Fdrives%2Fd%2Fbooks%252Fa.xlsx"},
		{"GET /users/u/onenote/pages", "onenote/read/default//%2Fusers%2Fu%2F"},
		{"GET /teams/T", "teams/read/default/contoso/t"},
		{"GET /groups/g/team/channels", "teams/read/default/contoso/g"},
		{"GET /users/u/chats/C/messages", "teams/read/default/contoso/c"},
		{"GET /users/u/joinedTeams", "teams/read/default/contoso/%2Fusers%2Fu%2F"},
		{"GET /teamwork", "teams/read/default/contoso/%2Fteamwork%2F%2F"},
		{"GET /users/u/presence", "presence/read/default/contoso/%2Fusers%2Fu%2F"},
		{"POST /communications/getPresencesByUserId",
			"presence/write/default/contoso/%2Fcommunications%2Fgetpresencesbyuserid%2F"},
		{"GET /communications/callRecords/c", "call-records/read/default/contoso/%2Fcommunications%2Fcallrecords%2F"},
		{"POST /communications/calls", "calls/write/default/contoso/%2Fcommunications%2Fcalls%2F"},
		{"GET /deviceManagement/managedDevices", "intune/read/default/contoso/%2Fdevicemanagement%2Fmanageddevices%2F"},
		{"GET /users/u/managedDevices", "intune/read/default/contoso/%2Fusers%2Fu%2F"},
		{"GET /reports/getEmailActivityCounts(period='D7')", "usage-reports/read/default/contoso/getemailactivitycounts"},
		{"GET /reports/authenticationMethods/userRegistrationDetails",
			"identity-reports/read/default/contoso/%2Freports%2Fauthenticationmethods%2F"},
		{"GET /auditLogs/signIns", "identity-reports/read/default/contoso/%2Fauditlogs%2Fsignins%2F"},
		{"GET /identityProtection/riskyUsers", "identity-protection/read//contoso/%2Fidentityprotection%2Friskyusers%2F"},
		{"GET /policies/conditionalAccessPolicies",
			"identity-protection/read//contoso/%2Fpolicies%2Fconditionalaccesspolicies%2F"},
		{"GET /identity/conditionalAccess/policies", "identity-protection/read//contoso/%2Fidentity%2Fconditionalaccess%2F"},
		{"GET /identity/b2xUserFlows", "user-flows/read/default/contoso/%2Fidentity%2Fb2xuserflows%2F"},
		{"GET /identityProviders", "user-flows/read/default/contoso/%2Fidentityproviders%2F%2F"},
		{"POST /invitations", "invitations/write//contoso/%2Finvitations%2F%2F"},
		{"PATCH /subscriptions/s", "subscriptions/write/default/contoso/%2Fsubscriptions%2Fs%2F"},
		{"GET /security/alerts_v2", "security/read/default/contoso/alerts_v2"},
		{"GET /admin/serviceAnnouncement/messages", "announcements/read/default/contoso/%2Fadmin%2Fserviceannouncement%2F"},
		{"GET /admin/sharepoint", "other/read/default/contoso/admin"},
		{"GET /solutions/bookingBusinesses/b@contoso.com/appointments", "bookings/read/default/contoso/b@contoso.com"},
		{"GET /solutions/virtualEvents", "other/read/default/contoso/solutions"},
		{"GET /education/classes", "education/read/default/contoso/%2Feducation%2Fclasses%2F"},
		{"GET /planner/tasks/t", "planner/read/default/contoso/%2Fplanner%2Ftasks%2F"},
		{"GET /users/u/planner/tasks", "planner/read/default/contoso/%2Fusers%2Fu%2F"},
		{"GET /users/u/onlineMeetings", "other/read/default/contoso/onlinemeetings"},
		{"POST /$batch", "other/write/default/contoso/$batch"},
		{"POST /search/query", "other/write/default/contoso/search"},
		{"GET ", "other/read/default/contoso/"},
	}
	for _, test := range tests {
		t.Run(test.request, func(t *testing.T) {
			s := scope(t, test.request)
			if diff := cmp.Diff(test.want, s.Key()); diff != "" {
				t.Error(diff)
			}
			back, err := throttle.ParseScope(s.Key())
			if err != nil || back != s {
				t.Errorf("read back as %q, %v", back.Key(), err)
			}
		})
	}
}

func TestAScopeThatIsNotUnderstoodIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "reading a throttle scope: it has not the five parts service/access/app/tenant/key",
		"outlook/any/a/t":           "reading a throttle scope: it has not the five parts service/access/app/tenant/key",
		"outlook/any/a/t/k/x":       "reading a throttle scope: it has not the five parts service/access/app/tenant/key",
		"telepathy/any/a/t/k":       `reading a throttle scope: unknown service "telepathy"`,
		"outlook/delete/a/t/k":      `reading a throttle scope: unknown access "delete"; it is any, read or write`,
		"outlook/any/a/t/%zz":       `reading a throttle scope: invalid URL escape "%zz"`,
		"outlook/any/a/t/" + nine(): "reading a throttle scope: the key has 144 bytes; at most 128 are kept",
	} {
		if _, err := throttle.ParseScope(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func nine() string { return strings.Repeat("0123456789abcdef", 9) }

func TestReplicasExchangeHolds(t *testing.T) {
	type word struct {
		key   string
		until time.Time
	}
	var words []word
	here := newMemory(func(o *throttle.Options) {
		o.OnHold = func(s throttle.Scope, until time.Time) { words = append(words, word{s.Key(), until}) }
	})
	s := scope(t, adele)
	here.Seen(start, s, nil, 429, headers("Retry-After: 10"))
	here.Seen(at(time.Millisecond), s, nil, 429, headers("Retry-After: 10")) // not worth a word
	here.Seen(at(2*time.Second), s, nil, 429, headers("Retry-After: 10"))
	want := []word{
		{"outlook/any/default/contoso/adele@contoso.com", at(10 * time.Second)},
		{"outlook/any/default/contoso/adele@contoso.com", at(12 * time.Second)},
	}
	if diff := cmp.Diff(want, words, cmp.AllowUnexported(word{})); diff != "" {
		t.Error(diff)
	}

	parsed, err := throttle.ParseScope(words[1].key)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		until time.Time
		want  time.Duration // at 3 s
	}{
		{"a hold", words[1].until, 9 * time.Second},
		{"a shorter one", at(4 * time.Second), 9 * time.Second},
		{"one that is over", start, 9 * time.Second},
		{"an absurd one", at(1000 * time.Hour), time.Hour},
	}
	there := newMemory(func(o *throttle.Options) {
		o.OnHold = func(throttle.Scope, time.Time) { t.Error("OnHold was called for a hold of another replica") }
	})
	now := at(3 * time.Second)
	there.Adopt(now, parsed, start)
	if v := there.Check(now, s); v != (throttle.Verdict{}) {
		t.Errorf("held by one that is over: %+v", v)
	}
	for _, test := range tests {
		there.Adopt(now, parsed, test.until)
		if v := there.Check(now, s); v.Wait != test.want {
			t.Errorf("%s: %+v, want %v", test.name, v, test.want)
		}
	}
	if v := there.Check(now, scope(t, alex)); v != (throttle.Verdict{}) {
		t.Errorf("another mailbox: %+v", v)
	}
}
