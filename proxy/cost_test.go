package proxy_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"graphproxy/proxy"
)

// mostInput is the length of the inputs whose cost is bounded. mostMemory and mostCPU are the bounds: bytes
// allocated, and CPU time as a multiple of a plain GET's.
const (
	mostInput  = 10 << 10
	mostMemory = 1 << 20
	mostCPU    = 50
)

// costlyPolicy has rules of every kind that reads the request: patterns in where, lists in query, a bound on
// references.
func costlyPolicy() string {
	var patterns []string
	for i := range 40 {
		patterns = append(patterns, fmt.Sprintf(`"*a%d*b*"`, i))
	}
	return `
version: 1
callers:
  app:
    identity: [{network: [127.0.0.0/8, "192.0.2.0/24"]}]
    allow:
      - GET /users: {query: {$select: [id, mail, displayName, a, b, c, d, e, f, g], $expand: [manager, "members($select=id)"]}}
      - GET /users/{id}
      - PATCH /users/{id}
      - POST /groups/{id}/members/$ref: {references: ["/users/{id}"]}
      - PATCH /groups/{id}: {references: ["/users/{id}"]}
      - ANY /test/**
    deny:
      - GET /users/{id}: {where: {id: [` + strings.Join(patterns, ", ") + `]}}
`
}

