package proxy_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"graphproxy/policy/graph/odata"
	"graphproxy/proxy"
)

func TestCutCountsWhatIsWritten(t *testing.T) {
	for _, s := range []string{
		strings.Repeat("a", 2000), strings.Repeat("\u00ad", 2000), strings.Repeat("\U000e0041", 2000),
		strings.Repeat(`"`, 2000),
		strings.Repeat("\n", 2000), strings.Repeat("\x01", 2000), strings.Repeat("\xff", 2000), strings.Repeat("日", 2000),
		strings.Repeat("\u2028<&>", 500),
	} {
		for _, most := range []int{3, 4, 40, 200, 512} {
			got, cut := proxy.Cut(s, most)
			if n := written(t, got); n > most || n < most-12 || !cut || !strings.HasSuffix(got, "…") {
				t.Errorf("%+.10q cut at %d is written with %d bytes, cut %t", s, most, n, cut)
			}
		}
	}
	for _, s := range []string{"", "a", strings.Repeat("a", 40), strings.Repeat("\u00ad", 6) + "abcd",
		strings.Repeat(`"`, 20)} {
		if got, cut := proxy.Cut(s, 40); got != s || cut {
			t.Errorf("%q fits and becomes %q", s, got)
		}
	}
}

// written returns how many bytes a text has in an audit line, between its quotes.
func written(t *testing.T, s string) int {
	t.Helper()
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	must(t, e.Encode(s))
	return len(odata.VisibleJSON(line.Bytes())) - len("\"\"\n")
}
