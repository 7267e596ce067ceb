package audit_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/analysis/audit"
)

const (
	getUser = `{"time":"2026-01-02T03:04:05Z","caller":"hr-sync","evidence":"key","method":"GET","version":"v1.0",` +
		`"path":"/v1.0/users/{id}",` +
		`"target":"/v1.0/users/adele#EXT#@contoso.com","query":["$select","$search"],"rule":"policy.yaml:31",` +
		`"decision":"allow","status":200,` +
		`"ms":1.5,"bytes_in":0,"bytes_out":10,"request_id":"r1","client_request_id":"c1","policy":"0123456789ab"}`
	wouldDeny = `{"time":"2026-01-02T03:04:05Z","caller":"reports","evidence":"network","method":"GET",` +
		`"version":"v1.0","target":"/v1.0/me",` +
		`"decision":"allow","would_deny":true,"reason":"no rule allows it","status":200,"request_id":"r2",` +
		`"policy":"0123456789ab"}`
	envelope = `{"caller":"hr-sync","method":"POST","version":"v1.0","target":"/v1.0/$batch","decision":"allow",` +
		`"status":200,"request_id":"r3","policy":"0123456789ab"}`
	item = `{"caller":"hr-sync","method":"GET","version":"v1.0","target":"/v1.0/users","decision":"limit",` +
		`"reason":"limitExceeded","status":429,"request_id":"r3","policy":"0123456789ab","batch":"r3","item":"1"}`
	refused = `{"caller":"","method":"GET","decision":"refuse","reason":"callerUnknown","status":401,"request_id":"r4",` +
		`"policy":"0123456789ab"}`
	logLine = `{"time":"2026-01-02T03:04:05Z","level":"INFO","msg":"request","caller":"hr-sync","method":"GET",` +
		`"path":"/v1.0/users","decision":"allow","policy":"0123456789ab"}`
)

