package policy_test

import (
	"testing"
	"time"

	"graphproxy/policy"
)

// mostGrowth is how many times as long a decision may take among all operations of Graph as among ten rules.
const mostGrowth = 1.5

// The quickest of many short rounds is compared, because other programs only ever make a round longer. The rounds of
// both alternate.
func TestADecisionAmongAllOperationsTakesNoLongerThanAmongTen(t *testing.T) {
	rules := graphOperations(t)
	few, many := withRules(t, rules, 10), withRules(t, rules, len(rules))
	r := request(t, "app", typical)
	quickest := map[*policy.Policy]time.Duration{few: time.Hour, many: time.Hour}
	ratio := func() float64 { return float64(quickest[many]) / float64(quickest[few]) }
	for round := 0; round < 50 || round < 2000 && ratio() > mostGrowth; round++ {
		for _, p := range []*policy.Policy{few, many} {
			start := time.Now()
			for range 200 {
				p.Decide(r)
			}
			quickest[p] = min(quickest[p], time.Since(start))
		}
	}
	t.Logf("%.2f times: %v and %v for 200 decisions, %d and 10 rules", ratio(), quickest[many], quickest[few], len(rules))
	if ratio() > mostGrowth {
		t.Errorf("%.2f times as long among %d rules as among 10, want at most %v", ratio(), len(rules), mostGrowth)
	}
}
