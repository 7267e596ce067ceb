package batch_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/proxy/batch"
)

// The envelopes in testdata are byte for byte those of Microsoft's tools for PowerShell: with a byte order mark or
// CRLF, two spaces after a colon, escapes for & ' < and >, and integers as ids.
func TestReadTakesTheEnvelopesOfMicrosoftsTools(t *testing.T) {
	for name, want := range map[string]string{
		"powershell51.json": `{"requests":[{"id":"1","method":"GET",` +
			`"url":"/users?$select=id,displayName&$filter=startswith(displayName,'A')",` +
			`"headers":{"ConsistencyLevel":"eventual"}},` +
			`{"id":"2","method":"GET","url":"/groups?$top=5","dependsOn":["1"]}]}`,
		"entraexporter.json": `{"requests":[{"id":"0","method":"GET","url":"/organization?$select=id"},{"id":"1",` +
			`"method":"GET","url":"/users/adele@contoso.com/memberOf"},` +
			`{"id":"2","method":"GET","url":"/policies/authorizationPolicy"}]}`,
		"azureadassessment.json": `{"requests":[{"id":"12","method":"GET",` +
			`"url":"/servicePrincipals/1/appRoleAssignedTo?$top=999","headers":{"ConsistencyLevel":"eventual","Prefer":"5"}},` +
			`{"id":"13","method":"POST","url":"/directoryObjects/getByIds","headers":{"Content-Type":"application/json; ` +
			`charset=utf8"},"body":{"ids":["1"]},"dependsOn":["12"]}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			b := mustRead(t, string(text))
			var all []int
			for i := range b.Items {
				if all = append(all, i); b.Items[i].Err != nil {
					t.Errorf("item %s: %v", b.Items[i].ID, b.Items[i].Err)
				}
			}
			if diff := cmp.Diff(strings.ReplaceAll(want, "%20", " "), string(b.Encode(all))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnIDComesBackWithTheTypeThatItHad(t *testing.T) {
	b := mustRead(t, list(`"id":1`, `"id":"2"`, `"id":-3,"dependsOn":[1,"2"]`, `"id":9007199254740991`, `"id":0`))
	if diff := cmp.Diff([]int{0, 1}, b.Items[2].DependsOn); diff != "" {
		t.Error(diff)
	}
	sent := `{"requests":[{"id":"1","method":"GET","url":"/users"},{"id":"-3","method":"GET","url":"/users",` +
		`"dependsOn":["1"]}]}`
	if diff := cmp.Diff(sent, string(b.Encode([]int{0, 2}))); diff != "" {
		t.Error(diff)
	}
	refused := map[int]batch.Answer{3: {Status: 403}, 1: {Status: 424}}
	got, err := merge(t, b,
		strings.NewReader(`{"responses":[{"status":200,"id":"-3","body":{"id":"1"}},{"id":"1","status":200}]}`), refused,
		batch.Edit{})
	if err != nil {
		t.Fatal(err)
	}
	start := `{"responses":[{"id":1,"status":200},{"id":"2","status":424},{"status":200,"id":-3,"body":{"id":"1"}},` +
		`{"id":9007199254740991,"status":403},{"id":0,"status":504,`
	if !strings.HasPrefix(string(got), start) {
		t.Errorf("%s\nwant %s", got, start)
	}
}

func TestAnUnknownKeyRefusesItsItem(t *testing.T) {
	for _, key := range []string{"x", "atomicityGroup", "if", "", "status", "depends", "id ", "url\u200b", "ｕrl",
		"urſ", "headerſ", "dependsOnn", "$id", "@odata.id"} {
		t.Run(key, func(t *testing.T) {
			b := mustRead(t, list(`"id":1`, `"id":2,"`+key+`":{"id":3}`, `"id":3,"dependsOn":[2]`))
			if e := b.Items[1].Err; e == nil || e.Status != 400 || e.Code != "unknownKey" ||
				!strings.Contains(e.Message, "known here: id, method, url, headers, body, dependsOn") {
				t.Errorf("%v", e)
			}
			if b.Items[0].Err != nil || b.Items[2].Err != nil || b.Items[1].Target != nil {
				t.Errorf("%+v", b.Items)
			}
			if text := string(b.Encode([]int{0, 1})); text != `{"requests":[{"id":"1","method":"GET","url":"/users"}]}` {
				t.Errorf("sent: %s", text)
			}
		})
	}
}

func TestKeysCountInEveryLetterCase(t *testing.T) {
	b := mustRead(t,
		`{"REQUESTS":[{"ID":"a","Method":"POST","URL":"/users","Headers":{"Content-Type":"application/json"},`+
			`"BODY":{"Id":1},"dependson":["b"]},{"Id":"b","method":"GET","Url":"/users",`+
			`"Body":null,"HEADERS":null,"DependsOn":null}]}`)
	want := `{"requests":[{"id":"a","method":"POST","url":"/users","headers":{"Content-Type":"application/json"},` +
		`"body":{"Id":1},"dependsOn":["b"]},{"id":"b","method":"GET","url":"/users"}]}`
	if diff := cmp.Diff(want, string(b.Encode([]int{0, 1}))); diff != "" {
		t.Error(diff)
	}
}
