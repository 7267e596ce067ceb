package match_test

import (
	"testing"

	"pgregory.net/rapid"

	"graphproxy/policy/match"
)

// Few edges and many find what a map finds, also for texts whose lengths differ by 64.
func TestEdgesFindWhatAMapFinds(t *testing.T) {
	text := rapid.StringOfN(rapid.SampledFrom([]rune("ab")), 0, 70, 70)
	rapid.Check(t, func(r *rapid.T) {
		texts := rapid.SliceOfN(text, 0, 20).Draw(r, "texts")
		edges, all := match.NewEdges(texts), make(map[string]int)
		for i, s := range texts {
			all[s] = i
		}
		if n := edges.Len(); n != len(all) {
			r.Errorf("%d edges, want %d", n, len(all))
		}
		for _, s := range append(texts, rapid.SliceOfN(text, 0, 20).Draw(r, "others")...) {
			i, found := edges.Find(s)
			if want, has := all[s]; found != has || i != want {
				r.Errorf("%q: %d, %v, want %d, %v", s, i, found, want, has)
			}
		}
	})
}
