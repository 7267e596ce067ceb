package graphtest_test

import (
	"net/url"
	"strings"
	"testing"

	"graphproxy/proxy/graphtest"
)

func TestAUserIsFoundByAnIDWithTheTenantsID(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	a := call(t, s, "GET", "/v1.0/users('"+graphtest.ID("adele@contoso.com")+"@"+graphtest.TenantID+"')", "")
	if a.status != 200 || a.json["displayName"] != "Adele Vance" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestANamesakeOfARemovedUserInheritsNothing(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	call(t, s, "DELETE", "/v1.0/users/alex@contoso.com", "")
	a := call(t, s, "POST", "/v1.0/users", `{"displayName":"Alex","userPrincipalName":"alex@contoso.com"}`)
	if a.status != 201 || a.json["id"] == graphtest.ID("alex@contoso.com") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := call(t, s, "GET", "/v1.0/users/alex@contoso.com/memberOf", ""); strings.Contains(a.body, "Marketing") {
		t.Errorf("%s", a.body)
	}
}

func TestAGroupWithAMemberThatIsNotThereIsNotMade(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	body := `{"displayName":"New","members@odata.bind":["` + s.URL() + `/v1.0/directoryObjects/nobody"]}`
	if a := call(t, s, "POST", "/v1.0/groups", body); a.status != 400 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := call(t, s, "GET", "/v1.0/groups?$filter=displayName%20eq%20'New'", ""); strings.Contains(a.body, `"New"`) {
		t.Errorf("%s", a.body)
	}
}

func TestACastLeavesOutMembersThatAreNoUsers(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	members := "/v1.0/groups/" + graphtest.ID("HR") + "/members"
	call(t, s, "POST", members+"/$ref", `{"@odata.id":"`+s.URL()+`/v1.0/directoryObjects/`+graphtest.ID("Legal")+`"}`)
	if a := call(t, s, "GET", members, ""); !strings.Contains(a.body, "Legal at Contoso") &&
		!strings.Contains(a.body, `"Legal"`) {
		t.Errorf("members: %s", a.body)
	}
	if a := call(t, s, "GET", members+"/microsoft.graph.user", ""); strings.Contains(a.body, graphtest.ID("Legal")) ||
		!strings.Contains(a.body, "Diego") {
		t.Errorf("users: %s", a.body)
	}
}

func TestADeltaOfGroupsHasMembersOnlyWhenTheyAreSelected(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	for target, want := range map[string]bool{"": true, "?$select=members": true, "?$select=displayName": false} {
		if a := call(t, s, "GET", "/v1.0/groups/delta"+target, ""); strings.Contains(a.body, "members@delta") != want {
			t.Errorf("%q: %s", target, a.body)
		}
	}
}

func TestADeltaOfMessagesIsOfItsFolder(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	folder := "/v1.0/users/adele@contoso.com/mailFolders/archive/messages"
	if a := call(t, s, "GET", folder+"/delta", ""); len(a.json["value"].([]any)) != 3 {
		t.Errorf("%s", a.body)
	}
	if a := call(t, s, "POST", folder, `{"subject":"kept"}`); a.status != 201 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := call(t, s, "GET", folder+"/delta", ""); len(a.json["value"].([]any)) != 4 {
		t.Errorf("after a message was made in the folder: %s", a.body)
	}
}

func TestAnInvalidDeltaTokenIsGone(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	backwards := "bX4" // no token at all
	a := call(t, s, "GET", "/v1.0/users/delta?$deltatoken="+backwards, "")
	if a.status != 410 || a.code() != "syncStateNotFound" || a.header.Get("Location") != "" {
		t.Errorf("users: %d %s", a.status, a.body)
	}
	a = call(t, s, "GET", "/v1.0/users/delta?$skiptoken=m~AHsibyI6LTF9", "") // an offset of -1
	if a.status != 410 {
		t.Errorf("a negative offset: %d %s", a.status, a.body)
	}
	a = call(t, s, "GET", "/v1.0/users/adele@contoso.com/drive/root/delta?token="+backwards, "")
	again := a.header.Get("Location")
	if a.status != 410 || a.code() != "resyncChangesApplyDifferences" ||
		!strings.HasPrefix(again, s.URL()+"/v1.0/users/adele@contoso.com/drive/root/delta?") {
		t.Fatalf("a drive: %d %q %s", a.status, again, a.body)
	}
	if a := call(t, s, "GET", again, ""); a.status != 200 || !strings.Contains(a.body, "readme.txt") {
		t.Errorf("beginning anew: %d %s", a.status, a.body)
	}
}

func TestWhatTheDirectoryDoesNotExpandIsRefused(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	for option, want := range map[string]string{
		"messages": "ExpandNotSupported",
		"photo":    "ExpandNotSupported",
		"nonsense": "Request_UnsupportedQuery",
	} {
		if a := call(t, s, "GET", "/v1.0/users?$expand="+option, ""); a.status != 400 || a.code() != want {
			t.Errorf("%s: %d %s", option, a.status, a.body)
		}
	}
}

func TestAFilesTagFollowsItsContent(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	file := "/v1.0/users/adele@contoso.com/drive/root:/readme.txt"
	before := call(t, s, "GET", file, "")
	if a := call(t, s, "PUT", file+":/content", "other"); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	after := call(t, s, "GET", file, "")
	if before.json["eTag"] == after.json["eTag"] || after.json["size"] != float64(5) {
		t.Errorf("before %s, after %s", before.body, after.body)
	}
	for _, target := range []string{"root/content", "root:/Reports:/content"} {
		if a := call(t, s, "PUT", "/v1.0/users/adele@contoso.com/drive/"+target, "x"); a.status != 400 {
			t.Errorf("content of a folder: %d %s", a.status, a.body)
		}
	}
}

func TestASitesDriveIsFoundForEveryRequest(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	for _, site := range []string{"root", "contoso.sharepoint.com"} {
		a := call(t, s, "GET", "/v1.0/sites/"+site+"/drive/root:/"+url.PathEscape("Übersicht.txt"), "")
		if a.status != 200 || a.json["name"] != "Übersicht.txt" {
			t.Errorf("%s: %d %s", site, a.status, a.body)
		}
	}
}
