package proxy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"graphproxy/auth/caller"
	"graphproxy/policy"
	"graphproxy/policy/analysis/audit"
	"graphproxy/proxy"
)

var update = flag.Bool("update", false, "write the examples of docs/audit.md anew")

const auditDocs = "../docs/audit.md"

const auditedKey = "Kx7vQ2mN9rT4wZ8pL3sD6fH1"

// audited is the policy of the lines in docs/audit.md. The first hash is that of auditedKey.
const audited = `
version: 1
callers:
  hr-sync:
    identity:
      - key: {sha256: 15f4da9c940fd2c3ce2e937f62182e68ba5f72dbdd28631a531e695563ab2642, name: server-2027}
    allow:
      - GET /users
      - GET /users/{id}
      - GET /users/{id}/messages:
          limit: {rate: 1/h}
    deny:
      - GET /users/{id}/manager
  phone-book:
    mode: report
    identity:
      - key: {sha256: 87f1feb3eae0d747878401ea3957c6686fd38cb3e583e21a896c1fc734e80474}
    allow: [GET /users]
`

// auditRig is a rig whose policy is audited. Its proxy trusts the X-Forwarded-For of 203.0.113.7.
type auditRig struct {
	*rig
	cut context.CancelCauseFunc // ends all requests in flight
}

func newAuditRig(t *testing.T) auditRig {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(audited))
	must(t, err)
	authorization, err := proxy.NewAuthorization(p,
		caller.Options{Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	must(t, err)
	r := newRig(t, everyone, func(c *proxy.Config, _ *rig) { c.Authorization = authorization })
	requests, cut := context.WithCancelCause(context.Background())
	t.Cleanup(func() { cut(nil) })
	server := httptest.NewUnstartedServer(nil)
	server.Config = proxy.NewServer(r.handler, slog.New(slog.DiscardHandler))
	server.Config.BaseContext = func(net.Listener) context.Context { return requests }
	server.Start()
	t.Cleanup(server.Close)
	server.Client().Transport.(*http.Transport).DisableCompression = true
	r.server = server
	r.graph.Handle("GET /v1.0/users/slow", func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"slow",`)
		_ = http.NewResponseController(w).Flush()
		<-q.Context().Done()
	})
	r.graph.Handle("GET /v1.0/users/short", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"id":"short"`)
	})
	return auditRig{r, cut}
}

// lines sends the request and returns its audit lines.
func (r auditRig) lines(t *testing.T, n int, method, target, body string, header ...string) []string {
	t.Helper()
	r.audit.reset()
	r.do(t, method, target, body, header...)
	return r.audit.wait(t, n)
}

