package redislimit_test

import (
	"testing"
	"time"

	"graphproxy/policy/limit"
	"graphproxy/proxy/redislimit"
)

func TestWhatIsReturnedCanBeTakenAgain(t *testing.T) {
	s := startRedis(t)
	r := running(t, s.url(), redislimit.Options{})
	charges := []limit.Charge{
		{Limit: &limit.Limit{Name: "rate", Rate: 0.001, Burst: 3}},
		{Limit: &limit.Limit{Name: "units", Rate: 0.001, Burst: 9, Unit: limit.ResourceUnits}, Cost: 3},
	}
	for range 3 {
		if refusal, _ := r.take(t, charges...); refusal != nil {
			t.Fatalf("%+v", refusal)
		}
	}
	if refusal, _ := r.take(t, charges...); refusal == nil {
		t.Fatal("a fourth was granted")
	}
	r.Return(charges)
	end := time.Now().Add(patience)
	for { // it is sent with the next beat
		refusal, _ := r.take(t, charges...)
		if refusal == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%+v: what was returned cannot be taken", refusal)
		}
	}
	if refusal, _ := r.take(t, charges...); refusal == nil {
		t.Error("more was returned than was taken")
	}
}
