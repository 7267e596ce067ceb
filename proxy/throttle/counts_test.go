package throttle_test

import (
	"net/http"
	"testing"
	"time"

	"graphproxy/proxy/throttle"
)

// countsOf returns the counts of one service.
func countsOf(t *testing.T, m *throttle.Memory, service string, now time.Time) throttle.Counts {
	t.Helper()
	for _, c := range m.Counts(now) {
		if c.Service == service {
			return c
		}
	}
	t.Fatalf("no service %s", service)
	return throttle.Counts{}
}

func TestWhatHappensAtEachServiceIsCounted(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	m := throttle.New(throttle.Options{})
	s, err := throttle.ParseScope("outlook/any/default/contoso.com/adele@contoso.com")
	if err != nil {
		t.Fatal(err)
	}
	refuse := http.Header{"Retry-After": {"5"}}
	m.Seen(now, s, nil, 429, refuse)
	m.Seen(now, s, nil, 503, refuse)
	m.Seen(now, s, nil, 500, nil)
	for range 3 {
		if m.Check(now, s).Wait == 0 {
			t.Fatal("nothing is held")
		}
	}
	got := countsOf(t, m, "outlook", now)
	if got.Throttled != 2 || got.Held != 3 || got.Holding != 1 {
		t.Errorf("%+v", got)
	}
	if other := countsOf(t, m, "files", now); other.Throttled+other.Held != 0 || other.Holding != 0 {
		t.Errorf("%+v", other)
	}
	later := now.Add(time.Minute)
	probe := m.Check(later, s).Probe
	if probe == nil {
		t.Fatal("no probe")
	}
	m.Seen(later, s, probe, 200, nil)
	if got := countsOf(t, m, "outlook", later); got.Holding != 0 {
		t.Errorf("%d scopes are held after Graph took a request", got.Holding)
	}
	m.Adopt(later, s, later.Add(time.Second))
	if got := countsOf(t, m, "outlook", later); got.Holding != 1 {
		t.Errorf("%d scopes are held after another replica said so", got.Holding)
	}
}

func TestThePercentageIsTheGreatestOfAMinute(t *testing.T) {
	start := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	m := throttle.New(throttle.Options{})
	s, err := throttle.ParseScope("directory/any/default/contoso.com/")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after  time.Duration
		header string
		want   float64
	}{
		{0, "", 0},
		{time.Second, "0.9", .9},
		{2 * time.Second, "1.2", 1.2},
		{3 * time.Second, "0.8", 1.2},
		{4 * time.Second, "", 1.2},
		{61 * time.Second, "", 1.2},
		{63 * time.Second, "", 0},
		{64 * time.Second, "0.85", .85},
		{65 * time.Second, "-1", .85},
		{66 * time.Second, "NaN", .85},
		{67 * time.Second, "1e9", .85},
		{68 * time.Second, "99999999999999999999", 100},
	} {
		header := http.Header{}
		if step.header != "" {
			header.Set("x-ms-throttle-limit-percentage", step.header)
		}
		now := start.Add(step.after)
		m.Seen(now, s, nil, 200, header)
		if got := countsOf(t, m, "directory", now).Percentage; got != step.want {
			t.Errorf("after %v with %q: %v, want %v", step.after, step.header, got, step.want)
		}
	}
}
