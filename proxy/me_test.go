package proxy_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/proxy"
)

// twoCallers is the policy of the example in docs/app-developers.md. The first hash is that of auditedKey.
const twoCallers = `version: 1
contact: graph-team@contoso.com
limits:
  tenant: {rate: 100/s}
callers:
  hr-sync:
    identity:
      - key: {sha256: 15f4da9c940fd2c3ce2e937f62182e68ba5f72dbdd28631a531e695563ab2642, name: server-2027}
    owner: hr-team@contoso.com
    limit: {rate: 10/h, burst: 10}
    allow:
      - GET /users/{id}: {where: {id: ["*@contoso.com"]}, until: 2099-12-31, ticket: HR-12}
    deny:
      - GET /users/{id}/manager
  other:
    mode: report
    identity: [{network: [127.0.0.0/8]}]
    allow: [GET /groups]
`

// asked sends a request from an address, and returns its answer and what it says about the caller.
func (r *rig) asked(
	t *testing.T, method, target, from string, header ...string,
) (*httptest.ResponseRecorder, map[string]any) {
	t.Helper()
	req := httptest.NewRequest(method, target, nil)
	req.Host, req.RemoteAddr = "graphproxy", from+":50000"
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	var body map[string]any
	must(t, json.Unmarshal(w.Body.Bytes(), &body))
	return w, body
}

const withKey = "X-Api-Key: " + auditedKey

// The answer of docs/app-developers.md is that of a real request, after two refusals.
func TestWhatACallerMayAskAboutItselfIsDocumented(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoCallers)
	r.asked(t, "GET", "/v1.0/users/ceo@fabrikam.com?$filter=canary", "10.0.0.1", withKey)
	r.asked(t, "GET", "/v1.0/sites", "127.0.0.1")
	r.audit.reset()
	r.graph.Reset()
	w, _ := r.asked(t, "GET", proxy.MePath, "10.0.0.1", withKey)
	if w.Code != 200 || w.Header().Get("Proxy-Status") != "graphproxy" || w.Header().Get("Cache-Control") != "no-store" ||
		w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	rec := r.one(t)
	if rec["decision"] != "allow" || rec["target"] != proxy.MePath || rec["caller"] != "hr-sync" ||
		rec["graph_status"] != nil {
		t.Errorf("the line is %v", rec)
	}
	r.sawNothing(t)
	var pretty strings.Builder
	encoder := json.NewEncoder(&pretty)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	must(t, encoder.Encode(json.RawMessage(w.Body.String())))
	got := pretty.String()
	for pattern, with := range map[string]string{
		`"time": "[^"]+"`:       `"time": "2027-03-01T09:15:02.123456789Z"`,
		`"request_id": "[^"]+"`: `"request_id": "0e1f4e6a-3d57-4a57-9b0b-0a4c5b2f8a61"`,
		`"policy": "[^"]+"`:     `"policy": "5a1c9e0d7b42"`,
	} {
		got = regexp.MustCompile(pattern).ReplaceAllString(got, with)
	}
	text, err := os.ReadFile("../docs/app-developers.md")
	must(t, err)
	_, example, _ := strings.Cut(string(text), "<!-- me: begin -->\n\n```json\n")
	example, _, _ = strings.Cut(example, "```")
	if *update {
		must(t, os.WriteFile("../docs/app-developers.md", []byte(strings.Replace(string(text), "```json\n"+example+"```",
			"```json\n"+got+"```", 1)), 0o644))
		return
	}
	if diff := cmp.Diff(example, got); diff != "" {
		t.Errorf("docs/app-developers.md (-docs +made): %s", diff)
	}
}

// Nothing of another caller, and no value of a query, is in the answer.
func TestACallerIsShownNothingOfOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoCallers)
	r.asked(t, "GET", "/v1.0/users/ceo@fabrikam.com?$filter=canary-value", "10.0.0.1", withKey)
	r.asked(t, "GET", "/v1.0/users/adele@contoso.com", "10.0.0.1", withKey)
	w, _ := r.asked(t, "GET", proxy.MePath, "127.0.0.1")
	for _, secret := range []string{
		"hr-sync", "fabrikam", "users", "canary", "HR-12", "hr-team", auditedKey, "15f4da9c", "left",
	} {
		if strings.Contains(w.Body.String(), secret) {
			t.Errorf("%q is shown to the other caller: %s", secret, w.Body)
		}
	}
	if own, body := r.asked(t, "GET", proxy.MePath, "10.0.0.1", withKey); strings.Contains(own.Body.String(), "canary") ||
		strings.Contains(own.Body.String(), auditedKey) || body["mode"] != "enforce" {
		t.Errorf("%s", own.Body)
	}
	if !strings.Contains(w.Body.String(), `"mode":"report"`) {
		t.Errorf("the mode is not shown: %s", w.Body)
	}
}

