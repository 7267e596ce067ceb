package links_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/proxy/links"
)

// addresses replaces <G> and <P> by the addresses of Graph and the proxy.
func addresses(text string) string {
	return strings.NewReplacer("<P>", public, "<G>", graph).Replace(text)
}

func TestWhatABodyNamesIsFoundUnderAnyKeyAndInAnySpelling(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"an older name", `{"odata.id":"<G>/v1.0/groups/2"}`, "/v1.0/groups/2"},
		{"an older name, relative", `{"odata.id":"groups/2"}`, "groups/2"},
		{"an older name of a binding", `{"members.odata.bind":["groups/2"]}`, "groups/2"},
		{"a space behind the name", `{"@odata.id ":"groups/2"}`, "groups/2"},
		{"a space within the name", `{"@odata. id":"groups/2"}`, "groups/2"},
		{"a zero-width space in the name", `{"@odata` + "\u200b" + `.id":"groups/2"}`, "groups/2"},
		{"a tab in the name", `{"\t@odata.id":"groups/2"}`, "groups/2"},
		{"wide letters in the name", `{"＠ｏdata.id":"groups/2"}`, "groups/2"},
		{"capitals in the name", `{"Members@ODATA.Bind":["groups/2"]}`, "groups/2"},
		{"the name of OData 4.01", `{"manager@bind":"groups/2"}`, "groups/2"},
		{"url", `{"url":"<G>/v1.0/groups/2"}`, "/v1.0/groups/2"},
		{"url, relative", `{"url":"groups/2"}`, "groups/2"},
		{"uri, with a key in parentheses", `{"uri":"groups('2')"}`, "groups('2')"},
		{"metadata of OData 2", `{"__metadata":{"uri":"groups/2"}}`, "groups/2"},
		{"metadata with another name below it", `{"__metadata":{"x":{"y":["groups/2"]}}}`, "groups/2"},
		{"an object under the name of a reference", `{"@odata.id":{"x":"groups/2"}}`, "groups/2"},
		{"objects in a binding", `{"members@odata.bind":[{"x":["groups/2"]}]}`, "groups/2"},
		{"the base of relative addresses", `{"@odata.context":"https://fabrikam.example/","x":1}`,
			"https://fabrikam.example/"},
		{"the address to edit at", `{"@odata.editLink":"groups/2"}`, "groups/2"},
		{"a reference of Json.NET", `{"$ref":"groups/2"}`, "groups/2"},
		{"plain strings under members", `{"members":["<G>/v1.0/groups/2"]}`, "/v1.0/groups/2"},
		{"plain strings at the proxy", `{"members":["<P>/v1.0/groups/2"]}`, "/v1.0/groups/2"},
		{"plain paths", `{"members":["/groups/2"]}`, "/groups/2"},
		{"plain paths with a version", `{"x":"/v1.0/anything"}`, "/v1.0/anything"},
		{"plain paths with a version and no slash", `{"x":"beta/groups/2"}`, "beta/groups/2"},
		{"deep inside", `{"a":[{"b":{"c":["<G>/v1.0/groups/2"]}}]}`, "/v1.0/groups/2"},
		{"no object", `["<G>/v1.0/groups/2"]`, "/v1.0/groups/2"},
		{"a string", `"<G>/v1.0/groups/2"`, "/v1.0/groups/2"},
		{"escapes of JSON", `{"x":"h\u0074tps:\/\/graph\u002emicrosoft.com/v1.0/groups/2"}`, "/v1.0/groups/2"},
		{"capitals", `{"x":"HTTPS://GRAPH.microsoft.COM/v1.0/groups/2"}`, "/v1.0/groups/2"},
		{"the port of the scheme", `{"x":"<G>:443/v1.0/groups/2"}`, "/v1.0/groups/2"},
		{"another port", `{"x":"<G>:444/v1.0/groups/2"}`, "https://graph.microsoft.com:444/v1.0/groups/2"},
		{"userinfo", `{"x":"https://a:b@graph.microsoft.com/v1.0/groups/2"}`,
			"https://a:b@graph.microsoft.com/v1.0/groups/2"},
		{"another scheme", `{"x":"http://graph.microsoft.com/v1.0/groups/2"}`, "http://graph.microsoft.com/v1.0/groups/2"},
		{"no scheme", `{"x":"//graph.microsoft.com/v1.0/groups/2"}`, "//graph.microsoft.com/v1.0/groups/2"},
		{"no scheme and no slashes", `{"x":"graph.microsoft.com/v1.0/groups/2"}`, "graph.microsoft.com/v1.0/groups/2"},
		{"one slash", `{"x":"https:/graph.microsoft.com/v1.0/groups/2"}`, "https:/graph.microsoft.com/v1.0/groups/2"},
		{"backslashes", `{"x":"https:\\\\graph.microsoft.com\\v1.0"}`, `https:\\graph.microsoft.com\v1.0`},
		{"spaces in front", `{"x":"  <G>/v1.0/groups/2"}`, "  https://graph.microsoft.com/v1.0/groups/2"},
		{"percent escapes in the host", `{"x":"https://graph%2Emicrosoft.com/v1.0/groups/2"}`,
			"https://graph%2Emicrosoft.com/v1.0/groups/2"},
		{"percent escapes of everything", `{"x":"https%3A%2F%2Fgraph.microsoft.com%2Fv1.0"}`,
			"https%3A%2F%2Fgraph.microsoft.com%2Fv1.0"},
		{"percent escapes twice", `{"x":"https:%252F%252Fgraph.microsoft.com/v1.0"}`,
			"https:%252F%252Fgraph.microsoft.com/v1.0"},
		{"a dot behind the host", `{"x":"https://graph.microsoft.com./v1.0/groups/2"}`,
			"https://graph.microsoft.com./v1.0/groups/2"},
		{"wide letters in the host", `{"x":"https://ｇraph.microsoft.com/v1.0/groups/2"}`,
			"https://ｇraph.microsoft.com/v1.0/groups/2"},
		{"an ideographic full stop in the host", `{"x":"https://graph。microsoft.com/v1.0/groups/2"}`,
			"https://graph。microsoft.com/v1.0/groups/2"},
		{"its half-width form in the host", `{"x":"https://graph｡microsoft.com/v1.0/groups/2"}`,
			"https://graph｡microsoft.com/v1.0/groups/2"},
		{"url with a space behind it, relative", `{"url ":"groups/2"}`, "groups/2"},
		{"uri in wide letters, relative", `{"\uff35ri":"groups/2"}`, "groups/2"},
		{"wide signs in escapes in the name", `{"members\uff20bind":"2"}`, "2"},
		{"what is changed in a collection", `{"members@delta":[{"id":"2"}]}`, "2"},
		{"what is changed in a collection, under its older name", `{"members@odata.delta":[{"x":"groups/2"}]}`, "groups/2"},
		{"another cloud", `{"x":"https://graph.microsoft.us/v1.0/groups/2"}`, "https://graph.microsoft.us/v1.0/groups/2"},
		{"China", `{"x":"https://microsoftgraph.chinacloudapi.cn/v1.0/groups/2"}`,
			"https://microsoftgraph.chinacloudapi.cn/v1.0/groups/2"},
		{"Azure AD Graph", `{"x":"https://graph.windows.net/contoso.com/directoryObjects/2"}`,
			"https://graph.windows.net/contoso.com/directoryObjects/2"},
		{"a host below Graph's", `{"x":"https://canary.graph.microsoft.com/beta/groups/2"}`,
			"https://canary.graph.microsoft.com/beta/groups/2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			named, err := rewriter(t).Names([]byte(addresses(c.body)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{c.want}, named.Addresses); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Graph's documentation has https://graph.microsoft.com in bodies. Apps keep it, also when they call another cloud or
// the sandbox.
func TestTheDocumentedAddressOfGraphIsOneOfGraphs(t *testing.T) {
	r, err := links.New("https://graph.microsoft.us", "https://proxy.contoso.example")
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"https://graph.microsoft.us/v1.0/users/1":           "/v1.0/users/1",
		"https://proxy.contoso.example:443/v1.0/users/1":    "/v1.0/users/1",
		"https://graph.microsoft.com/v1.0/users/1":          "/v1.0/users/1",
		"HTTPS://Graph.Microsoft.com:443/v1.0/users/1":      "/v1.0/users/1",
		"http://graph.microsoft.com/v1.0/users/1":           "http://graph.microsoft.com/v1.0/users/1",
		"https://graph.microsoft.com:8443/v1.0/users/1":     "https://graph.microsoft.com:8443/v1.0/users/1",
		"https://graph.microsoft.com.fabrikam.example/v1.0": "https://graph.microsoft.com.fabrikam.example/v1.0",
		"https://graph.microsoft.de/v1.0/users/1":           "https://graph.microsoft.de/v1.0/users/1",
	} {
		if got := r.Path(address); got != want {
			t.Errorf("Path(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestTextNamesNothing(t *testing.T) {
	for _, body := range []string{
		`{}`, `{"displayName":"Sales/Marketing","description":"see <G>/v1.0/groups","mail":"adele@graph.microsoft.com"}`,
		`{"id":"1","userId":"a/b","value":"users","type":"#microsoft.graph.user","@odata.type":"#microsoft.graph.group",` +
			`"odataType":"x/y"}`,
		`{"configuration":{"contentUrl":"https://app.fabrikam.example/tab",` +
			`"websiteUrl":"https://fabrikam.example/v1.0/users"}}`,
		`{"notificationUrl":"https://fabrikam.example/hook?u=<G>/v1.0","uri":"https://fabrikam.example/",` +
			`"url":"//fabrikam.example/","link":"mailto:adele@contoso.com"}`,
		`{"text":"v1.0/v1.1","path":"/drives/b1/root:/Reports","note":"/users","other":"users/1","third":"beta/stable"}`,
		`{"n":1,"t":true,"u":null,"list":["a","b/c",""],"bind":"a/b","context":"a/b","base":"a"}`,
		`{"a":"https://graph.microsoft.com.fabrikam.example/v1.0/users/1",` +
			`"b":"https://graph.microsoft.com@fabrikam.example/","c":"https://xgraph.microsoft.com/"}`,
	} {
		named, err := rewriter(t).Names([]byte(addresses(body)))
		if err != nil || len(named.Addresses) > 0 || !named.Object {
			t.Errorf("%s: %+v, %v", body, named, err)
		}
	}
}

func TestOnlyTheDocumentedReferenceIsSingle(t *testing.T) {
	for _, body := range []string{`{"@odata.id":"<G>/v1.0/users/1"}`, ` { "@odata.id" : "" } `,
		`{"\u0040odata.id":"users/1"}`} {
		if named, err := rewriter(t).Names([]byte(addresses(body))); err != nil || !named.Single || !named.Object {
			t.Errorf("%s: %+v, %v", body, named, err)
		}
	}
	for _, body := range []string{
		`{}`, `[]`, `"@odata.id"`, `null`, `1`, `[{"@odata.id":"a"}]`, `{"@odata.id":null}`, `{"@odata.id":["a"]}`,
		`{"@odata.id":{"@odata.id":"a"}}`, `{"@odata.id":"a","@odata.id":"a"}`, `{"@odata.id":"a","x":1}`,
		`{"x":1,"@odata.id":"a"}`, `{"@odata.id ":"a"}`, `{"@OData.id":"a"}`, `{"@id":"a"}`, `{"odata.id":"a"}`,
		`{"x@odata.id":"a"}`, `{"@odata.id":"a","@odata.type":"b"}`, `{"@odata.bind":"a"}`,
	} {
		if named, err := rewriter(t).Names([]byte(body)); err != nil || named.Single {
			t.Errorf("%s: %+v, %v", body, named, err)
		}
	}
}

func TestABodyThatNamesTooMuchOrNoCharacterIsRefused(t *testing.T) {
	many := func(n int) []byte {
		return fmt.Appendf(nil, `{"members@odata.bind":["users/1"%s]}`, strings.Repeat(`,"users/1"`, n-1))
	}
	if named, err := rewriter(t).Names(many(100)); err != nil || len(named.Addresses) != 100 {
		t.Errorf("%d, %v", len(named.Addresses), err)
	}
	for name, body := range map[string][]byte{
		"names more than 100": many(101),
		"surrogate":           []byte(`{"x":"/users/\ud800"}`),
		"U+FFFD":              []byte("{\"odata.id\":\"\ufffd\"}"),
		"not JSON":            []byte(`{`),
	} {
		if named, err := rewriter(t).Names(body); err == nil || !strings.Contains(err.Error(), name) ||
			named.Addresses != nil {
			t.Errorf("%s: %+v, %v", name, named, err)
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add([]byte(`{"@odata.id":"https://graph.microsoft.com/v1.0/users/1"}`))
	f.Add([]byte(`{"__metadata":{"uri":"%68%74"},"x":["\/\/graph.microsoft.com:443\\",{"url":""}],"＠":"ǰ/"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		named, err := rewriter(t).Names(text)
		if err == nil && named.Single && (!named.Object || len(named.Addresses) != 1) {
			t.Errorf("%q: %+v", text, named)
		}
	})
}
