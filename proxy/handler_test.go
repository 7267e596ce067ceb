package proxy_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"graphproxy/auth/entratest"
	"graphproxy/proxy"
)

func TestAnAllowedRequestReachesGraphWithTheTokenAndComesBack(t *testing.T) {
	r := newRig(t, everyone)
	a := r.do(t, "GET", "/v1.0/users/adele@contoso.com?$select=displayName,id", "")
	if a.status != 200 || !strings.Contains(a.body, "Adele Vance") {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	got := r.graph.Requests()
	if len(got) != 1 || got[0].Target != "/v1.0/users/adele@contoso.com?$select=displayName,id" {
		t.Fatalf("Graph received %v", got)
	}
	if _, err := r.entra.Verify(strings.TrimPrefix(got[0].Header.Get("Authorization"), "Bearer ")); err != nil {
		t.Errorf("the token at Graph: %v", err)
	}
	if a.header.Get("request-id") == "" || a.header.Get("client-request-id") == "" || a.header.Get("Proxy-Status") != "" {
		t.Errorf("headers %v", a.header)
	}
	want := map[string]any{
		"caller":            "app",
		"evidence":          "network",
		"client":            "127.0.0.1",
		"app":               "default",
		"method":            "GET",
		"version":           "v1.0",
		"path":              "/v1.0/users/{id}",
		"target":            "/v1.0/users/adele@contoso.com",
		"query":             []any{"$select"},
		"rule":              "policy.yaml:8",
		"decision":          "allow",
		"status":            float64(200),
		"graph_status":      float64(200),
		"bytes_in":          float64(0),
		"bytes_out":         float64(len(a.body)),
		"request_id":        a.header.Get("request-id"),
		"client_request_id": a.header.Get("client-request-id"),
		"policy":            r.handler.Authorization().Policy().Hash(),
	}
	ignore := cmpopts.IgnoreMapEntries(func(k string, _ any) bool { return k == "time" || k == "ms" || k == "graph_ms" })
	if diff := cmp.Diff(want, r.one(t), ignore); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

// Graph receives the target that was judged, written anew; never the caller's bytes.
func TestTheTargetThatWasJudgedIsSent(t *testing.T) {
	r := newRig(t, `
version: 1
callers:
  app:
    identity: [anyone]
    allow:
      - GET /users:
          query: {$expand: [manager], $top: 50}
      - GET /users/{id}
      - GET /users/delta
`)
	tests := map[string]string{
		"/v1.0/users/":                      "/v1.0/users",
		"/v1.0/users/%61dele%40contoso.com": "/v1.0/users/adele@contoso.com",
		"/v1.0/Users('adele@contoso.com')":  "/v1.0/Users('adele@contoso.com')",
		"/v1.0/users?%24select=id":          "/v1.0/users?$select=id",
		"/v1.0/users?select=id&%24Top=5":    "/v1.0/users?select=id&$Top=5",
		"/v1.0/users?$filter=x%3B%26%24%3d%2F%3A%2B%61&orderby=%c3%a9": "/v1.0/users?" +
			"$filter=x%3B%26%24%3d%2F%3A%2Ba&orderby=%c3%a9",
		"/v1.0/users?$select=id&$expand=manager($levels=max;$select=id)": "/v1.0/users?" +
			"$select=id&$expand=manager($levels=max;$select=id)",
		"/v1.0/users/microsoft.graph.delta()": "/v1.0/users/microsoft.graph.delta()",
		"/v1.0/myOrganization/users":          "/v1.0/users",
		"/v1.0/" + tenant + "/users":          "/v1.0/users",
		"/v1.0/users/Adele_fabrikam.com%23EXT%23@contoso.com": "/v1.0/users/Adele_" +
			"fabrikam.com%23EXT%23@contoso.com",
		"/v1.0/users?$filter=startswith(displayName,'A%26B')": "/v1.0/users?" +
			"$filter=startswith(displayName,'A%26B')",
	}
	for given, want := range tests {
		t.Run(given, func(t *testing.T) {
			r.graph.Reset()
			a := r.raw(t, "GET "+given+" HTTP/1.1\r\nHost: x\r\n\r\n")
			got := r.graph.Requests()
			if len(got) != 1 {
				t.Fatalf("Graph received %d requests, want 1; the caller %d %s", len(got), a.status, a.body)
			}
			if got[0].Target != want {
				t.Errorf("Graph received %s, want %s", got[0].Target, want)
			}
		})
	}
}

func TestARefusalHasItsStatusBodyAndOneRecordAndGraphSeesNothing(t *testing.T) {
	const file = `
version: 1
callers:
  app:
    identity: [{key: {sha256: e1575b9d1c29e760082b65d3aad74caf2dc12b80c39eaa013c0b6cfbc27fcb45}}]
    allow:
      - GET /users/{id}:
          where: {id: ["*@contoso.com"]}
    deny:
      - ANY /users/ceo@contoso.com/**
`
	tests := []struct {
		name, target, header string
		status               int
		code, inner          string
		decision             string
		caller               any
	}{
		{"no evidence", "/v1.0/users/a@contoso.com", "Accept: */*", 401, "unauthenticated", "callerUnknown", "refuse", ""},
		{"a wrong key", "/v1.0/users/a@contoso.com", "X-Api-Key: wrong", 401, "unauthenticated", "", "refuse", ""},
		{
			"a wrong bearer",
			"/v1.0/users/a@contoso.com",
			"Authorization: Bearer wrong",
			401,
			"unauthenticated",
			"",
			"refuse",
			"",
		},
		{
			"no evidence comes before an unreadable target",
			"/v1.0//users",
			"Accept: */*",
			401,
			"unauthenticated",
			"callerUnknown",
			"refuse",
			"",
		},
		{
			"an unreadable target",
			"/v1.0//users",
			"X-Api-Key: 9f2c-tests-only-7d1e",
			400,
			"invalidRequest",
			"",
			"refuse",
			"app",
		},
		{"no rule", "/v1.0/groups", "X-Api-Key: 9f2c-tests-only-7d1e", 403, "accessDenied", "policyDenied", "deny", "app"},
		{
			"a key outside where",
			"/v1.0/users/a@fabrikam.com",
			"Authorization: Bearer 9f2c-tests-only-7d1e",
			403,
			"accessDenied",
			"policyDenied",
			"deny",
			"app",
		},
		{
			"a deny",
			"/v1.0/users/ceo@contoso.com",
			"Authorization: bearer 9f2c-tests-only-7d1e",
			403,
			"accessDenied",
			"policyDenied",
			"deny",
			"app",
		},
	}
	r := newRig(t, file)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r.audit.reset()
			a := r.do(t, "GET", tt.target, "", tt.header)
			inner := a.refusal(t, tt.status, tt.code)
			if tt.inner != "" && inner != tt.inner {
				t.Errorf("innerError.code %q, want %q", inner, tt.inner)
			}
			if (tt.status == 401) != (a.header.Get("WWW-Authenticate") == `Bearer realm="graphproxy"`) {
				t.Errorf("WWW-Authenticate %q", a.header.Get("WWW-Authenticate"))
			}
			rec := r.one(t)
			if rec["decision"] != tt.decision || rec["caller"] != tt.caller || rec["reason"] != inner ||
				rec["request_id"] != a.header.Get("request-id") {
				t.Errorf("record %v", rec)
			}
			r.sawNothing(t)
		})
	}
}

