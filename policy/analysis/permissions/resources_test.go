package permissions_test

import (
	"strings"
	"testing"

	"graphproxy/policy/analysis/permissions"
)

// selected has roles for single resources and of Exchange, in the format of permissions.json.
const selected = `{"permissions": {
  "Sites.Selected": {"authorizationType": "oAuth2", "schemes": {"Application": {"privilegeLevel": 2}}, "pathSets": [
    {"schemeKeys": ["Application"], "methods": ["GET"], "paths": {"/sites/{id}": "least=Application"}}]},
  "Files.SelectedOperations.Selected": {"authorizationType": "oAuth2", "schemes": {"Application": {}}, "pathSets": []},
  "Sites.Read.All": {"authorizationType": "oAuth2", "schemes": {"Application": {"privilegeLevel": 3}}, "pathSets": [
    {"schemeKeys": ["Application"], "methods": ["GET"], "paths": {"/sites/{id}": "", "/sites/{id}/lists": "least=Application"}}]},
  "Mail.ReadBasic.All": {"authorizationType": "oAuth2", "schemes": {"Application": {"privilegeLevel": 2}}, "pathSets": [
    {"schemeKeys": ["Application"], "methods": ["GET"], "paths": {"/users/{id}/messages": ""}}]},
  "Mail.Read": {"authorizationType": "oAuth2", "schemes": {"Application": {"privilegeLevel": 3}}, "pathSets": [
    {"schemeKeys": ["Application"], "methods": ["GET"], "paths": {"/users/{id}/messages": "least=Application"}}]},
  "Mail.Send": {"authorizationType": "oAuth2", "schemes": {"Application": {"privilegeLevel": 3}}, "pathSets": [
    {"schemeKeys": ["Application"], "methods": ["POST"], "paths": {"/users/{id}/sendMail": "least=Application"}}]},
  "User.Read.All": {"authorizationType": "oAuth2", "schemes": {"Application": {"privilegeLevel": 3}}, "pathSets": [
    {"schemeKeys": ["Application"], "methods": ["GET"], "paths": {"/users": "least=Application"}}]}
}}`

func TestRolesForSingleResources(t *testing.T) {
	d, err := permissions.Read(strings.NewReader(selected))
	if err != nil {
		t.Fatal(err)
	}
	const sites = "depends: Sites.Selected covers the resources that an administrator granted to the app, and no token " +
		"shows which"
	files := strings.Replace(sites, "Sites.Selected", "Files.SelectedOperations.Selected", 1)
	for _, tt := range []struct{ name, rule, roles, want string }{
		{"what the file documents for it", "GET /sites/{id}", "Sites.Selected", sites},
		{"what it does not", "GET /sites/{id}/lists", "Sites.Selected", sites},
		{"what no role is documented for", "GET /drives/{id}/items/{item}", "Files.SelectedOperations.Selected", files},
		{"a role for all sites decides", "GET /sites/{id}", "Sites.Selected,Sites.Read.All", "works"},
		{"it does not cover what is no site", "GET /users", "Sites.Selected", "cannot: User.Read.All"},
		{"without it", "GET /sites/{id}/lists", "", "cannot: Sites.Read.All"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := permissions.Check(policyOf(t, tt.rule, ""), d, split(tt.roles), "")
			if got := verdict(r); got != tt.want || len(r.Unused) > 0 {
				t.Errorf("%s, unused %v; want %s", got, r.Unused, tt.want)
			}
		})
	}
}

func TestExchangeMayAllowWithoutARole(t *testing.T) {
	d, err := permissions.Read(strings.NewReader(selected))
	if err != nil {
		t.Fatal(err)
	}
	r := permissions.Check(policyOf(t, "POST /users/{id}/sendMail\nGET /users", ""), d, nil, "")
	if len(r.Cannot) != 2 || !strings.Contains(r.Cannot[0].Note, "RBAC for Applications in Exchange") ||
		r.Cannot[1].Note != "" {
		t.Errorf("%+v", r.Cannot)
	}
	var text strings.Builder
	if err := r.WriteText(&text, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"RBAC for Applications in Exchange", "is POST /users/{user-id}/sendMail, " +
		"https://learn.microsoft.com/graph/api/user-sendmail?view=graph-rest-1.0"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
}

func TestTheLeastPrivilegeIsNotTooMuch(t *testing.T) {
	d, err := permissions.Read(strings.NewReader(selected))
	if err != nil {
		t.Fatal(err)
	}
	r := permissions.Check(policyOf(t, "GET /users/{id}/messages", ""), d, []string{"Mail.Read"}, "")
	if len(r.Advice)+len(r.Unused) > 0 || r.Work != 1 {
		t.Errorf("%+v, %+v", r.Advice, r.Unused)
	}
}
