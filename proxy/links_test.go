package proxy_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"graphproxy/proxy"
)

const linkPolicy = `
version: 1
callers:
  app:
    identity: [{network: [127.0.0.0/8, "::1/128"]}]
    allow: [GET /users, GET /users/delta, "ANY /groups/**", "ANY /teams/**", "GET /users/{id}/messages/**"]
`

// A caller that pages to the end, and by deltaLink, never sees the address of Graph.
func TestEveryPageLeadsToTheProxy(t *testing.T) {
	for _, encoding := range []string{"identity", "gzip"} {
		t.Run(encoding, func(t *testing.T) {
			r := newRig(t, linkPolicy)
			for _, start := range []string{"/v1.0/users?$top=7&$select=id,displayName", "/v1.0/users/delta?$select=id"} {
				pages, last := 0, ""
				for next := start; next != ""; pages++ {
					a := r.do(t, "GET", next, "", "Accept-Encoding: "+encoding)
					body := a.body
					if encoding == "gzip" {
						if a.header.Get("Content-Encoding") != "gzip" {
							t.Fatalf("%v", a.header)
						}
						body = unzipped(t, a.body)
					}
					if a.status != 200 || strings.Contains(body, r.graph.URL()) ||
						strings.Contains(strings.Join(a.header.Values("Location"), " "), r.graph.URL()) {
						t.Fatalf("%d: %s", a.status, body)
					}
					var page struct {
						Context string `json:"@odata.context"`
						Next    string `json:"@odata.nextLink"`
						Delta   string `json:"@odata.deltaLink"`
					}
					must(t, json.Unmarshal([]byte(body), &page))
					if !strings.HasPrefix(page.Context, r.server.URL+"/v1.0/$metadata#users") {
						t.Errorf("@odata.context is %q", page.Context)
					}
					next, last = strings.TrimPrefix(page.Next, r.server.URL), page.Delta
				}
				if strings.Contains(start, "delta") != strings.HasPrefix(last, r.server.URL+"/v1.0/users/delta") ||
					!strings.Contains(start, "delta") && pages < 5 {
					t.Errorf("%s: %d pages, deltaLink %q", start, pages, last)
				}
			}
		})
	}
}

func unzipped(t *testing.T, text string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(text))
	must(t, err)
	plain, err := io.ReadAll(z)
	must(t, err)
	return string(plain)
}

