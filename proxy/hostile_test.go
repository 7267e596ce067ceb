package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/proxy"
)

// Requests that try to avoid a check, byte for byte. None reaches Graph; each leaves one record.
func TestAHostileRequestNeverReachesGraph(t *testing.T) {
	r := newRig(t, everyone)
	const host = " HTTP/1.1\r\nHost: graphproxy\r\n"
	tests := []struct {
		name, request string
		status        int
		code, inner   string
	}{
		{"an empty segment at the front", "GET //v1.0/users" + host + "\r\n", 400, "invalidRequest", ""},
		{"an empty segment in the middle", "GET /v1.0//users" + host + "\r\n", 400, "invalidRequest", ""},
		{"two slashes at the end", "GET /v1.0/users//" + host + "\r\n", 400, "invalidRequest", ""},
		{"dot segments", "GET /v1.0/users/../groups" + host + "\r\n", 400, "invalidRequest", ""},
		{"a single dot", "GET /v1.0/./users" + host + "\r\n", 400, "invalidRequest", ""},
		{"dot segments before the version", "GET /../v1.0/users" + host + "\r\n", 400, "invalidRequest", ""},
		{"encoded dots", "GET /v1.0/users/%2e%2e/groups" + host + "\r\n", 400, "invalidRequest", ""},
		{"one encoded dot", "GET /v1.0/users/.%2E/groups" + host + "\r\n", 400, "invalidRequest", ""},
		{"dots encoded twice", "GET /v1.0/users/%252e%252e/groups" + host + "\r\n", 400, "invalidRequest", ""},
		{"an encoded slash", "GET /v1.0/users/a%2Fmessages" + host + "\r\n", 400, "invalidRequest", ""},
		{"an encoded slash in small letters", "GET /v1.0/users/a%2fmessages" + host + "\r\n", 400, "invalidRequest", ""},
		{"a slash encoded twice", "GET /v1.0/users/a%252Fmessages" + host + "\r\n", 400, "invalidRequest", ""},
		{"an encoded backslash", "GET /v1.0/users/a%5Cmessages" + host + "\r\n", 400, "invalidRequest", ""},
		{"a backslash", `GET /v1.0/users/a\messages` + host + "\r\n", 400, "invalidRequest", ""},
		{"a NUL", "GET /v1.0/users/a%00" + host + "\r\n", 400, "invalidRequest", ""},
		{"a line break in the path", "GET /v1.0/users/a%0d%0aX:%20y" + host + "\r\n", 400, "invalidRequest", ""},
		{"a bad escape", "GET /v1.0/users/%zz" + host + "\r\n", 400, "", ""},
		{"bad UTF-8", "GET /v1.0/users/%ff" + host + "\r\n", 400, "invalidRequest", ""},
		{"a fragment", "GET /v1.0/users#x" + host + "\r\n", 400, "invalidRequest", ""},
		{"a path parameter", "GET /v1.0/users;x=y" + host + "\r\n", 400, "invalidRequest", ""},
		{"no version", "GET /users" + host + "\r\n", 400, "invalidRequest", ""},
		{"an unknown version", "GET /v2.0/users" + host + "\r\n", 400, "invalidRequest", ""},
		{"another tenant's users", "GET /v1.0/fabrikam.com/users" + host + "\r\n", 400, "invalidRequest", "foreignTenant"},
		{"an option in two spellings", "GET /v1.0/users?$select=id&select=mail" + host + "\r\n", 400, "invalidRequest", ""},
		{"an option escaped and not", "GET /v1.0/users?%24top=1&$top=999" + host + "\r\n", 400, "invalidRequest", ""},
		{"a parameter alias", "GET /v1.0/users?@x=1" + host + "\r\n", 400, "invalidRequest", ""},
		{"an absolute form with another host", "GET http://evil.example/v1.0/users HTTP/1.1\r\nHost: evil.example\r\n\r\n",
			400, "invalidRequest", "absoluteTarget"},
		{"an absolute form with another scheme", "GET https://graph.microsoft.com/v1.0/users" + host + "\r\n", 400,
			"invalidRequest", "absoluteTarget"},
		{"a CONNECT", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 405, "invalidRequest",
			"methodNotAllowed"},
		{"a CONNECT with a path", "CONNECT /v1.0/users" + host + "\r\n", 405, "invalidRequest", "methodNotAllowed"},
		{"a TRACE", "TRACE /v1.0/users" + host + "\r\n", 405, "invalidRequest", "methodNotAllowed"},
		{"an OPTIONS of everything", "OPTIONS *" + host + "\r\n", 405, "invalidRequest", "methodNotAllowed"},
		{"a method in small letters", "get /v1.0/users" + host + "\r\n", 405, "invalidRequest", "methodNotAllowed"},
		{"a method that Graph does not have", "QUERY /v1.0/users" + host + "\r\n", 405, "invalidRequest", "methodNotAllowed"},
		{"an override of the method",
			"POST /v1.0/users/adele@contoso.com" + host + "X-HTTP-Method-Override: PATCH\r\nContent-Length: 2\r\n\r\n{}", 403,
			"accessDenied", "policyDenied"},
		{"a $batch", "POST /v1.0/$batch" + host + "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", 400,
			"invalidRequest", "badBatch"},
		{"a $batch in capitals and escapes",
			"POST /v1.0/%24BATCH" + host + "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", 400,
			"invalidRequest", "badBatch"},
		{"a body on a GET", "GET /v1.0/users" + host + "Content-Length: 2\r\n\r\n{}", 400, "invalidRequest",
			"unexpectedBody"},
		{"a chunked body on a GET", "GET /v1.0/users" + host + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400,
			"invalidRequest", "unexpectedBody"},
		{"two content types",
			"POST /v1.0/users/a@contoso.com/sendMail" + host +
				"Content-Type: application/json\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 400, "invalidRequest",
			"ambiguousHeader"},
		{"a member deleted without $ref, which would delete the user", "DELETE /v1.0/groups/7/members/9" + host + "\r\n",
			403, "accessDenied", "policyDenied"},
		{"an expansion that no rule names", "GET /v1.0/users?$expand=manager" + host + "\r\n", 403, "accessDenied",
			"policyDenied"},
		{"a semicolon that hides an expansion from net/url",
			"GET /v1.0/users?$select=id;x&$expand=manager($levels=max;$select=id)" + host + "\r\n", 403, "accessDenied",
			"policyDenied"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r.audit.reset()
			a := r.raw(t, tt.request)
			if tt.code == "" { // net/http answers by itself, before there is a request to record
				if a.status != tt.status {
					t.Errorf("status %d, want %d", a.status, tt.status)
				}
				r.sawNothing(t)
				return
			}
			inner := a.refusal(t, tt.status, tt.code)
			if tt.inner != "" && inner != tt.inner {
				t.Errorf("innerError.code %q, want %q", inner, tt.inner)
			}
			rec := r.one(t)
			if rec["status"] != float64(tt.status) || rec["reason"] != inner || rec["decision"] == "allow" {
				t.Errorf("record %v", rec)
			}
			r.sawNothing(t)
		})
	}
}

