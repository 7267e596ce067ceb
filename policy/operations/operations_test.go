package operations_test

import (
	"strings"
	"testing"

	"graphproxy/policy/graph/catalog"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
	"graphproxy/policy/operations"
)

func embedded(t testing.TB) *operations.Set {
	t.Helper()
	known, err := operations.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return known
}

func TestRulesAreLookedUpInTheEmbeddedLists(t *testing.T) {
	known := embedded(t)
	for _, c := range []struct{ name, rule, problem string }{
		{"a resource", "GET /users/{id}/messages", ""},
		{"a key of a wellknown name", "GET /users/{id}/mailFolders/inbox/messages", ""},
		{"a key that is written out", "DELETE /users/ceo@contoso.com", ""},
		{"everything below", "ANY /users/{id}/**", ""},
		{"everything below a cast", "ANY /groups/{id}/members/microsoft.graph.user/**", ""},
		{"an action", "POST /users/{id}/sendMail", ""},
		{"a function without its parentheses", "GET /users/delta", ""},
		{"a function with arguments", "GET /reports/getEmailActivityUserDetail(period={p})", ""},
		{"a function whose arguments a wide rule leaves out", "GET /reports/getEmailActivityUserDetail", ""},
		{"a drive path", "PUT /users/{id}/drive/root:/{path}:/content", ""},
		{"what is below an item of a user's drive", "GET /users/{id}/drive/items/{item}/children", ""},
		{"an alternate key", "GET /users(userPrincipalName='{upn}')/photo", ""},
		{"another letter case", "GET /Users/{id}/mailfolders", ""},
		{"of beta", "GET /beta/devices/{id}", ""},
		{"the signed-in user", "GET /me/messages", ""},
		{"a batch", "POST /$batch", ""},
		{"a misspelled set", "GET /usres/{id}", `/ has no "usres"; did you mean "users"?`},
		{"a misspelled name", "GET /users/{id}/mesages", `/users/{user-id} has no "mesages"; did you mean "messages"?`},
		{"a misspelled action", "POST /users/{id}/sendmial", `/users/{user-id} has no "sendmial"; did you mean "sendMail"?`},
		{"a method that it has not", "DELETE /users/{id}/messages",
			"no operation there has the method DELETE; there is GET,POST"},
		{"what only beta has", "GET /users/{id}/profile", "it is in beta; write GET /beta/users/{id}/profile"},
		{"a misspelled name in beta", "GET /beta/devices/{id}/comands",
			`/devices/{device-id} has no "comands"; did you mean "commands"?`},
		{"a key where there is none", "GET /organization/{id}/branding/{x}",
			"/organization/{organization-id}/branding has no keys"},
		{"a misspelled name below", "ANY /users/{id}/mailFoldres/**",
			`/users/{user-id} has no "mailFoldres"; did you mean "mailFolders"?`},
	} {
		t.Run(c.name, func(t *testing.T) {
			method, path, _ := strings.Cut(c.rule, " ")
			r := rule(t, method, path)
			got := known.Problem(r, true)
			if got != c.problem && (c.problem == "" || !strings.HasPrefix(got, c.problem)) {
				t.Errorf("%s: %q, want %q", c.rule, got, c.problem)
			}
			if c.problem != "" && operations.AreListed([]*match.Rule{r}) {
				t.Error("it is listed all the same")
			}
		})
	}
}

// The fast check never reports a rule as known that the slow check does not find.
func TestWhatIsListedHasNoProblem(t *testing.T) {
	known := embedded(t)
	for _, version := range catalog.Versions() {
		roots, err := catalog.Roots(version)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, root := range roots {
			err := catalog.Below(version, root, func(o catalog.Operation) bool {
				if n++; n%17 != 0 {
					return true
				}
				r := rule(t, o.Method, "/"+version+o.Path)
				if problem := known.Problem(r, false); problem != "" {
					t.Errorf("%s %s: %s", o.Method, o.Path, problem)
				}
				if !strings.Contains(o.Path, "(") && !operations.AreListed([]*match.Rule{r}) {
					t.Errorf("%s %s is not listed", o.Method, o.Path)
				}
				return true
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestARequestIsAnOperation(t *testing.T) {
	known := embedded(t)
	for request, want := range map[string]string{
		"GET /v1.0/users/adele@contoso.com/messages":                "/users/{user-id}/messages",
		"HEAD /v1.0/users/1":                                        "/users/{user-id}",
		"GET /v1.0/users('1')/mailFolders/inbox/messages":           "/users/{user-id}/mailFolders/{mailFolder-id}/messages",
		"POST /v1.0/users/1/microsoft.graph.sendMail":               "/users/{user-id}/sendMail",
		"GET /beta/devices/d1":                                      "/devices/{device-id}",
		"GET /v1.0/users/1/nothing":                                 "",
		"PATCH /v1.0/users":                                         "",
		"GET /v1.0/reports/getTeamsUserActivityCounts(period='D7')": "/reports/getTeamsUserActivityCounts(period='{period}')",
	} {
		method, path, _ := strings.Cut(request, " ")
		target, err := odata.Parse(path, "")
		if err != nil {
			t.Fatal(err)
		}
		got, _ := known.Find(target.Segments, target.Version, method)
		if strings.ReplaceAll(got.Path, "'", "") != strings.ReplaceAll(want, "'", "") {
			t.Errorf("%s: %q, want %q", request, got.Path, want)
		}
	}
}

func TestWhatAFileAddsIsKnown(t *testing.T) {
	known := embedded(t)
	r := rule(t, "GET", "/users/{id}/secretFeature")
	if known.Problem(r, true) == "" {
		t.Fatal("it is known before")
	}
	if err := known.Read(strings.NewReader("GET /users/{user-id}/secretFeature\n"), "v1.0"); err != nil {
		t.Fatal(err)
	}
	if got := known.Problem(r, true) + known.Problem(rule(t, "GET", "/users/{id}/messages"), true); got != "" {
		t.Error(got)
	}
}

func TestOnlyWhatGraphDoesNotHaveIsVoid(t *testing.T) {
	known := embedded(t)
	for text, want := range map[string]bool{
		"GET /users/{id}/mesages":              true,
		"ANY /usres/**":                        true,
		"GET /users/{id}/profile":              true,
		"GET /organization/{id}/branding/{x}":  true,
		"GET /users/{id}/messages":             false,
		"DELETE /users/{id}/messages":          true,
		"PUT /users/{id}":                      true,
		"POST /users/{id}":                     true,
		"PATCH,PUT /users/{id}":                false, // there is PATCH
		"PUT /users":                           true,
		"POST /users/adele@contoso.com":        true,
		"POST /users/brandNew":                 false, // it may be a function
		"GET /users/{id}/sendMail":             true,
		"HEAD /users/{id}":                     false,
		"ANY /users/{id}/sendMail":             false,
		"DELETE /users/{id}/messages/**":       false,
		"DELETE /me/messages":                  true,
		"DELETE /me/messages/{id}":             false,
		"GET /me/mesages":                      true,
		"ANY /me/**":                           false,
		"GET /me":                              false,
		"PUT /users/{id}/photo":                false, // meant is $value
		"GET /users/{id}/calendar/getSchedule": true,  // there is POST
		"GET /users/getEverything(of={x})":     false,
		"GET /users/getEverything()":           false,
		"DELETE /groups/{id}/members/{m}":      false, // without $ref it deletes the member
		"PATCH /groups/{id}/members/{m}":       false,
	} {
		method, path, _ := strings.Cut(text, " ")
		if got := known.IsVoid(rule(t, method, path)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
