package server

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"graphproxy/proxy"
	"graphproxy/proxy/redislimit"
	"graphproxy/proxy/throttle"
)

// limits are the buckets that replicas share, if they do, and the memory of Graph's own limits.
type limits struct {
	redis    *redislimit.Buckets // nil: each replica counts for itself
	throttle *throttle.Memory
}

// openLimits opens no connection.
func openLimits(p Parts, r prometheus.Registerer) (l limits, err error) {
	o := throttle.Options{Log: p.Log}
	if p.Redis.IsSet() {
		o.OnHold = func(s throttle.Scope, until time.Time) { l.redis.Hold(s.Key(), until) }
	}
	l.throttle = throttle.New(o)
	if !p.Redis.IsSet() {
		return l, nil
	}
	memory := l.throttle
	l.redis, err = redislimit.Open(p.Redis, redislimit.Options{
		Deny:     p.RedisDeny,
		Timeout:  p.RedisWait,
		Replicas: p.Replicas,
		Now:      time.Now,
		Log:      p.Log,
		Metrics:  r,
		Holds: func(key string, until time.Time) {
			if s, err := throttle.ParseScope(key); err == nil { // otherwise it is from a replica of another version
				memory.Adopt(time.Now(), s, until)
			}
		},
	})
	if err != nil {
		return limits{}, fmt.Errorf("GRAPHPROXY_REDIS_URL: %w", err)
	}
	return l, nil
}

// buckets returns nil for the buckets of this process.
func (l limits) buckets() proxy.Buckets {
	if l.redis == nil {
		return nil
	}
	return l.redis
}

// run keeps the shared buckets until ctx ends.
func (l limits) run(ctx context.Context) {
	if l.redis != nil {
		l.redis.Run(ctx)
	}
}

// redisState is the state of shared limits in /readyz.
type redisState struct {
	Shared   bool      `json:"shared"` // else each replica enforces its share by itself, or refuses
	Since    time.Time `json:"since"`
	Replicas int       `json:"replicas"`
	Error    string    `json:"error,omitempty"`
}

func redisStateOf(b *redislimit.Buckets) *redisState {
	if b == nil {
		return nil
	}
	s := b.State()
	state := &redisState{Shared: s.Shared, Since: s.Since.UTC(), Replicas: s.Replicas}
	if s.Err != nil {
		state.Error = s.Err.Error()
	}
	return state
}
