package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"graphproxy/auth/caller"
	"graphproxy/cmd/graphproxy/console"
)

// watch opens the event stream of a served console.
func (s *site) watch(path string, fields ...string) (*bufio.Reader, func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.server.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	res, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	if kind := res.Header.Get("Content-Type"); res.StatusCode != 200 || kind != "text/event-stream; charset=utf-8" {
		s.t.Fatal(res.Status, kind)
	}
	return bufio.NewReader(res.Body), func() { cancel(); _ = res.Body.Close() }
}

// event is the next event of a stream, with the records' ids.
func event(t *testing.T, stream *bufio.Reader) (ids string, more bool) {
	t.Helper()
	for {
		line, err := stream.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		data, found := strings.CutPrefix(line, "data: ")
		if !found {
			continue
		}
		var got struct {
			More    bool
			Records []struct {
				ID string `json:"request_id"`
			}
		}
		if err := json.Unmarshal([]byte(data), &got); err != nil {
			t.Fatal(err, data)
		}
		var all []string
		for _, r := range got.Records {
			all = append(all, r.ID)
		}
		return strings.Join(all, " "), got.More
	}
}

func TestEventsShowNewRecords(t *testing.T) {
	s := open(t)
	s.record(map[string]any{"request_id": "old"})
	stream, end := s.watch("/events")
	defer end()
	s.record(map[string]any{"request_id": "a"})
	first, _ := event(t, stream)
	s.record(map[string]any{"request_id": "b"})
	if second, _ := event(t, stream); first != "a" || second != "b" {
		t.Errorf("%q, then %q", first, second)
	}
}

func TestAStreamBeginsWhereItsPageOrTheLastOneEnded(t *testing.T) {
	s := open(t)
	for i := range 5 {
		s.record(map[string]any{"request_id": fmt.Sprint(i + 1)})
	}
	for _, test := range []struct {
		path   string
		fields []string
		want   string
	}{
		{"/events?after=3", nil, "4 5"},
		{"/events?after=3", []string{"Last-Event-ID", "4"}, "5"},
		{"/events?after=0", nil, "1 2 3 4 5"},
		{"/events?after=99", nil, "1 2 3 4 5"}, // the numbers of a process that has ended
	} {
		stream, end := s.watch(test.path, test.fields...)
		if got, _ := event(t, stream); got != test.want {
			t.Errorf("%s %v: %q, want %q", test.path, test.fields, got, test.want)
		}
		end()
	}
}

func TestEventsAreFiltered(t *testing.T) {
	s := open(t)
	stream, end := s.watch("/events?after=0&decision=deny&path=secret")
	defer end()
	s.record(map[string]any{"request_id": "a", "target": "/v1.0/users/secret"})
	s.record(map[string]any{"request_id": "b", "decision": "deny", "target": "/v1.0/users/other"})
	s.record(map[string]any{"request_id": "c", "decision": "deny", "target": "/v1.0/users/Secret"})
	if got, _ := event(t, stream); got != "c" {
		t.Errorf("got %q", got)
	}
	if a := s.get("/events?status=x"); a.StatusCode != 400 {
		t.Errorf("a filter that cannot be read is %s", a.Status)
	}
}

func TestAnEventHasTheNewestRecordsOnly(t *testing.T) {
	s := open(t)
	for i := range 3 * console.EventRecords {
		s.record(map[string]any{"request_id": fmt.Sprint(i + 1)})
	}
	stream, end := s.watch("/events?after=0")
	defer end()
	ids, more := event(t, stream)
	all := strings.Fields(ids)
	if len(all) != console.EventRecords || !more || all[len(all)-1] != fmt.Sprint(3*console.EventRecords) {
		t.Errorf("%d records, more %t: %s", len(all), more, ids)
	}
}

// browser is a response that is read slowly, or not at all. Its time is that of a synctest bubble.
type browser struct {
	*httptest.ResponseRecorder
	deadline time.Time
	stuck    bool
	wrote    int
}

func (b *browser) SetWriteDeadline(t time.Time) error { b.deadline = t; return nil }
func (b *browser) SetReadDeadline(time.Time) error    { return nil }
func (b *browser) FlushError() error                  { return nil }

func (b *browser) Write(p []byte) (int, error) {
	b.wrote++
	if b.stuck && b.wrote > 1 {
		time.Sleep(time.Until(b.deadline))
		return 0, os.ErrDeadlineExceeded
	}
	return b.ResponseRecorder.Write(p)
}

func TestABrowserThatTakesNoEventIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := newConsole(t, base(""), true, caller.Options{})
		begin := time.Now()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/events?after=0", nil)
		record(t, c, nil)
		c.ServeHTTP(&browser{ResponseRecorder: httptest.NewRecorder(), stuck: true}, r)
		if took := time.Since(begin); took < 4*time.Second || took > 6*time.Second {
			t.Errorf("it was dropped after %s", took)
		}
	})
}

func TestAStreamEndsWhenItsVisitorMayLookNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, source, _ := newConsole(t, base(keyItem(lookKey)), false, caller.Options{})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://127.0.0.1/events", nil)
		r.Header.Set("X-Api-Key", lookKey)
		to := &browser{ResponseRecorder: httptest.NewRecorder()}
		ended := make(chan struct{})
		go func() { defer close(ended); c.ServeHTTP(to, r) }()
		time.Sleep(10 * time.Second)
		select {
		case <-ended:
			t.Fatal("the stream has ended by itself")
		default:
		}
		source.load(base(""))
		record(t, c, map[string]any{"target": "/v1.0/users/later"})
		<-ended
		if strings.Contains(to.Body.String(), "later") {
			t.Error("the stream went on")
		}
	})
}

func TestAHeadOfTheStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := newConsole(t, base(""), true, caller.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		to, ended := &browser{ResponseRecorder: httptest.NewRecorder()}, make(chan struct{})
		go func() {
			defer close(ended)
			c.ServeHTTP(to, httptest.NewRequestWithContext(ctx, http.MethodHead, "http://127.0.0.1/events", nil))
		}()
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Error("it holds a stream, whose events no browser gets")
			cancel()
			<-ended
		}
		if to.Code != http.StatusOK || to.Header().Get("Content-Type") != "text/event-stream; charset=utf-8" {
			t.Errorf("%d, %v", to.Code, to.Header())
		}
	})
}

func TestWatchersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := newConsole(t, base(""), true, caller.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		for range console.MostWatchers {
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1/events", nil)
			go c.ServeHTTP(&browser{ResponseRecorder: httptest.NewRecorder()}, r)
		}
		synctest.Wait()
		one := httptest.NewRecorder()
		c.ServeHTTP(one, httptest.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1/events", nil))
		if one.Code != http.StatusServiceUnavailable {
			t.Errorf("one more is %d", one.Code)
		}
		cancel()
		synctest.Wait()
	})
}
