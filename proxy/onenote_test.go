package proxy_test

import (
	"encoding/json"
	"strings"
	"testing"
)

const notesPolicy = `
version: 1
callers:
  app:
    identity: [{network: [127.0.0.0/8, "::1/128"]}]
    allow:
      - GET /users/{id}/onenote/**
      - PATCH /test/x
`

// The addresses in answers of OneNote lead to the proxy, and can be followed unchanged: from a page to its HTML,
// and from there, with the recipe of docs/sdks.md, to the picture.
func TestTheLinksOfOneNoteLeadToTheProxy(t *testing.T) {
	r := newRig(t, notesPolicy)
	for _, target := range []string{"/v1.0/users/adele@contoso.com/onenote/notebooks",
		"/v1.0/users/adele@contoso.com/onenote/pages"} {
		if a := r.do(t, "GET", target, ""); a.status != 200 || strings.Contains(a.body, r.graph.URL()) {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	var list struct {
		Value []struct {
			ContentURL    string
			ParentSection struct{ PagesURL string }
		}
	}
	must(t, json.Unmarshal([]byte(r.do(t, "GET", "/v1.0/users/adele@contoso.com/onenote/pages", "").body), &list))
	if len(list.Value) != 2 || !strings.HasPrefix(list.Value[0].ParentSection.PagesURL, r.server.URL+"/v1.0/users/") {
		t.Fatalf("%+v", list)
	}
	page := r.do(t, "GET", strings.TrimPrefix(list.Value[0].ContentURL, r.server.URL), "")
	_, rest, _ := strings.Cut(page.body, `src="`)
	src, _, _ := strings.Cut(rest, `"`)
	if page.status != 200 || !strings.HasPrefix(src, r.graph.URL()+"/v1.0/") {
		t.Fatalf("HTML passes as it is: %d %s", page.status, page.body)
	}
	if picture := r.do(t, "GET", strings.TrimPrefix(src, r.graph.URL()), ""); picture.status != 200 ||
		picture.header.Get("Content-Type") != "image/png" {
		t.Errorf("%d %v", picture.status, picture.header)
	}
}

// An object of an answer can be sent back: each address that became the proxy's becomes Graph's again.
func TestWhatAnAnswerBroughtCanBeSentBack(t *testing.T) {
	r := newRig(t, notesPolicy)
	body := strings.ReplaceAll(`{"@odata.context":"OWN/v1.0/$metadata#x","contentUrl":"OWN/v1.0/a","self":"OWN/beta/b",`+
		`"parentUrl":"OWN/v2/c","content":"OWN/v1.0/d","webUrl":"OWN/e"}`, "OWN", r.server.URL)
	want := strings.NewReplacer(r.server.URL+"/v1.0/d", r.server.URL+"/v1.0/d", r.server.URL+"/e", r.server.URL+"/e",
		r.server.URL, r.graph.URL()).Replace(body)
	_ = r.do(t, "PATCH", "/v1.0/test/x", body, asJSON)
	if got := r.graph.Requests(); len(got) != 1 || string(got[0].Body) != want {
		t.Errorf("Graph received %+v\nwant %s", got, want)
	}
}
