package server_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/cmd/graphproxy/server"
)

const day = 24 * time.Hour

// warnings are the messages of a log of JSON lines.
func warnings(t *testing.T, log string) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(log) {
		var rec struct{ Level, Msg, Cure string }
		if err := json.Unmarshal([]byte(line), &rec); err != nil {
			t.Fatal(err)
		}
		if rec.Level != "WARN" || rec.Cure == "" {
			t.Errorf("level %s, cure %q", rec.Level, rec.Cure)
		}
		all = append(all, rec.Msg)
	}
	return all
}

func TestACertificateIsLoggedFrom30DaysBeforeItsEnd(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	const soon, early, over = "a certificate expires soon", "a certificate is not valid yet", "a certificate has expired"
	for _, tt := range []struct {
		name         string
		begins, ends time.Duration // from now
		want         []string
	}{
		{"a year is left", -day, 365 * day, nil},
		{"31 days are left", -day, 31 * day, nil},
		{"a second more than 30 days are left", -day, 30*day + time.Second, nil},
		{"30 days are left", -day, 30 * day, []string{soon}},
		{"a day is left", -day, day, []string{soon}},
		{"a second is left", -day, time.Second, []string{soon}},
		{"its time is over", -2 * day, -day, []string{over}},
		{"its time has not come", day, 365 * day, []string{early}},
		{"its time comes in a second", time.Second, 365 * day, []string{early}},
		{"its time comes now", 0, 365 * day, nil},
		{"its time has not come, and is short", day, 2 * day, []string{early}},
	} {
		for _, use := range []string{"credential", "tls", "client_ca"} {
			t.Run(use+": "+tt.name, func(t *testing.T) {
				var out bytes.Buffer
				l := server.NewCertificateLog(slog.New(slog.NewJSONHandler(&out, nil)))
				l.Check(use, now.Add(tt.begins), now.Add(tt.ends), now)
				if diff := cmp.Diff(tt.want, warnings(t, out.String())); diff != "" {
					t.Error(diff)
				}
				if len(tt.want) > 0 && !strings.Contains(out.String(), `"certificate":"`+use+`"`) {
					t.Errorf("the line does not name the certificate: %s", &out)
				}
			})
		}
	}
}

func TestACertificateIsLoggedOnceADayAndWhenItChanges(t *testing.T) {
	start := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	l := server.NewCertificateLog(slog.New(slog.NewJSONHandler(&out, nil)))
	count := func(from, to time.Duration, ends time.Duration) int {
		out.Reset()
		for at := from; at < to; at += 2 * time.Second {
			l.Check("tls", start.Add(-day), start.Add(ends), start.Add(at))
		}
		return len(warnings(t, out.String()))
	}
	if n := count(0, day, 20*day); n != 1 {
		t.Errorf("%d lines on the first day", n)
	}
	if n := count(day, 2*day, 20*day); n != 1 {
		t.Errorf("%d lines on the second day", n)
	}
	if n := count(2*day, 2*day+time.Hour, 25*day); n != 1 {
		t.Errorf("%d lines about another one that ends soon", n)
	}
	if n := count(2*day+time.Hour, 3*day, 365*day); n != 0 {
		t.Errorf("%d lines about one that lasts", n)
	}
}

func TestTheTimeOfSeveralCAs(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	ca := func(name string, begins, ends time.Duration) *x509.Certificate {
		return &x509.Certificate{RawSubject: []byte(name), NotBefore: now.Add(begins), NotAfter: now.Add(ends)}
	}
	for _, tt := range []struct {
		name         string
		cas          []*x509.Certificate
		begins, ends time.Duration
	}{
		{"one", []*x509.Certificate{ca("a", -day, 9*day)}, -day, 9 * day},
		{"the first of two to end", []*x509.Certificate{ca("a", -day, 9*day), ca("b", -2*day, 5*day)}, -day, 5 * day},
		{"the successor counts, not what it succeeds", []*x509.Certificate{ca("a", -9*day, -day), ca("a", -2*day, 90*day)},
			-2 * day, 90 * day},
		{"in either order", []*x509.Certificate{ca("a", -2*day, 90*day), ca("a", -9*day, day)}, -2 * day, 90 * day},
		{"one whose time has not come", []*x509.Certificate{ca("a", day, 90*day), ca("b", -9*day, 80*day)}, day, 80 * day},
	} {
		t.Run(tt.name, func(t *testing.T) {
			begins, ends := server.TimeOfCAs(tt.cas)
			if !begins.Equal(now.Add(tt.begins)) || !ends.Equal(now.Add(tt.ends)) {
				t.Errorf("%v to %v", begins.Sub(now), ends.Sub(now))
			}
		})
	}
}
