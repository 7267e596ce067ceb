package proxy_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"graphproxy/policy/analysis/audit"
	"graphproxy/proxy"
)

// hiddenMarks are characters that would change the appearance of the rest of a line.
const hiddenMarks = "\u202e\u2066\u200b\u200d\ufeff\u00ad\u2060"

// longInputs are requests with as much text as possible, by its place. None may be answered or recorded at length.
func longInputs() map[string]string {
	const host = " HTTP/1.1\r\nHost: graphproxy\r\n"
	get := func(target string, header ...string) string {
		return "GET " + target + host + strings.Join(append(header, ""), "\r\n") + "\r\n"
	}
	post := func(body string) string {
		return fmt.Sprintf("POST /v1.0/$batch%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", host,
			len(body), body)
	}
	var options, longOptions []string
	for i := range 64 {
		options = append(options, fmt.Sprintf("o%d=1", i))
		longOptions = append(longOptions, fmt.Sprintf("o%d%s=1", i, strings.Repeat("n", 60)))
	}
	soft, tags := url.PathEscape(strings.Repeat("\u00ad", 500)), url.PathEscape(strings.Repeat("\U000e0041", 200))
	item := func(id, url string) string {
		return fmt.Sprintf(`{"id":%q,"method":"GET","url":%q}`, id, url)
	}
	var many []string
	for i := range 20 {
		many = append(many, item(fmt.Sprintf("%d%s", i, strings.Repeat("i", 200)),
			"/users/"+strings.Repeat("k", 300)+"?"+strings.Join(longOptions[:20], "&")))
	}
	return map[string]string{
		"64 options":                   get("/v1.0/users?" + strings.Join(options, "&")),
		"64 options with long names":   get("/v1.0/users?" + strings.Join(longOptions, "&")),
		"one option with a long name":  get("/v1.0/users?" + strings.Repeat("x", 8000) + "=1"),
		"a long key":                   get("/v1.0/groups/" + strings.Repeat("k", 8000)),
		"a long key of a known path":   get("/v1.0/users/" + strings.Repeat("k", 8000)),
		"a key of quotes":              get("/v1.0/groups('" + strings.Repeat(`%22`, 600) + "')"),
		"a key of angle brackets":      get("/v1.0/groups/" + strings.Repeat(`%3C`, 600)),
		"a drive path of soft hyphens": get("/v1.0/drives/b/root:/" + soft),
		"a drive path of tags":         get("/v1.0/drives/b/root:/" + tags),
		"a drive path with marks":      get("/v1.0/drives/b/root:/" + url.PathEscape("a"+hiddenMarks+"b")),
		"a key of format characters":   get("/v1.0/users/" + url.PathEscape(hiddenMarks)),
		"many segments":                get("/v1.0" + strings.Repeat("/segment", 60)),
		"many arguments": get("/v1.0/users/f(" +
			strings.TrimSuffix(strings.Repeat("argument='value',", 300), ",") + ")"),
		"many escapes in a bad segment": get("/v1.0/users/" + strings.Repeat("%c2%ad", 300) + "%2f"),
		"bytes that are not UTF-8":      get("/v1.0/users/" + strings.Repeat("%ff", 1000)),
		"a long unknown version":        get("/" + strings.Repeat("v", 4000) + "/users"),
		"a long tenant":                 get("/v1.0/" + strings.Repeat("t", 3000) + ".com/users"),
		"a long method":                 strings.Repeat("M", 3000) + " /v1.0/users" + host + "\r\n",
		"a long client-request-id":      get("/v1.0/groups", "client-request-id: "+strings.Repeat("c", 4000)),
		"the longest client-request-id": get("/v1.0/groups/"+strings.Repeat("k", 3000),
			"client-request-id: "+strings.Repeat("c", 128)),
		"a client-request-id with marks": get("/v1.0/groups", "client-request-id: a"+hiddenMarks),
		"a long Content-Encoding": "POST /v1.0/$batch" + host + "Content-Length: 2\r\nContent-Encoding: " +
			strings.Repeat("e", 4000) + "\r\n\r\n{}",
		"a long Content-Type": "POST /v1.0/$batch" + host + "Content-Length: 2\r\nContent-Type: " +
			strings.Repeat("e", 4000) + "\r\n\r\n{}",
		"a batch of 20 long items": post(`{"requests":[` + strings.Join(many, ",") + `]}`),
		"a batch with long ids":    post(`{"requests":[` + item(strings.Repeat("\u00ad", 128), "/groups") + `]}`),
		"a batch with ids of tags": post(`{"requests":[` + item(strings.Repeat("\U000e0041", 64), "/groups") +
			`]}`),
		"a batch with marks in an id":         post(`{"requests":[` + item("a"+hiddenMarks, "/groups") + `]}`),
		"a batch with an id that is too long": post(`{"requests":[` + item(strings.Repeat("i", 4000), "/groups") + `]}`),
		"a batch with a long unknown key":     post(`{"requests":[{"id":"1","` + strings.Repeat("k", 4000) + `":1}]}`),
		"a batch with a long method": post(`{"requests":[{"id":"1","method":"` + strings.Repeat("\u202e", 900) +
			`","url":"/users"}]}`),
		"a batch with a long dependsOn": post(`{"requests":[{"id":"1","method":"GET","url":"/users","dependsOn":["` +
			strings.Repeat("d", 4000) + `"]}]}`),
		"a batch with a long bad URL":    post(`{"requests":[` + item("1", "https://"+strings.Repeat("h", 4000)) + `]}`),
		"a batch with a long drive path": post(`{"requests":[` + item("1", "/drives/b/root:/"+soft) + `]}`),
		"a batch with a long header name": post(`{"requests":[{"id":"1","method":"GET","url":"/users","headers":{"` +
			strings.Repeat("h", 4000) + `\u0000":"1"}}]}`),
		"a batch that depends on a long id": post(`{"requests":[` + item(strings.Repeat("\u202e", 80), "/groups") +
			`,{"id":"2","method":"GET","url":"/users","dependsOn":["` + strings.Repeat("\u202e", 80) + `"]}]}`),
	}
}

