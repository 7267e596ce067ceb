package proxy

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/graph/service"
	"graphproxy/policy/limit"
	"graphproxy/proxy/throttle"
)

// Buckets are the limits of a policy: those of this process, or those that replicas share. All methods must be safe
// for concurrent use.
type Buckets interface {
	// Take takes from every charged bucket or from none. The refusal names the bucket that had too little. It fills
	// g. An error means that it is unknown whether the limits allow the request.
	Take(ctx context.Context, charges []limit.Charge, g *limit.Grant) (*limit.Refusal, error)
	// Adjust corrects what was taken for a request that cost this many resource units.
	Adjust(charges []limit.Charge, cost int)
	// Return gives back what was taken for a request that is refused after all. It leaves slots to the grant.
	Return(charges []limit.Charge)
}

// measured are Buckets that can report their free capacity, for the metrics.
type measured interface {
	// Fill returns the free capacity of limits, by name, from 0 (none) to 1 (all); of several buckets, the least. A
	// limit that is left out has all of it.
	Fill() map[string]float64
}

// localBuckets are the buckets of this process.
type localBuckets struct{ *limit.Limiter }

func (b localBuckets) Take(_ context.Context, charges []limit.Charge, g *limit.Grant) (*limit.Refusal, error) {
	return b.Limiter.Take(time.Now(), charges, g), nil
}

func (b localBuckets) Adjust(charges []limit.Charge, cost int) {
	b.Limiter.Adjust(time.Now(), charges, cost)
}

func (b localBuckets) Return(charges []limit.Charge) { b.Limiter.Return(time.Now(), charges) }

func (b localBuckets) Fill() map[string]float64 { return b.Limiter.Fill(time.Now()) }

// admission is what a request needs to go on to Graph: the policy's decision with its app, what the limits granted,
// and the state of Graph's own limits. The zero admission allows nothing. It must not be copied after decide.
type admission struct {
	request  policy.Request // with its references
	decision policy.Decision
	app      *App
	charges  []limit.Charge
	refusal  *limit.Refusal // by one of the charges; nil: none refuses
	slots    limit.Grant
	scope    throttle.Scope
	probe    *throttle.Probe // the one request that is sent while its scope is throttled; nil for most
	delay    time.Duration   // how long to wait first, because Graph's limit is near

	few [4]limit.Charge // storage for the usual number of charges
}

// end gives back the slots and the probe. It may be called more than once.
func (a *admission) end() {
	a.slots.Release()
	a.probe.Lost()
}

// admit takes a decided request through the limits, and waits if necessary. If it returns an error, the request has
// taken nothing.
func (h *Handler) admit(x *exchange) error {
	defer x.traced.step("wait").end()
	a := &x.admission
	if err := h.reserve(x, x.rec, a); err != nil {
		return err
	}
	if err := h.slowDown(x); err != nil {
		x.finish()
		return err
	}
	return nil
}

// reserve checks Graph's limits, as far as they are known, and then takes from ours. If it returns an error, the
// request has taken nothing.
func (h *Handler) reserve(x *exchange, rec *Record, a *admission) error {
	a.scope = throttle.ScopeOf(rec.App, a.app.Tenant, a.request.Method, a.request.Target)
	if err := h.checkThrottle(rec, a); err != nil {
		return err
	}
	a.charges = x.authorization.policy.Charges(a.few[:0], a.request, a.decision)
	if len(a.charges) == 0 {
		return nil
	}
	if err := h.take(x, rec, a); err != nil {
		a.end()
		return err
	}
	if a.probe != nil || h.tookAtOnce(x) {
		return nil
	}
	return h.recheckThrottle(rec, a)
}

// tookAtOnce reports whether no time has passed in take: nothing was waited for, neither capacity nor another server.
func (h *Handler) tookAtOnce(x *exchange) bool {
	_, local := h.buckets.(localBuckets)
	return local && x.spent.queued.IsZero()
}

// recheckThrottle is checkThrottle for a request that has taken from its buckets. If Graph has begun to throttle
// since, it gives everything back: a refused request takes from no bucket.
func (h *Handler) recheckThrottle(rec *Record, a *admission) error {
	err := h.checkThrottle(rec, a)
	if err != nil {
		h.buckets.Return(a.charges)
		a.end()
	}
	return err
}

// checkThrottle refuses a request while Graph throttles its scope.
func (h *Handler) checkThrottle(rec *Record, a *admission) error {
	v := h.throttle.Check(time.Now(), a.scope)
	if v.Wait > 0 {
		rec.Decision = decisionLimit
		return throttled(v.Wait)
	}
	a.probe, a.delay = v.Probe, v.Delay
	return nil
}