func TestLinksInAnswers(t *testing.T) {
	r := newRig(t, linkPolicy)
	graph := r.graph.URL()
	link := `{"@odata.nextLink":"` + graph + `/v1.0/groups?$skiptoken=x","text":"` + graph + `/v1.0/groups","n":1.0}`
	answers := map[string]http.HandlerFunc{
		"GET /v1.0/groups/json": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json;odata.metadata=minimal")
			w.Header().Set("ETag", `W/"1"`)
			_, _ = io.WriteString(w, link)
		},
		"HEAD /v1.0/groups/json": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "500")
		},
		"GET /v1.0/groups/text": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, link)
		},
		"GET /v1.0/groups/1/photo/$value": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, link)
		},
		"PUT /v1.0/groups/1/drive/root:/a.json:/content": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, link)
		},
		"GET /v1.0/groups/1/members/$ref": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"value":["`+graph+`/v1.0/users/1"]}`)
		},
		"POST /v1.0/teams/1/clone": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/teams('1')/operations('2')")
			w.Header().Set("Content-Location", graph+"/v1.0/teams/1")
			w.Header().Set("Operation-Location", "https://contoso.sharepoint.com/_api/v2.0/monitor/1")
			w.WriteHeader(202)
		},
	}
	for pattern, answer := range answers {
		r.graph.Handle(pattern, answer)
	}
	mapped := strings.Replace(link, graph, r.server.URL, 1)
	for _, tt := range []struct{ name, method, target, want string }{
		{"JSON", "GET", "/v1.0/groups/json", mapped},
		{"what is no JSON", "GET", "/v1.0/groups/text", link},
		{"a file, though it is JSON", "GET", "/v1.0/groups/1/photo/$value", link},
		{"what Graph says of a file that came", "PUT", "/v1.0/groups/1/drive/root:/a.json:/content", mapped},
		{"bare values of $ref", "GET", "/v1.0/groups/1/members/$ref", `{"value":["` + r.server.URL + `/v1.0/users/1"]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if a := r.do(t, tt.method, tt.target, ""); a.body != tt.want {
				t.Errorf("got %s\nwant %s", a.body, tt.want)
			}
		})
	}
	t.Run("headers", func(t *testing.T) {
		h := r.do(t, "POST", "/v1.0/teams/1/clone", "").header
		if h.Get("Location") != r.server.URL+"/v1.0/teams('1')/operations('2')" ||
			h.Get("Content-Location") != r.server.URL+"/v1.0/teams/1" ||
			h.Get("Operation-Location") != "https://contoso.sharepoint.com/_api/v2.0/monitor/1" {
			t.Error(h)
		}
	})
	t.Run("a length that no longer holds is not told, and the ETag stays", func(t *testing.T) {
		if h := r.do(t, "HEAD", "/v1.0/groups/json", "").header; h.Get("Content-Length") != "" {
			t.Error(h)
		}
		if h := r.do(t, "GET", "/v1.0/groups/json", "").header; h.Get("ETag") != `W/"1"` {
			t.Error(h)
		}
	})
	t.Run("who takes no gzip gets none", func(t *testing.T) {
		for _, encodings := range []string{"identity", "gzip;q=0", "gzip; Q=0.000, br", "br, zstd, *"} {
			if a := r.do(t, "GET", "/v1.0/users?$top=1", "",
				"Accept-Encoding: "+encodings); a.header.Get("Content-Encoding") != "" || !strings.HasPrefix(a.body, "{") {
				t.Errorf("%s: %v", encodings, a.header)
			}
		}
		for _, encodings := range []string{"gzip", "br;q=1, GZIP;q=0.5", "deflate, gzip;q=1"} {
			if a := r.do(t, "GET", "/v1.0/users?$top=1", "", "Accept-Encoding: "+
				encodings); a.header.Get("Content-Encoding") != "gzip" || !strings.HasPrefix(unzipped(t, a.body), "{") {
				t.Errorf("%s: %v", encodings, a.header)
			}
		}
	})
	t.Run("the batch's items", func(t *testing.T) {
		a := r.do(t, "POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"/users?$top=2"}]}`, asJSON)
		if strings.Contains(a.body, graph) || !strings.Contains(a.body, `"@odata.nextLink":"`+r.server.URL+`/v1.0/users?`) {
			t.Error(a.body)
		}
	})
	t.Run("the address that is configured", func(t *testing.T) {
		r := newRig(t, linkPolicy, func(c *proxy.Config, _ *rig) { c.PublicURL = "https://graph.contoso.example" })
		if a := r.do(t, "GET", "/v1.0/users?$top=2", ""); !strings.Contains(a.body,
			`"@odata.nextLink":"https://graph.contoso.example/v1.0/users?`) {
			t.Error(a.body)
		}
	})
}

func TestReferencesInRequestsBecomeGraphs(t *testing.T) {
	r := newRig(t, linkPolicy)
	send := func(method, target, body string, header ...string) (sentTarget, sentBody string) {
		t.Helper()
		r.graph.Reset()
		r.do(t, method, target, body, header...)
		got := r.graph.Requests()
		return got[0].Target, string(got[0].Body)
	}
	graph, own := r.graph.URL(), r.server.URL
	body := `{"@odata.id" : "` + own + `/v1.0/directoryObjects/1", "text":"` + own + `/v1.0"}`
	want := strings.Replace(body, own, graph, 1)
	if _, got := send("POST", "/v1.0/groups/1/members/$ref", body, asJSON); got != want {
		t.Errorf("got %s", got)
	}
	if _, got := send("POST", "/v1.0/groups/1/members/$ref", zipped(t, body), asJSON,
		"Content-Encoding: gzip"); got != want {
		t.Errorf("compressed: got %s", got)
	}
	if _, got := send("PATCH", "/v1.0/groups/1", `{"members@odata.bind":["`+own+`/v1.0/users/1"]}`,
		asJSON); got != `{"members@odata.bind":["`+graph+`/v1.0/users/1"]}` {
		t.Errorf("got %s", got)
	}
	if got, _ := send("DELETE", "/v1.0/groups/1/members/$ref?$id="+own+"/v1.0/users/1", ""); !strings.HasSuffix(got,
		"?$id="+graph+"/v1.0/users/1") {
		t.Errorf("got %s", got)
	}
	_, got := send("POST", "/v1.0/$batch",
		`{"requests":[{"id":"1","method":"POST","url":"/groups/1/members/$ref",`+
			`"headers":{"Content-Type":"application/json"},"body":`+body+`}]}`, asJSON)
	if !strings.Contains(got, `"body":`+want) {
		t.Errorf("got %s", got)
	}
	r.graph.Reset()
	for _, bad := range []string{"{", "\xff", "{\x00}"} {
		if inner := r.do(t, "PATCH", "/v1.0/groups/1", bad, asJSON).refusal(t, 400, "invalidRequest"); inner != "badJSON" {
			t.Errorf("%q: %s", bad, inner)
		}
	}
	if inner := r.do(t, "PATCH", "/v1.0/groups/1", `"`+strings.Repeat("x", 4<<20)+`"`, asJSON).refusal(t, 413,
		"invalidRequest"); inner != "bodyTooLarge" {
		t.Error(inner)
	}
	r.sawNothing(t)
}