// costlyInputs are requests of at most mostInput bytes with a high cost, by their content.
func costlyInputs(t testing.TB) map[string]func() *http.Request {
	get := func(target string, header ...string) func() *http.Request {
		return func() *http.Request { return costly("GET", target, "", header...) }
	}
	send := func(method, target, body string, header ...string) func() *http.Request {
		return func() *http.Request { return costly(method, target, body, append(header, asJSON)...) }
	}
	zip := func(method, target, body string) func() *http.Request {
		return send(method, target, weighty(t, body), "Content-Encoding: gzip")
	}
	patch, ref, denied := "/v1.0/groups/g", "/v1.0/groups/g/members/$ref", "/v1.0/denied/x"
	names := `{"@id":[` + strings.TrimSuffix(strings.Repeat(`"u",`, 60_000), ",") + `]}`
	escaped := `{"@odata.id":[` + strings.TrimSuffix(strings.Repeat(`"\u0041",`, 25_000), ",") + `]}`
	keys := `{` + strings.TrimSuffix(strings.Repeat(`"@odata.bind":"/users/1",`, 9_000), ",") + `}`
	item := func(method, url, body string) string {
		if body != "" {
			body = `,"headers":{"Content-Type":"application/json"},"body":` + body
		}
		return fmt.Sprintf(`{"id":"ID","method":%q,"url":%q%s}`, method, url, body)
	}
	batch := func(n int, item string) string {
		var all []string
		for i := range n {
			all = append(all, strings.Replace(item, "ID", fmt.Sprint(i), 1))
		}
		return `{"requests":[` + strings.Join(all, ",") + `]}`
	}
	var distinct []string
	for i := range 2_500 {
		distinct = append(distinct, fmt.Sprintf("p%d", i))
	}
	list, short := strings.Join(distinct, ","), strings.Join(distinct[:1_600], ",")
	repeated := strings.TrimSuffix(strings.Repeat("id,", 3_300), ",")
	var options, fields []string
	for i := range 64 {
		options = append(options, fmt.Sprintf("o%d=%s", i, strings.Repeat("%41", 30)))
	}
	for i := range 400 {
		fields = append(fields, fmt.Sprintf("X-H%d: %s", i, strings.Repeat("v", 10)))
	}
	long := strings.Repeat("a", 60) + "@contoso.com"
	jwt := func(header, claims string) func() *http.Request {
		part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
		return get("/v1.0/users/u", "Authorization: Bearer "+part(header)+"."+part(claims)+".c2ln")
	}
	return map[string]func() *http.Request{
		"query: a list in $select of a bounded rule": get("/v1.0/users?$select=" + short),
		"query: one name many times in $select":      get("/v1.0/users?$select=" + repeated),
		"query: a list in $expand":                   get("/v1.0/users?$expand=" + short),
		"query: options in $expand that nest": get("/v1.0/users?$expand=" +
			strings.Repeat("members($expand=", 8) + "a" + strings.Repeat(")", 8)),
		"query: items with options in $expand": get("/v1.0/users?$expand=" +
			strings.TrimSuffix(strings.Repeat("members($select=id),", 450), ",")),
		"query: 64 options in escapes":                   get("/v1.0/users/u?" + strings.Join(options, "&")),
		"query: a filter of escapes":                     get("/v1.0/users/u?$filter=" + strings.Repeat("%22", 3_000)),
		"query: a filter of raw quotes":                  get("/v1.0/users/u?$filter=" + strings.Repeat(`"`, 9_000)),
		"query: ampersands":                              get("/v1.0/users/u?" + strings.Repeat("&", 9_000)),
		"path: a long key against 40 patterns":           get("/v1.0/users/" + strings.Repeat("ab", 4_000)),
		"path: a long key that almost fits the patterns": get("/v1.0/users/" + strings.Repeat("a1", 4_000)),
		"path: 60 segments": get("/v1.0/users" +
			strings.Repeat("/"+strings.Repeat("s", 100), 60)),
		"path: letters of which each folds": get("/v1.0/users/" + url.PathEscape(strings.Repeat("Ä", 1_300))),
		"path: a drive path": get("/v1.0/drives/b/root:/" +
			strings.TrimSuffix(strings.Repeat("ab/", 2_500), "/")),
		"path: arguments": get("/v1.0/users/f(" +
			strings.TrimSuffix(strings.Repeat("a='b',", 1_300), ",") + ")"),
		"headers: 400 of them":      get("/v1.0/users/u", fields...),
		"headers: one that is long": get("/v1.0/users/u", "Prefer: "+strings.Repeat("a,", 4_500)),
		"headers: Accept-Encoding of many": get("/v1.0/users/u",
			"Accept-Encoding: "+strings.Repeat("a;q=0,", 1_500)),
		"headers: X-Forwarded-For of many": get("/v1.0/users/u",
			"X-Forwarded-For: "+strings.Repeat("10.0.0.1,", 1_000)),
		"JSON: names, of a rule that bounds them": send("PATCH", patch, names[:8_000]+`"u"]}`),
		"JSON: names, of a rule that does not":    send("PATCH", "/v1.0/users/u", names[:8_000]+`"u"]}`),
		"JSON: one key many times":                send("PATCH", patch, keys[:9_600]+`"/users/1"}`),
		"JSON: deep nesting": send("PATCH", patch,
			strings.Repeat("[", 4_900)+strings.Repeat("]", 4_900)),
		"JSON: deep objects": send("PATCH", patch,
			strings.Repeat(`{"a":`, 1_600)+"1"+strings.Repeat("}", 1_600)),
		"JSON: a long key": send("PATCH", patch,
			`{"`+strings.Repeat("k", 9_000)+`@odata.bind":"/users/1"}`),
		"JSON: a long reference": send("POST", ref,
			`{"@odata.id":"/users/`+strings.Repeat("a", 9_000)+`"}`),
		"JSON: escapes": send("POST", ref, `{"@odata.id":"`+strings.Repeat(`\u0041`, 1_600)+`"}`),
		"gzip: zeros":   zip("PATCH", patch, `{"a":"`+strings.Repeat("0", 10<<20)+`"}`),
		"gzip: names, of a rule that bounds them":  zip("PATCH", patch, names),
		"gzip: names, of a rule that does not":     zip("PATCH", "/v1.0/users/u", names),
		"gzip: names with escapes":                 zip("PATCH", "/v1.0/users/u", escaped),
		"gzip: names, of a request that is denied": zip("PATCH", denied, names),
		"gzip: references":                         zip("PATCH", "/v1.0/users/u", keys),
		"gzip: nesting":                            zip("PATCH", patch, strings.Repeat(`[`, 100_000)),
		"gzip: gzip within gzip":                   zip("PATCH", patch, compressed(t, names, nil)),
		"batch: 20 small items": send("POST", "/v1.0/$batch",
			batch(20, item("GET", "/users/"+long, ""))),
		"batch: ids against 40 patterns": send("POST", "/v1.0/$batch",
			batch(20, item("GET", "/users/"+strings.Repeat("ab", 200), ""))),
		"batch: lists in $select": send("POST", "/v1.0/$batch",
			batch(18, item("GET", "/users?$select="+list[:440]+"x", ""))),
		"batch: 20 items that are denied, with bodies": send("POST", "/v1.0/$batch",
			batch(20, item("PATCH", "/denied/x", names[:400]+`"u"]}`))),
		"batch: a chain of dependsOn": send("POST", "/v1.0/$batch", chain()),
		"batch: unknown keys": send("POST", "/v1.0/$batch",
			`{"requests":[{`+strings.Repeat(`"k":1,`, 1_500)+`"id":"1"}]}`),
		"batch: headers": send("POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"/users","headers":{`+
			strings.TrimSuffix(strings.Repeat(`"X":"1",`, 1_000), ",")+`}}]}`),
		"gzip batch: 20 items with lists in $select": zip("POST", "/v1.0/$batch",
			batch(20, item("GET", "/users?$select="+list[:10_000]+"x", ""))),
		"gzip batch: one item with 60 KB of $select": zip("POST", "/v1.0/$batch",
			batch(1, item("GET", "/users?$select="+strings.TrimSuffix(strings.Repeat("id,", 20_000), ","), ""))),
		"gzip batch: names in bodies that are denied": zip("POST", "/v1.0/$batch",
			batch(20, item("PATCH", "/denied/x", names[:12_000]+`"u"]}`))),
		"gzip batch: names in bodies": zip("POST", "/v1.0/$batch",
			batch(20, item("PATCH", "/groups/g", names[:12_000]+`"u"]}`))),
		"gzip batch: long ids against patterns": zip("POST", "/v1.0/$batch",
			batch(20, item("GET", "/users/"+strings.Repeat("ab", 4_000), ""))),
		"gzip batch: raw spaces": zip("POST", "/v1.0/$batch",
			batch(20, item("GET", "/users/u?$filter="+strings.Repeat(" ", 10_000), ""))),
		"gzip batch: raw spaces in shorter URLs": zip("POST", "/v1.0/$batch",
			batch(20, item("GET", "/users/u?$filter="+strings.Repeat(" ", 1_200), ""))),
		"gzip batch: shorter lists in $select": zip("POST", "/v1.0/$batch",
			batch(20, item("GET", "/users?$select="+list[:1_200]+"x", ""))),
		"JWT: a payload of names": jwt(`{"alg":"RS256"}`,
			`{"iss":"x","aud":["`+strings.Repeat(`a","`, 1_200)+`a"],"exp":1}`),
		"JWT: a header of members": jwt(`{"alg":"RS256","a":[`+strings.TrimSuffix(strings.Repeat("1,", 3_000), ",")+`]}`,
			`{}`),
		"JWT: deep nesting": jwt(`{"alg":"RS256"}`, strings.Repeat("[", 3_500)),
		"JWT: dots":         get("/v1.0/users/u", "Authorization: Bearer "+strings.Repeat(".", 9_000)),
	}
}

