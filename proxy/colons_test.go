package proxy_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Paths in colons, and casts, get the same decisions in items of batches.
func TestPathsInColonsHaveTheirDecisionsInBatches(t *testing.T) {
	file := readFile(t, "testdata/bypass/policy.yaml")
	policy := readRules(t, file)
	r := newRig(t, file)
	type sender struct{ version, header string }
	byWho := map[sender][]entry{}
	for _, e := range readCorpus(t)["colons.txt"] {
		who := sender{e.version(), strings.Join(e.headers, "\r\n")}
		byWho[who] = append(byWho[who], e)
	}
	for who, entries := range byWho {
		for chunk := range slices.Chunk(entries, 20) {
			t.Run(chunk[0].at, func(t *testing.T) {
				b := entry{method: "POST", target: who.version + "/$batch", expect: "batch"}
				if who.header != "" {
					b.headers = []string{who.header}
				}
				b.body, b.items = batchOf(t, chunk)
				r.check(t, b, policy)
			})
		}
	}
}

// batchOf makes a batch of entries, and returns the expected results of its items.
func batchOf(t *testing.T, entries []entry) (body, expect string) {
	t.Helper()
	var items []map[string]any
	for i, e := range entries {
		item := map[string]any{"id": fmt.Sprint(i), "method": e.method, "url": e.target[len(e.version()):]}
		if e.method == "POST" {
			item["headers"], item["body"] = map[string]string{"Content-Type": "application/json"}, map[string]any{}
		}
		items = append(items, item)
		expect += fmt.Sprintf(" %d=%s", i, e.expect)
	}
	text, err := json.Marshal(map[string]any{"requests": items})
	must(t, err)
	return string(text), expect
}