func TestReportModeLetsThroughAndRecordsWhatItWouldDeny(t *testing.T) {
	r := newRig(t, "version: 1\nmode: report\ncallers:\n  app:\n    identity: [anyone]\n    allow: [GET /groups]\n")
	if a := r.do(t, "GET", "/v1.0/users/adele@contoso.com", ""); a.status != 200 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	rec := r.one(t)
	if rec["would_deny"] != true || rec["decision"] != "allow" || rec["reason"] == "" {
		t.Errorf("record %v", rec)
	}
	if a := r.do(t, "GET", "/v1.0//users", ""); a.status != 400 {
		t.Errorf("an unreadable target passed in report mode: %d", a.status)
	}
}

func TestALimitedRequestIs429WithRetryAfterAndTheLimitsName(t *testing.T) {
	r := newRig(t,
		"version: 1\nlimits:\n  tenant: {rate: 2/h, burst: 2}\ncallers:\n  app:\n    identity: [anyone]\n    allow: "+
			"[\"GET /users/{id}\"]\n")
	began := time.Now()
	for range 2 {
		if a := r.do(t, "GET", "/v1.0/users/adele@contoso.com", ""); a.status != 200 {
			t.Fatalf("status %d: %s", a.status, a.body)
		}
	}
	r.graph.Reset()
	r.audit.wait(t, 2)
	r.audit.reset()
	a := r.do(t, "GET", "/v1.0/users/adele@contoso.com", "")
	if inner := a.refusal(t, 429, "activityLimitReached"); inner != "limitExceeded" {
		t.Errorf("innerError.code %q", inner)
	}
	if a.waits(t, 1800, began); !strings.Contains(a.body, "limits.tenant") {
		t.Error(a.body)
	}
	if rec := r.one(t); rec["decision"] != "limit" || rec["path"] != "/v1.0/users/{id}" {
		t.Errorf("record %v", rec)
	}
	r.sawNothing(t)
}

