package proxy_test

import (
	"strings"
	"testing"
)

// Each request of the corpus gets the same decision as an item of a batch. An item may have no body on GET, so only
// the requests without one are tried, in batches of twenty.
func TestTheBypassCorpusHasTheSameDecisionsInABatch(t *testing.T) {
	t.Parallel()
	file := readFile(t, "testdata/bypass/policy.yaml")
	policy := readRules(t, file)
	r := newRig(t, file)
	corpus := readCorpus(t)
	decisions := map[string]string{"allow": "allow", "deny": "deny", "400": "refuse"}
	for _, name := range []string{"names.txt", "drive.txt", "keys.txt"} {
		var entries []entry
		var items []batchItem
		send := func() {
			if len(items) == 0 {
				return
			}
			arrived, records := r.sendBatch(t, items)
			for i, item := range items {
				e := entries[i]
				// A batch refuses a few addresses of its own.
				if got := records[item.ID].Decision; got != decisions[e.expect] && !(e.expect == "deny" && got == "refuse") {
					t.Errorf("%s: %s: the item's decision is %s", e.at, e, got)
				}
				if problem := differs(policy, e.method, e.target, arrived[item.ID], records[item.ID]); problem != "" {
					t.Errorf("%s: %s: %s", e.at, e, problem)
				}
			}
			entries, items = nil, nil
		}
		for _, e := range corpus[name] {
			target, ofV1 := strings.CutPrefix(e.target, "/v1.0")
			if decisions[e.expect] == "" || !ofV1 || e.method != "GET" || len(e.headers) > 0 || e.body != "" ||
				strings.ContainsAny(target, "#<\\") {
				continue
			}
			entries, items = append(entries, e), append(items, newBatchItem(len(items)+1, e.method, target))
			if len(items) == 20 {
				send()
			}
		}
		send()
	}
}