// A request that net/http refuses before the handler leaves no record, and does not reach Graph.
func TestAMalformedRequestIsAnsweredByTheServerAndNeverReachesGraph(t *testing.T) {
	r := newRig(t, everyone)
	many := strings.Repeat("X-A: b\r\n", 60_000)
	tests := []struct {
		name, request string
		status        int
	}{
		{"60,000 headers", "GET /v1.0/users HTTP/1.1\r\nHost: x\r\n" + many + "\r\n", 431},
		{"an expectation that nobody knows",
			"POST /v1.0/users/a/sendMail HTTP/1.1\r\nHost: x\r\nExpect: everything\r\nContent-Length: 2\r\n\r\n{}", 417},
		{"two lengths",
			"POST /v1.0/users/a/sendMail HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400},
		{"no host", "GET /v1.0/users HTTP/1.1\r\n\r\n", 400},
		{"two hosts", "GET /v1.0/users HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		{"a space in a header's name", "GET /v1.0/users HTTP/1.1\r\nHost: a\r\nAuthorization : x\r\n\r\n", 400},
		{"an unknown transfer encoding",
			"POST /v1.0/users/a/sendMail HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 501},
		{"a line break inside the request line", "GET /v1.0/users\nX: y HTTP/1.1\r\nHost: a\r\n\r\n", 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if a := r.raw(t, tt.request); a.status != tt.status {
				t.Errorf("status %d, want %d", a.status, tt.status)
			}
			r.sawNothing(t)
		})
	}
}

// Graph receives the headers of the allowlist and the token, and no other.
func TestOnlyHeadersOfTheAllowlistReachGraph(t *testing.T) {
	forward := func(c *proxy.Config, _ *rig) { c.ForwardHeaders = []string{"x-ms-throttle-priority"} }
	r := newRig(t, everyone, forward)
	hostile := []string{
		"Authorization: Bearer forged", "Cookie: session=1", "X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE",
		"X-Method-Override: DELETE",
		"Connection: authorization, keep-alive", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk", "X-Forwarded-For: 10.0.0.1",
		"X-Forwarded-Host: evil.example",
		"X-Forwarded-Proto: https", "Forwarded: for=10.0.0.1", "Via: 1.1 evil", "X-Original-URL: /v1.0/groups",
		"X-Rewrite-Url: /v1.0/groups",
		"Content_Type: text/plain", "client_request_id: x", "Authorization_: x", "Proxy-Authorization: Basic eA==",
		"Proxy-Connection: keep-alive",
		"TE: trailers", "Trailer: Authorization", "X-Api-Key: whatever", "Origin: https://evil.example",
		"Referer: https://evil.example",
		"X-Ms-Client-Request-Id: x", "Max-Forwards: 1", "Keep-Alive: timeout=1",
	}
	wanted := []string{
		"Accept: application/json", "Accept-Language: de", "ConsistencyLevel: eventual", "Prefer: odata.maxpagesize=5",
		"SdkVersion: graph-go/1.0", "User-Agent: contoso/1.0", "If-None-Match: \"x\"", "return-client-request-id: true",
		"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "client-request-id: order-66",
		"x-ms-throttle-priority: low",
	}
	request := "GET /v1.0/users/adele@contoso.com HTTP/1.1\r\nHost: graphproxy\r\n" +
		strings.Join(append(hostile, wanted...), "\r\n") + "\r\n\r\n"
	if a := r.raw(t, request); a.status != 200 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	got := r.graph.Requests()
	if len(got) != 1 {
		t.Fatalf("Graph received %d requests, want 1", len(got))
	}
	h := got[0].Header
	token := h.Get("Authorization")
	if !strings.HasPrefix(token, "Bearer ") || strings.Contains(token, "forged") || len(h["Authorization"]) != 1 {
		t.Error("Graph did not receive graphproxy's token alone")
	}
	want := http.Header{
		"Accept":                   {"application/json"},
		"Accept-Language":          {"de"},
		"Consistencylevel":         {"eventual"},
		"Prefer":                   {"odata.maxpagesize=5"},
		"Sdkversion":               {"graph-go/1.0"},
		"User-Agent":               {"contoso/1.0"},
		"If-None-Match":            {`"x"`},
		"Return-Client-Request-Id": {"true"},
		"Traceparent":              {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		"Client-Request-Id":        {"order-66"},
		"X-Ms-Throttle-Priority":   {"low"},
	}
	h.Del("Authorization")
	h.Del("Host")
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("headers at Graph (-want +got):\n%s", diff)
	}
	if rec := r.one(t); rec["client_request_id"] != "order-66" {
		t.Errorf("client_request_id in the record: %v", rec["client_request_id"])
	}
}

func TestAHeaderThatFramesOrProvesCannotBeForwarded(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Authorization", "cookie", "Host", "X-HTTP-Method-Override", "x-forwarded-for",
		"Connection", "Expect", "X-Api-Key", "Proxy-Anything", "bad name", ""} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, everyone)
			c := proxy.Config{
				Graph:          mustURL(t, r.graph.URL()),
				Apps:           oneApp(r.source),
				Authorization:  rules(t, everyone),
				ForwardHeaders: []string{name},
			}
			if _, err := proxy.New(c); err == nil {
				t.Errorf("New accepted %q", name)
			}
		})
	}
}

