package proxy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"graphproxy/policy"
	"graphproxy/proxy"
)

// batchOfUsers is a batch of so many items that read users.
func batchOfUsers(n int) string {
	var items []string
	for i := range n {
		items = append(items, fmt.Sprintf(`{"id":"%d","method":"GET","url":"/users/%d"}`, i, i))
	}
	return `{"requests":[` + strings.Join(items, ",") + `]}`
}

// largeAnswers answers a batch with size bytes for each item that was sent, in the reverse order if reversed. It
// keeps nothing in memory.
func largeAnswers(size int, reversed bool) http.HandlerFunc {
	filler := bytes.Repeat([]byte("0123456789abcdef"), 1024)
	return func(w http.ResponseWriter, q *http.Request) {
		var sent struct{ Requests []struct{ ID string } }
		_ = json.NewDecoder(q.Body).Decode(&sent)
		if reversed {
			slices.Reverse(sent.Requests)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"responses":[`)
		for i, item := range sent.Requests {
			if i > 0 {
				_, _ = io.WriteString(w, ",")
			}
			_, _ = fmt.Fprintf(w,
				`{"id":%q,"status":200,"headers":{"Location":"/users/%s"},"body":{"@odata.nextLink":"http://%s/v1.0/users/%s",`+
					`"text":"`, item.ID, item.ID, q.Host, item.ID)
			for n := 0; n < size; n += len(filler) {
				_, _ = w.Write(filler)
			}
			_, _ = io.WriteString(w, `"}}`)
		}
		_, _ = io.WriteString(w, `]}`)
	}
}

// Each answer keeps its place, its text and its links, whether the answer to the batch is sent as a whole or in
// parts, in any order of Graph's answers, and for one app or two.
func TestAnswersOfAnySizeKeepTheirOrderAndTheirLinks(t *testing.T) {
	t.Parallel()
	long := underRace(1<<20, 1<<17)
	for _, size := range []int{0, 1 << 10, 16 << 10, long} {
		for _, reversed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d bytes, reversed %t", size, reversed), func(t *testing.T) {
				r := newRig(t, everyone, func(c *proxy.Config, _ *rig) { c.Apps = oneApp(fixed{}) })
				r.graph.Handle("POST /v1.0/$batch", largeAnswers(size, reversed))
				r.checkLarge(t, 6, size)
			})
		}
	}
	t.Run("two apps", func(t *testing.T) {
		r := newRig(t,
			strings.ReplaceAll(twoApps, "GET /users\n",
				"GET /users\n      - GET /users/{id}: {where: {id: [\"1\",\"3\"]}, app: hr}\n      - GET "+
					"/users/{id}\n"), func(c *proxy.Config, _ *rig) {
				c.Apps = named{policy.DefaultApp: {Tenant: tenant, Tokens: fixed{}}, "hr": {Tenant: tenant, Tokens: fixed{}}}
			})
		r.graph.Handle("POST /v1.0/$batch", largeAnswers(long, true))
		r.checkLarge(t, 6, long)
	})
}

// An answer that is sent as a whole may use memory that the answer to another caller used before.
func TestShortAnswersAtOnceAreNotMixed(t *testing.T) {
	t.Parallel()
	r := newRig(t, everyone, func(c *proxy.Config, _ *rig) { c.Apps = oneApp(fixed{}) })
	r.graph.Handle("POST /v1.0/$batch", largeAnswers(1<<10, false))
	var wait sync.WaitGroup
	for caller := range 8 {
		request := strings.ReplaceAll(batchOfUsers(6), "/users/", fmt.Sprintf("/users/%d-", caller))
		request = strings.ReplaceAll(request, `"id":"`, fmt.Sprintf(`"id":"%d-`, caller))
		own := fmt.Sprintf(`"id":"%d-`, caller)
		wait.Go(func() {
			for range underRace(40, 10) {
				a := r.do(t, "POST", "/v1.0/$batch", request, asJSON)
				if !json.Valid([]byte(a.body)) || strings.Count(a.body, own) != 6 || strings.Count(a.body, `"id":"`) != 6 {
					t.Errorf("caller %d got %s", caller, a.body)
				}
			}
		})
	}
	wait.Wait()
	r.holdsNothing(t)
}

