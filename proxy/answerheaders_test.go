package proxy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"graphproxy/proxy"
)

// Addresses that an answer sends a caller to, and whether they come through.
var addresses = []struct {
	name, value string
	passes      bool
}{
	{"a download", "https://contoso.sharepoint.com/_layouts/15/download.aspx?x=1", true},
	{"a download over HTTP", "http://files.example/1", true},
	{"in capitals", "HTTPS://files.example/1", true},
	{"a path", "/v1.0/operations/1", true},
	{"a path with a colon", "/teams('19:abc@thread.tacv2')/operations('1')", true},
	{"a path without a slash", "operations('19:abc')", true},
	{"a query", "?a=b:c", true},
	{"another host without a scheme", "//files.example/1", true},
	{"a script", "javascript:alert(1)", false},
	{"a script in capitals", "JavaScript:alert(1)", false},
	{"a script before slashes", "javascript://files.example/%0aalert(1)", false},
	{"data", "data:text/html,<script>alert(1)</script>", false},
	{"a file", "file:///etc/passwd", false},
	{"another program", "ms-word:ofe|u|https://files.example/1.docx", false},
	{"FTP", "ftp://files.example/1", false},
	{"a socket", "wss://files.example/1", false},
	{"the source of a page", "view-source:https://files.example/1", false},
	{"a blob", "blob:https://files.example/1", false},
	{"a scheme of one letter", "c:/x", false},
	{"a scheme with signs", "a+b-c.d:x", false},
	{"mail", "mailto:a@contoso.com", false},
}

func TestAnswersSendCallersToWebAddressesOnly(t *testing.T) {
	r := newRig(t, everyone)
	for _, name := range []string{"Location", "Content-Location", "Operation-Location", "Azure-AsyncOperation"} {
		for _, tt := range addresses {
			t.Run(name+": "+tt.name, func(t *testing.T) {
				r.graph.Handle("GET /v1.0/test/redirect", func(w http.ResponseWriter, _ *http.Request) {
					w.Header()[http.CanonicalHeaderKey(name)] = []string{tt.value}
					w.WriteHeader(http.StatusFound)
				})
				a := r.do(t, "GET", "/v1.0/test/redirect", "")
				if got := a.header.Get(name); (got != "") != tt.passes || a.status != http.StatusFound {
					t.Errorf("status %d, %q", a.status, got)
				}
			})
		}
	}
}

func TestAnswersOfItemsSendCallersToWebAddressesOnly(t *testing.T) {
	r := newRig(t, everyone)
	more := []struct {
		name, value string
		passes      bool
	}{
		{"a script behind a space", " javascript:alert(1)", false},
		{"a script with a tab in it", "java\tscript:alert(1)", false},
		{"a script behind a control character", "\x01javascript:alert(1)", false},
		{"a script with a line break in it", "javascript\n:alert(1)", false},
	}
	for _, tt := range append(addresses, more...) {
		t.Run(tt.name, func(t *testing.T) {
			r.graph.Handle("POST /v1.0/$batch", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				value, _ := json.Marshal(tt.value)
				_, _ = fmt.Fprintf(w,
					`{"responses":[{"id":"1","status":302,"headers":{"LOCATION":%s,"Refresh":"0;url=https://evil.example",`+
						`"Access-Control-Allow-Origin":"*"}}]}`, value)
			})
			a := r.do(t, "POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"/users"}]}`)
			got := a.responses(t)["1"].Headers
			if _, passed := got["LOCATION"]; passed != tt.passes {
				t.Errorf("%v", got)
			}
			delete(got, "LOCATION")
			if len(got) > 0 {
				t.Errorf("%v", got)
			}
		})
	}
	t.Run("one that is no text", func(t *testing.T) {
		r.graph.Handle("POST /v1.0/$batch", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"responses":[{"id":"1","status":302,"headers":{"Location":["javascript:alert(1)"]}}]}`)
		})
		a := r.do(t, "POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"/users"}]}`)
		if got := a.responses(t)["1"].Headers; len(got) > 0 {
			t.Errorf("%v", got)
		}
	})
}

