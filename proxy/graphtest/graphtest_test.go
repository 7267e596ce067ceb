package graphtest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"graphproxy/proxy/graphtest"
)

func newGraph(t *testing.T, o graphtest.Options) *graphtest.Server {
	t.Helper()
	s, err := graphtest.NewServer(o)
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

// call sends Graph a request with a token, as an app does; header is given as "Name: value" lines, and an
// Authorization header replaces the token.
func call(t *testing.T, s *graphtest.Server, method, target, body string, header ...string) answer {
	t.Helper()
	if strings.HasPrefix(target, "/") {
		target = s.URL() + target
	}
	req, err := http.NewRequest(method, target, strings.NewReader(body))
	must(t, err)
	if strings.HasPrefix(target, s.URL()) {
		req.Header.Set("Authorization", "Bearer any")
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	must(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	a := answer{status: res.StatusCode, header: res.Header, body: string(text)}
	_ = json.Unmarshal(text, &a.json) // nil for what is not an object
	return a
}

func (a answer) code() string {
	e, _ := a.json["error"].(map[string]any)
	code, _ := e["code"].(string)
	return code
}

func TestGraphAnswersAsDocumented(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	adele := graphtest.ID("adele@contoso.com")
	drive := graphtest.DriveID("adele@contoso.com")
	tests := []struct {
		name, method, target, body, header string
		status                             int
		want                               string // in the body, or the error's code
	}{
		{"a user by name", "GET", "/v1.0/users/adele@contoso.com", "", "", 200, "Adele Vance"},
		{"a user by id", "GET", "/v1.0/users/" + adele, "", "", 200, "Adele Vance"},
		{"a user by a key in parentheses", "GET", "/v1.0/Users('adele@contoso.com')", "", "", 200, "Adele Vance"},
		{
			"a user by an alternate key",
			"GET",
			"/v1.0/users(userPrincipalName='adele@contoso.com')",
			"",
			"",
			200,
			"Adele Vance",
		},
		{"a guest", "GET", "/v1.0/users/Adele_fabrikam.com%23EXT%23@contoso.com", "", "", 200, "Adele (Fabrikam)"},
		{"nobody", "GET", "/v1.0/users/nobody@contoso.com", "", "", 404, "Request_ResourceNotFound"},
		{"an unknown segment", "GET", "/v1.0/nothing", "", "", 400, "BadRequest"},
		{
			"/me without a user",
			"GET",
			"/v1.0/me",
			"",
			"",
			400,
			"/me request is only valid with delegated authentication flow.",
		},
		{"a selection", "GET", "/v1.0/users/adele@contoso.com?$select=department", "", "", 200, `"department":"Marketing"`},
		{
			"a selection without the dollar sign",
			"GET",
			"/v1.0/users/adele@contoso.com?select=department",
			"",
			"",
			200,
			`"department":"Marketing"`,
		},
		{"an unknown option", "GET", "/v1.0/users/adele@contoso.com?$nonsense=1", "", "", 200, "Adele Vance"},
		{"a filter", "GET", "/v1.0/users?$filter=department%20eq%20'HR'", "", "", 200, "Diego Siciliani"},
		{"a count without the consistency level", "GET", "/v1.0/users/$count", "", "", 400, "Request_BadRequest"},
		{"a count", "GET", "/v1.0/users/$count", "", "ConsistencyLevel: eventual", 200, "60"},
		{
			"a search without the consistency level",
			"GET",
			"/v1.0/users?$search=\"displayName:Adele\"",
			"",
			"",
			400,
			"Request_UnsupportedQuery",
		},
		{"the manager", "GET", "/v1.0/users/adele@contoso.com/manager", "", "", 200, "Megan Bowen"},
		{
			"the chain of managers",
			"GET",
			"/v1.0/users/adele@contoso.com?$expand=manager($levels=max;$select=displayName)",
			"",
			"",
			200,
			"Patti Fernandez",
		},
		{"members", "GET", "/v1.0/groups/" + graphtest.ID("Marketing") + "/members", "", "", 200, "Alex Wilber"},
		{
			"members that are users",
			"GET",
			"/v1.0/groups/" + graphtest.ID("Marketing") + "/members/graph.user",
			"",
			"",
			200,
			"Alex Wilber",
		},
		{
			"a group with its members",
			"GET",
			"/v1.0/groups/" + graphtest.ID("HR") + "?$expand=members($select=displayName)",
			"",
			"",
			200,
			"Diego Siciliani",
		},
		{
			"addresses of members",
			"GET",
			"/v1.0/groups/" + graphtest.ID("HR") + "/members/$ref",
			"",
			"",
			200,
			"/v1.0/directoryObjects/" + graphtest.ID("diego@contoso.com"),
		},
		{"messages", "GET", "/v1.0/users/adele@contoso.com/messages", "", "", 200, "Weekly report"},
		{
			"messages of a folder by its well-known name",
			"GET",
			"/v1.0/users/adele@contoso.com/mailFolders/archive/messages",
			"",
			"",
			200,
			"Weekly report 10",
		},
		{
			"a mailbox of somebody who has none",
			"GET",
			"/v1.0/users/Adele_fabrikam.com%23EXT%23@contoso.com/messages",
			"",
			"",
			404,
			"MailboxNotEnabledForRESTAPI",
		},
		{"mail", "POST", "/v1.0/users/no-reply@contoso.com/sendMail", `{"message":{"subject":"x"}}`, "", 202, ""},
		{"mail without a message", "POST", "/v1.0/users/no-reply@contoso.com/sendMail", `{}`, "", 400, "ErrorInvalidRequest"},
		{"a body that is no JSON", "POST", "/v1.0/users", `{`, "", 400, "BadRequest"},
		{"a method that the resource does not have", "PUT", "/v1.0/users", `{}`, "", 405, "Request_BadRequest"},
		{"files of a drive", "GET", "/v1.0/drives/" + drive + "/root/children", "", "", 200, "Reports"},
		{
			"a file by its path",
			"GET",
			"/v1.0/drives/" + drive + "/root:/Reports/2026/q1/50%25%20done.txt",
			"",
			"",
			200,
			"50% done.txt",
		},
		{
			"files of a folder by its path",
			"GET",
			"/v1.0/users/adele@contoso.com/drive/root:/Reports/2026:/children",
			"",
			"",
			200,
			"q1",
		},
		{"a file that is not there", "GET", "/v1.0/drives/" + drive + "/root:/nothing", "", "", 404, "itemNotFound"},
		{"a site by its path", "GET", "/v1.0/sites/contoso.sharepoint.com:/sites/marketing", "", "", 200, "Team Marketing"},
		{"the organization", "GET", "/v1.0/organization", "", "", 200, "contoso.onmicrosoft.com"},
		{
			"objects by their ids",
			"POST",
			"/v1.0/directoryObjects/getByIds",
			`{"ids":["` + adele + `"]}`,
			"",
			200,
			"#microsoft.graph.user",
		},
		{"an encoded slash separates", "GET", "/v1.0/users%2Fadele@contoso.com", "", "", 200, "Adele Vance"},
		{"a slash encoded twice separates", "GET", "/v1.0/users/x%252F..%252Fadele@contoso.com", "", "", 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var header []string
			if tt.header != "" {
				header = append(header, tt.header)
			}
			a := call(t, s, tt.method, tt.target, tt.body, header...)
			if a.status != tt.status || !strings.Contains(a.body, tt.want) {
				t.Errorf("%d %s, want %d with %q", a.status, a.body, tt.status, tt.want)
			}
			if a.status >= 400 {
				inner, _ := a.json["error"].(map[string]any)["innerError"].(map[string]any)
				if inner["request-id"] != a.header.Get("request-id") || a.code() == "" {
					t.Errorf("the error lacks Graph's shape: %s", a.body)
				}
			}
		})
	}
	if n := s.SentMail(); n != 1 {
		t.Errorf("%d mails were sent", n)
	}
}

func TestATokenThatDoesNotDoIsRefused(t *testing.T) {
	s := newGraph(t, graphtest.Options{Verify: func(token string) ([]string, error) {
		switch token {
		case "good":
			return []string{"User.Read.All"}, nil
		case "bare":
			return nil, nil
		case "challenged":
			return nil, &graphtest.Challenge{Claims: `{"access_token":{}}`}
		}
		return nil, errors.New("unknown")
	}})
	tests := []struct {
		name, token, target string
		status              int
		code                string
	}{
		{"good", "Bearer good", "/v1.0/users", 200, ""},
		{"none", "", "/v1.0/users", 401, "InvalidAuthenticationToken"},
		{"wrong", "Bearer wrong", "/v1.0/users", 401, "InvalidAuthenticationToken"},
		{"a challenge", "Bearer challenged", "/v1.0/users", 401, "InvalidAuthenticationToken"},
		{"no role for this", "Bearer good", "/v1.0/users/adele@contoso.com/messages", 403, "Authorization_RequestDenied"},
		{"no role at all", "Bearer bare", "/v1.0/users", 403, "AccessDenied"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := call(t, s, "GET", tt.target, "", "Authorization: "+tt.token)
			if a.status != tt.status || a.code() != tt.code {
				t.Errorf("%d %s", a.status, a.body)
			}
			if (a.status == 401) != (a.header.Get("WWW-Authenticate") != "") {
				t.Errorf("WWW-Authenticate %q", a.header.Get("WWW-Authenticate"))
			}
		})
	}
	if n := s.Count(); n != len(tests) {
		t.Errorf("%d requests are on record, want %d: also those that were refused", n, len(tests))
	}
}

func TestPagesAreFollowedByTheirLinkAlone(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	seen, escaped, pages := map[string]bool{}, 0, 0
	for next := "/v1.0/users?$select=id&$top=7"; next != ""; pages++ {
		a := call(t, s, "GET", next, "")
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		for _, v := range a.json["value"].([]any) {
			seen[v.(map[string]any)["id"].(string)] = true
		}
		if strings.Contains(a.body, `\u0026`) {
			escaped++
		}
		next, _ = a.json["@odata.nextLink"].(string)
		if next != "" && !strings.HasPrefix(next, s.URL()+"/v1.0/users?") {
			t.Errorf("nextLink %q is not absolute", next)
		}
	}
	if len(seen) != 60 || pages != 9 || escaped == 0 || escaped == pages {
		t.Errorf("%d users on %d pages, %d of them with escaped links", len(seen), pages, escaped)
	}
	link, _ := call(t, s, "GET", "/v1.0/users?$top=7", "").json["@odata.nextLink"].(string)
	u, err := url.Parse(link)
	must(t, err)
	if a := call(t, s, "GET", "/v1.0/groups?$skiptoken="+url.QueryEscape(u.Query().Get("$skiptoken")),
		""); a.status != 400 {
		t.Errorf("a token that was taken out of its link works: %d", a.status)
	}
}

func TestADeltaHasTheLaterChanges(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	follow := func(target string) (values []any, delta string) {
		for delta == "" {
			a := call(t, s, "GET", target, "")
			if a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			values = append(values, a.json["value"].([]any)...)
			target, _ = a.json["@odata.nextLink"].(string)
			delta, _ = a.json["@odata.deltaLink"].(string)
		}
		return values, delta
	}
	all, delta := follow("/v1.0/users/microsoft.graph.delta()?$select=displayName")
	if len(all) != 60 {
		t.Errorf("%d users at first", len(all))
	}
	if changes, _ := follow(delta); len(changes) != 0 {
		t.Errorf("changes without a change: %v", changes)
	}
	call(t, s, "PATCH", "/v1.0/users/adele@contoso.com", `{"displayName":"Adele V."}`)
	call(t, s, "DELETE", "/v1.0/users/alex@contoso.com", "")
	changes, _ := follow(delta)
	text := fmt.Sprint(changes)
	if len(changes) != 2 || !strings.Contains(text, "Adele V.") || !strings.Contains(text, "@removed") {
		t.Errorf("changes %v", changes)
	}
	if changes, _ := follow("/v1.0/users/delta?$deltatoken=latest"); len(changes) != 0 {
		t.Errorf("latest tells of %d objects", len(changes))
	}
}

// Without /$ref the request is about the member itself: a policy must allow for this trap.
func TestAMemberDeletedWithoutRefIsAUserDeleted(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	members := "/v1.0/groups/" + graphtest.ID("Marketing") + "/members/"
	if a := call(t, s, "DELETE", members+graphtest.ID("alex@contoso.com")+"/$ref", ""); a.status != 204 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := call(t, s, "GET", "/v1.0/users/alex@contoso.com", ""); a.status != 200 {
		t.Errorf("the user is gone: %d", a.status)
	}
	if a := call(t, s, "POST", members+"$ref",
		`{"@odata.id":"`+s.URL()+`/v1.0/directoryObjects/`+graphtest.ID("alex@contoso.com")+`"}`); a.status != 204 {
		t.Errorf("adding: %d %s", a.status, a.body)
	}
	if a := call(t, s, "DELETE", members+graphtest.ID("alex@contoso.com"), ""); a.status != 204 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := call(t, s, "GET", "/v1.0/users/alex@contoso.com", ""); a.status != 404 {
		t.Errorf("the user is still there: %d", a.status)
	}
}

func TestContentComesFromAForeignHostThatTakesNoToken(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	a := call(t, s, "GET", "/v1.0/users/adele@contoso.com/drive/root:/readme.txt:/content", "")
	location := a.header.Get("Location")
	if a.status != 302 || !strings.HasPrefix(location, s.ForeignURL()) {
		t.Fatalf("%d, Location %q", a.status, location)
	}
	tests := []struct {
		name, header string
		status       int
		body         string
	}{
		{"whole", "Accept: */*", 200, "Welcome to Contoso.\n"},
		{"a range", "Range: bytes=0-6", 206, "Welcome"},
		{"with a token", "Authorization: Bearer any", 401, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if a := call(t, s, "GET", location, "", tt.header); a.status != tt.status || tt.body != "" && a.body != tt.body {
				t.Errorf("%d %q", a.status, a.body)
			}
		})
	}
	if a := call(t, s, "GET", strings.Replace(location, "tempauth=", "tempauth=x", 1), ""); a.status != 401 {
		t.Errorf("a forged URL: %d", a.status)
	}
}

