package redislimit

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	up, replicas prometheus.Gauge
	failures     prometheus.Counter
	restored     prometheus.Counter
	roundTrip    prometheus.Histogram
}

func newMetrics(to prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		up: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "graphproxy_redis_up",
			Help: "1 while limits are shared through Redis, 0 while this replica is by itself.",
		}),
		replicas: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "graphproxy_redis_replicas",
			Help: "Replicas that Redis counted in the last seconds, this one included.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "graphproxy_redis_failures_total",
			Help: "Commands to Redis that got no answer in time, or an error.",
		}),
		restored: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "graphproxy_redis_buckets_restored_total",
			Help: "Buckets that Redis had lost (restart, FLUSHALL, eviction, failover) and that began with the level that " +
				"this replica knew.",
		}),
		roundTrip: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "graphproxy_redis_round_trip_seconds", Help: "How long requests waited for Redis.",
			Buckets: []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25},
		}),
	}
	if to == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.up, m.replicas, m.failures, m.restored, m.roundTrip} {
		if err := to.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
