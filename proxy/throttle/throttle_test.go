package throttle_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"graphproxy/policy/graph/odata"
	"graphproxy/proxy/throttle"
)

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return start.Add(d) }

// newMemory makes a Memory without jitter.
func newMemory(change ...func(*throttle.Options)) *throttle.Memory {
	o := throttle.Options{Log: slog.New(slog.DiscardHandler), Rand: func() float64 { return 0 }}
	for _, c := range change {
		c(&o)
	}
	return throttle.New(o)
}

func scope(t testing.TB, request string) throttle.Scope {
	return scopeFor(t, "default", "contoso", request)
}

func scopeFor(t testing.TB, app, tenant, request string) throttle.Scope {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	target, err := odata.Parse("/v1.0"+path, "")
	if err != nil {
		t.Fatal(err)
	}
	return throttle.ScopeOf(app, tenant, method, target)
}

// headers are of the form "Name: value".
func headers(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

const (
	adele = "GET /users/adele@contoso.com/messages"
	alex  = "GET /users/alex@contoso.com/messages"
)

func TestAnAnswerHoldsItsScopeForItsRetryAfter(t *testing.T) {
	tests := []struct {
		name    string
		request string
		status  int
		header  []string
		want    time.Duration
	}{
		{"whole seconds", adele, 429, []string{"Retry-After: 10"}, 10 * time.Second},
		{"a decimal", adele, 429, []string{"Retry-After: 2.128"}, 2128 * time.Millisecond},
		{"a date, against the answer's own Date and not our clock", adele, 429,
			[]string{"Retry-After: Tue, 06 Jan 2026 10:00:30 GMT", "Date: Tue, 06 Jan 2026 10:00:00 GMT"}, 30 * time.Second},
		{"a date without a Date, against our clock", adele, 429, []string{"Retry-After: Mon, 02 Mar 2026 09:00:20 GMT"},
			20 * time.Second},
		{"a date that is past backs off", adele, 429, []string{"Retry-After: Mon, 02 Mar 2026 08:00:20 GMT"}, time.Second},
		{"a date a century away is an hour", adele, 429, []string{"Retry-After: Mon, 02 Mar 2126 09:00:20 GMT"}, time.Hour},
		{"an absurd number is an hour", adele, 429, []string{"Retry-After: 99999999999999999999"}, time.Hour},
		{"a negative one backs off", adele, 429, []string{"Retry-After: -5"}, time.Second},
		{"zero backs off", adele, 429, []string{"Retry-After: 0"}, time.Second},
		{"words back off", adele, 429, []string{"Retry-After: soon"}, time.Second},
		{"what only ParseFloat takes backs off", adele, 429, []string{"Retry-After: 1e3"}, time.Second},
		{"infinity backs off", adele, 429, []string{"Retry-After: Inf"}, time.Second},
		{"nothing backs off", adele, 429, nil, time.Second},
		{"of several the longest", adele, 429, []string{"Retry-After: 3", "Retry-After: 7", "Retry-After: x"},
			7 * time.Second},
		{"503 with a time", adele, 503, []string{"Retry-After: 120"}, 2 * time.Minute},
		{"503 without", adele, 503, nil, time.Second},
		{"509", adele, 509, []string{"Retry-After: 4"}, 4 * time.Second},
		{"504 is not about limits", adele, 504, []string{"Retry-After: 4"}, 0},
		{"500 neither", adele, 500, nil, 0},
		{"409 is about one object", "PATCH /users/adele@contoso.com", 409, []string{"Retry-After: 4"}, 0},
		{"202 has the time until a job is done", "POST /drives/d/items/i/copy", 202, []string{"Retry-After: 30"}, 0},
		{"SharePoint: the greater is Retry-After", "GET /drives/d/root", 429,
			[]string{"Retry-After: 31", "RateLimit-Reset: 30"}, 31 * time.Second},
		{"SharePoint: the greater is RateLimit-Reset", "GET /drives/d/root", 429,
			[]string{"Retry-After: 5", "RateLimit-Reset: 30"}, 30 * time.Second},
		{"SharePoint: only RateLimit-Reset", "GET /drives/d/root", 429, []string{"RateLimit-Reset: 12"}, 12 * time.Second},
		{"SharePoint: taken, and none left", "GET /drives/d/root", 200,
			[]string{"RateLimit-Limit: 1250", "RateLimit-Remaining: 0", "RateLimit-Reset: 14"}, 14 * time.Second},
		{"SharePoint: taken, none left and no word until when", "GET /drives/d/root", 200,
			[]string{"RateLimit-Remaining: 0"}, 0},
		{"SharePoint: taken, and enough left", "GET /drives/d/root", 200,
			[]string{"RateLimit-Limit: 1250", "RateLimit-Remaining: 1000", "RateLimit-Reset: 14"}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, s := newMemory(), scope(t, test.request)
			m.Seen(start, s, nil, test.status, headers(test.header...))
			if got := m.Check(start, s).Wait; got != test.want {
				t.Errorf("wait %v, want %v", got, test.want)
			}
		})
	}
}

