package odata_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/graph/odata"
)

func TestWhatIsNotDisplayedAsItselfIsEscapedForPeople(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"plain text stays", "/v1.0/users/adele@contoso.com", "/v1.0/users/adele@contoso.com"},
		{"letters of any script stay", "Äpfel 日本語 שלום हिन्दी ❤",
			"Äpfel 日本語 שלום हिन्दी ❤"},
		{"a mark of direction", "a\u202ecod.exe", `a\u202ecod.exe`},
		{"isolates", "\u2066x\u2069", `\u2066x\u2069`},
		{"zero-width characters", "a\u200b\u200c\u200d\u2060b", `a\u200b\u200c\u200d\u2060b`},
		{"a byte order mark", "\ufeffa", `\ufeffa`},
		{"line breaks", "a\n\r\u0085\u2028\u2029b", `a\u000a\u000d\u0085\u2028\u2029b`},
		{"a space that does not break", "a\u00a0b", `a\u00a0b`},
		{"a tag beyond the first plane", "a\U000E0041", `a\udb40\udc41`},
		{"an escape sequence of a terminal", "\x1b[31m", `\u001b[31m`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := odata.Visible(test.text); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestALineOfJSONKeepsItsMeaningWhenItIsMadeVisible(t *testing.T) {
	for _, text := range []string{
		`{"target":"/v1.0/users"}` + "\n", "{\"a\":\"\u202e\U000E0041\u200bé\u00a0\"}\n", "[\"\u2066\", \"日本\"]\n\n",
		"{\"\u061c\": 1}",
	} {
		visible := odata.VisibleJSON([]byte(text))
		if line := strings.TrimRight(string(visible), "\n"); odata.Visible(line) != line {
			t.Errorf("%q is not all visible", line)
		}
		var before, after any
		if err := json.Unmarshal([]byte(text), &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(visible, &after); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	plain := []byte("{}\n")
	if n := testing.AllocsPerRun(10, func() { odata.VisibleJSON(plain) }); n != 0 {
		t.Errorf("a plain line costs %v allocations", n)
	}
}
