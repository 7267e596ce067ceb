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

// Buckets give requests room under limits: those of this process, or those that replicas share. Both methods must be safe for
// concurrent use.
type Buckets interface {
	// Take takes from every charged bucket or from none; then the refusal says from which one it could not. g is filled. An error
	// means that nobody can tell whether there is room.
	Take(ctx context.Context, charges []limit.Charge, g *limit.Grant) (*limit.Refusal, error)
	// Adjust corrects what was taken for a request that cost this many resource units.
	Adjust(charges []limit.Charge, cost int)
	// Return gives back what was taken for a request that is refused after all. Slots are the grant's.
	Return(charges []limit.Charge)
}

// own are the buckets of this process.
type own struct{ *limit.Limiter }

func (o own) Take(_ context.Context, charges []limit.Charge, g *limit.Grant) (*limit.Refusal, error) {
	return o.Limiter.Take(time.Now(), charges, g), nil
}

func (o own) Adjust(charges []limit.Charge, cost int) { o.Limiter.Adjust(time.Now(), charges, cost) }

func (o own) Return(charges []limit.Charge) { o.Limiter.Return(time.Now(), charges) }

// leave is what lets one request go on to Graph: the policy's decision with the app that it names, room under every limit, and
// whether Graph has to be left alone. The zero leave lets nothing go. It must not be copied once it was given.
type leave struct {
	decision policy.Decision
	app      *App
	charges  []limit.Charge
	slots    limit.Grant
	scope    throttle.Scope
	probe    *throttle.Probe // nil for most: it alone goes where all others are held back
	delay    time.Duration   // to wait first, because Graph's limit is near
	check    func() error    // what an allowed request has to pass before it takes anything; nil: nothing

	few [4]limit.Charge // what charges usually fits into
}

// end gives back what a request does not need any more. It may be called more than once.
func (l *leave) end() {
	l.slots.Release()
	l.probe.Lost()
}

// admit asks Graph's limits, as far as they are known, and then ours. If it returns an error nothing is held.
func (h *Handler) admit(ctx context.Context, x *exchange, rec *Record, request policy.Request, l *leave) error {
	l.scope = throttle.ScopeOf(rec.App, l.app.Tenant, request.Method, request.Target)
	if err := h.ask(rec, l); err != nil {
		return err
	}
	if l.charges = x.rules.policy.Charges(l.few[:0], request, l.decision); len(l.charges) == 0 {
		return nil
	}
	if err := h.take(ctx, x, rec, l); err != nil {
		l.end()
		return err
	}
	if l.probe != nil {
		return nil
	}
	return h.askAgain(rec, l) // taking may have taken its time
}

// askAgain is ask for a request that has room. If Graph wants to be left alone by now, what was taken is given back: a refused request
// takes from no bucket.
func (h *Handler) askAgain(rec *Record, l *leave) error {
	err := h.ask(rec, l)
	if err != nil {
		h.buckets.Return(l.charges)
		l.end()
	}
	return err
}

// ask asks whether Graph wants to be left alone.
func (h *Handler) ask(rec *Record, l *leave) error {
	v := h.throttle.Ask(time.Now(), l.scope)
	if v.Wait > 0 {
		rec.Decision = decisionLimit
		return held(v.Wait)
	}
	l.probe, l.delay = v.Probe, v.Delay
	return nil
}

// take takes from the buckets.
func (h *Handler) take(ctx context.Context, x *exchange, rec *Record, l *leave) error {
	refusal, err := h.queue.TakeUnless(ctx, rec.Caller, l.charges, &l.slots, func() bool { return h.wait(x) })
	switch noPlace := h.resume(x); {
	case noPlace != nil && err == nil && refusal == nil:
		h.buckets.Return(l.charges)
		return noPlace
	case err != nil && ctx.Err() != nil:
		return errCallerGone
	case err != nil:
		return &Error{Status: http.StatusServiceUnavailable, Code: codeUnavailable, Inner: "limitsUnavailable", Message: "graphproxy cannot tell now whether there is room for this request; try again", Err: err, RetryAfter: time.Second}
	case refusal != nil:
		rec.Decision = decisionLimit
		return limited(refusal)
	}
	return nil
}

// limited is the answer to a request for which a limit of ours has no room.
func limited(r *limit.Refusal) *Error {
	message := fmt.Sprintf("the limit %q has no room for this request now; try again after %d s", r.Limit.Name, wholeSeconds(r.RetryAfter))
	e := &Error{Status: http.StatusTooManyRequests, Code: codeLimited, Inner: "limitExceeded", Message: message, RetryAfter: r.RetryAfter}
	e.quota = &quota{limit: r.Limit.Burst, remaining: r.Remaining}
	if r.Concurrency {
		e.quota = &quota{limit: r.Limit.Concurrency}
	}
	return e
}

// held is the answer to a request that is not sent because Graph said so to one before.
func held(wait time.Duration) *Error {
	message := fmt.Sprintf("Microsoft Graph is throttling requests of this kind, so this one was not sent; try again after %d s", wholeSeconds(wait))
	return &Error{Status: http.StatusTooManyRequests, Code: codeLimited, Inner: "graphThrottled", Message: message, RetryAfter: wait}
}

// quota is what RateLimit-* say of the bucket that refused.
type quota struct{ limit, remaining int }

// header gives the fields with the names that SharePoint has for them, those of draft-ietf-httpapi-ratelimit-headers-03.
func (q *quota) header(reset time.Duration, set func(name, value string)) {
	set("RateLimit-Limit", strconv.Itoa(q.limit))
	set("RateLimit-Remaining", strconv.Itoa(q.remaining))
	set("RateLimit-Reset", strconv.Itoa(wholeSeconds(reset)))
}

// priority is what the policy wants Graph to be told of a request's importance; "" for services that do not ask for it, of which
// some refuse headers that they do not know.
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

// slowDown waits a little if Graph's limit is near, and asks again: a hold may have begun meanwhile.
func (h *Handler) slowDown(ctx context.Context, rec *Record, l *leave) error {
	if l.delay <= 0 {
		return nil
	}
	if err := pause(ctx, l.delay); err != nil {
		return err
	}
	return h.askAgain(rec, l)
}

// pause waits, as long as somebody waits for the answer.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errCallerGone
	}
}

// seen takes in what an answer of Graph's says of its limits.
func (h *Handler) seen(l *leave, status int, header http.Header) {
	h.throttle.Seen(time.Now(), l.scope, l.probe, status, header)
	if units := header.Get("X-Ms-Resource-Unit"); units != "" && len(l.charges) > 0 {
		if cost, err := strconv.Atoi(units); err == nil {
			h.buckets.Adjust(l.charges, cost)
		}
	}
}
