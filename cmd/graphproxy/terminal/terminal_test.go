package terminal_test

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"graphproxy/cmd/graphproxy/terminal"
)

func TestLinesAreFoldedBetweenWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, line string
		width      int
		want       []string
	}{
		{"a line that fits", "one two", 40, []string{"one two"}},
		{"an empty line", "", 40, []string{""}},
		{"one that is as long as a row", strings.Repeat("a", 40), 40, []string{strings.Repeat("a", 40)}},
		{"one that does not fit", "one two three four", 10, []string{"one two", "    three", "    four"}},
		{"its indent is kept", "  one two three", 10, []string{"  one two", "      three"}},
		{"a word that fits nowhere is whole", "see /v1.0/users/adele@contoso.com now", 12,
			[]string{"see", "    /v1.0/users/adele@contoso.com", "    now"}},
		{"a long first word", "/v1.0/users/adele@contoso.com now", 12, []string{"/v1.0/users/adele@contoso.com", "    now"}},
		{"the gap of a table goes with the break", "+ may GET /users            policy.yaml:7", 20,
			[]string{"+ may GET /users", "    policy.yaml:7"}},
		{"the gap of a table stays where it fits", "a      b c d e f g h i j k", 20,
			[]string{"a      b c d e f g h", "    i j k"}},
		{"columns are characters, not bytes", "äöü äöü äöü", 11, []string{"äöü äöü äöü"}},
		{"spaces at the end", "one two three   ", 8, []string{"one two", "    three", "    "}},
	} {
		got := terminal.Fold(test.line, test.width, 4)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func FuzzFoldKeepsEveryWord(f *testing.F) {
	f.Add("  one two  three", 8, 4)
	f.Add("äöü", 1, 0)
	f.Fuzz(func(t *testing.T, line string, width, hang int) {
		width, hang = 1+abs(width)%200, abs(hang)%100
		rows := terminal.Fold(line, width, hang)
		if got, want := strings.FieldsFunc(strings.Join(rows, " "), isSpace), strings.FieldsFunc(line,
			isSpace); !cmp.Equal(got, want) {
			t.Fatalf("%q became %q", want, got)
		}
		for _, row := range rows {
			if words := strings.FieldsFunc(row, isSpace); len(words) > 1 &&
				utf8.RuneCountInString(strings.TrimRight(row, " ")) > width {
				t.Fatalf("row %q is wider than %d", row, width)
			}
		}
	})
}

func isSpace(r rune) bool { return r == ' ' }

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}

func TestWhatIsWrittenInPartsIsPaintedAsALine(t *testing.T) {
	t.Parallel()
	var shown bytes.Buffer
	w := terminal.NewWriter(&shown, 12, terminal.Look{Hang: 2, Span: func(line string) (int, int, terminal.Colour) {
		if strings.HasPrefix(line, "FAIL") {
			return 0, len(line), terminal.Red
		}
		return 0, 0, terminal.Plain
	}})
	for _, part := range []string{"FA", "IL  one two ", "three\nok", "\nFAIL"} {
		if _, err := w.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := "\x1b[31mFAIL  one\x1b[0m\n  two three\nok\n\x1b[31mFAIL\x1b[0m"; shown.String() != want {
		t.Errorf("got %q, want %q", shown.String(), want)
	}
}

func TestTheTextOfProgress(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		read, size int64
		want       string
	}{
		{"a quarter after two seconds", 12e6, 48e6, "reading audit.log: 12.0 MB of 48.0 MB, 25%, 6s left"},
		{"nothing yet", 0, 48e6, "reading audit.log: 0.0 MB of 48.0 MB, 0%"},
		{"a size that is not known", 12e6, 0, "reading audit.log: 12.0 MB"},
		{"a log that has grown", 50e6, 48e6, "reading audit.log: 50.0 MB"},
		{"all", 48e6, 48e6, "reading audit.log: 48.0 MB of 48.0 MB, 100%, 0s left"},
	} {
		if got := terminal.ProgressText("audit.log", test.read, test.size, 2*time.Second); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestOnlyATerminalHasColours(t *testing.T) {
	t.Parallel()
	if terminal.Colours(nil, new(bytes.Buffer)) || terminal.Is(new(bytes.Buffer)) {
		t.Error("a buffer is taken for a terminal")
	}
	if got := terminal.Width([]string{"COLUMNS=77"}, new(bytes.Buffer)); got != 77 {
		t.Errorf("COLUMNS=77 gives %d", got)
	}
	for _, odd := range []string{"COLUMNS=", "COLUMNS=x", "COLUMNS=-5", "COLUMNS=3"} {
		if got := terminal.Width([]string{odd}, new(bytes.Buffer)); got != terminal.PlainWidth {
			t.Errorf("%s gives %d", odd, got)
		}
	}
}
