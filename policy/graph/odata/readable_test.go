package odata_test

import (
	"reflect"
	"testing"

	"graphproxy/policy/graph/odata"
)

func TestParseReadable(t *testing.T) {
	for _, test := range []struct{ name, readable, escaped string }{
		{"plain names and keys", "/v1.0/users/adele@contoso.com", "/v1.0/users/adele@contoso.com"},
		{"the service root", "/v1.0", "/v1.0"},
		{"a guest", "/beta/users/adele#EXT#@contoso.com", "/beta/users/adele%23EXT%23@contoso.com"},
		{"spaces and letters beyond ASCII", "/v1.0/groups/Crème brûlée/members/$ref",
			"/v1.0/groups/Cr%C3%A8me%20br%C3%BBl%C3%A9e/members/$ref"},
		{"quotes and a question mark in a key", "/v1.0/users('o''brien?')/delta()", "/v1.0/users('o''brien%3F')/delta()"},
		{"arguments", "/v1.0/f(a='x & y',b=5)", "/v1.0/f(a='x%20%26%20y',b=5)"},
		{"a drive path with a percent sign", "/v1.0/drives/b1/root:/Reports/q1 100%.xlsx:/children",
			"/v1.0/drives/b1/root:/Reports/q1%20100%25.xlsx:/children"},
		{"a site and a drive path", "/v1.0/sites/contoso.sharepoint.com:/teams/hr:/drive/root:/x;y",
			"/v1.0/sites/contoso.sharepoint.com:/teams/hr:/drive/root:/x%3By"},
		{"a colon within a key", "/v1.0/chats/19:ab@thread.v2/messages", "/v1.0/chats/19:ab@thread.v2/messages"},
	} {
		t.Run(test.name, func(t *testing.T) {
			target, err := odata.ParseReadable(test.readable)
			if err != nil {
				t.Fatal(err)
			}
			if got := target.EscapedPath(); got != test.escaped {
				t.Errorf("got %q, want %q", got, test.escaped)
			}
		})
	}
}

func TestParseReadableRefuses(t *testing.T) {
	for _, test := range []struct{ name, path string }{
		{"nothing", ""},
		{"a path without a version", "/users"},
		{"another spelling of a path", "/v1.0/users/"},
		{"a system segment in another spelling", "/v1.0/users/$Count"},
		{"a tenant, which no audit line has", "/v1.0/contoso.com/users"},
		{"an open end of a drive path", "/v1.0/me/drive/root:/x:"},
		{"what is still escaped", "/v1.0/users/a%40b"},
		{"a replacement for a broken character is no control character", "/v1.0/users/\x00"},
		{"text that is not UTF-8", "/v1.0/users/\xff"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if target, err := odata.ParseReadable(test.path); err == nil {
				t.Errorf("%q reads as %q", test.path, target.EscapedPath())
			}
		})
	}
}

func FuzzParseReadable(f *testing.F) {
	for _, seed := range []string{
		"/v1.0/users/adele@contoso.com/messages", "/beta/Users('o''brien%40contoso.com')/microsoft.graph.delta()",
		"/v1.0/contoso.com/reports/f(period='D7',n=5,at=2026-01-01T00:00:00Z)",
		"/v1.0/drives/d/items/ID:/a%25s/b%20c;d:/content", "/v1.0/sites/contoso.sharepoint.com:/teams/hr:/drive/root:/x",
		"/v1.0/users/Adele%23EXT%23@contoso.com/$ref/", "/v1.0/a%3Ab/root:/a%25", "/v1.0/users('a%3F%28%29')",
		"/v1.0/x/y%20z:/p", "/v1.0/contoso.com:/x:/a", "/v1.0/root:/a%25:/b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if target, err := odata.ParseReadable(path); err == nil && target.Path() != path {
			t.Errorf("%q is read as %q", path, target.Path())
		}
		target, err := odata.Parse(path, "")
		if err != nil {
			return
		}
		again, err := odata.ParseReadable(target.Path())
		if err != nil {
			t.Fatalf("%q, readable %q, is not read back: %v", path, target.Path(), err)
		}
		if again.Version != target.Version || !reflect.DeepEqual(again.Segments, target.Segments) ||
			again.EscapedPath() != target.EscapedPath() {
			t.Errorf("%q is read back as %q", target.EscapedPath(), again.EscapedPath())
		}
	})
}
