package batch_test

import (
	"encoding/json"
	"strings"
	"testing"

	"graphproxy/proxy/batch"
)

// readURL reads a batch of one GET of the URL.
func readURL(t *testing.T, url string, o batch.Options) batch.Item {
	t.Helper()
	text, err := json.Marshal(url)
	if err != nil {
		t.Fatal(err)
	}
	b, err := batch.Read([]byte(one(`"method":"GET","url":`+string(text))), o)
	if err != nil {
		t.Fatalf("%q: %v", url, err)
	}
	return b.Items[0]
}

func TestURLsAreSentInOneForm(t *testing.T) {
	for _, c := range []struct{ name, url, want string }{
		{"with a slash", "/users/1", "/users/1"},
		{"without a slash", "users/1", "/users/1"},
		{"with the batch's version", "/v1.0/users/1", "/users/1"},
		{"with the batch's version and no slash", "v1.0/users/1", "/users/1"},
		{"with the proxy's address", "https://graph.contoso.com/v1.0/users/1?$select=id", "/users/1?$select=id"},
		{"with the proxy's address in another letter case", "HTTPS://Graph.Contoso.com/v1.0/users/1", "/users/1"},
		{"with the port that is the scheme's own", "https://graph.contoso.com:443/v1.0/users/1", "/users/1"},
		{"with another of the proxy's addresses", "http://127.0.0.1:8080/v1.0/users/1", "/users/1"},
		{"with a trailing slash", "/users/", "/users"},
		{"the service root", "/", "/"},
		{"the service root with its version", "/v1.0", "/"},
		{"the service root with the proxy's address", "https://graph.contoso.com/v1.0/", "/"},
		{"raw spaces in the query, as in Graph's own example", "users?$select=id&$filter=city eq null&$count=true",
			"/users?$select=id&$filter=city%20eq%20null&$count=true"},
		{"escaped names", "/users?%24select=id", "/users?$select=id"},
		{"a URL in the query", "/users?$filter=x eq 'https://fabrikam.com/?a'",
			"/users?$filter=x%20eq%20'https://fabrikam.com/?a'"},
		{"a version that is a key", "/users/v1.0", "/users/v1.0"},
		{"a colon within quotes", "users('a:b')", "/users('a:b')"},
		{"a drive path", "drives/1/root:/a%20b/c.txt:/content", "/drives/1/root:/a%20b/c.txt:/content"},
		{"a tenant, which is for the caller of Read to compare", "/contoso.com/users", "/users"},
		{"references in keys of the caller's making", "/users/1/members/$ref", "/users/1/members/$ref"},
		{"escaped letters", "/us%65rs/%41", "/users/A"},
		{"a guest", "/users/adele_contoso.com%23EXT%23@fabrikam.com", "/users/adele_contoso.com%23EXT%23@fabrikam.com"},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := readURL(t, c.url, options())
			if i.Err != nil {
				t.Fatal(i.Err)
			}
			text := string((&batch.Batch{Items: []batch.Item{i}}).Encode([]int{0}))
			if want := `"url":"` + c.want + `"`; !strings.Contains(text, want) {
				t.Errorf("sent: %s, not %s", text, want)
			}
		})
	}
	t.Run("JSON escapes are taken off once, before the URL is read", func(t *testing.T) {
		b := mustRead(t, one(`"method":"GET","url":"\/us\u0065rs\/1?\u0024select=id"`))
		if got := b.Items[0].Target.Path(); got != "/v1.0/users/1" {
			t.Errorf("reads %s", got)
		}
	})
	t.Run("the tenant is told", func(t *testing.T) {
		if got := readURL(t, "/v1.0/contoso.com/users", options()).Target.Tenant; got != "contoso.com" {
			t.Errorf("the tenant is %q", got)
		}
	})
	t.Run("a batch of beta", func(t *testing.T) {
		o := batch.Options{Version: "beta"}
		for _, url := range []string{"/users", "users", "/beta/users"} {
			if i := readURL(t, url, o); i.Err != nil || i.Target.EscapedPath() != "/beta/users" {
				t.Errorf("%s: %v", url, i.Err)
			}
		}
		if i := readURL(t, "/v1.0/users", o); i.Err == nil || i.Err.Code != "unknownVersion" {
			t.Errorf("v1.0 in beta: %v", i.Err)
		}
	})
}