func TestAConcurrencySlotIsFreeWhenTheBodyHasEnded(t *testing.T) {
	r := newRig(t,
		"version: 1\ncallers:\n  app:\n    identity: [anyone]\n    limit: {concurrency: 1}\n    allow: [GET /test/**, "+
			"\"GET /users/{id}\"]\n")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", r.server.URL+"/v1.0/test/stall", nil)
	must(t, err)
	res, err := r.server.Client().Do(req)
	must(t, err)
	defer res.Body.Close()
	a := r.do(t, "GET", "/v1.0/users/adele@contoso.com", "")
	a.refusal(t, 429, "activityLimitReached")
	if a.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	cancel()
	until(t, "free slot", func() bool { return r.do(t, "GET", "/v1.0/users/adele@contoso.com", "").status == 200 })
}

func TestWithoutATokenTheCallerGets503AndGraphSeesNothing(t *testing.T) {
	down := func(_ *proxy.Config, r *rig) { r.entra.Fail(entratest.Fault{AADSTS: 7000215}) }
	r := newRig(t, everyone, down)
	// The source may have got its first token before the fault, or be getting it: Graph's 401 makes it drop that
	// one.
	until(t, "refusal for want of a token", func() bool {
		r.entra.Revoke()
		return r.do(t, "GET", "/v1.0/users/adele@contoso.com", "").status == 503
	})
	r.graph.Reset()
	until(t, "audit line", func() bool { return len(r.audit.all()) > 0 })
	r.audit.reset()
	a := r.do(t, "GET", "/v1.0/users/adele@contoso.com", "")
	if inner := a.refusal(t, 503, "serviceNotAvailable"); inner != "tokenUnavailable" {
		t.Errorf("innerError.code %q", inner)
	}
	if a.header.Get("Retry-After") == "" || strings.Contains(a.body, "AADSTS") {
		t.Errorf("Retry-After %q: %s", a.header.Get("Retry-After"), a.body)
	}
	if rec := r.one(t); rec["status"] != float64(503) {
		t.Errorf("record %v", rec)
	}
	r.sawNothing(t)
}