// Whom only its address identifies sees the refusals of that address.
func TestACallerKnownByItsAddressSeesRefusalsOfThatAddress(t *testing.T) {
	t.Parallel()
	r := newRig(t, local(readsUsers))
	r.asked(t, "GET", "/v1.0/groups", "127.0.0.1")
	r.asked(t, "GET", "/v1.0/sites", "127.0.0.2")
	_, body := r.asked(t, "GET", proxy.MePath, "127.0.0.2")
	got := fmt.Sprint(body["refusals"])
	if strings.Contains(got, "groups") || !strings.Contains(got, "/v1.0/sites") {
		t.Errorf("127.0.0.2 is shown %s", got)
	}
}

// The request is counted in the limits, and the answer shows what is left.
func TestAskingAboutItselfIsCountedInTheLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t, local("    limit: {rate: 3/h, burst: 3}\n"+readsUsers))
	for _, left := range []float64{2, 1, 0} {
		_, body := r.asked(t, "GET", proxy.MePath, "127.0.0.1")
		first := body["limits"].([]any)[0].(map[string]any)
		if first["left"] != left || first["name"] != "callers.app.limit" {
			t.Errorf("%v left, want %v", first, left)
		}
	}
	w, body := r.asked(t, "GET", proxy.MePath, "127.0.0.1")
	answer := answer{status: w.Code, header: w.Header(), body: w.Body.String()}
	inner := answer.refusal(t, 429, "activityLimitReached")
	if inner != "limitExceeded" || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, body)
	}
	r.sawNothing(t)
}

// Every other request near the path is refused, with one line, and Graph sees nothing.
func TestWhatIsNotAskingAboutItself(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoCallers)
	for name, tt := range map[string]struct {
		method, target, from string
		header               []string
		status               int
		inner                string
	}{
		"HEAD":                  {"HEAD", proxy.MePath, "127.0.0.1", nil, 405, "methodNotAllowed"},
		"POST":                  {"POST", proxy.MePath, "127.0.0.1", nil, 405, "methodNotAllowed"},
		"DELETE":                {"DELETE", proxy.MePath, "127.0.0.1", nil, 405, "methodNotAllowed"},
		"OPTIONS":               {"OPTIONS", proxy.MePath, "127.0.0.1", nil, 405, "methodNotAllowed"},
		"a method in lowercase": {"get", proxy.MePath, "127.0.0.1", nil, 405, "methodNotAllowed"},
		"a query":               {"GET", proxy.MePath + "?caller=hr-sync", "127.0.0.1", nil, 400, ""},
		"an empty query":        {"GET", proxy.MePath + "?", "127.0.0.1", nil, 400, ""},
		"a slash at the end":    {"GET", proxy.MePath + "/", "127.0.0.1", nil, 400, ""},
		"another letter case":   {"GET", "/.graphproxy/ME", "127.0.0.1", nil, 400, ""},
		"an escape":             {"GET", "/%2egraphproxy/me", "127.0.0.1", nil, 400, ""},
		"two slashes":           {"GET", "//.graphproxy/me", "127.0.0.1", nil, 400, ""},
		"a dot segment":         {"GET", "/v1.0/../.graphproxy/me", "127.0.0.1", nil, 400, ""},
		"another name":          {"GET", "/.graphproxy/callers", "127.0.0.1", nil, 400, ""},
		"no caller":             {"GET", proxy.MePath, "192.0.2.1", nil, 401, "callerUnknown"},
		"a wrong key":           {"GET", proxy.MePath, "127.0.0.1", []string{"X-Api-Key: wrong"}, 401, "keyUnknown"},
		"a wrong key and POST":  {"POST", proxy.MePath, "127.0.0.1", []string{"X-Api-Key: wrong"}, 401, "keyUnknown"},
		"a page of another site": {
			"GET", proxy.MePath, "127.0.0.1", []string{"Sec-Fetch-Site: cross-site"}, 403, "crossOrigin",
		},
		"a page of another site, and a key": {
			"GET", proxy.MePath, "10.0.0.1", []string{"Sec-Fetch-Site: cross-site", withKey}, 403, "crossOrigin",
		},
		"another host, by the address alone": {
			"GET", proxy.MePath, "127.0.0.1", []string{"Host: evil.example"}, 421, "unknownHost",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r.audit.reset()
			req := httptest.NewRequest(tt.method, "/", nil)
			req.RequestURI = tt.target
			req.Host, req.RemoteAddr = "graphproxy", tt.from+":50000"
			for _, line := range tt.header {
				header, value, _ := strings.Cut(line, ": ")
				if header == "Host" {
					req.Host = value
					continue
				}
				req.Header.Set(header, value)
			}
			w := httptest.NewRecorder()
			r.handler.ServeHTTP(w, req)
			var e graphError
			must(t, json.Unmarshal(w.Body.Bytes(), &e))
			got := e.Error.InnerError["code"]
			if w.Code != tt.status || tt.inner != "" && got != tt.inner {
				t.Errorf("%d %s, want %d %s", w.Code, got, tt.status, tt.inner)
			}
			if methods := w.Header().Get("Allow"); (methods == "GET") != (tt.status == http.StatusMethodNotAllowed) {
				t.Errorf("Allow %q", methods)
			}
			if w.Header().Get("Access-Control-Allow-Origin") != "" || w.Header().Get("Access-Control-Allow-Methods") != "" {
				t.Errorf("CORS: %v", w.Header())
			}
			if rec := r.one(t); rec["reason"] != got {
				t.Errorf("the line is %v", rec)
			}
			r.sawNothing(t)
		})
	}
}

