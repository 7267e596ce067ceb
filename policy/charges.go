package policy

import (
	"cmp"
	"slices"
	"strings"

	"graphproxy/policy/graph/service"
	"graphproxy/policy/limit"
	"graphproxy/policy/match"
)

// commonLimit is an entry of limits: a limit that may cover more than one caller.
type commonLimit struct {
	limit  *limit.Limit
	per    []string
	own    string // the file whose callers it covers; "": any
	covers bool   // covers only the requests of its covers; else every request
}

// isFor reports whether the limit may cover a caller.
func (c *commonLimit) isFor(b *ruleBook) bool { return c.own == "" || c.own == b.file }

// cover is an item of covers.
type cover struct {
	rule    *Rule
	limit   int  // index in Policy.limits
	located bool // its template has every variable that per names
}

// The values of per that are not variables.
const (
	perCaller = "caller"
	perApp    = "app"
	perTenant = "tenant"
)

func isVariable(per string) bool { return per != perCaller && per != perApp && per != perTenant }

// Charges appends a charge for every bucket that covers an allowed request: the caller's limit, the limit of
// the rule that decided, and the common limits in file order. Their covers match all spellings that may be the
// same resource, as deny rules do, so that no spelling escapes a limit. A request that is not allowed charges
// nothing. A $batch charges nothing, because each of its items is counted.
//
// The key of a bucket is "" or made of names and values in lower case, "app=default&id=adele@contoso.com",
// where the app is d.App, and the tenant d.Tenant or "default". It may name a person.
//
// A charge on a limit in resource units has the cost that Graph publishes for the request, see package service.
func (p *Policy) Charges(dst []limit.Charge, r Request, d Decision) []limit.Charge {
	book := p.rules[r.Caller]
	if book == nil || r.Target == nil || !d.Allow || r.Target.IsBatch() {
		return dst
	}
	if book.limit != nil {
		dst = append(dst, charge(book.limit, "", r))
	}
	if d.Rule != nil && d.Rule.limit != nil {
		dst = append(dst, charge(d.Rule.limit, r.Caller, r))
	}
	if len(p.limits) == 0 {
		return dst
	}
	var hits match.Hits
	p.covers.All(r.Target, MethodsOf(r.Method, r.Target), &hits)
	for i, c := range p.limits {
		if !c.isFor(book) {
			continue
		}
		if !c.covers {
			dst = append(dst, charge(c.limit, book.bucketKey(c.per, r, d, nil), r))
		} else if h := p.firstHit(&hits, i); h != nil {
			dst = append(dst, charge(c.limit, book.bucketKey(c.per, r, d, h), r))
		}
	}
	return dst
}

// EnvelopeCharges appends a charge on a slot of every limit of concurrency that is the caller's own: its limit,
// and each common limit that covers every request and has a bucket for each caller. A $batch takes these slots
// until its items have been read; the items then take slots of their own.
func (p *Policy) EnvelopeCharges(dst []limit.Charge, r Request) []limit.Charge {
	book := p.rules[r.Caller]
	if book == nil {
		return dst
	}
	if l := book.limit; l != nil && l.Concurrency > 0 {
		dst = append(dst, limit.Charge{Limit: l, Slot: true})
	}
	d := Decision{App: book.app, Tenant: book.tenant}
	for _, c := range p.limits {
		if c.isFor(book) && !c.covers && c.limit.Concurrency > 0 && slices.Contains(c.per, perCaller) {
			dst = append(dst, limit.Charge{Limit: c.limit, Key: book.bucketKey(c.per, r, d, nil), Slot: true})
		}
	}
	return dst
}

func charge(l *limit.Limit, key string, r Request) limit.Charge {
	c := limit.Charge{Limit: l, Key: key}
	if l.Unit == limit.ResourceUnits {
		c.Cost = service.Units(r.Method, r.Target)
	}
	return c
}

// firstHit returns the match of the limit whose item stands first in the file, or nil.
func (p *Policy) firstHit(hits *match.Hits, index int) *match.Hit {
	var first *match.Hit
	for i := range hits.Len() {
		h := hits.At(i)
		if c := p.coverOf[h.Index]; c.limit == index && c.located && (first == nil || h.Index < first.Index) {
			first = h
		}
	}
	return first
}

// bucketKey returns the key of a bucket for a request of the book's caller. The usual ones are not made again.
func (b *ruleBook) bucketKey(per []string, r Request, d Decision, h *match.Hit) string {
	switch {
	case len(per) == 0:
		return ""
	case len(per) == 1 && per[0] == perCaller:
		return b.key
	}
	return makeKey(per, r, d, h)
}

func makeKey(per []string, r Request, d Decision, h *match.Hit) string {
	var most [128]byte
	b := most[:0]
	for i, name := range per {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, name...)
		switch name {
		case perCaller:
			b = appendPlain(append(b, '='), r.Caller)
		case perApp:
			b = appendPlain(append(b, '='), d.App)
		case perTenant:
			b = appendPlain(append(b, '='), cmp.Or(d.Tenant, "default"))
		default:
			separator := byte('=')
			for _, value := range h.Values(r.Target, name) {
				b = appendPlain(append(b, separator), value)
				separator = ','
			}
		}
	}
	return string(b)
}

// appendPlain appends a value in lower case, and escapes the characters that separate values.
func appendPlain(b []byte, value string) []byte {
	lower := strings.ToLower(value)
	for i := range len(lower) {
		switch c := lower[i]; c {
		case '%', '&', '=', ',':
			const digits = "0123456789abcdef"
			b = append(b, '%', digits[c>>4], digits[c&15])
		default:
			b = append(b, c)
		}
	}
	return b
}