func TestATokenThatGraphRefusesIsReplacedAndTheRequestSentOnceMore(t *testing.T) {
	r := newRig(t, everyone)
	if a := r.do(t, "GET", "/v1.0/users/adele@contoso.com", ""); a.status != 200 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	r.graph.Reset()
	r.entra.Revoke()
	if a := r.do(t, "GET", "/v1.0/users/adele@contoso.com", ""); a.status != 200 {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	if n := r.graph.Count(); n != 2 {
		t.Errorf("Graph received %d requests, want the one that it refused and the same with a new token", n)
	}
	r.audit.wait(t, 2)
}

// What was refused was not done, so a small body is sent once more.
func TestASmallBodyIsSentAgainWithANewToken(t *testing.T) {
	r := newRig(t, everyone)
	r.do(t, "GET", "/v1.0/users/adele@contoso.com", "")
	r.graph.Reset()
	r.entra.Revoke()
	body := `{"jobTitle":"` + strings.Repeat("x", 60<<10) + `"}`
	if a := r.do(t, "PATCH", "/v1.0/users/adele@contoso.com", body, asJSON); a.status != 204 {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	got := r.graph.Requests()
	if len(got) != 2 || string(got[0].Body) != body || string(got[1].Body) != body ||
		got[0].Header.Get("Authorization") == got[1].Header.Get("Authorization") {
		t.Errorf("Graph received %d requests", len(got))
	}
}

// A large body has been sent when Graph refuses. If new tokens are refused too, further tries would be a loop.
func TestATokenThatGraphRefusesForGoodIs502AndNotTheCallersFault(t *testing.T) {
	t.Parallel()
	mail := `{"message":{"subject":"x"}}`
	tests := []struct {
		name, method, target, body, header string
		sent                               int
	}{
		{"without a body", "GET", "/v1.0/users/adele@contoso.com", "", asJSON, 2},
		{"with a small body", "POST", "/v1.0/users/no-reply@contoso.com/sendMail", mail, asJSON, 2},
		{
			"with a large body",
			"POST",
			"/v1.0/users/no-reply@contoso.com/sendMail",
			mail + strings.Repeat(" ", 64<<10),
			"Content-Type: text/plain",
			1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, everyone)
			r.graph.Handle(tt.method+" "+tt.target, func(w http.ResponseWriter, q *http.Request) {
				_, _ = io.Copy(io.Discard, q.Body)
				w.Header().Set("WWW-Authenticate",
					`Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"`)
				w.WriteHeader(401)
			})
			a := r.do(t, tt.method, tt.target, tt.body, tt.header)
			if inner := a.refusal(t, 502, "serviceNotAvailable"); inner != "tokenRejected" {
				t.Errorf("innerError.code %q", inner)
			}
			if a.header.Get("WWW-Authenticate") != "" {
				t.Errorf("Graph's WWW-Authenticate came through: %q", a.header.Get("WWW-Authenticate"))
			}
			if n := r.graph.Count(); n != tt.sent {
				t.Errorf("Graph received %d requests, want %d", n, tt.sent)
			}
			if rec := r.one(t); rec["graph_status"] != float64(401) || rec["status"] != float64(502) {
				t.Errorf("record %v", rec)
			}
		})
	}
}

func TestAGraphThatCannotBeReachedIs502(t *testing.T) {
	r := newRig(t, everyone, func(c *proxy.Config, _ *rig) { c.Graph = &url.URL{Scheme: "http", Host: "127.0.0.1:1"} })
	a := r.do(t, "GET", "/v1.0/users/adele@contoso.com", "")
	if inner := a.refusal(t, 502, "serviceNotAvailable"); inner != "graphUnreachable" {
		t.Errorf("innerError.code %q", inner)
	}
	if strings.Contains(a.body, "127.0.0.1:1") {
		t.Errorf("the cause went out to the caller: %s", a.body)
	}
	if rec := r.one(t); rec["decision"] != "allow" || rec["status"] != float64(502) {
		t.Errorf("record %v", rec)
	}
}