func TestOnlyTheScopeThatIsThrottledIsHeldBack(t *testing.T) {
	tests := []struct {
		name      string
		throttled string
		header    []string
		held      []string
		free      []string
	}{
		{"a mailbox", adele, nil,
			[]string{"POST /users/adele@contoso.com/sendMail", "GET /users('Adele@Contoso.com')/events",
				"GET /users/adele%40contoso.com/calendarView"},
			[]string{alex, "GET /users/adele@contoso.com", "GET /users", "GET /users/adele@contoso.com/drive", "GET /places/p"}},
		{"the directory", "GET /users", nil,
			[]string{"GET /groups", "PATCH /users/adele@contoso.com", "GET /applications", "GET /users/delta",
				"GET /groups/g/members"},
			[]string{adele, "GET /drives/d/root", "GET /teams/t", "GET /auditLogs/signIns", "GET /groups/g/drive"}},
		{"reads of the directory", "GET /users", []string{"x-ms-throttle-scope: Tenant_Application/Read/a/b"},
			[]string{"GET /groups", "HEAD /groups"}, []string{"POST /groups", "DELETE /users/u"}},
		{"writes of the directory", "POST /users", []string{"x-ms-throttle-scope: Tenant_Application/Write/a/b"},
			[]string{"PATCH /groups/g", "DELETE /users/u"}, []string{"GET /groups"}},
		{"both", "GET /users", []string{"x-ms-throttle-scope: Tenant_Application/ReadWrite/a/b"},
			[]string{"GET /groups", "POST /groups"}, nil},
		{"words that are not known", "GET /users", []string{"x-ms-throttle-scope: Galaxy/Both"},
			[]string{"GET /groups", "POST /groups"}, []string{adele}},
		{"SharePoint", "GET /drives/d/root", nil,
			[]string{"GET /sites/root", "GET /users/adele@contoso.com/drive", "GET /groups/g/drive/items/i", "GET /shares/s"},
			[]string{"GET /users", adele, "GET /drives/d/items/i/workbook/tables"}},
		{"a team", "GET /teams/T1/channels", nil, []string{"POST /teams/t1/channels", "GET /groups/t1/team"},
			[]string{"GET /teams/t2/channels", "GET /chats/c"}},
		{"Teams of the tenant", "POST /teams", nil,
			[]string{"GET /teams/t1", "GET /chats/c/messages", "GET /users/u/chats/c"}, []string{"GET /users"}},
		{"a report", "GET /reports/getTeamsUserActivityUserDetail(period='D7')", nil,
			[]string{"GET /reports/getTeamsUserActivityUserDetail(period='D30')"},
			[]string{"GET /reports/getOffice365ActiveUserDetail(period='D7')"}},
		{"what is not known", "GET /print/printers", nil, []string{"POST /print/shares"},
			[]string{"GET /search/query", "GET /users"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newMemory()
			m.Seen(start, scope(t, test.throttled), nil, 429, headers(append(test.header, "Retry-After: 10")...))
			for _, request := range append(test.held, test.throttled) {
				if m.Check(start, scope(t, request)).Wait != 10*time.Second {
					t.Errorf("%s is not held back", request)
				}
			}
			for _, request := range test.free {
				if v := m.Check(start, scope(t, request)); v != (throttle.Verdict{}) {
					t.Errorf("%s is held back: %+v", request, v)
				}
			}
		})
	}
}

