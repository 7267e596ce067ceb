package graphtest_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"graphproxy/proxy/graphtest"
)

// values returns the objects of a list.
func (a answer) values(t *testing.T) []map[string]any {
	t.Helper()
	list, ok := a.json["value"].([]any)
	if a.status != 200 || !ok {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var all []map[string]any
	for _, v := range list {
		all = append(all, v.(map[string]any))
	}
	return all
}

func TestAUserHasCalendarsWithEventsOfTheirOwn(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	const user = "/v1.0/users/adele@contoso.com"
	if all := call(t, s, "GET", user+"/calendars", "").values(t); len(all) != 1 || all[0]["name"] != "Calendar" ||
		all[0]["isDefaultCalendar"] != true {
		t.Errorf("calendars %v", all)
	}
	made := call(t, s, "POST", user+"/calendars", `{"name":"Holidays"}`)
	id, _ := made.json["id"].(string)
	if made.status != 201 || id == "" {
		t.Fatalf("%d %s", made.status, made.body)
	}
	holidays := user + "/calendars/" + url.PathEscape(id)
	event := call(t, s, "POST", holidays+"/events", `{"subject":"Skiing"}`)
	if event.status != 201 || strings.Contains(event.body, "calendarId") {
		t.Fatalf("%d %s", event.status, event.body)
	}
	at := holidays + "/events/" + url.PathEscape(event.json["id"].(string))
	if a := call(t, s, "PATCH", at, `{"subject":"Hiking"}`); a.status != 200 || a.json["subject"] != "Hiking" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if found := call(t, s, "GET", holidays+"/events", "").values(t); len(found) != 1 || found[0]["subject"] != "Hiking" {
		t.Errorf("events %v", found)
	}
	if a := call(t, s, "GET", user+"/calendar/events/"+url.PathEscape(event.json["id"].(string)), ""); a.status != 404 {
		t.Errorf("the default calendar has an event of another: %d", a.status)
	}
	if a := call(t, s, "DELETE", at, ""); a.status != 204 {
		t.Errorf("%d", a.status)
	}
	view := call(t, s, "GET", user+
		"/calendar/calendarView?startDateTime=2026-01-01T00:00:00Z&endDateTime=2026-02-01T00:00:00Z", "").values(t)
	if len(view) != 4 {
		t.Errorf("%d events in January", len(view))
	}
	if a := call(t, s, "GET", user+"/calendars/nothing/events", ""); a.status != 404 {
		t.Errorf("%d", a.status)
	}
}

func TestSubscriptionsAreMadeRenewedAndTakenBack(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	body := func(address, until string) string {
		return fmt.Sprintf(`{"changeType":"created","notificationUrl":%q,"resource":"/users/adele@contoso.com/messages",`+
			`"expirationDateTime":%q}`, address, until)
	}
	for name, bad := range map[string]string{
		"nothing":          `{}`,
		"plain http":       body("http://hooks.contoso.com/graph", in(time.Hour)),
		"a moment past":    body("https://hooks.contoso.com/graph", in(-time.Hour)),
		"a moment too far": body("https://hooks.contoso.com/graph", in(31*24*time.Hour)),
	} {
		if a := call(t, s, "POST", "/v1.0/subscriptions", bad); a.status != 400 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	made := call(t, s, "POST", "/v1.0/subscriptions", body("https://hooks.contoso.com/graph", in(time.Hour)))
	if made.status != 201 {
		t.Fatalf("%d %s", made.status, made.body)
	}
	at := "/v1.0/subscriptions/" + made.json["id"].(string)
	until := in(2 * time.Hour)
	if a := call(t, s, "PATCH", at, `{"expirationDateTime":"`+until+`"}`); a.status != 200 ||
		a.json["expirationDateTime"] != until {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := call(t, s, "PATCH", at, `{"resource":"/users"}`); a.status != 400 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := call(t, s, "POST", at+"/reauthorize", ""); a.status != 204 {
		t.Errorf("%d", a.status)
	}
	if all := call(t, s, "GET", "/v1.0/subscriptions", "").values(t); len(all) != 1 ||
		all[0]["resource"] != "/users/adele@contoso.com/messages" {
		t.Errorf("%v", all)
	}
	if a := call(t, s, "DELETE", at, ""); a.status != 204 {
		t.Errorf("%d", a.status)
	}
	if a := call(t, s, "GET", at, ""); a.status != 404 {
		t.Errorf("%d", a.status)
	}
}

func TestTheForeignHostCanHaveANameOfItsOwn(t *testing.T) {
	s := newGraph(t, graphtest.Options{ForeignHost: "localhost", ForeignPlain: true})
	if !strings.HasPrefix(s.ForeignURL(), "http://localhost:") {
		t.Fatal(s.ForeignURL())
	}
	made := call(t, s, "POST", "/v1.0/users/adele@contoso.com/drive/root:/x.txt:/createUploadSession", "{}")
	address, _ := made.json["uploadUrl"].(string)
	if !strings.HasPrefix(address, s.ForeignURL()+"/up/") {
		t.Fatalf("%d %s", made.status, made.body)
	}
	if a := call(t, s, "PUT", address, "hello", "Content-Range: bytes 0-4/5"); a.status != 201 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
