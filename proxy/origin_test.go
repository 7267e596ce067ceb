package proxy_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"graphproxy/proxy"
)

// ambient has a caller that any program of this machine is, and one that must present a key.
const ambient = `
version: 1
callers:
  machine:
    identity: [{network: [127.0.0.0/8, "::1/128"]}]
    allow:
      - GET /users
      - GET /users/{id}
      - PATCH /users/{id}
      - DELETE /users/{id}
      - POST /users/{id}/sendMail
  keyed:
    identity: [{key: {sha256: e1575b9d1c29e760082b65d3aad74caf2dc12b80c39eaa013c0b6cfbc27fcb45}}]
    allow:
      - GET /users
      - PATCH /users/{id}
`

const mailBody = `{"message":{"subject":"x","body":{"content":"y"},` +
	`"toRecipients":[{"emailAddress":{"address":"alex@contoso.com"}}]}}`

// request is a request as it goes over the wire, from its request line and headers.
func wire(line, body string, headers ...string) string {
	text := line + " HTTP/1.1\r\n" + strings.Join(headers, "\r\n")
	if body != "" {
		text += fmt.Sprintf("\r\nContent-Length: %d", len(body))
	}
	return text + "\r\n\r\n" + body
}

func TestAWebPageCannotUseItsReadersEvidence(t *testing.T) {
	r := newRig(t, ambient, func(c *proxy.Config, _ *rig) {
		c.PublicURL, c.Hosts = "https://graph.contoso.com:443", []string{"proxy.infra.svc", "other"}
	})
	done := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	r.graph.Handle("DELETE /v1.0/users/adele@contoso.com", done)
	r.graph.Handle("PATCH /v1.0/users/adele@contoso.com", done)
	const (
		own  = "Host: 127.0.0.1:8080"
		key  = "X-Api-Key: 9f2c-tests-only-7d1e"
		json = "Content-Type: application/json"
		mail = "POST /v1.0/users/no-reply@contoso.com/sendMail"
		del  = "DELETE /v1.0/users/adele@contoso.com"
		read = "GET /v1.0/users"
	)
	batch := `{"requests":[{"id":"1","method":"DELETE","url":"/users/adele@contoso.com"}]}`
	tests := []struct {
		name, request string
		status        int
		inner         string
	}{
		{"a batch that a page sends as a Blob without a type", wire("POST /v1.0/$batch", batch, own), 415,
			"unsupportedMediaType"},
		{"a batch that a page sends as text",
			wire("POST /v1.0/$batch", batch, own, "Content-Type: text/plain;charset=UTF-8"), 415, "unsupportedMediaType"},
		{"a batch that a page sends as a form",
			wire("POST /v1.0/$batch", batch, own, "Content-Type: application/x-www-form-urlencoded"), 415,
			"unsupportedMediaType"},
		{"a batch as text that names JSON in a parameter",
			wire("POST /v1.0/$batch", batch, own, "Content-Type: text/plain; x=application/json"), 415, "unsupportedMediaType"},
		{"a batch of two types", wire("POST /v1.0/$batch", batch, own, "Content-Type: application/json, text/plain"), 415,
			"unsupportedMediaType"},
		{"mail as JSON without a type", wire(mail, mailBody, own), 415, "unsupportedMediaType"},
		{"mail as a form", wire(mail, mailBody, own, "Content-Type: application/x-www-form-urlencoded"), 415,
			"unsupportedMediaType"},
		{"mail as a form of several parts", wire(mail, mailBody, own, "Content-Type: multipart/form-data; boundary=x"), 415,
			"unsupportedMediaType"},
		{"a user as text", wire("PATCH /v1.0/users/adele@contoso.com", "{}", own, "Content-Type: TEXT/PLAIN"), 415,
			"unsupportedMediaType"},
		{"a user with a type that is none",
			wire("PATCH /v1.0/users/adele@contoso.com", "{}", own, "Content-Type: text/plain;=;application/json"), 415,
			"unsupportedMediaType"},
		{"a user without a type and with a key", wire("PATCH /v1.0/users/adele@contoso.com", "{}", own, key), 415,
			"unsupportedMediaType"},
		{"a user in chunks without a type",
			"PATCH /v1.0/users/adele@contoso.com HTTP/1.1\r\n" + own +
				"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 415, "unsupportedMediaType"},

		{"a cross-site request", wire(del, "", own, "Sec-Fetch-Site: cross-site"), 403, "crossOrigin"},
		{"a cross-site read", wire(read, "", own, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site"), 403,
			"crossOrigin"},
		{"a picture on a page of another site",
			wire(read, "", own, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"), 403,
			"crossOrigin"},
		{"one of a page of the same domain", wire(del, "", own, "Sec-Fetch-Site: same-site"), 403, "crossOrigin"},
		{"one of a value that no browser knows", wire(del, "", own, "Sec-Fetch-Site: x"), 403, "crossOrigin"},
		{"one of an older browser", wire(del, "", own, "Origin: https://evil.example"), 403, "crossOrigin"},
		{"one of a sandboxed frame", wire(del, "", own, "Origin: null"), 403, "crossOrigin"},
		{"one of a page at another port", wire(del, "", own, "Origin: http://127.0.0.1:3000"), 403, "crossOrigin"},
		{"one of a page whose origin begins like ours", wire(del, "", own, "Origin: https://graph.contoso.com.evil.example"),
			403, "crossOrigin"},
		{"JSON that a page asked for",
			wire(mail, mailBody, own, json, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site"), 403, "crossOrigin"},
		{"a batch", wire("POST /v1.0/$batch", batch, own, json, "Sec-Fetch-Site: cross-site"), 403, "crossOrigin"},
		{"a request with a key",
			wire("PATCH /v1.0/users/adele@contoso.com", "{}", own, key, json, "Sec-Fetch-Site: cross-site"), 403, "crossOrigin"},
		{"a preflight request",
			wire("OPTIONS /v1.0/users", "", own, "Origin: https://evil.example", "Access-Control-Request-Method: DELETE"), 405,
			"methodNotAllowed"},

		{"a read under a foreign name", wire(read, "", "Host: evil.example"), 421, "unknownHost"},
		{"one with a port", wire(read, "", "Host: evil.example:8080"), 421, "unknownHost"},
		{"one with the page's own origin", wire(del, "", "Host: evil.example", "Origin: http://evil.example"), 421,
			"unknownHost"},
		{"one that ends like ours", wire(read, "", "Host: evil.graph.contoso.com"), 421, "unknownHost"},
		{"one that begins like ours", wire(read, "", "Host: graph.contoso.com.evil.example"), 421, "unknownHost"},
		{"one that begins like an address", wire(read, "", "Host: 127.0.0.1.evil.example"), 421, "unknownHost"},
		{"one below localhost", wire(read, "", "Host: evil.localhost"), 421, "unknownHost"},
		{"one that holds an address", wire(read, "", "Host: 7f000001.rbndr.us"), 421, "unknownHost"},
		{"an address in one number", wire(read, "", "Host: 2130706433"), 421, "unknownHost"},
		{"a short address", wire(read, "", "Host: 127.1"), 421, "unknownHost"},
		{"Graph's own name", wire(read, "", "Host: graph.microsoft.com"), 421, "unknownHost"},
		{"a batch under a foreign name", wire("POST /v1.0/$batch", batch, "Host: evil.example", json), 421, "unknownHost"},
		{"a foreign name before a refusal by the policy", wire("GET /v1.0/groups", "", "Host: evil.example"), 421,
			"unknownHost"},

		{"a Host with an apostrophe", wire(read, "", "Host: a'b"), 400, "badHost"},
		{"a Host with a comma", wire(read, "", "Host: localhost,evil.example"), 400, "badHost"},
		{"a Host with an escape", wire(read, "", "Host: %6cocalhost"), 400, "badHost"},
		{"a Host with a parameter", wire(read, "", "Host: localhost;x"), 400, "badHost"},
		{"an empty Host", wire(read, "", "Host: "), 400, "badHost"},
		{"a Host with a bad port", wire(read, "", "Host: graph.contoso.com:x"), 400, "badHost"},
		{"a Host with a key", wire(read, "", "Host: a!b", key), 400, "badHost"},
		{"a Host of one bracket", wire(read, "", "Host: [::1"), 400, "badHost"},

		{"a program at the address", wire(del, "", own), 204, ""},
		{"at the address of IPv6", wire(read, "", "Host: [::1]:8080"), 200, ""},
		{"at an address without a port", wire(read, "", "Host: 10.0.0.7"), 200, ""},
		{"at localhost", wire(read, "", "Host: localhost:8080"), 200, ""},
		{"at localhost in capitals, with a dot", wire(read, "", "Host: LocalHost.:1"), 200, ""},
		{"at the public URL's host", wire(read, "", "Host: graph.contoso.com"), 200, ""},
		{"at it with another port", wire(read, "", "Host: Graph.Contoso.com:8443"), 200, ""},
		{"at a name of the list", wire(read, "", "Host: proxy.infra.svc:8080"), 200, ""},
		{"at another name of the list", wire(read, "", "Host: OTHER."), 200, ""},
		{"with a key, at any name", wire(read, "", "Host: whatever.example", key), 200, ""},
		{"a page at the same address", wire(del, "", own, "Origin: http://127.0.0.1:8080", "Sec-Fetch-Site: same-origin"),
			204, ""},
		{"a page at the public URL behind a server that changes the Host",
			wire(del, "", own, "Origin: https://graph.contoso.com"), 204, ""},
		{"what its reader typed", wire(del, "", own, "Sec-Fetch-Site: none"), 204, ""},
		{"a read that an address typed by hand sends", wire(read, "", own, "Sec-Fetch-Site: none"), 200, ""},
		{"a read of a page of the same domain", wire(read, "", own, "Sec-Fetch-Site: same-site"), 200, ""},
		{"a read of an older browser, which marks nothing", wire(read, "", own, "Origin: https://evil.example"), 200, ""},
		{"mail as JSON", wire(mail, mailBody, own, json), 202, ""},
		{"mail as JSON with parameters",
			wire(mail, mailBody, own, "Content-Type: application/json;odata.metadata=minimal; charset=utf-8"), 202, ""},
		{"mail as another kind of JSON",
			wire("PATCH /v1.0/users/adele@contoso.com", "{}", own, "Content-Type: application/merge-patch+json"), 204, ""},
		{"no body and no type", wire(mail, "", own), -1, ""},
		{"chunks of no body and no type",
			"DELETE /v1.0/users/adele@contoso.com HTTP/1.1\r\n" + own + "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 204,
			""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r.audit.reset()
			r.graph.Reset()
			a := r.raw(t, tt.request)
			if a.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("header %v", a.header)
			}
			if tt.inner == "" {
				if tt.status > 0 && a.status != tt.status || r.graph.Count() != 1 {
					t.Errorf("status %d, Graph received %d: %s", a.status, r.graph.Count(), a.body)
				}
				return
			}
			code := "invalidRequest"
			if tt.status == 403 {
				code = "accessDenied"
			}
			if inner := a.refusal(t, tt.status, code); inner != tt.inner {
				t.Errorf("innerError.code %q, want %q", inner, tt.inner)
			}
			if tt.status == 421 && !strings.Contains(a.body, "GRAPHPROXY_HOSTS") {
				t.Errorf("no cure in %s", a.body)
			}
			if rec := r.one(t); rec["reason"] != tt.inner || rec["decision"] != "refuse" {
				t.Errorf("record %v", rec)
			}
			r.sawNothing(t)
		})
	}
}

// A HEAD has no body to look at, and spends quota and shows what exists as a GET does.
func TestAPageOfAnotherSiteCannotSendHEAD(t *testing.T) {
	r := newRig(t, ambient)
	a := r.raw(t, "HEAD /v1.0/users HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nSec-Fetch-Site: cross-site\r\n\r\n")
	if a.status != http.StatusForbidden || !strings.HasPrefix(a.header.Get("Proxy-Status"), "graphproxy; error=") {
		t.Errorf("%d %v", a.status, a.header)
	}
	if rec := r.one(t); rec["reason"] != "crossOrigin" || rec["decision"] != "refuse" {
		t.Errorf("record %v", rec)
	}
	r.sawNothing(t)
}

// No browser connects to a unix socket, and programs that do may send any Host.
func TestOverAUnixSocketAnyNameIsGood(t *testing.T) {
	r := newRig(t, strings.Replace(ambient, `{network: [127.0.0.0/8, "::1/128"]}`, "anyone", 1))
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	must(t, err)
	server := httptest.NewUnstartedServer(nil)
	server.Listener.Close()
	server.Listener, server.Config = l, proxy.NewServer(r.handler, slog.New(slog.DiscardHandler))
	server.Start()
	defer server.Close()
	for host, status := range map[string]int{"localhost": 200, "graphproxy-socket": 200, "x!y": 400} {
		c, err := net.Dial("unix", l.Addr().String())
		must(t, err)
		defer c.Close()
		_, err = fmt.Fprint(c, wire("GET /v1.0/users", "", "Host: "+host, "Connection: close"))
		must(t, err)
		if a := readFrom(t, c); a.status != status {
			t.Errorf("Host %s: status %d: %s", host, a.status, a.body)
		}
	}
}

// Bodies that Graph does not read as JSON need no JSON type: mail as MIME, and the content of files.
func TestBodiesThatAreNotJSONReachGraph(t *testing.T) {
	file := "version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow:\n"
	for _, root := range []string{"users", "drives", "applications", "servicePrincipals", "chats", "teams", "sites",
		"groups", "/beta/trustFramework"} {
		file += "      - ANY /" + strings.TrimPrefix(root, "/") + "/**\n"
	}
	r := newRig(t, file)
	tests := []struct {
		name, line, contentType string
		status                  int
	}{
		{"mail as MIME", "POST /v1.0/users/a@contoso.com/sendMail", "text/plain", 0},
		{"mail as MIME with a charset", "POST /v1.0/users/a@contoso.com/SendMail", "text/plain; charset=utf-8", 0},
		{"by its qualified name", "POST /v1.0/users/a@contoso.com/microsoft.graph.sendMail", "text/plain", 0},
		{"a draft as MIME", "POST /v1.0/users/a@contoso.com/messages", "text/plain", 0},
		{"a draft in a folder", "POST /v1.0/users/a@contoso.com/mailFolders/inbox/messages", "text/plain", 0},
		{"a reply as MIME", "POST /v1.0/users/a@contoso.com/messages/1/reply", "text/plain", 0},
		{"a forward as MIME", "POST /v1.0/users/a@contoso.com/messages/1/createForward", "text/plain", 0},
		{"a file without a type", "PUT /v1.0/drives/b/items/1/content", "", 0},
		{"a file as text", "PUT /v1.0/drives/b/root:/a.txt:/content", "text/plain", 0},
		{"a file as a form", "PUT /v1.0/drives/b/items/1/content", "application/x-www-form-urlencoded", 0},
		{"a photo", "PUT /v1.0/users/a@contoso.com/photo/$value", "image/jpeg", 0},
		{"a photo without a type", "PUT /v1.0/users/a@contoso.com/photo/$value", "", 0},
		{"a logo", "PUT /v1.0/applications/1/logo", "image/png", 0},
		{"a policy in XML", "POST /beta/trustFramework/policies", "application/xml", 0},
		{"a page of OneNote", "POST /v1.0/users/a@contoso.com/onenote/pages", "text/html", 0},
		{"a page with its pictures", "POST /v1.0/users/a@contoso.com/onenote/sections/1/pages",
			"multipart/form-data; boundary=x", 0},
		{"a file with its metadata", "POST /v1.0/drives/b/root/children", "multipart/related; boundary=x", 0},
		{"bulk provisioning", "POST /v1.0/servicePrincipals/1/synchronization/jobs/2/bulkUpload", "application/scim+json", 0},

		{"mail without a type", "POST /v1.0/users/a@contoso.com/sendMail", "", 415},
		{"a chat message as text", "POST /v1.0/chats/1/messages", "text/plain", 415},
		{"a channel message as text", "POST /v1.0/teams/1/channels/2/messages", "text/plain", 415},
		{"a page of a site as a form", "POST /v1.0/sites/1/pages", "multipart/form-data; boundary=x", 415},
		{"a file's metadata as text", "PATCH /v1.0/drives/b/items/1", "text/plain", 415},
		{"a group's owner as text", "POST /v1.0/groups/1/owners/$ref", "text/plain", 415},
		{"an action as a form", "POST /v1.0/users/a@contoso.com/revokeSignInSessions", "application/x-www-form-urlencoded",
			415},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r.graph.Reset()
			headers := []string{"Host: localhost"}
			if tt.contentType != "" {
				headers = append(headers, "Content-Type: "+tt.contentType)
			}
			a := r.raw(t, wire(tt.line, "{}", headers...))
			if tt.status == 0 {
				if r.graph.Count() != 1 || a.header.Get("Proxy-Status") != "" {
					t.Errorf("Graph received %d; %d %s", r.graph.Count(), a.status, a.body)
				}
				return
			}
			if inner := a.refusal(t, tt.status, "invalidRequest"); inner != "unsupportedMediaType" ||
				!strings.Contains(a.body, "application/json") {
				t.Errorf("%s", a.body)
			}
			r.sawNothing(t)
		})
	}
}

func TestNamesOfHostsAreChecked(t *testing.T) {
	for _, name := range []string{"*.contoso.com", "https://graph.contoso.com", "graph.contoso.com:443", "", "a b", "a/b",
		"gr\u00e4ph"} {
		if _, err := proxy.NewHosts("", []string{name}); err == nil || !strings.Contains(err.Error(), "graph.contoso.com") {
			t.Errorf("%q: %v", name, err)
		}
		c := proxy.Config{
			Graph:         mustURL(t, "http://127.0.0.1:1"),
			Apps:          oneApp(fixed{}),
			Authorization: rules(t, everyone),
			Hosts:         []string{name},
		}
		if _, err := proxy.New(c); err == nil || !strings.Contains(err.Error(), "proxy.Config.Hosts") {
			t.Errorf("New with %q: %v", name, err)
		}
	}
}

// A refusal of a page's request names the contact, as every 403 does, if the policy has one.
func TestARefusalOfAPagesRequestNamesTheContact(t *testing.T) {
	for contact, want := range map[string]string{
		"":                             `from pages at its own address","innerError"`,
		"contact: graph@contoso.com\n": `from pages at its own address; ask graph@contoso.com","innerError"`,
	} {
		r := newRig(t, contact+ambient)
		for _, request := range []string{
			wire("DELETE /v1.0/users/adele@contoso.com", "", "Host: localhost", "Sec-Fetch-Site: cross-site"),
			wire("POST /v1.0/$batch", `{"requests":[]}`, "Host: localhost", "Content-Type: application/json",
				"Origin: https://evil.example"),
		} {
			if a := r.raw(t, request); a.status != 403 || !strings.Contains(a.body, want) {
				t.Errorf("contact %q: %d %s", contact, a.status, a.body)
			}
		}
		r.sawNothing(t)
	}
}