func TestAnUploadSessionTakesRangesInOrder(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	a := call(t, s, "POST", "/v1.0/users/adele@contoso.com/drive/root:/new/big.txt:/createUploadSession", "{}")
	to, _ := a.json["uploadUrl"].(string)
	if a.status != 200 || !strings.HasPrefix(to, s.ForeignURL()) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	steps := []struct {
		name, contentRange, body string
		status                   int
	}{
		{"out of order", "bytes 4-7/8", "4567", 416},
		{"the first half", "bytes 0-3/8", "0123", 202},
		{"the same again", "bytes 0-3/8", "0123", 416},
		{"a length that is wrong", "bytes 4-7/8", "45", 400},
		{"the second half", "bytes 4-7/8", "4567", 201},
		{"after the end", "bytes 4-7/8", "4567", 404},
	}
	for _, step := range steps {
		if a := call(t, s, "PUT", to, step.body, "Content-Range: "+step.contentRange); a.status != step.status {
			t.Errorf("%s: %d %s", step.name, a.status, a.body)
		}
	}
	if a := call(t, s, "GET", "/v1.0/users/adele@contoso.com/drive/root:/new/big.txt", ""); a.json["size"] != float64(8) {
		t.Errorf("the file: %d %s", a.status, a.body)
	}
}