func TestAppsAndTenantsAreHeldBackByThemselvesUnlessTheLimitIsWider(t *testing.T) {
	tests := []struct {
		name                           string
		request, header                string
		otherApp, otherTenant, neither bool // held back too
	}{
		{"the directory", "GET /users", "", false, false, false},
		{
			"the directory, for the app anywhere",
			"GET /users",
			"x-ms-throttle-scope: Application/ReadWrite/a/b",
			false,
			true,
			false,
		},
		{
			"the directory, for the tenant and every app",
			"GET /users",
			"x-ms-throttle-scope: Tenant/ReadWrite/a/b",
			true,
			false,
			false,
		},
		{"OneNote is the app's", "GET /users/u/onenote/pages", "", false, true, false},
		{"conditional access is the tenant's", "GET /identity/conditionalAccess/policies", "", true, false, false},
		{"invitations are the tenant's", "POST /invitations", "", true, false, false},
		{"a mailbox", adele, "", false, false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newMemory()
			m.Seen(start, scope(t, test.request), nil, 429, headers("Retry-After: 10", test.header))
			for _, other := range []struct {
				app, tenant string
				held        bool
			}{
				{"default", "contoso", true},
				{"hr", "contoso", test.otherApp},
				{"default", "fabrikam", test.otherTenant},
				{"hr", "fabrikam", test.neither},
			} {
				if held := m.Check(start, scopeFor(t, other.app, other.tenant, test.request)).Wait > 0; held != other.held {
					t.Errorf("app %s in %s: held %v, want %v", other.app, other.tenant, held, other.held)
				}
			}
		})
	}
}

func TestOneProbeGoesWhenTheTimeIsUp(t *testing.T) {
	m, s := newMemory(), scope(t, adele)
	m.Seen(start, s, nil, 429, headers("Retry-After: 10"))
	if v := m.Check(at(10*time.Second-1), s); v.Wait != 1 || v.Probe != nil {
		t.Fatalf("a nanosecond early: %+v", v)
	}
	probe := m.Check(at(10*time.Second), s)
	if probe.Probe == nil || probe.Wait != 0 {
		t.Fatalf("no probe: %+v", probe)
	}
	if v := m.Check(at(11*time.Second), s); v.Wait != time.Second || v.Probe != nil {
		t.Errorf("beside the probe: %+v", v)
	}

	t.Run("a late success of a request sent before does not end the hold", func(t *testing.T) {
		m.Seen(at(11*time.Second), s, nil, 200, nil)
		if m.Check(at(11*time.Second), s).Wait == 0 {
			t.Error("it did")
		}
	})
	t.Run("a probe that is lost lets another go", func(t *testing.T) {
		probe.Probe.Lost()
		probe.Probe.Lost()
		next := m.Check(at(12*time.Second), s)
		if next.Probe == nil {
			t.Fatal("none went")
		}
		probe.Probe.Lost() // late, and not the other one's
		if m.Check(at(12*time.Second), s).Wait == 0 {
			t.Error("two went")
		}
		probe = next
	})
	t.Run("a probe that is refused holds on", func(t *testing.T) {
		m.Seen(at(13*time.Second), s, probe.Probe, 429, headers("Retry-After: 5"))
		probe.Probe.Lost()
		if v := m.Check(at(13*time.Second), s); v.Wait != 5*time.Second {
			t.Errorf("%+v", v)
		}
	})
	t.Run("an answer without a report on limits makes the next request the probe", func(t *testing.T) {
		for _, status := range []int{500, 502, 504} {
			m.Seen(at(18*time.Second), s, m.Check(at(18*time.Second), s).Probe, status, nil)
		}
		probe = m.Check(at(18*time.Second), s)
		if probe.Probe == nil {
			t.Fatalf("%+v", probe)
		}
	})
	t.Run("a probe that Graph takes lets everyone go", func(t *testing.T) {
		m.Seen(at(19*time.Second), s, probe.Probe, 404, nil)
		for range 3 {
			if v := m.Check(at(19*time.Second), s); v != (throttle.Verdict{}) {
				t.Errorf("%+v", v)
			}
		}
	})
	t.Run("methods of no probe do nothing", func(*testing.T) { (*throttle.Probe)(nil).Lost() })
}