// chain is a batch in which each item depends on all before it.
func chain() string {
	var items []string
	for i := range 20 {
		var on []string
		for j := range i {
			on = append(on, fmt.Sprintf(`"%d"`, j))
		}
		items = append(items,
			fmt.Sprintf(`{"id":"%d","method":"GET","url":"/users/u","dependsOn":[%s]}`, i, strings.Join(on, ",")))
	}
	slices.Reverse(items)
	return `{"requests":[` + strings.Join(items, ",") + `]}`
}

func costly(method, target, body string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "/", strings.NewReader(body))
	r.RequestURI = target
	r.Host = "graphproxy"
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// weighty is a compressed text with a gzip header that pads it to about mostInput bytes, so that it may inflate as
// far as any text of that length.
func weighty(t testing.TB, text string) string {
	t.Helper()
	return compressed(t, text, make([]byte, max(0, mostInput-100-len(compressed(t, text, nil)))))
}

func compressed(t testing.TB, text string, extra []byte) string {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	must(t, err)
	z.Extra = extra
	_, err = io.WriteString(z, text)
	must(t, err)
	must(t, z.Close())
	return b.String()
}

// sizeOf returns the bytes of a request.
func sizeOf(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + int(r.ContentLength)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v) + 4
		}
	}
	return n
}