func TestAWholeAnswerIsAccountedFor(t *testing.T) {
	for _, tt := range []struct {
		name             string
		size             int
		most, held, left int64 // left: until the request ends
	}{
		{"short", 1 << 10, 1 << 20, 2 << 10, 2 << 10},
		{"of usual length, in memory that is used again", 8 << 10, 1 << 20, 32 << 10, 0},
		{"of usual length, with little memory left", 8 << 10, 20 << 10, 16 << 10, 16 << 10},
		{"long", 64 << 10, 1 << 20, 128 << 10, 128 << 10},
		{"longer than may be kept", 64 << 10, 100 << 10, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			held, left, unread := proxy.WholeAnswer(strings.Repeat("x", tt.size), tt.most)
			if held != tt.held || left != tt.left || unread != 0 {
				t.Errorf("%d bytes are counted, want %d; after Close %d, want %d, and %d can be read", held, tt.held, left,
					tt.left, unread)
			}
		})
	}
}

func (r *rig) checkLarge(t *testing.T, n, size int) {
	t.Helper()
	a := r.do(t, "POST", "/v1.0/$batch", batchOfUsers(n), asJSON)
	var envelope struct {
		Responses []struct {
			ID      string
			Status  int
			Headers map[string]string
			Body    struct {
				Next string `json:"@odata.nextLink"`
				Text string
			}
		}
	}
	must(t, json.Unmarshal([]byte(a.body), &envelope))
	if len(envelope.Responses) != n {
		t.Fatalf("%d answers to %d items", len(envelope.Responses), n)
	}
	for i, got := range envelope.Responses {
		id := strconv.Itoa(i)
		if want := r.server.URL + "/v1.0/users/" + id; got.ID != id || got.Headers["Location"] != want ||
			got.Body.Next != want || len(got.Body.Text) < size {
			t.Errorf("answer %d is that of %q: Location %q, nextLink %q, %d bytes", i, got.ID, got.Headers["Location"],
				got.Body.Next, len(got.Body.Text))
		}
	}
	if whole := a.header.Get("Content-Length") != ""; whole != (size < 256<<10/n) {
		t.Errorf("%d bytes go out whole: %t", size*n, whole)
	}
	r.holdsNothing(t)
	if lines := r.audit.wait(t, 1+n); len(lines) != 1+n {
		t.Errorf("%d lines", len(lines))
	}
}

// If Graph's answer turns out wrong after the caller got some of it, the connection ends, so that the caller does
// not read the part as the whole.
func TestALongAnswerThatGoesWrongIsCutOff(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]string{
		"an id twice":            `,{"id":"0","status":200}]}`,
		"an id of no item":       `,{"id":"x","status":200}]}`,
		"no end":                 ``,
		"no JSON":                `,<html>`,
		"more behind the end":    `]}{}`,
		"an answer without end":  `,{"id":"3","status":200,"body":"`,
		"a status that is none":  `,{"id":"3","status":9}]}`,
		"responses twice":        `],"responses":[]}`,
		"a closing that is none": `}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, everyone, func(c *proxy.Config, _ *rig) { c.Apps = oneApp(fixed{}) })
			r.graph.Handle("POST /v1.0/$batch", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"responses":[`)
				for i := range 3 {
					_, _ = fmt.Fprintf(w, `%.*s{"id":"%d","status":200,"body":%q}`, min(i, 1), ",", i, strings.Repeat("x", 200<<10))
				}
				_, _ = io.WriteString(w, end)
			})
			req, err := http.NewRequest("POST", r.server.URL+"/v1.0/$batch", strings.NewReader(batchOfUsers(4)))
			must(t, err)
			req.Header.Set("Content-Type", "application/json")
			res, err := r.server.Client().Transport.RoundTrip(req)
			must(t, err)
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			if !errors.Is(err, io.ErrUnexpectedEOF) || json.Valid(text) {
				t.Errorf("the caller read %d bytes, %v", len(text), err)
			}
			if line := r.audit.wait(t, 5)[0]; !strings.Contains(line, `"reason":"graphBrokeOff"`) {
				t.Error(line)
			}
			r.holdsNothing(t)
		})
	}
}