func TestAShorterRetryAfterDoesNotShortenAHold(t *testing.T) {
	m, s := newMemory(), scope(t, adele)
	m.Seen(start, s, nil, 429, headers("Retry-After: 30"))
	m.Seen(at(time.Second), s, nil, 429, headers("Retry-After: 2"))
	m.Seen(at(time.Second), s, nil, 429, nil)
	if v := m.Check(at(time.Second), s); v.Wait != 29*time.Second {
		t.Errorf("%+v", v)
	}
	m.Seen(at(2*time.Second), s, nil, 429, headers("Retry-After: 60"))
	if v := m.Check(at(2*time.Second), s); v.Wait != time.Minute {
		t.Errorf("a longer one: %+v", v)
	}
}

func TestWithoutRetryAfterTheHoldDoublesEachTimeTheProbeIsRefused(t *testing.T) {
	for _, jitter := range []float64{0, 0.5} {
		m := newMemory(func(o *throttle.Options) { o.Rand = func() float64 { return jitter } })
		s, now, p := scope(t, "GET /users/u/onenote/pages"), start, (*throttle.Probe)(nil)
		refuse := func(want time.Duration) {
			t.Helper()
			m.Seen(now, s, p, 429, nil)
			for range 20 { // that were on their way
				m.Seen(now, s, nil, 429, nil)
			}
			v := m.Check(now, s)
			if want += time.Duration(float64(want/4) * jitter); v.Wait != want {
				t.Errorf("wait %v, want %v", v.Wait, want)
			}
			now = now.Add(v.Wait)
			p = m.Check(now, s).Probe
		}
		for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
			refuse(want * time.Second)
		}
		m.Seen(now, s, p, 200, headers("x-ms-throttle-limit-percentage: 0.9")) // so that the scope is remembered
		p = nil
		refuse(time.Second)
	}
}

// The step of the back-off counts refusals, and must not overflow: an hour of them is possible.
func TestTheHoldStaysAtItsLongest(t *testing.T) {
	m, s, now, p := newMemory(), scope(t, adele), start, (*throttle.Probe)(nil)
	for i := range 300 {
		m.Seen(now, s, p, 429, nil)
		v := m.Check(now, s)
		if i >= 6 && v.Wait != time.Minute {
			t.Fatalf("after %d refusals the wait is %v", i+1, v.Wait)
		}
		now = now.Add(v.Wait)
		p = m.Check(now, s).Probe
	}
}

func TestAfterAProbeThatGraphTookTheHoldBeginsAnew(t *testing.T) {
	m, s, now, p := newMemory(), scope(t, adele), start, (*throttle.Probe)(nil)
	for range 4 {
		m.Seen(now, s, p, 429, nil)
		now = now.Add(m.Check(now, s).Wait)
		p = m.Check(now, s).Probe
	}
	m.Seen(now, s, p, 200, headers("x-ms-throttle-limit-percentage: 0.9")) // near the limit, so the scope is remembered
	m.Seen(now, s, nil, 429, nil)
	if v := m.Check(now, s); v.Wait != time.Second {
		t.Errorf("wait %v, want the first step", v.Wait)
	}
}

func TestALastingBlockGrowsDespiteRetryAfter(t *testing.T) {
	m, s, now := newMemory(), scope(t, "GET /sites/root"), start
	var p *throttle.Probe
	for _, want := range []time.Duration{3, 3, 4, 8, 16, 32, 60, 60} {
		m.Seen(now, s, p, 503, headers("Retry-After: 3"))
		v := m.Check(now, s)
		if v.Wait != want*time.Second {
			t.Errorf("wait %v, want %v s", v.Wait, want)
		}
		now = now.Add(v.Wait)
		p = m.Check(now, s).Probe
	}
}

