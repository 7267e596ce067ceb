package policy_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"graphproxy/policy"
)

// company returns a main file with bounds, a list and shared rules, and 200 files of teams with 10 callers of 10 rules
// each.
func company() policy.Files {
	files := policy.Files{All: []policy.File{{Name: "policy.yaml", Data: []byte("version: 1\ninclude: [teams/*.yaml]\n" +
		"bounds:\n  teams/*.yaml:\n    callers: [\"team-*\"]\n    allow: [ANY /users/**, READ /groups/**]\n" +
		"lists: {vips: [ceo@contoso.com, 0f8fad5b-d9cb-469f-a165-70867728950e]}\n" +
		"rules:\n  people: [GET /users]\ndeny: [DELETE /users/ceo@contoso.com]\n")}}}
	for team := range 200 {
		var b strings.Builder
		b.WriteString("version: 1\ncallers:\n")
		for n := range 10 {
			fmt.Fprintf(&b, "  team-%d-%d:\n    identity: [{network: 10.%d.%d.0/24}]\n    allow:\n      - include: people\n",
				team, n,
				team, n)
			for i := range 9 {
				fmt.Fprintf(&b, "      - GET /users/{id}/mailFolders/folder%d/messages/**:\n          where: {id: {not_list: "+
					"vips}}\n", i)
			}
		}
		files.All = append(files.All, policy.File{Name: fmt.Sprintf("teams/%03d.yaml", team), Data: []byte(b.String())})
	}
	return files
}

// The cost of 200 files, 2,000 callers and 20,000 rules. docs/performance.md has the figures.
func BenchmarkManyFiles(b *testing.B) {
	files := company()
	b.Run("load", func(b *testing.B) {
		b.ReportAllocs()
		var before, after runtime.MemStats
		for b.Loop() {
			runtime.GC()
			runtime.ReadMemStats(&before)
			p, err := policy.ParseFiles(time.Time{}, files)
			if err != nil {
				b.Fatal(err)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB-held")
			runtime.KeepAlive(p)
		}
	})
	p, err := policy.ParseFiles(time.Time{}, files)
	if err != nil {
		b.Fatal(err)
	}
	r, err := policy.ParseRequest("team-150-7", "GET /users/adele@contoso.com/mailFolders/folder8/messages/1")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("decide", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !p.Decide(r).Allow {
				b.Fatal("denied")
			}
		}
	})
}