// An answer that comes before its turn and does not fit into memory is refused in its place; the others go on.
func TestAnswersThatCannotBeHeldAreRefusedInTheirPlace(t *testing.T) {
	r := newRig(t, everyone, func(c *proxy.Config, _ *rig) { c.Apps = oneApp(fixed{}) })
	proxy.BoundHeldBytes(r.handler, 1<<20)
	r.graph.Handle("POST /v1.0/$batch", largeAnswers(160<<10, true))
	a := r.do(t, "POST", "/v1.0/$batch", batchOfUsers(9), asJSON)
	statuses := map[int]int{}
	for _, item := range a.responses(t) {
		statuses[item.Status]++
		if item.Status == 503 && item.inner(t) != "overloaded" {
			t.Errorf("%s", item.Body)
		}
	}
	if statuses[200] < 3 || statuses[503] < 3 || statuses[200]+statuses[503] != 9 {
		t.Errorf("statuses %v", statuses)
	}
}

const childVariable = "GRAPHPROXY_TEST_CHILD"

// Eight batches of a kilobyte at once, each answered with 60 MiB in the order that uses the most memory, use no
// more memory than is counted: the resident memory stays within 1.5 times that and 64 MiB.
func TestResidentMemoryIsWhatIsAccountedFor(t *testing.T) {
	if raceDetector {
		t.Skip("NOT CHECKED: the race detector's own memory is several times the program's; run this test without -race")
	}
	if os.Getenv(childVariable) == "" {
		// On a busy machine the collector runs late, and garbage counts as resident: one run of three must stay within.
		var out []byte
		var err error
		for range 3 {
			child := exec.Command(os.Args[0], "-test.run=^TestResidentMemoryIsWhatIsAccountedFor$", "-test.v")
			child.Env = append(os.Environ(), childVariable+"=1", "GOMEMLIMIT=256MiB")
			if out, err = child.CombinedOutput(); err == nil {
				break
			}
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
		return
	}
	r := newRig(t, everyone, func(c *proxy.Config, _ *rig) { c.Apps, c.MaxInFlight = oneApp(fixed{}), 64 })
	r.graph.Handle("POST /v1.0/$batch", largeAnswers(3<<20, true))
	done, most := make(chan struct{}), make(chan int64)
	go func() {
		var peak int64
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-tick.C:
				now, _ := r.handler.HeldBytes()
				peak = max(peak, now)
			case <-done:
				most <- peak
				return
			}
		}
	}()
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			res, err := r.server.Client().Post(r.server.URL+"/v1.0/$batch", "application/json",
				strings.NewReader(batchOfUsers(20)))
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			if _, err := io.Copy(io.Discard, res.Body); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	close(done)
	accounted, resident := <-most, peakResident(t)
	t.Logf("accounted at most %d MiB, resident at most %d MiB", accounted>>20, resident>>20)
	if _, bound := r.handler.HeldBytes(); accounted > bound || resident > accounted*3/2+64<<20 {
		t.Errorf("more than the %d MiB that may be held, or more resident than 1.5 times what is accounted and 64 MiB",
			bound>>20)
	}
	r.holdsNothing(t)
}

// peakResident is the most memory that the process had resident.
func peakResident(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skipf("NOT CHECKED: this system does not say how much memory is resident: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			must(t, err)
			return n << 10
		}
	}
	t.Fatal("no VmHWM in /proc/self/status")
	return 0
}