// userTime is the user CPU time of the process.
func userTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// costOf is what one request costs: the median of the CPU time of several rounds, and the bytes that it allocates.
func costOf(t testing.TB, h http.Handler, input func() *http.Request, each int) (cpu time.Duration, allocated uint64) {
	t.Helper()
	var rounds []time.Duration
	var least uint64
	for round := range 5 {
		requests := make([]*http.Request, each)
		for i := range requests {
			requests[i] = input()
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := userTime(t)
		for _, r := range requests {
			h.ServeHTTP(discarding{http.Header{}}, r)
		}
		rounds = append(rounds, (userTime(t)-began)/time.Duration(each))
		runtime.ReadMemStats(&after)
		if n := (after.TotalAlloc - before.TotalAlloc) / uint64(each); round == 0 || n < least {
			least = n // the others are those of a pool that was emptied
		}
	}
	slices.Sort(rounds)
	return rounds[len(rounds)/2], least
}

// discarding is a caller that discards the answer.
type discarding struct{ header http.Header }

func (d discarding) Header() http.Header         { return d.header }
func (d discarding) WriteHeader(int)             {}
func (d discarding) Write(p []byte) (int, error) { return len(p), nil }

// No request of 10 KiB costs more than 1 MiB of memory, or 50 times the CPU of a plain GET. CPU time is compared
// within one process, as the ratio of two medians of user time, so other programs on the machine do not change it.
// The bound is twice the expected cost, because caches are less effective on a busy machine.
func TestNothingCostsMuchMoreThanItWeighs(t *testing.T) {
	if raceDetector {
		t.Skip(
			"NOT CHECKED: the race detector multiplies the cost of some code and not of other; run this test without -race",
		)
	}
	graph := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"responses":[]}`)
	}))
	t.Cleanup(graph.Close)
	h, err := proxy.New(proxy.Config{
		Graph:         mustURL(t, graph.URL),
		Apps:          oneApp(fixed{}),
		Authorization: rules(t, costlyPolicy()),
		Hosts:         []string{"graphproxy"},
		Audit:         io.Discard,
		Transport:     proxy.TransportStd, // the bounds were measured with it: a plain GET costs less with the direct one
	})
	must(t, err)
	plain, memory := costOf(t, h, func() *http.Request { return costly("GET", "/v1.0/users/u", "") }, 200)
	t.Logf("a plain GET: %v, %d bytes", plain, memory)
	inputs := costlyInputs(t)
	names := make([]string, 0, len(inputs))
	for name := range inputs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		size := sizeOf(inputs[name]())
		cpu, allocated := costOf(t, h, inputs[name], 4)
		t.Logf("%-52s %6d bytes in: %6.1f times the CPU, %5d KiB", name, size, float64(cpu)/float64(plain), allocated>>10)
		switch {
		case size > mostInput+1024:
			t.Errorf("%s: has %d bytes", name, size)
		case allocated > mostMemory:
			t.Errorf("%s: allocates %d KiB", name, allocated>>10)
		case cpu > 2*mostCPU*plain:
			t.Errorf("%s: costs %.0f times the CPU of a plain GET", name, float64(cpu)/float64(plain))
		}
	}
}