func TestMoreRequestsInFlightThanAllowedAre503AtOnce(t *testing.T) {
	r := newRig(t, everyone, func(c *proxy.Config, _ *rig) { c.MaxInFlight = 1 })
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", r.server.URL+"/v1.0/test/stall", nil)
	must(t, err)
	res, err := r.server.Client().Do(req)
	must(t, err)
	defer res.Body.Close()
	a := r.do(t, "GET", "/v1.0/users/adele@contoso.com", "")
	if inner := a.refusal(t, 503, "serviceNotAvailable"); inner != "overloaded" || a.header.Get("Retry-After") != "1" {
		t.Errorf("innerError.code %q, Retry-After %q", inner, a.header.Get("Retry-After"))
	}
}

func TestACallerThatLeavesEndsTheRequestAtGraph(t *testing.T) {
	r := newRig(t, everyone)
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "GET", r.server.URL+"/v1.0/test/stall", nil)
	must(t, err)
	res, err := r.server.Client().Do(req)
	must(t, err)
	cancel()
	res.Body.Close()
	until(t, "cancellation at Graph", func() bool { return r.graph.Cancelled() == 1 })
	if rec := r.one(t); rec["reason"] != "callerGone" || rec["graph_status"] != float64(200) {
		t.Errorf("record %v", rec)
	}
}

// The first bytes of an answer arrive while Graph is still sending, and those of a body while the caller is.
func TestBodiesStreamBothWays(t *testing.T) {
	r := newRig(t, everyone)
	t.Run("an answer", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", r.server.URL+"/v1.0/test/stall", nil)
		must(t, err)
		res, err := r.server.Client().Do(req)
		must(t, err)
		defer res.Body.Close()
		var one [1]byte
		if _, err := io.ReadFull(res.Body, one[:]); err != nil {
			t.Errorf("no byte came while Graph was stalling: %v", err)
		}
	})
	t.Run("a body", func(t *testing.T) {
		first := make(chan struct{})
		r.graph.Handle("POST /v1.0/test/first", func(w http.ResponseWriter, q *http.Request) {
			var one [1]byte
			_, _ = io.ReadFull(q.Body, one[:])
			close(first)
			_, _ = io.Copy(io.Discard, q.Body)
			w.WriteHeader(204)
		})
		body, sender := io.Pipe()
		go func() {
			_, _ = sender.Write([]byte("a"))
			<-first // Graph has the first byte while the second is not sent
			_, _ = sender.Write([]byte("b"))
			sender.Close()
		}()
		res, err := http.Post(r.server.URL+"/v1.0/test/first", "application/octet-stream", body)
		must(t, err)
		res.Body.Close()
		if res.StatusCode != 204 {
			t.Errorf("status %d", res.StatusCode)
		}
	})
}

func TestLargeBodiesArriveWhole(t *testing.T) {
	t.Parallel()
	r := newRig(t, everyone)
	size := underRace(64<<20, 4<<20)
	sum := sha256.New()
	up := io.TeeReader(&pattern{left: size}, sum)
	res, err := http.Post(r.server.URL+"/v1.0/test/echo", "application/octet-stream", up)
	must(t, err)
	a := read(t, res)
	var echo struct {
		Length int64  `json:"length"`
		SHA256 string `json:"sha256"`
	}
	must(t, json.Unmarshal([]byte(a.body), &echo))
	if echo.Length != int64(size) || echo.SHA256 != hex.EncodeToString(sum.Sum(nil)) {
		t.Errorf("Graph received %+v", echo)
	}
	res, err = http.Get(r.server.URL + "/v1.0/test/stream?bytes=" + strconv.Itoa(size))
	must(t, err)
	n, err := io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if n != int64(size) || err != nil {
		t.Errorf("%d bytes came back, %v", n, err)
	}
	recs := r.audit.wait(t, 2)
	if !strings.Contains(recs[0], fmt.Sprintf(`"bytes_in":%d`, size)) ||
		!strings.Contains(recs[1], fmt.Sprintf(`"bytes_out":%d`, size)) {
		t.Errorf("records %q", recs)
	}
}