func TestAClientRequestIDIsKeptOnlyInItsDocumentedForm(t *testing.T) {
	r := newRig(t, everyone)
	tests := map[string]bool{
		"abc": true, "A-1_b.c": true, strings.Repeat("x", 128): true,
		strings.Repeat("x", 129): false, "a b": false, "a,b": false, `a"b`: false, "ä": false, "a\tb": false,
	}
	for id, kept := range tests {
		t.Run(fmt.Sprintf("%.20q", id), func(t *testing.T) {
			got := r.do(t, "GET", "/v1.0/groups", "", "client-request-id: "+id).header.Get("client-request-id")
			if (got == id) != kept || got == "" {
				t.Errorf("answered %q, kept %v", got, kept)
			}
		})
	}
	t.Run("two of them are replaced by a new one", func(t *testing.T) {
		got := r.do(t, "GET", "/v1.0/groups", "", "client-request-id: a", "client-request-id: b").header.Get(
			"client-request-id",
		)
		if got == "a" || got == "b" || len(got) != 36 {
			t.Errorf("answered %q", got)
		}
	})
}

// net/http hides a Content-Length beside chunked, so the connection of every chunked request ends.
func TestAChunkedRequestEndsItsConnection(t *testing.T) {
	r := newRig(t, everyone)
	mail := `{"message":{"subject":"x","body":{"content":"y"},` +
		`"toRecipients":[{"emailAddress":{"address":"alex@contoso.com"}}]}}`
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(mail), mail)
	const head = "POST /v1.0/users/no-reply@contoso.com/sendMail HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	const second = "GET /v1.0/users/smuggled@contoso.com HTTP/1.1\r\nHost: x\r\n\r\n"
	tests := []struct {
		name, request string
		status, sent  int
	}{
		{"chunked alone", head + "Transfer-Encoding: chunked\r\n\r\n" + chunk, 202, 1},
		{"a Content-Length beside chunked, and a second request behind",
			head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + second, 202, 1},
		{"a refused request with a second one behind",
			"POST /v1.0/groups HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
				second, 403, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r.graph.Reset()
			a := r.raw(t, tt.request)
			if a.status != tt.status || a.header.Get("Connection") != "close" {
				t.Errorf("status %d, Connection %q: %s", a.status, a.header.Get("Connection"), a.body)
			}
			if n := len(r.graph.Requests()); n != tt.sent {
				t.Errorf("Graph received %d requests, want %d", n, tt.sent)
			}
		})
	}
}