func TestNearTheLimitRequestsAreDelayed(t *testing.T) {
	delay := func(request string, after time.Duration, lines ...string) time.Duration {
		m, s := newMemory(func(o *throttle.Options) { o.Rand = func() float64 { return 1 } }), scope(t, request)
		m.Seen(start, s, nil, 200, headers(lines...))
		v := m.Check(at(after), s)
		if v.Wait != 0 || v.Probe != nil {
			t.Errorf("%v: %+v", lines, v)
		}
		return v.Delay.Round(time.Millisecond)
	}
	tests := []struct {
		name    string
		request string
		lines   []string
		after   time.Duration
		want    time.Duration
	}{
		{"at 80 %", "GET /users", []string{"x-ms-throttle-limit-percentage: 0.8"}, 0, 0},
		{"at 90 %", "GET /users", []string{"x-ms-throttle-limit-percentage: 0.9"}, 0, 542 * time.Millisecond},
		{"at the limit", "GET /users", []string{"x-ms-throttle-limit-percentage: 1.0"}, 0, 976 * time.Millisecond},
		{"half the requests too many", "GET /users", []string{"x-ms-throttle-limit-percentage: 1.3"}, 0,
			1750 * time.Millisecond},
		{"as far as it goes", "GET /users", []string{"x-ms-throttle-limit-percentage: 1.8"}, 0, throttle.MaxDelay},
		{"and further", "GET /users", []string{"x-ms-throttle-limit-percentage: 7"}, 0, throttle.MaxDelay},
		{"fading", "GET /users", []string{"x-ms-throttle-limit-percentage: 1.8"}, 5 * time.Second, 1750 * time.Millisecond},
		{"over", "GET /users", []string{"x-ms-throttle-limit-percentage: 1.8"}, 10 * time.Second, 0},
		{"garbage", "GET /users", []string{"x-ms-throttle-limit-percentage: much"}, 0, 0},
		{"SharePoint at 80 %", "GET /sites/root",
			[]string{"RateLimit-Limit: 1000", "RateLimit-Remaining: 200", "RateLimit-Reset: 9"}, 0, 0},
		{"SharePoint at 90 %", "GET /sites/root",
			[]string{"RateLimit-Limit: 1000", "RateLimit-Remaining: 100", "RateLimit-Reset: 9"}, 0, 542 * time.Millisecond},
		{"SharePoint in the next window", "GET /sites/root",
			[]string{"RateLimit-Limit: 1000", "RateLimit-Remaining: 100", "RateLimit-Reset: 3"}, 3 * time.Second, 0},
		{"SharePoint without a limit", "GET /sites/root", []string{"RateLimit-Remaining: 100", "RateLimit-Reset: 9"}, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := delay(test.request, test.after, test.lines...); got != test.want {
				t.Errorf("delay %v, want %v", got, test.want)
			}
		})
	}
	t.Run("grows smoothly", func(t *testing.T) {
		last := time.Duration(0)
		for percent := 80; percent <= 180; percent++ {
			text := "0." + string(rune('0'+percent/10)) + string(rune('0'+percent%10))
			if percent >= 100 {
				text = "1." + string(rune('0'+percent/10-10)) + string(rune('0'+percent%10))
			}
			d := delay("GET /users", 0, "x-ms-throttle-limit-percentage: "+text)
			if d < last || d-last > 60*time.Millisecond {
				t.Errorf("%s: %v after %v", text, d, last)
			}
			last = d
		}
	})
	t.Run("a newer word counts, also a lower one", func(t *testing.T) {
		m, s := newMemory(), scope(t, "GET /users")
		m.Seen(start, s, nil, 200, headers("x-ms-throttle-limit-percentage: 1.8"))
		m.Seen(start, s, nil, 200, headers("x-ms-throttle-limit-percentage: 0.8"))
		if v := m.Check(start, s); v != (throttle.Verdict{}) {
			t.Errorf("%+v", v)
		}
	})
}

func TestLogsNameTheServiceAndNoPerson(t *testing.T) {
	var log bytes.Buffer
	m := newMemory(func(o *throttle.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	s := scope(t, adele)
	for range 5 {
		m.Seen(start, s, nil, 429, headers("Retry-After: 1"))
	}
	m.Seen(at(time.Second), s, m.Check(at(time.Second), s).Probe, 200, nil)
	text, _ := io.ReadAll(&log)
	if n := bytes.Count(text, []byte("\n")); n != 2 || !bytes.Contains(text, []byte("service=outlook")) ||
		bytes.Contains(text, []byte("adele")) {
		t.Errorf("%d lines:\n%s", n, text)
	}
}