func TestAnAnswerThatGraphBreaksOffIsBrokenOffForTheCaller(t *testing.T) {
	r := newRig(t, everyone)
	r.graph.Handle("GET /v1.0/test/half", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write(bytes.Repeat([]byte("x"), 50))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	res, err := http.Get(r.server.URL + "/v1.0/test/half")
	must(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if res.StatusCode != 200 || len(text) != 50 {
		t.Errorf("the caller got %d with %d bytes", res.StatusCode, len(text))
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the caller believes the answer to be whole: %v", err)
	}
	if rec := r.one(t); rec["reason"] != "graphBrokeOff" {
		t.Errorf("record %v", rec)
	}
}

func TestGraphsAnswerPassesAsItIsButForItsStatementsAboutItself(t *testing.T) {
	r := newRig(t, everyone)
	r.graph.Handle("GET /v1.0/test/answer", func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for name, value := range map[string]string{
			"Content-Type":              "application/json;odata.metadata=minimal",
			"ETag":                      `W/"1"`,
			"Preference-Applied":        "x",
			"OData-Version":             "4.0",
			"x-ms-ags-diagnostic":       "{}",
			"Location":                  "https://files.example/1",
			"Retry-After":               "2.5",
			"Cache-Control":             "private",
			"Strict-Transport-Security": "max-age=1",
			"Set-Cookie":                "a=b",
			"Alt-Svc":                   "h3",
			"Proxy-Status":              "x",
			"WWW-Authenticate":          "Bearer x",
			"Proxy-Authenticate":        "Basic",
			"Connection":                "X-Hop",
			"X-Hop":                     "1",
			"request-id":                "graphs-own",
		} {
			h.Set(name, value)
		}
		w.WriteHeader(302)
	})
	a := r.do(t, "GET", "/v1.0/test/answer", "", "client-request-id: mine")
	a.header.Del("Date")
	want := http.Header{
		"Content-Type":           {"application/json;odata.metadata=minimal"},
		"Etag":                   {`W/"1"`},
		"Preference-Applied":     {"x"},
		"Odata-Version":          {"4.0"},
		"X-Ms-Ags-Diagnostic":    {"{}"},
		"Location":               {"https://files.example/1"},
		"Retry-After":            {"2.5"},
		"Cache-Control":          {"private"},
		"Request-Id":             {"graphs-own"},
		"Client-Request-Id":      {"mine"},
		"Content-Length":         {"0"},
		"X-Content-Type-Options": {"nosniff"},
	}
	if diff := cmp.Diff(want, a.header); diff != "" || a.status != 302 {
		t.Errorf("status %d, headers (-want +got):\n%s", a.status, diff)
	}
}

func TestTrailersOfGraphStayBehind(t *testing.T) {
	r := newRig(t, everyone)
	r.graph.Handle("GET /v1.0/test/trailers", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "WWW-Authenticate")
		_, _ = io.WriteString(w, "body")
		_ = http.NewResponseController(w).Flush()
		w.Header().Set("WWW-Authenticate", "Bearer canary")
		w.Header().Set(http.TrailerPrefix+"X-Unannounced", "canary")
	})
	res, err := http.Get(r.server.URL + "/v1.0/test/trailers")
	must(t, err)
	a := read(t, res)
	if a.body != "body" || len(res.Trailer) != 0 {
		t.Errorf("body %q, trailers %v", a.body, res.Trailer)
	}
}

func TestAHeadIsJudgedAsAGetAndSentAsAHead(t *testing.T) {
	r := newRig(t, everyone)
	a := r.do(t, "HEAD", "/v1.0/users/adele@contoso.com", "")
	got := r.graph.Requests()
	if a.status != 200 || a.body != "" || len(got) != 1 || got[0].Method != "HEAD" {
		t.Errorf("status %d, Graph received %v", a.status, got)
	}
	if a := r.do(t, "HEAD", "/v1.0/groups", ""); a.status != 403 || a.body != "" {
		t.Errorf("status %d, body %q", a.status, a.body)
	}
}