func TestBadURLsAreAnsweredInPlace(t *testing.T) {
	for _, c := range []struct {
		name, code string
		urls       []string
	}{
		{"a foreign host", "foreignURL",
			[]string{"https://graph.microsoft.com/v1.0/users", "https://fabrikam.com/v1.0/users",
				"http://graph.contoso.com/v1.0/users", "https://graph.contoso.com:8443/v1.0/users",
				"https://graph.contoso.com.fabrikam.com/v1.0/users", "https://graph.contoso.com@fabrikam.com/v1.0/users",
				"https://x@graph.contoso.com/v1.0/users", "https://graph.contoso.com\\@fabrikam.com/v1.0/users",
				"https://graph.contoso.com%2ffabrikam.com/v1.0/users", "http://127.0.0.1/v1.0/users", "https://fabrikam.com",
				"https:graph.contoso.com/v1.0/users", "https:/v1.0/users", "https:///v1.0/users", "https:users"}},
		{"another scheme", "foreignURL",
			[]string{"file:///etc/passwd", "javascript:alert(1)", "urn:x", "mailto:adele@contoso.com", "x:/users",
				"v1.0:/users"}},
		{"no scheme and a host", "foreignURL",
			[]string{"//fabrikam.com/users", "//graph.contoso.com/v1.0/users", "///users"}},
		{"a scheme after a slash", "foreignURL", []string{"/https:/x", "/a:b/c", "/v1.0/x:/y"}},
		{"another version", "unknownVersion",
			[]string{"/beta/users", "beta/users", "/V1.0/users", "/Beta/users", "/v2.0/users", "/v1/users", "/v1.0/v1.0/users",
				"/v1.0/beta/users", "/%76%31.0/users", "/contoso.com/v1.0/users", "/v1.0/contoso.com/beta/users"}},
		{"the proxy's address and another version or none", "unknownVersion",
			[]string{"https://graph.contoso.com/beta/users", "https://graph.contoso.com/users", "https://graph.contoso.com/",
				"https://graph.contoso.com/v1.0x/users"}},
		{"a reference to another item", "unsupportedTarget",
			[]string{"$1/messages", "/$1/messages", "$1", "/v1.0/$1/x", "$ref/x", "/$count", "/%241/messages", "$value",
				"/$metadata"}},
		{"a batch in a batch", "unsupportedTarget",
			[]string{"/$batch", "$batch", "/v1.0/$batch", "/$BATCH", "/%24batch", "https://graph.contoso.com/v1.0/$batch",
				"/contoso.com/$batch", "/users/$batch"}},
		{"no path", "unsupportedTarget",
			[]string{"", "?$top=1", "https://graph.contoso.com", "https://graph.contoso.com?x=1"}},
		{"a fragment", "ambiguousTarget", []string{"/users#x", "#", "/users?$filter=a#b", "/users/adele#EXT#@contoso.com"}},
		{"two readings", "ambiguousTarget",
			[]string{"/users/../groups", "../groups", "..", "/v1.0/../beta/users", "/users/%2e%2e/groups", "/users//1",
				"/v1.0//users", "https://graph.contoso.com/v1.0//users", "/users/a%2fb", "/users/a%5cb", "/https%3a/x",
				"\\\\fabrikam.com/x", "/\\fabrikam.com", "/users/\x00", "/users?$select=a&select=b"}},
		{"broken escapes", "badEscape", []string{"/users/%zz", "/users?$filter=%"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, url := range c.urls {
				i := readURL(t, url, options())
				if i.Err == nil || i.Target != nil {
					t.Errorf("%q: read as %s", url, i.Target.EscapedPath())
				} else if i.Err.Code != c.code || i.Err.Status != 400 || i.Err.Error() != i.Err.Message || len(i.Err.Message) < 20 {
					t.Errorf("%q: %+v", url, i.Err)
				}
			}
		})
	}
	t.Run("without the proxy's addresses every whole URL is foreign", func(t *testing.T) {
		if i := readURL(t, "https://graph.contoso.com/v1.0/users", batch.Options{Version: "v1.0"}); i.Err == nil ||
			i.Err.Code != "foreignURL" {
			t.Errorf("%v", i.Err)
		}
	})
}

func TestBadMethodsAreAnsweredInPlace(t *testing.T) {
	for _, c := range []struct {
		name, members, code string
		status              int
	}{
		{"in lower case", `"method":"get","url":"/users"`, "methodNotAllowed", 405},
		{"not Graph's", `"method":"TRACE","url":"/users"`, "methodNotAllowed", 405},
		{"empty", `"method":"","url":"/users"`, "methodNotAllowed", 405},
		{"with a bad URL too", `"method":"FOO","url":"//x"`, "methodNotAllowed", 405},
		{"with a line break", `"method":"GET\r\n","url":"/users"`, "methodNotAllowed", 405},
		{"GET with a body", `"method":"GET","url":"/users","body":{"a":1}`, "bodyNotAllowed", 400},
		{"HEAD with a body", `"method":"HEAD","url":"/users","body":""`, "bodyNotAllowed", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := mustRead(t, `{"requests":[{"id":"0","method":"GET","url":"/groups"},{"id":"1",`+c.members+
				`},{"id":"2","method":"DELETE","url":"/groups/1","body":{}}]}`)
			i := b.Items[1]
			if i.Err == nil || i.Err.Code != c.code || i.Err.Status != c.status || i.Target != nil {
				t.Fatalf("%+v", i)
			}
			if b.Items[0].Err != nil || b.Items[2].Err != nil {
				t.Error("the other items are refused too")
			}
			want := `{"requests":[{"id":"0","method":"GET","url":"/groups"},{"id":"2","method":"DELETE","url":"/groups/1",` +
				`"body":{}}]}`
			if got := string(b.Encode([]int{0, 1, 2})); got != want {
				t.Errorf("sent: %s", got)
			}
		})
	}
}