// begin sends a request whose answer does not end, and returns the answer when its first bytes have come.
func (r auditRig) begin(t *testing.T, target string) *http.Response {
	t.Helper()
	r.audit.reset()
	req, err := http.NewRequest(http.MethodGet, r.server.URL+target, nil)
	must(t, err)
	req.Header.Set("X-Api-Key", auditedKey)
	res, err := r.server.Client().Do(req)
	must(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	_, err = io.ReadFull(res.Body, make([]byte, 5))
	must(t, err)
	return res
}

// examples makes an audit line of each kind by real requests, by the headings of docs/audit.md.
func examples(t *testing.T) map[string][]string {
	const own, other = "X-Api-Key: " + auditedKey, "X-Api-Key: Pq5hJ8cV2xB7nM4kR9tY3wE6"
	const origin, parent = "X-Forwarded-For: 203.0.113.7", "Traceparent: " +
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	r := newAuditRig(t)
	made := map[string][]string{}
	made["allow"] = r.lines(t, 1, "GET", "/v1.0/users/adele@contoso.com?$select=id,displayName", "", own, origin, parent)
	made["deny"] = r.lines(t, 1, "GET", "/v1.0/users/adele@contoso.com/manager", "", own)
	made["deny, no rule"] = r.lines(t, 1, "DELETE", "/v1.0/users/adele@contoso.com", "", own)
	r.lines(t, 1, "GET", "/v1.0/users/adele@contoso.com/messages", "", own)
	made["limit"] = r.lines(t, 1, "GET", "/v1.0/users/adele@contoso.com/messages", "", own)
	made["refuse: 401"] = r.lines(t, 1, "GET", "/v1.0/users/adele@contoso.com?$top=5", "", "X-Api-Key: wrong", origin)
	made["refuse: 400"] = r.lines(t, 1, "GET", "/v1.0/users/..%2Fgroups", "", own)
	made["would_deny"] = r.lines(t, 1, "GET", "/v1.0/users/adele@contoso.com", "", other)
	r.handler.UseCandidate(candidateRules(t, strings.Replace(audited, "GET /users/{id}\n", "GET /groups\n", 1)))
	made["candidate"] = r.lines(t, 1, "GET", "/v1.0/users/adele@contoso.com", "", own)
	r.handler.UseCandidate(nil)
	made["batch and items"] = r.lines(t, 3, "POST", "/v1.0/$batch",
		`{"requests":[{"id":"1","method":"GET","url":"/users"},`+
			`{"id":"2","method":"GET","url":"/groups"}]}`, own)
	made["cut"] = r.lines(t, 1, "GET", "/v1.0/users/"+strings.Repeat("x", 600), "", own)

	r.audit.reset()
	_, _ = io.Copy(io.Discard, r.open(t, "/v1.0/users/short").Body)
	made["the answer broke off"] = r.audit.wait(t, 1)

	res := r.begin(t, "/v1.0/users/slow")
	_ = res.Body.Close()
	made["the caller left"] = r.audit.wait(t, 1)

	r.begin(t, "/v1.0/users/slow")
	r.cut(proxy.ErrShutdown)
	made["shutdown"] = r.audit.wait(t, 1)
	return made
}

// open sends a request of hr-sync, and ignores the outcome.
func (r auditRig) open(t *testing.T, target string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, r.server.URL+target, nil)
	must(t, err)
	req.Header.Set("X-Api-Key", auditedKey)
	res, err := r.server.Client().Do(req)
	must(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// settled replaces the values of a line that differ each time by those in docs/audit.md.
func settled(line string) string {
	for _, r := range []struct{ pattern, with string }{
		{`"time":"[^"]+"`, `"time":"2027-03-01T09:15:02.123456789Z"`},
		{`"ms":[0-9.]+`, `"ms":41.5`},
		{`"graph_ms":[0-9.]+`, `"graph_ms":38.2`},
		{`"bytes_out":[1-9][0-9]*`, `"bytes_out":512`},
		{`"request_id":"[^"]+"`, `"request_id":"0e1f4e6a-3d57-4a57-9b0b-0a4c5b2f8a61"`},
		{`"client_request_id":"[^"]+"`, `"client_request_id":"7a9d6f0e-60f4-4f0e-8d5c-2f1f0b6c2299"`},
		{`"batch":"[^"]+"`, `"batch":"0e1f4e6a-3d57-4a57-9b0b-0a4c5b2f8a61"`},
		{`"policy":"[^"]+"`, `"policy":"5a1c9e0d7b42"`},
		{`"policy":"[^"]+"},"status"`, `"policy":"c0f7a4e21d38"},"status"`}, // the candidate's
	} {
		line = regexp.MustCompile(r.pattern).ReplaceAllString(line, r.with)
	}
	return line
}

// documentedLines returns the examples of docs/audit.md by their headings.
func documentedLines(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(auditDocs)
	must(t, err)
	found := map[string][]string{}
	for _, part := range strings.Split(string(text), "\n### ")[1:] {
		heading, rest, _ := strings.Cut(part, "\n")
		_, block, ok := strings.Cut(rest, "```json\n")
		if block, _, _ = strings.Cut(block, "\n```"); ok {
			found[heading] = strings.Split(block, "\n")
		}
	}
	return found
}

// auditSchema returns the schema of a line, docs/audit.schema.json.
func auditSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile("../docs/audit.schema.json")
	must(t, err)
	return s
}

func holds(t *testing.T, s *jsonschema.Schema, line string) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
	must(t, err)
	if err := s.Validate(v); err != nil {
		t.Errorf("%s\n%v", line, err)
	}
}