// What Graph has sent so far reaches the caller, also when it must be compressed again.
func TestASlowCompressedAnswerIsNotHeldBack(t *testing.T) {
	r := newRig(t, linkPolicy)
	more := make(chan struct{})
	r.graph.Handle("GET /v1.0/groups/slow", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, `{"value":[1,`)
		_ = z.Flush()
		_ = http.NewResponseController(w).Flush()
		<-more
		_, _ = io.WriteString(z, `2]}`)
		_ = z.Close()
	})
	req, err := http.NewRequest("GET", r.server.URL+"/v1.0/groups/slow", nil)
	must(t, err)
	req.Header.Set("Accept-Encoding", "br, gzip;q=0.5")
	res, err := r.server.Client().Do(req)
	must(t, err)
	defer res.Body.Close()
	z, err := gzip.NewReader(res.Body)
	must(t, err)
	first := make([]byte, len(`{"value":[1,`))
	_, err = io.ReadFull(z, first)
	must(t, err)
	close(more)
	rest, err := io.ReadAll(z)
	must(t, err)
	if got := append(first, rest...); !bytes.Equal(got, []byte(`{"value":[1,2]}`)) {
		t.Errorf("%s", got)
	}
}

// Addresses in the headers of items become the proxy's, like those in headers of an answer: whole addresses at
// Graph, and paths. A path without a version gets the batch's.
func TestLocationsOfItemsLeadToTheProxy(t *testing.T) {
	r := newRig(t, strings.Replace(everyone, "allow:", "allow:\n      - GET /beta/users/{id}", 1))
	const graph, own = "<G>", "<P>"
	for _, tt := range []struct{ name, header, value, want string }{
		{"a whole address", "Location", graph + "/v1.0/a", own + "/v1.0/a"},
		{"one below another root, in lower case", "location", graph + "/v2/x/directoryObjects/1",
			own + "/v2/x/directoryObjects/1"},
		{"one without a path, in capitals", "CONTENT-LOCATION", graph, own},
		{"one of a job", "Operation-Location", graph + "/b?c#d", own + "/b?c#d"},
		{"a path without a version", "Location", "/teams('1')/operations('2')", own + "/beta/teams('1')/operations('2')"},
		{"a path with the version", "location", "/v1.0/teams('1')", own + "/v1.0/teams('1')"},
		{"a path that begins like a version", "Content-Location", "/v1.0x/", own + "/beta/v1.0x/"},
		{"the root", "Operation-Location", "/", own + "/beta/"},
		{"a download at another host", "location", "https://b0mpua.files.1drv.com/x", "https://b0mpua.files.1drv.com/x"},
		{"a host without a scheme", "Location", "//files.example/v1.0", "//files.example/v1.0"},
		{"a host behind a backslash", "Location", `/\files.example/`, `/\files.example/`},
		{"Graph's name at the front of another's", "Location", graph + ".example/v1.0/a", graph + ".example/v1.0/a"},
		{"another header", "X-Test", graph + "/", graph + "/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			value := strings.ReplaceAll(tt.value, graph, r.graph.URL())
			r.graph.Handle("POST /beta/$batch", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = fmt.Fprintf(w, `{"responses":[{"id":"0","status":302,"headers":{%q:%q},"body":{"headers":{%q:%q}}}]}`,
					tt.header, value, tt.header, "/teams")
			})
			item := r.do(t, "POST", "/beta/$batch", batchOfUsers(1), asJSON).responses(t)["0"]
			want := strings.NewReplacer(graph, r.graph.URL(), own, r.server.URL).Replace(tt.want)
			if got := item.Headers[tt.header]; got != want {
				t.Errorf("%s is %q, want %q", tt.header, got, want)
			}
			if body := string(item.Body); body != fmt.Sprintf(`{"headers":{%q:%q}}`, tt.header, "/teams") {
				t.Errorf("the body is %s", body)
			}
		})
	}
}