// Graph must not decide what a browser does at the proxy's address, or lets pages of other sites do.
func TestHeadersThatMakeABrowserActStayBehind(t *testing.T) {
	r := newRig(t, everyone)
	hostile := map[string]string{
		"Refresh":                          "0;url=https://evil.example",
		"Clear-Site-Data":                  `"*"`,
		"Service-Worker-Allowed":           "/",
		"SourceMap":                        "/x",
		"X-SourceMap":                      "/x",
		"NEL":                              "{}",
		"Report-To":                        "{}",
		"Reporting-Endpoints":              "x",
		"Access-Control-Allow-Origin":      "*",
		"Access-Control-Allow-Credentials": "true",
		"Access-Control-Expose-Headers":    "*",
		"Timing-Allow-Origin":              "*",
		"Cross-Origin-Resource-Policy":     "cross-origin",
		"Set-Cookie2":                      "a=b",
	}
	r.graph.Handle("GET /v1.0/test/browser", func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range hostile {
			w.Header().Set(name, value)
		}
		w.Header().Set("X-Content-Type-Options", "none")
		w.WriteHeader(http.StatusOK)
	})
	a := r.do(t, "GET", "/v1.0/test/browser", "", "Origin: https://evil.example")
	for name := range hostile {
		if got := a.header.Get(name); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := a.header["X-Content-Type-Options"]; len(got) != 1 || got[0] != "nosniff" {
		t.Errorf("X-Content-Type-Options: %q", got)
	}
}

// speaker is a server that answers every request with stored bytes that net/http would not write.
func speaker(t *testing.T, answer *atomic.Value) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 64<<10)
				if _, err := c.Read(buf); err == nil {
					_, _ = io.WriteString(c, answer.Load().(string))
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

func TestAStatusThatNoServerMayGiveIs502(t *testing.T) {
	const rest = "\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
	tests := []struct {
		name, line string
		status     int
	}{
		{"below 100", "HTTP/1.1 099 Odd", 502},
		{"zero", "HTTP/1.1 000 Odd", 502},
		{"one", "HTTP/1.1 001 Odd", 502},
		{"with a sign", "HTTP/1.1 +99 Odd", 502},
		{"a switch of protocols that nobody asked for", "HTTP/1.1 101 Switching Protocols", 502},
		{"above 599", "HTTP/1.1 600 Odd", 502},
		{"far above", "HTTP/1.1 999 Odd", 502},
		{"a reason with a control character", "HTTP/1.1 200 O\x01K", 502},
		{"a reason with an escape", "HTTP/1.1 200 \x1b[31mred", 502},
		{"a reason with DEL", "HTTP/1.1 404 Not\x7fFound", 502},
		{"four digits", "HTTP/1.1 2000 OK", 502},
		{"no number", "HTTP/1.1 abc OK", 502},
		{"the highest", "HTTP/1.1 599 Odd", 599},
		{"no reason", "HTTP/1.1 200 ", 200},
		{"a reason in another language", "HTTP/1.1 200 In Ordn\u00fcng", 200},
		{"a reason with a tab", "HTTP/1.1 200 a\tb", 200},
	}
	var answer atomic.Value
	root := mustURL(t, speaker(t, &answer))
	r := newRig(t, everyone, func(c *proxy.Config, _ *rig) { c.Graph = root })
	for _, tt := range tests {
		for _, batch := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, batch %v", tt.name, batch), func(t *testing.T) {
				answer.Store(tt.line + rest)
				r.audit.reset()
				method, target, body := "GET", "/v1.0/users", ""
				if batch {
					method, target, body = "POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"/users"}]}`
				}
				a := r.do(t, method, target, body)
				if batch && tt.status == 200 {
					a.refusal(t, 502, "serviceNotAvailable") // {} is not an answer to a batch
					return
				}
				if a.status != tt.status {
					t.Fatalf("status %d: %s", a.status, a.body)
				}
				if tt.status != 502 {
					return
				}
				inner := a.refusal(t, 502, "serviceNotAvailable")
				want := 1
				if batch {
					want = 2 // its own, and that of its item
				}
				for _, rec := range r.audit.wait(t, want) {
					if !strings.Contains(rec, `"reason":"`+inner+`","status":502`) {
						t.Errorf("record %s", rec)
					}
				}
			})
		}
	}
	t.Run("of an item", func(t *testing.T) {
		r := newRig(t, everyone)
		for _, status := range []string{"99", "100", "101", "600", "-1", `"200"`, "200.5"} {
			r.graph.Handle("POST /v1.0/$batch", func(w http.ResponseWriter, _ *http.Request) {
				_, _ = fmt.Fprintf(w, `{"responses":[{"id":"1","status":%s}]}`, status)
			})
			a := r.do(t, "POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"/users"}]}`)
			if inner := a.refusal(t, 502, "serviceNotAvailable"); inner != "badAnswer" {
				t.Errorf("%s: %s", status, inner)
			}
		}
	})
}
