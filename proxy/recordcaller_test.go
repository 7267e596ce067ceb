package proxy_test

import (
	"strings"
	"testing"
)

func TestA401RecordsTheTarget(t *testing.T) {
	r := newAuditRig(t)
	for _, tt := range []struct{ name, target, version, wantTarget, path, query string }{
		{"a plain target", "/v1.0/users", "v1.0", "/v1.0/users", "/v1.0/users", ""},
		{
			"a key",
			"/beta/users/adele@contoso.com/messages?$top=5&$filter=secret",
			"beta",
			"/beta/users/adele@contoso.com/messages",
			"/beta/users/{id}/messages",
			"$top $filter",
		},
		{"a key in parentheses", "/v1.0/users('adele')", "v1.0", "/v1.0/users('adele')", "/v1.0/users({id})", ""},
		{
			"a path in colons",
			"/v1.0/drives/b%21x/root:/a/b.txt:/content",
			"v1.0",
			"/v1.0/drives/b!x/root:/a/b.txt:/content",
			"/v1.0/drives/{id}/root{path}/content",
			"",
		},
		{"a function", "/v1.0/users/delta()", "v1.0", "/v1.0/users/delta()", "/v1.0/users/delta", ""},
		{"a batch", "/v1.0/$batch", "v1.0", "/v1.0/$batch", "/v1.0/$batch", ""},
		{"a target with two readings", "/v1.0/users/..%2Fgroups", "", "", "", ""},
		{"an unknown version", "/v2.0/users", "", "", "", ""},
	} {
		r.audit.reset()
		a := r.raw(t, "GET "+tt.target+" HTTP/1.1\r\nHost: x\r\nX-Api-Key: wrong\r\nConnection: close\r\n\r\n")
		if code := a.refusal(t, 401, "unauthenticated"); code != "keyUnknown" {
			t.Errorf("%s: the caller gets %s, want keyUnknown", tt.name, code)
		}
		text := func(v any) string {
			switch v := v.(type) {
			case nil:
				return ""
			case []any:
				var all []string
				for _, one := range v {
					all = append(all, one.(string))
				}
				return strings.Join(all, " ")
			}
			return v.(string)
		}
		rec := r.one(t)
		got := [...]string{text(rec["version"]), text(rec["target"]), text(rec["path"]), text(rec["query"])}
		if want := [...]string{tt.version, tt.wantTarget, tt.path, tt.query}; got != want {
			t.Errorf("%s: recorded %q, want %q", tt.name, got, want)
		}
		r.sawNothing(t)
	}
}

func TestTheTraceOfACallerIsRecorded(t *testing.T) {
	const id, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	r := newRig(t, everyone)
	for _, tt := range []struct{ name, header, want string }{
		{"well formed", "00-" + id + "-" + parent + "-01", id},
		{"not sampled", "00-" + id + "-" + parent + "-00", id},
		{"a later version with more behind", "cc-" + id + "-" + parent + "-01-what-comes", id},
		{"no header", "", ""},
		{"version ff", "ff-" + id + "-" + parent + "-01", ""},
		{"more behind in version 00", "00-" + id + "-" + parent + "-01-x", ""},
		{"capital letters", "00-" + strings.ToUpper(id) + "-" + parent + "-01", ""},
		{"a trace-id of zeros", "00-" + strings.Repeat("0", 32) + "-" + parent + "-01", ""},
		{"a parent-id of zeros", "00-" + id + "-" + strings.Repeat("0", 16) + "-01", ""},
		{"short", "00-" + id, ""},
		{"no hexadecimal digits", "00-" + strings.Repeat("x", 32) + "-" + parent + "-01", ""},
		{"flags that are none", "00-" + id + "-" + parent + "-0x", ""},
		{"nonsense", strings.Repeat("-", 55), ""},
		{"long", strings.Repeat("4", 8000), ""},
	} {
		r.audit.reset()
		r.graph.Reset()
		var header []string
		if tt.header != "" {
			header = []string{"Traceparent: " + tt.header}
		}
		if a := r.do(t, "GET", "/v1.0/users", "", header...); a.status != 200 {
			t.Errorf("%s: %d", tt.name, a.status)
		}
		if got, _ := r.one(t)["trace_id"].(string); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if got := r.graph.Requests()[0].Header.Get("Traceparent"); got != tt.header {
			t.Errorf("%s: Graph got %q", tt.name, got)
		}
	}
	r.audit.reset()
	r.do(t, "GET", "/v1.0/users", "", "Traceparent: 00-"+id+"-"+parent+"-01", "Traceparent: 00-"+id+"-"+parent+"-01")
	if got := r.one(t)["trace_id"]; got != nil {
		t.Errorf("of two headers one is recorded: %v", got)
	}
}
