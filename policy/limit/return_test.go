package limit_test

import (
	"testing"
	"time"

	"graphproxy/policy/limit"
)

func TestWhatIsReturnedCanBeTakenAgainAndNoMore(t *testing.T) {
	rate := &limit.Limit{Name: "rate", Rate: 0.001, Burst: 5}
	units := &limit.Limit{Name: "units", Rate: 0.001, Burst: 10, Unit: limit.ResourceUnits}
	slots := &limit.Limit{Name: "slots", Concurrency: 3}
	now := time.Unix(1000, 0)
	for _, tt := range []struct {
		name    string
		charges []limit.Charge
		returns int
		granted int // after 3 requests were granted and some were returned
	}{
		{"nothing", []limit.Charge{{Limit: rate}}, 0, 2},
		{"one", []limit.Charge{{Limit: rate}}, 1, 3},
		{"all", []limit.Charge{{Limit: rate}}, 3, 5},
		{"more than was taken", []limit.Charge{{Limit: rate}}, 9, 5},
		{"units, as many as were taken", []limit.Charge{{Limit: units, Cost: 3}}, 2, 2},
		{"of a bucket that is charged twice, once", []limit.Charge{{Limit: rate}, {Limit: rate}}, 1, 3},
		{"of several buckets", []limit.Charge{{Limit: rate}, {Limit: units, Cost: 2}}, 3, 5},
		{"of slots, which have no tokens", []limit.Charge{{Limit: slots}}, 3, 0},
		{"of no limit", []limit.Charge{{Limit: rate}, {Limit: &limit.Limit{Name: "unbounded"}}}, 1, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := limit.New()
			for range 3 {
				if r := l.Take(now, tt.charges, new(limit.Grant)); r != nil {
					t.Fatalf("%+v", r)
				}
			}
			for range tt.returns {
				l.Return(now, tt.charges)
			}
			granted := 0
			for l.Take(now, tt.charges, new(limit.Grant)) == nil {
				granted++
			}
			if granted != tt.granted {
				t.Errorf("%d granted, want %d", granted, tt.granted)
			}
		})
	}
	limit.New().Return(now, []limit.Charge{{}, {Limit: &limit.Limit{Rate: -1}}}) // what Take refuses
}
