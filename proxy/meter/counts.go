package meter

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"graphproxy/policy"
)

// Counts are what a Meter has counted since it was made, for pages that people look at.
type Counts struct {
	Decisions map[string]uint64 // requests and items of batches, by decision
	Own       Spread            // graphproxy's own part of requests
	Graph     Spread            // answers of Graph, until their header
	Rules     []RuleCount       // in no order
}

// RuleCount is how many requests and items of batches of a caller a rule decided.
type RuleCount struct {
	Caller  string // "": not known
	Rule    *policy.Rule
	Decided uint64
}

// Spread is how long requests took.
type Spread struct {
	Count uint64
	Sum   float64  // seconds
	Steps []uint64 // how many took at most as long as the bound of this index; the rest took longer than all bounds
	Bound []float64
}

// Counts returns the present counts. It reads every counter, and takes no lock.
func (m *Meter) Counts() Counts {
	c := Counts{Decisions: map[string]uint64{}, Own: spreadOf(m.Durations.Own), Graph: spreadOf(m.Durations.Graph)}
	for _, d := range decisions {
		c.Decisions[d] = 0
	}
	for name, tally := range m.table.Load().callers {
		if rules := tally.rules.Load(); rules != nil {
			c.addCaller(name, *rules)
		}
	}
	return c
}

func (c *Counts) addCaller(name string, rules map[*policy.Rule]*cells) {
	seen := make(map[*cells]bool, len(rules)) // rules on one line share cells
	for rule, cells := range rules {
		sum := uint64(0)
		for m := range methods {
			for d := range decisions {
				for s := range classes {
					n := cells.requests[m][d][s].Load() + cells.items[m][d][s].Load()
					if sum += n; !seen[cells] && n > 0 {
						c.Decisions[decisions[d]] += n
					}
				}
			}
		}
		seen[cells] = true
		if rule != nil {
			c.Rules = append(c.Rules, RuleCount{name, rule, sum})
		}
	}
}

// spreadOf reads a histogram; the zero Spread stands for one that cannot be read.
func spreadOf(h prometheus.Histogram) Spread {
	var m dto.Metric
	if h.Write(&m) != nil || m.GetHistogram() == nil {
		return Spread{}
	}
	s := Spread{Count: m.GetHistogram().GetSampleCount(), Sum: m.GetHistogram().GetSampleSum()}
	for _, b := range m.GetHistogram().GetBucket() {
		s.Steps, s.Bound = append(s.Steps, b.GetCumulativeCount()), append(s.Bound, b.GetUpperBound())
	}
	return s
}