func TestInformationalAnswersOfGraphStayBehind(t *testing.T) {
	r := newRig(t, everyone)
	r.graph.Handle("GET /v1.0/test/early", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "a=b")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Set-Cookie")
		w.WriteHeader(200)
	})
	a := r.raw(t, "GET /v1.0/test/early HTTP/1.1\r\nHost: x\r\n\r\n")
	if a.status != 200 || a.header.Get("Set-Cookie") != "" {
		t.Errorf("status %d, headers %v", a.status, a.header)
	}
}

func TestAPanicLeavesOneRecordAndARefusalOfOurOwn(t *testing.T) {
	r := newRig(t, everyone, func(c *proxy.Config, _ *rig) { c.Apps = oneApp(panicking{}) })
	a := r.do(t, "GET", "/v1.0/users/adele@contoso.com", "")
	if inner := a.refusal(t, 500, "generalException"); inner != "internalError" {
		t.Errorf("innerError.code %q", inner)
	}
	if rec := r.one(t); rec["status"] != float64(500) {
		t.Errorf("record %v", rec)
	}
	r.sawNothing(t)
}

func TestTheDebugLogHasOneRecordARequestWithoutKeysAndValues(t *testing.T) {
	debug := new(lines)
	r := newRig(t, everyone, func(c *proxy.Config, _ *rig) {
		c.Log = slog.New(slog.NewTextHandler(debug, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	r.do(t, "GET", "/v1.0/users/adele@contoso.com?$select=displayName", "", "Authorization: Bearer canary")
	r.do(t, "GET", "/v1.0/groups/secret-group?$filter=canary", "")
	r.audit.wait(t, 2)
	until(t, "two records", func() bool { return len(debug.all()) >= 2 })
	text := strings.Join(debug.all(), "\n")
	if strings.Count(text, "msg=request") != 2 ||
		!strings.Contains(text, "path=/v1.0/users/{id} query=[$select] rule=policy.yaml:8 decision=allow") {
		t.Errorf("log:\n%s", text)
	}
	for _, kept := range []string{"adele", "displayName", "secret-group", "canary"} {
		if strings.Contains(text, kept) {
			t.Errorf("%s is in the log:\n%s", kept, text)
		}
	}
}

func TestRulesAreSwappedForLaterRequests(t *testing.T) {
	r := newRig(t, everyone)
	r.handler.Use(rules(t, "version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow: [GET /groups]\n"))
	if a := r.do(t, "GET", "/v1.0/users", ""); a.status != 403 {
		t.Errorf("status %d after the rule went", a.status)
	}
	if a := r.do(t, "GET", "/v1.0/groups", ""); a.status != 200 {
		t.Errorf("status %d after the rule came: %s", a.status, a.body)
	}
}

func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	r := newRig(t, everyone)
	good := proxy.Config{
		Graph:         mustURL(t, "https://graph.microsoft.com"),
		Apps:          oneApp(r.source),
		Authorization: rules(t, everyone),
	}
	tests := map[string]func(*proxy.Config){
		"no Graph":            func(c *proxy.Config) { c.Graph = nil },
		"a Graph with a path": func(c *proxy.Config) { c.Graph = mustURL(t, "https://graph.microsoft.com/v1.0") },
		"another scheme":      func(c *proxy.Config) { c.Graph = mustURL(t, "ftp://graph.microsoft.com") },
		"no tokens":           func(c *proxy.Config) { c.Apps = nil },
		"no rules":            func(c *proxy.Config) { c.Authorization = nil },
		"a negative bound":    func(c *proxy.Config) { c.MaxInFlight = -1 },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			c := good
			spoil(&c)
			if _, err := proxy.New(c); err == nil {
				t.Error("New accepted it")
			}
		})
	}
	if _, err := proxy.New(good); err != nil {
		t.Errorf("New refused a good one: %v", err)
	}
}