// However long the names in a request are, each audit line stays under 4 KiB, each refusal under 1,500 bytes, and
// no character in either changes the appearance of the rest.
func TestNothingIsRecordedOrAnsweredAtLength(t *testing.T) {
	r := newRig(t,
		strings.Replace(everyone, "  app:", "  "+strings.Repeat("c", 64)+":", 1), func(c *proxy.Config, r *rig) {
			c.Apps = oneApp(fixed{})
		})
	for name, request := range longInputs() {
		t.Run(name, func(t *testing.T) {
			r.audit.reset()
			a := r.raw(t, request)
			if a.header.Get("Content-Type") == "application/json" {
				a.checkShort(t)
			}
			for _, line := range r.audit.wait(t, 1) {
				checkLine(t, line)
			}
		})
	}
}

// checkShort checks the length of a refusal, or of the refusals in the answer to a batch.
func (a answer) checkShort(t *testing.T) {
	t.Helper()
	if a.status != 200 {
		checkText(t, a.body)
		if len(a.body) >= 1500 {
			t.Errorf("the refusal has %d bytes: %s", len(a.body), a.body)
		}
		var e graphError
		must(t, json.Unmarshal([]byte(a.body), &e))
		checkText(t, e.Error.Message)
		return
	}
	for id, item := range a.responses(t) {
		if item.Headers["Proxy-Status"] != "" && len(item.Body) >= 1500 {
			t.Errorf("the refusal of item %.20q has %d bytes: %s", id, len(item.Body), item.Body)
		}
	}
}

func checkLine(t *testing.T, line string) {
	t.Helper()
	checkText(t, line)
	if len(line) >= 4<<10 {
		t.Errorf("the line has %d bytes: %s", len(line), line)
	}
	var rec struct {
		Target, Item string
		Query, Cut   []string
	}
	must(t, json.Unmarshal([]byte(line), &rec))
	if len(rec.Target) > 512 || len(rec.Item) > 512 || len(rec.Query) > 16 {
		t.Errorf("the line has %d bytes of target, %d of item, %d options", len(rec.Target), len(rec.Item), len(rec.Query))
	}
	for _, name := range rec.Query {
		if len(name) > 40 {
			t.Errorf("the line has the name %q", name)
		}
	}
}

func checkText(t *testing.T, text string) {
	t.Helper()
	for _, c := range text {
		if unicode.Is(unicode.Cf, c) || c == '\u2028' || c == '\u2029' || unicode.IsControl(c) {
			t.Errorf("%+q holds %U", text, c)
			return
		}
	}
}

// A tool that reads the audit log reads a target that is complete, and never the beginning of a target as another
// one.
func TestTheAuditReaderRecognisesShortenedFields(t *testing.T) {
	r := newRig(t, everyone, func(c *proxy.Config, _ *rig) { c.Apps = oneApp(fixed{}) })
	for _, tt := range []struct {
		name, target string
		whole        bool
	}{
		{"a target that just fits", "/v1.0/users/" + strings.Repeat("k", 500), true},
		{"a target that is one byte longer", "/v1.0/users/" + strings.Repeat("k", 501), false},
		{"a drive path that ends in the mark by itself", "/v1.0/test/drives/b/root:/k%E2%80%A6", true},
		{"a target that is cut within its key, and reads as one",
			"/v1.0/users/" + strings.Repeat("k", 480) + "/messages/" + strings.Repeat("m", 100), false},
		{"a drive path with a soft hyphen", "/v1.0/test/drives/b/root:/a%C2%ADb", true},
		{"16 options", "/v1.0/users?" + optionsOf(16), true},
		{"17 options", "/v1.0/users?" + optionsOf(17), false},
		{"a name of 40 bytes", "/v1.0/users?" + strings.Repeat("n", 40) + "=1", true},
		{"a name of 41 bytes", "/v1.0/users?" + strings.Repeat("n", 41) + "=1", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.audit.reset()
			r.do(t, "GET", tt.target, "")
			text := r.audit.wait(t, 1)[0]
			var line audit.Line
			_, err := audit.Read(strings.NewReader(text), func(l audit.Line) error { line = l; return nil })
			must(t, err)
			path, _, _ := strings.Cut(tt.target, "?")
			switch {
			case (line.Parsed != nil) != tt.whole || (len(line.Cut) == 0) != tt.whole:
				t.Errorf("read %v, cut %q: %s", line.Parsed != nil, line.Cut, text)
			case tt.whole && line.Parsed.EscapedPath() != path:
				t.Errorf("read back as %s", line.Parsed.EscapedPath())
			}
		})
	}
}

func optionsOf(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("o%d=1", i))
	}
	return strings.Join(all, "&")
}
