package limit_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"graphproxy/policy/limit"
)

// model is an exact model of a bucket, and what has gone through it.
type model struct {
	rate, burst float64
	tokens      float64
	at, began   time.Time
	flows       []flow
	cost        float64 // what the granted requests really cost, as far as it is known
	forgiven    float64 // of it, what was above the bound of debt
}

// flow is what left a bucket at a time; a negative flow was given back.
type flow struct {
	at    time.Time
	units float64
}

func newModel(l *limit.Limit, now time.Time) *model {
	return &model{rate: l.Rate, burst: float64(l.Burst), tokens: float64(l.Burst), at: now, began: now}
}

func (m *model) advance(now time.Time) {
	m.tokens = min(m.burst, m.tokens+m.rate*now.Sub(m.at).Seconds())
	m.at = now
}

func (m *model) move(units float64) {
	before := m.tokens
	m.tokens = min(m.burst, m.tokens-units)
	m.flows = append(m.flows, flow{m.at, before - m.tokens})
}

func (m *model) adjust(more float64) {
	if more > 0 {
		room := max(0, m.burst+math.Floor(m.tokens+slack))
		m.forgiven += max(0, more-room)
		m.cost += more
		m.move(min(more, room))
		return
	}
	m.cost += more
	m.move(more)
}

// slack allows for the rounding of floats and nanoseconds.
const slack = 1e-4

// check checks at a grant that no period until now let through more than rate·t and the burst, in net units,
// and that since the beginning the real costs were not higher, either.
func (m *model) check(t *rapid.T) {
	net := 0.0
	for i := len(m.flows) - 1; i >= 0; i-- {
		net += m.flows[i].units
		if room := m.rate*m.at.Sub(m.flows[i].at).Seconds() + m.burst; net > room+slack {
			t.Fatalf("%v units in %v, more than %v", net, m.at.Sub(m.flows[i].at), room)
		}
	}
	if room := m.rate*m.at.Sub(m.began).Seconds() + m.burst; m.cost-m.forgiven > room+slack {
		t.Fatalf("requests cost %v units in %v, more than %v", m.cost-m.forgiven, m.at.Sub(m.began), room)
	}
}

type adjustable struct {
	charges []limit.Charge
	models  []*model
}

// TestUnitsKeepEveryLimit lets requests of random costs through, corrects many of them later, some long after
// and in another order, and compares every answer with a model.
func TestUnitsKeepEveryLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := limit.NewSize(2000)
		pool := rapid.SliceOfNDistinct(unitLimits(), 1, 4, func(l *limit.Limit) string { return l.Name }).Draw(t, "limits")
		models := make(map[*limit.Limit]*model)
		for _, lim := range pool {
			models[lim] = newModel(lim, start)
		}
		var flight []adjustable
		now := start
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 2e9).Draw(t, "passed")))
			for _, m := range models {
				m.advance(now)
			}
			if len(flight) > 0 && rapid.Bool().Draw(t, "adjust") {
				flight = adjustOne(t, l, now, flight)
				continue
			}
			var charges []limit.Charge
			for _, lim := range pool[:rapid.IntRange(1, len(pool)).Draw(t, "charges")] {
				charges = append(charges, limit.Charge{Limit: lim, Cost: rapid.IntRange(0, 12).Draw(t, "cost")})
			}
			if granted := takeUnits(t, l, now, charges, models); granted != nil {
				flight = append(flight, *granted)
			}
		}
	})
}

func unitLimits() *rapid.Generator[*limit.Limit] {
	return rapid.Custom(func(t *rapid.T) *limit.Limit {
		return &limit.Limit{
			Name:  rapid.StringMatching(`[a-d]`).Draw(t, "name"),
			Rate:  rapid.SampledFrom([]float64{0.1, 1.0 / 3, 1, 7, 350}).Draw(t, "rate"),
			Burst: rapid.IntRange(1, 20).Draw(t, "burst"),
			Unit:  limit.ResourceUnits,
		}
	})
}

func adjustOne(t *rapid.T, l *limit.Limiter, now time.Time, flight []adjustable) []adjustable {
	i := rapid.IntRange(0, len(flight)-1).Draw(t, "which")
	really := rapid.IntRange(0, 40).Draw(t, "really")
	l.Adjust(now, flight[i].charges, really)
	for j, c := range flight[i].charges {
		flight[i].models[j].adjust(float64(really - tokens(c)))
	}
	return append(flight[:i], flight[i+1:]...)
}

func tokens(c limit.Charge) int { return max(1, min(c.Cost, c.Limit.Burst)) }

func takeUnits(t *rapid.T, l *limit.Limiter, now time.Time, charges []limit.Charge,
	models map[*limit.Limit]*model) *adjustable {
	missing := -math.MaxFloat64
	for _, c := range charges {
		missing = max(missing, float64(tokens(c))-models[c.Limit].tokens)
	}
	var g limit.Grant
	r := l.Take(now, charges, &g)
	switch {
	case r != nil && missing < -slack:
		t.Fatalf("refused with %+v when all had room", r)
	case r == nil && missing > slack:
		t.Fatalf("granted when %v units were missing", missing)
	case r != nil:
		if m := models[r.Limit]; math.Abs(float64(r.Remaining)-max(0, math.Floor(m.tokens))) > 1 || r.Remaining < 0 {
			t.Fatalf("%d remaining of %v", r.Remaining, m.tokens)
		}
		return nil
	}
	granted := &adjustable{charges: charges}
	for _, c := range charges {
		m := models[c.Limit]
		m.move(float64(tokens(c)))
		m.cost += float64(tokens(c))
		m.check(t)
		granted.models = append(granted.models, m)
	}
	return granted
}