func TestACallersMalformedBodyIs400(t *testing.T) {
	const head = "POST /v1.0/users/no-reply@contoso.com/sendMail HTTP/1.1\r\nHost: x\r\nContent-Type: " +
		"application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
	tests := map[string]string{
		"a chunk size that is no number":  head + "zz\r\n{}\r\n0\r\n\r\n",
		"a chunk longer than its size":    head + "2\r\n{}{}{}\r\n0\r\n\r\n",
		"a chunk size without end":        head + strings.Repeat("1", 40) + "\r\n{}\r\n",
		"a good chunk and then a bad one": head + "2\r\n{}\r\n-1\r\n",
		"a malformed chunk on a GET": "GET /v1.0/users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" +
			"\r\nzz\r\n",
		"a trailer that is not a header field": head + "2\r\n{}\r\n0\r\nno colon here\r\n\r\n",
	}
	for name, request := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, everyone)
			inner := r.raw(t, request).refusal(t, 400, "invalidRequest")
			if inner != "malformedBody" {
				t.Errorf("innerError.code %q", inner)
			}
			if rec := r.one(t); rec["status"] != float64(400) {
				t.Errorf("record %v", rec)
			}
			if n := r.graph.SentMail(); n != 0 {
				t.Errorf("Graph sent %d mails", n)
			}
		})
	}
}

func TestTrailersOfACallerStayBehind(t *testing.T) {
	r := newRig(t, everyone)
	body := "2\r\n{}\r\n0\r\nAuthorization: Bearer forged\r\nX-Evil: 1\r\n\r\n"
	a := r.raw(t,
		"POST /v1.0/test/echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTrailer: Authorization, X-Evil\r\n"+
			"Transfer-Encoding: chunked\r\n\r\n"+body)
	if a.status != 200 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	got := r.graph.Requests()
	if len(got) != 1 || len(got[0].Trailer) != 0 || got[0].Header.Get("Trailer") != "" {
		t.Errorf("Graph received %d requests, trailers %v", len(got), got[0].Trailer)
	}
}