func TestAnswersAboutACallerAreMadeOneAfterTheOther(t *testing.T) {
	t.Parallel()
	r := newRig(t, twoCallers)
	end := r.handler.MakeMe("other")
	status := make(chan int)
	go func() {
		w, _ := r.asked(t, "GET", proxy.MePath, "127.0.0.1")
		status <- w.Code
	}()
	if w, _ := r.asked(t, "GET", proxy.MePath, "10.0.0.1", withKey); w.Code != http.StatusOK {
		t.Errorf("another caller waits for it: %d", w.Code)
	}
	select {
	case <-status:
		t.Error("a second answer was made beside the first")
	case <-time.After(50 * time.Millisecond):
		end()
		if got := <-status; got != http.StatusOK {
			t.Errorf("the second answer has the status %d", got)
		}
	}
}

// An item of a batch that names the path is refused as ever, and a caller that has ended is, too.
func TestAskingAboutItselfInABatchOrAfterTheEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t, local("    allow:\n      - GET /users/**\n"))
	for _, url := range []string{"/.graphproxy/me", ".graphproxy/me", "http://graphproxy/.graphproxy/me"} {
		_, records := r.besidesInBatch(t, []batchItem{{ID: "1", Method: "GET", URL: url}})
		if records["1"].Decision == "allow" || records["1"].Status < 400 {
			t.Errorf("%s: %+v", url, records["1"])
		}
	}
	r.handler.Use(rules(t, local("    until: 2020-01-01\n"+readsUsers)))
	r.audit.reset()
	if w, _ := r.asked(t, "GET", proxy.MePath, "127.0.0.1"); w.Code != 403 || r.one(t)["decision"] != "deny" {
		t.Errorf("a caller that has ended: %d %s", w.Code, w.Body)
	}
	r.sawNothing(t)
}

// The last twenty refusals are kept, the newest first, and those of a caller that is gone are dropped.
func TestTheLastRefusalsAreKept(t *testing.T) {
	t.Parallel()
	r := newRig(t, local(readsUsers))
	for i := range 25 {
		r.asked(t, "GET", fmt.Sprintf("/v1.0/groups/g%d", i), "127.0.0.1")
	}
	r.asked(t, "GET", "/v1.0/users/"+strings.Repeat("x", 3000)+"/manager", "127.0.0.1")
	_, body := r.asked(t, "GET", proxy.MePath, "127.0.0.1")
	all := body["refusals"].([]any)
	first, last := all[0].(map[string]any), all[len(all)-1].(map[string]any)
	if len(all) != 20 || len(first["target"].(string)) > 520 || last["target"] != "/v1.0/groups/g6" ||
		last["reason"] != "policyDenied" || last["status"] != 403.0 {
		t.Errorf("%d refusals, the first %v, the last %v", len(all), first, last)
	}
	r.handler.Use(rules(t, strings.Replace(local(readsUsers), "  app:", "  other:", 1)))
	r.handler.Use(rules(t, local(readsUsers)))
	if _, body := r.asked(t, "GET", proxy.MePath, "127.0.0.1"); len(body["refusals"].([]any)) != 0 {
		t.Errorf("%v", body["refusals"])
	}
}
