package permissions_test

import (
	"strings"
	"testing"

	"graphproxy/policy"
	"graphproxy/policy/analysis/permissions"
)

// sample has the format of permissions.json, and its peculiarities.
const sample = `{"permissions": {
  "Person.ReadBasic.All": {"authorizationType": "oAuth2", "schemes": {"Application": {"privilegeLevel": 2}}, "pathSets": [
    {"schemeKeys": ["Application"], "methods": ["GET"], "paths": {"/users": "least=Application", "/users/{id}": "least=Application"}}]},
  "Person.Read.All": {"authorizationType": "oAuth2", "schemes": {"Application": {"privilegeLevel": 3}, "DelegatedWork": {"privilegeLevel": 3}}, "pathSets": [
    {"schemeKeys": ["DelegatedWork", "Application"], "methods": ["GET"], "paths": {"/Users": "", "/users/{value}": "", "/users/delta": "least=Application", "/users/{id}/manager": "least=Application",
      "/reports/getpersondetail(period={value}, view={value})": "least=Application"}},
    {"schemeKeys": ["DelegatedWork"], "methods": ["GET", "PATCH"], "paths": {"/me": "", "/users/{id}/diary": "", "/users/{id}/manager/notes": ""}}]},
  "Person.ReadWrite.All": {"authorizationType": "oAuth2", "schemes": {"Application": {"privilegeLevel": 4}}, "pathSets": [
    {"schemeKeys": ["Application"], "methods": ["GET", "PATCH", "DELETE"], "paths": {"/users": "least=Application", "/users/{id}": "least=Application"}},
    {"schemeKeys": ["Application"], "methods": ["POST"], "paths": {"/users": "least=Application"}},
    {"schemeKeys": ["Application"], "methods": ["PUT", "DELETE"], "paths": {"/users/{id}/manager": "least=Application"}}]},
  "Team.ReadWrite.All": {"authorizationType": "oAuth2", "schemes": {"Application": {}}, "pathSets": [
    {"schemeKeys": ["Application"], "methods": ["GET", "DELETE"], "paths": {"/groups/{id}/members/{id}": "least=Application", "/groups/{id}/members": ""}},
    {"schemeKeys": ["Application"], "methods": ["POST"], "paths": {"/groups/{id}/owners/$ref": "least=Application"}}]},
  "Badge.Assign.All": {"authorizationType": "oAuth2", "schemes": {"Application": {"privilegeLevel": 4}}, "pathSets": [
    {"schemeKeys": ["Application"], "methods": ["POST"], "paths": {"/users/{id}/badges": "least=Application;AlsoRequires=Person.Read.All,Person.ReadBasic.All"}}]},
  "Letter.Read.All": {"authorizationType": "oAuth2", "schemes": {"Application": {"privilegeLevel": 3}}, "pathSets": [
    {"schemeKeys": ["Application"], "methods": ["GET"], "paths": {"/users/{id}/mailFolders/{id}/messages": "least=Application", "/users/{id}/mailFolders/{id}": "least=Application",
      "/letters?$filter=to eq '{id}'": "least=Application"}}]},
  "Letter.Send": {"authorizationType": "oAuth2", "schemes": {"Application": {"privilegeLevel": 3}}, "pathSets": [
    {"schemeKeys": ["Application"], "methods": ["POST"], "paths": {"/users/{id}/sendletter": "least=Application", "/security/runsurvey": "least=Application"}}]},
  "Paper.Read.All": {"authorizationType": "oAuth2", "schemes": {"Application": {"privilegeLevel": 3}}, "pathSets": [
    {"schemeKeys": ["Application"], "methods": ["GET"], "paths": {"/drives/{id}/root:/{id}:/children": "least=Application", "/drives/{id}/items/{id}/content": "least=Application",
      "/sites/{id}": "least=Application", "/sites/{id}/lists": "least=Application", "/sites/{id}}/broken": ""}}]},
  "Site.Home.Read": {"authorizationType": "oAuth2", "schemes": {"Application": {"privilegeLevel": 1}}, "pathSets": [
    {"schemeKeys": ["Application"], "methods": ["GET"], "paths": {"/sites/root": "least=Application"}}]},
  "Chat.Read.Single": {"authorizationType": "RSC", "schemes": {"Application": {}}, "pathSets": [
    {"schemeKeys": ["Application"], "methods": ["GET"], "paths": {"/chats/{id}": "least=Application", "/chats/{id}/messages": "least=Application"}}]},
  "Chat.ReadWrite.All": {"authorizationType": "oAuth2", "schemes": {"Application": {"privilegeLevel": 3}}, "pathSets": [
    {"schemeKeys": ["Application"], "methods": ["GET"], "paths": {"/chats/{id}/messages": ""}}]},
  "Chat.Read.All": {"authorizationType": "oAuth2", "schemes": {"Application": {"privilegeLevel": 4}, "DelegatedWork": {}}, "pathSets": [
    {"schemeKeys": ["Application", "DelegatedWork"], "methods": ["GET"], "paths": {"/chats/{id}/messages": "least=DelegatedWork"}}]},
  "Diary.Read": {"authorizationType": "oAuth2", "schemes": {"DelegatedWork": {"privilegeLevel": 1}}, "pathSets": []}
}}`

func data(t testing.TB) *permissions.Data {
	t.Helper()
	d, err := permissions.Read(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// policyOf is the policy of one caller, with rules as YAML has them, one a line.
func policyOf(t testing.TB, allow, deny string) *policy.Policy {
	t.Helper()
	text := "version: 1\ncallers:\n  plain:\n    identity: [anyone]\n    allow:\n" + items(allow)
	if deny != "" {
		text += "    deny:\n" + items(deny)
	}
	return parse(t, text)
}

func parse(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, err := policy.ParseUntested("policy.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func items(rules string) string {
	var b strings.Builder
	for rule := range strings.Lines(rules) {
		b.WriteString("      - " + strings.TrimSpace(rule) + "\n")
	}
	return b.String()
}