// take takes from the buckets, and waits for them where the policy has wait:. A request that waits gives up its
// place for that time.
func (h *Handler) take(x *exchange, rec *Record, a *admission) error {
	ctx := x.request.Context()
	x.spent.queued = time.Time{}
	if x.mayWait == nil {
		x.mayWait = func() bool { x.spent.queued = time.Now(); return h.wait(x) }
	}
	refusal, err := h.queue.TakeUnless(ctx, rec.Caller, a.charges, &a.slots, x.mayWait)
	if !x.spent.queued.IsZero() {
		since(&x.spent.waiting, x.spent.queued)
	}
	switch noPlace := h.resume(x); {
	case noPlace != nil && err == nil && refusal == nil:
		h.buckets.Return(a.charges)
		return noPlace
	case err != nil && ctx.Err() != nil:
		return errCallerGone
	case err != nil:
		return &Error{
			Status:     http.StatusServiceUnavailable,
			Code:       codeUnavailable,
			Inner:      "limitsUnavailable",
			Message:    "graphproxy does not know now whether the limits allow this request; try again",
			Err:        err,
			RetryAfter: time.Second,
		}
	case refusal != nil:
		rec.Decision, a.refusal = decisionLimit, refusal
		h.meter.Refused(refusal)
		return limited(refusal)
	}
	h.meter.Allowed(a.charges)
	return nil
}

// limitExceeded is the reason where a limit of the policy refuses.
const limitExceeded = "limitExceeded"

// limited is the answer to a request that a limit of ours refuses.
func limited(r *limit.Refusal) *Error {
	e := &Error{
		Status: http.StatusTooManyRequests,
		Code:   codeLimited,
		Inner:  limitExceeded,
		Message: fmt.Sprintf("the limit %q is used up for now; try again after %d s",
			r.Limit.Name, wholeSeconds(r.RetryAfter)),
		RetryAfter: r.RetryAfter,
	}
	e.quota = &quota{limit: r.Limit.Burst, remaining: r.Remaining}
	if r.Concurrency {
		e.quota = &quota{limit: r.Limit.Concurrency}
	}
	return e
}

// throttled is the answer to a request that is not sent because Graph throttles its scope.
func throttled(wait time.Duration) *Error {
	return &Error{
		Status: http.StatusTooManyRequests,
		Code:   codeLimited,
		Inner:  "graphThrottled",
		Message: fmt.Sprintf("Microsoft Graph is throttling requests of this kind, so this one was not sent; try again "+
			"after %d s",
			wholeSeconds(wait)),
		RetryAfter: wait,
	}
}

// quota is the content of the RateLimit-* headers: of the bucket that refused.
type quota struct{ limit, remaining int }

// header sets the fields with the names that SharePoint has for them, those of draft-ietf-httpapi-ratelimit-headers-03.
func (q *quota) header(reset time.Duration, set func(name, value string)) {
	set("RateLimit-Limit", strconv.Itoa(q.limit))
	set("RateLimit-Remaining", strconv.Itoa(q.remaining))
	set("RateLimit-Reset", strconv.Itoa(wholeSeconds(reset)))
}

// priority returns the value of x-ms-throttle-priority that the policy sets for a request; "" for services that do
// not support it, because some services refuse unknown headers.
// https://learn.microsoft.com/graph/throttling-limits#identity-and-access-service-limits
func priority(d policy.Decision, t *odata.Target) string {
	if d.Priority == "" {
		return ""
	}
	if s, _ := service.Of(t.Segments); s != service.Directory {
		return ""
	}
	return d.Priority
}

// slowDown waits a little if Graph's limit is near, and checks again, because Graph may have begun to throttle.
func (h *Handler) slowDown(x *exchange) error {
	a := &x.admission
	if a.delay <= 0 {
		return nil
	}
	if err := x.pause(a.delay); err != nil {
		return err
	}
	return h.recheckThrottle(x.rec, a)
}

// pause waits for d. It returns earlier, with an error, if the caller leaves.
func (x *exchange) pause(d time.Duration) error {
	defer since(&x.spent.waiting, time.Now())
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-x.request.Context().Done():
		return errCallerGone
	}
}

// noteLimits records what an answer of Graph reports about its limits, and charges the real cost of the request.
func (h *Handler) noteLimits(a *admission, status int, header http.Header) {
	h.throttle.Seen(time.Now(), a.scope, a.probe, status, header)
	if units := header.Get("X-Ms-Resource-Unit"); units != "" && len(a.charges) > 0 {
		if n, err := strconv.Atoi(units); err == nil {
			h.buckets.Adjust(a.charges, n)
		}
	}
}