func TestThrottlingIsOnDemand(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	s.Throttle(graphtest.Throttle{Prefix: "/v1.0/users", RetryAfter: "2.128", Times: 2})
	for i, want := range []int{429, 429, 200} {
		a := call(t, s, "GET", "/v1.0/Users/adele@contoso.com", "")
		if a.status != want || want == 429 && (a.header.Get("Retry-After") != "2.128" || a.code() != "TooManyRequests") {
			t.Errorf("request %d: %d, Retry-After %q, %s", i, a.status, a.header.Get("Retry-After"), a.body)
		}
	}
	s.Throttle(graphtest.Throttle{Status: 503})
	if a := call(t, s, "GET", "/v1.0/groups", ""); a.status != 503 {
		t.Errorf("%d", a.status)
	}
	s.Heal()
	if a := call(t, s, "GET", "/v1.0/groups", ""); a.status != 200 {
		t.Errorf("%d after Heal", a.status)
	}
}

func TestWhatArrivedIsOnRecordByteByByte(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	s.Handle("POST /v1.0/mine", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	})
	target := "/v1.0/mine?a=%2F&b=;c"
	if a := call(t, s, "POST", target, "text", "X-Test: 1"); a.body != "text" {
		t.Errorf("the handler was not asked: %s", a.body)
	}
	s.WaitIdle()
	got := s.Requests()
	if len(got) != 1 || got[0].Method != "POST" || got[0].Target != target || got[0].Header.Get("X-Test") != "1" ||
		!bytes.Equal(got[0].Body, []byte("text")) ||
		got[0].Header.Get("Host") == "" || time.Since(got[0].Time) > time.Minute {
		t.Errorf("%+v", got)
	}
	s.Reset()
	if s.Count() != 0 {
		t.Error("Reset forgets nothing")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