// The lines of docs/audit.md are lines that the proxy writes for real requests. With -update they are written anew.
func TestTheLinesOfTheAuditDocsAreTheProxys(t *testing.T) {
	made, schema := examples(t), auditSchema(t)
	documented := documentedLines(t)
	for heading, lines := range made {
		for i := range lines {
			holds(t, schema, lines[i])
			lines[i] = settled(lines[i])
		}
		if *update {
			writeExample(t, heading, documented[heading], lines)
			continue
		}
		if diff := cmp.Diff(lines, documented[heading]); diff != "" {
			t.Errorf("%s (-made +docs/audit.md):\n%s", heading, diff)
		}
	}
	for heading, lines := range documented {
		for _, line := range lines {
			holds(t, schema, line)
		}
		if made[heading] == nil && heading != "lost lines" { // cmd/graphproxy/server writes that one
			t.Errorf("docs/audit.md has the kind %q, which no request made", heading)
		}
	}
}

func writeExample(t *testing.T, heading string, old, lines []string) {
	t.Helper()
	text, err := os.ReadFile(auditDocs)
	must(t, err)
	before, after, found := strings.Cut(string(text), "\n### "+heading+"\n")
	if !found {
		t.Fatalf("docs/audit.md has no heading %q", heading)
	}
	after = strings.Replace(after, "```json\n"+strings.Join(old, "\n")+"\n", "```json\n"+strings.Join(lines, "\n")+"\n", 1)
	must(t, os.WriteFile(auditDocs, []byte(before+"\n### "+heading+"\n"+after), 0o644))
}

// policy diff and policy suggest can read every line that the proxy writes.
func TestTheReaderOfAuditLogsReadsTheProxysLines(t *testing.T) {
	var log bytes.Buffer
	judged, refused := 0, map[string]int{}
	for _, lines := range examples(t) {
		for _, line := range lines {
			log.WriteString(line + "\n")
			var rec proxy.Record
			must(t, json.Unmarshal([]byte(line), &rec))
			if rec.Decision == "refuse" {
				refused[rec.Reason]++
				continue
			}
			judged++
		}
	}
	log.WriteString(documentedLines(t)["lost lines"][0] + "\n")
	read := 0
	skipped, err := audit.Read(&log, func(l audit.Line) error {
		read++
		if l.Parsed == nil && len(l.Cut) == 0 {
			t.Errorf("the target %q cannot be read back", l.Target)
		}
		return nil
	})
	must(t, err)
	if diff := cmp.Diff(audit.Skipped{Refused: refused, Lost: 3}, skipped); diff != "" || read != judged || judged < 10 {
		t.Errorf("%d lines of %d were read (-want +got):\n%s", read, judged, diff)
	}
}

// The table of docs/audit.md names every field of a line, and no other; so does the schema.
func TestTheTableOfAuditFieldsNamesEveryField(t *testing.T) {
	var fields []string
	for f := range reflect.TypeFor[proxy.Record]().Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			fields = append(fields, name)
		}
	}
	text, err := os.ReadFile(auditDocs)
	must(t, err)
	_, table, _ := strings.Cut(string(text), "| field |")
	table, _, _ = strings.Cut(table, "\n\n")
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(table, -1) {
		documented = append(documented, row[1])
	}
	if diff := cmp.Diff(fields, documented); diff != "" {
		t.Errorf("docs/audit.md (-Record +table):\n%s", diff)
	}
	text, err = os.ReadFile("../docs/audit.schema.json")
	must(t, err)
	var schema struct {
		Definitions map[string]struct{ Properties map[string]any }
	}
	must(t, json.Unmarshal(text, &schema))
	properties := schema.Definitions["request"].Properties
	for _, name := range fields {
		if properties[name] == nil {
			t.Errorf("docs/audit.schema.json has no field %q", name)
		}
		delete(properties, name)
	}
	if len(properties) > 0 {
		t.Errorf("docs/audit.schema.json has fields that no line has: %v", properties)
	}
}
