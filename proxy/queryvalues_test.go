package proxy_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// escape is an escape of a character with the same meaning without it, or one that some clients escape and some do
// not. All other escapes must arrive as they were sent.
var escape = regexp.MustCompile(`%([46][1-9A-Fa-f]|[57][0-9Aa]|3[0-9]|2[Dd]|2[Ee]|5[Ff]|7[Ee]|2[17-9AaCc]|40)`)

// plainly writes a query value as it may arrive, in one spelling: without the escapes that may change.
func plainly(value string) string {
	return escape.ReplaceAllStringFunc(value, func(e string) string {
		var c byte
		fmt.Sscanf(e[1:], "%02X", &c)
		return string([]byte{c})
	})
}

// valuesOf are the values of a query in order, and its names as Graph reads them.
func valuesOf(target string) (names, values []string) {
	_, query, _ := strings.Cut(target, "?")
	for pair := range strings.SplitSeq(query, "&") {
		if pair != "" {
			name, value, _ := strings.Cut(pair, "=")
			names, values = append(names, strings.ReplaceAll(name, "%24", "$")), append(values, value)
		}
	}
	return names, values
}

// A value of a query option arrives as it was sent, and its name with or without "$" as it was sent.
func TestTheValuesOfHonestQueriesArriveAsTheyWereSent(t *testing.T) {
	r := newRig(t, readFile(t, "testdata/honest/policy.yaml"))
	total := 0
	for _, e := range readHonest(t) {
		if names, values := valuesOf(e.target); len(values) > 0 && !strings.Contains(e.target, "?(") {
			total += len(values)
			t.Run(e.at, func(t *testing.T) { r.checkValues(t, e.method, e.target, e.bytes(), names, values) })
		}
	}
	if t.Logf("%d values", total); total < 150 {
		t.Errorf("the corpus has %d values of query options, want 150", total)
	}
}

func (r *rig) checkValues(t *testing.T, method, target, request string, names, values []string) {
	t.Helper()
	r.graph.Reset()
	a := r.raw(t, request)
	got := r.graph.Requests()
	if len(got) != 1 {
		t.Fatalf("%s %s is answered %d, %s; Graph received %d requests", method, target, a.status, a.body, len(got))
	}
	arrivedNames, arrived := valuesOf(got[0].Target)
	if !slices.Equal(arrivedNames, names) {
		t.Errorf("%s arrived with the options %q, want %q", target, arrivedNames, names)
	}
	if len(arrived) != len(values) {
		t.Fatalf("%s arrived as %s", target, got[0].Target)
	}
	for i := range values {
		if plainly(arrived[i]) != plainly(values[i]) {
			t.Errorf("%s: %s was sent as %s, and arrived as %s", target, names[i], values[i], arrived[i])
		}
	}
}

// The values of the honest corpus with other characters in them, escaped and not, arrive in the same way.
func TestAnyValueArrivesAsItWasSent(t *testing.T) {
	t.Parallel()
	r := newRig(t, everyone)
	pieces := []string{"%3B", "%26", "%23", "%24", "%3D", "%2F", "%3A", "%2B", "%25", "%2541", "%20", "%22", "%27", "%28",
		"%29", "%5B", "%7b", "%c3%a9", "%C3%A9", "%3f", "%40", "%21", "%2A", "%2c", "%41", "%7E", "%2d", ";", "$", "=", "/",
		":", "+", "'", "(", ")", "?", "@", "!", "*", ",", "\"", "[", "]", "{", "}", "|", "^", "`", "<", ">", "a", "Z", "0",
		"-", ".", "_", "~", "top", "Paged"}
	passed := 0
	rapid.Check(t, func(rt *rapid.T) {
		for range underRace(10, 2) {
			value := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 8).Draw(rt, "value"), "")
			target := "/v1.0/users?x=" + value
			r.graph.Reset()
			if a := r.raw(t, "GET "+target+" HTTP/1.1\r\nHost: graphproxy\r\n\r\n"); a.status == 400 {
				continue // an option within the value
			}
			if got := r.graph.Requests(); len(got) != 1 || plainly(got[0].Target) != plainly(target) {
				rt.Fatalf("%s arrived as %v", target, got)
			}
			passed++
		}
	})
	if t.Logf("%d values", passed); passed < underRace(500, 80) {
		t.Errorf("only %d values passed", passed)
	}
}