func read(t *testing.T, log string) ([]audit.Line, audit.Skipped) {
	t.Helper()
	var lines []audit.Line
	skipped, err := audit.Read(strings.NewReader(log), func(l audit.Line) error {
		lines = append(lines, l)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines, skipped
}

func TestReadALine(t *testing.T) {
	lines, skipped := read(t, getUser+"\n")
	if len(lines) != 1 || skipped.Total() != 0 {
		t.Fatalf("got %d lines, skipped %+v", len(lines), skipped)
	}
	got := lines[0]
	if path, query := got.Parsed.EscapedPath(), got.Parsed.RawQuery(); path != "/v1.0/users/adele%23EXT%23@contoso.com" ||
		query != "$select=&$search=" {
		t.Errorf("the target is %q ? %q", path, query)
	}
	got.Parsed = nil
	want := audit.Line{
		Number:    1,
		Time:      time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Caller:    "hr-sync",
		Method:    "GET",
		Version:   "v1.0",
		Path:      "/v1.0/users/{id}",
		Target:    "/v1.0/users/adele#EXT#@contoso.com",
		Query:     []string{"$select", "$search"},
		Rule:      "policy.yaml:31",
		Decision:  audit.Allow,
		Status:    200,
		RequestID: "r1",
		Policy:    "0123456789ab",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// lost is the line about lines that could not be written.
func lost(n int) string { return fmt.Sprintf("{\"time\":\"2026-01-02T03:04:05Z\",\"lost\":%d}\n", n) }

func TestWhatIsPassedOver(t *testing.T) {
	for _, test := range []struct {
		name, log string
		lines     int
		want      audit.Skipped
	}{
		{"an empty log", "", 0, audit.Skipped{}},
		{"empty lines are nothing", "\n \n" + getUser + "\r\n\n", 1, audit.Skipped{}},
		{"the last line needs no end", getUser + "\n" + wouldDeny, 2, audit.Skipped{}},
		{"the program's own log is another's", logLine + "\n" + getUser + "\n", 1, audit.Skipped{Other: 1}},
		{"other JSON and text are another's", "{}\n[1]\nhello\n" + `{"method":5,"policy":"x"}` + "\n" + getUser, 1,
			audit.Skipped{Other: 4}},
		{"a decision that is not known is another's", strings.Replace(getUser, `"allow"`, `"maybe"`, 1), 0,
			audit.Skipped{Other: 1}},
		{"lines that were lost are counted", lost(3) + getUser + "\n" + lost(4), 1, audit.Skipped{Lost: 7}},
		{"a last line that is cut is broken", getUser + "\n" + wouldDeny[:80], 1, audit.Skipped{Broken: 1}},
		{"a first line that is cut is another's", getUser[40:] + "\n" + getUser, 1, audit.Skipped{Other: 1}},
		{"two lines that were mixed are broken", getUser + getUser + "\n", 0, audit.Skipped{Broken: 1}},
		{"requests that were never judged are counted by reason", refused + "\n" + refused + "\n" + getUser, 1,
			audit.Skipped{Refused: map[string]int{"callerUnknown": 2}}},
		{"a line that is too long is passed over whole",
			`{"a":"` + strings.Repeat("x", audit.MaxLine) + `"}` + "\n" + getUser, 1, audit.Skipped{TooLong: 1}},
		{"a batch and its items are lines", envelope + "\n" + item, 2, audit.Skipped{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			lines, skipped := read(t, test.log)
			if len(lines) != test.lines {
				t.Errorf("got %d lines, want %d", len(lines), test.lines)
			}
			if diff := cmp.Diff(test.want, skipped); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLinesAreRecognised(t *testing.T) {
	lines, _ := read(t,
		strings.Join([]string{getUser, wouldDeny, envelope, item, strings.Replace(getUser, `"allow"`, `"deny"`, 1)}, "\n"))
	for i, want := range []struct{ envelope, allowed bool }{
		{false, true},
		{false, false},
		{true, true},
		{false, true},
		{false, false},
	} {
		if l := lines[i]; l.IsEnvelope() != want.envelope || l.Allowed() != want.allowed || l.Number != i+1 {
			t.Errorf("line %d is envelope %t, allowed %t", l.Number, l.IsEnvelope(), l.Allowed())
		}
	}
	if lines[3].Batch != "r3" || lines[3].Item != "1" {
		t.Errorf("the item is %q of batch %q", lines[3].Item, lines[3].Batch)
	}
}

func TestTargetsThatCannotBeReadBack(t *testing.T) {
	for _, test := range []struct{ name, old, new string }{
		{"no target", `"target":"/v1.0/users/adele#EXT#@contoso.com",`, ""},
		{"a path that no target writes", "adele#EXT#@contoso.com", "a/../b"},
		{"an option whose name holds more", `"$search"`, `"$search=x&$top"`},
		{"an option that is there twice", `"$search"`, `"$select"`},
		{"a target that was shortened", `"query"`, `"cut":["target"],"query"`},
		{"names of options that were shortened", `"query"`, `"cut":["item","query"],"query"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			lines, _ := read(t, strings.Replace(getUser, test.old, test.new, 1))
			if len(lines) != 1 || lines[0].Parsed != nil {
				t.Errorf("got %+v", lines)
			}
		})
	}
}

func TestWhatElseWasShortenedDoesNotMatter(t *testing.T) {
	lines, _ := read(t, strings.Replace(getUser, `"query"`, `"cut":["item","path","rule"],"query"`, 1))
	if len(lines) != 1 || lines[0].Parsed == nil {
		t.Errorf("got %+v", lines)
	}
}

func TestEscapesOfHiddenCharactersAreReadBack(t *testing.T) {
	lines, _ := read(t, strings.Replace(getUser, "adele#EXT#@contoso.com", `drive:/a\u00adb\u200dc\udb40\udc41`, 1))
	if len(lines) != 1 || lines[0].Parsed == nil ||
		lines[0].Parsed.Path() != "/v1.0/users/drive:/a\u00adb\u200dc\U000e0041" {
		t.Errorf("got %+v", lines)
	}
}

func TestErrorsEndTheReading(t *testing.T) {
	broken := errors.New("disk on fire")
	t.Run("of the reader", func(t *testing.T) {
		n := 0
		_, err := audit.Read(io.MultiReader(strings.NewReader(getUser+"\n"), iotest.ErrReader(broken)),
			func(audit.Line) error { n++; return nil })
		if !errors.Is(err, broken) || n != 1 {
			t.Errorf("got %v after %d lines", err, n)
		}
	})
	t.Run("of the one who is told", func(t *testing.T) {
		skipped, err := audit.Read(strings.NewReader("x\n"+getUser+"\n"+getUser), func(l audit.Line) error { return broken })
		if !errors.Is(err, broken) || skipped.Other != 1 {
			t.Errorf("got %v, %+v", err, skipped)
		}
	})
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{getUser, wouldDeny + "\n" + envelope + "\n" + item, refused, logLine, getUser[:50],
		"{\"a\":1\n}", "null", "\x00\n\n{"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, log string) {
		n := 0
		skipped, err := audit.Read(iotest.OneByteReader(strings.NewReader(log)), func(l audit.Line) error {
			n++
			if l.Parsed != nil && l.Parsed.Path() != l.Target {
				t.Errorf("%q is read as %q", l.Target, l.Parsed.Path())
			}
			return nil
		})
		if most := strings.Count(log, "\n") + 1; err != nil || n+skipped.Total() > most {
			t.Errorf("%d lines, %+v, %v of %d", n, skipped, err, most)
		}
	})
}

func TestFindReturnsTheRequestOrTheBatchWithItsItems(t *testing.T) {
	log := strings.Join([]string{getUser, refused, envelope, logLine, item, `{"request_id":"r3"`, wouldDeny}, "\n")
	for _, row := range []struct{ id, want string }{
		{"r1", "1 allow"}, {"r3", "3 allow, 5 limit"}, {"r4", "2 refuse"}, {"r", ""}, {"hr-sync", ""},
	} {
		lines, err := audit.Find(strings.NewReader(log), row.id)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range lines {
			got = append(got, fmt.Sprint(l.Number, " ", l.Decision))
		}
		if text := strings.Join(got, ", "); text != row.want {
			t.Errorf("%s: %q, want %q", row.id, text, row.want)
		}
	}
}

func TestALineMayHaveAPrefix(t *testing.T) {
	for _, row := range []struct {
		name, line string
		lines      int
		skipped    audit.Skipped
	}{
		{"a container's runtime", "2026-01-02T03:04:05Z stdout F " + getUser, 1, audit.Skipped{}},
		{"syslog", "Jan  2 03:04:05 host graphproxy[1]: " + getUser, 1, audit.Skipped{}},
		{"the program's own log", "x " + logLine, 0, audit.Skipped{Other: 1}},
		{"cut off behind a prefix", "x " + getUser[:40], 0, audit.Skipped{Other: 1}},
		{"text in braces", "x {y}", 0, audit.Skipped{Other: 1}},
		{"too long a prefix", strings.Repeat("x", 300) + getUser, 0, audit.Skipped{Other: 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			lines, skipped := read(t, row.line+"\n")
			if len(lines) != row.lines || skipped.Total() != row.skipped.Total() || skipped.Other != row.skipped.Other {
				t.Errorf("%d lines, skipped %+v", len(lines), skipped)
			}
		})
	}
}

// What graphproxy answered itself is counted, and no rule is looked for.
func TestWhatGraphproxyAnsweredItselfIsCounted(t *testing.T) {
	lines, skipped := read(t, strings.ReplaceAll(getUser, "/v1.0/users/adele#EXT#@contoso.com", "/.graphproxy/me")+"\n")
	if len(lines) != 0 || skipped.Own != 1 || skipped.Total() != 1 {
		t.Errorf("%d lines, %+v", len(lines), skipped)
	}
}
