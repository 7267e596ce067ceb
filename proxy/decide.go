package proxy

import (
	"fmt"
	"net/http"
	"strings"

	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
	"graphproxy/proxy/batch"
)

// decide asks the policy for a decision, and records it. If the request is allowed, a has the decision and its app.
// Item is nil for a request that is not a batch item. The body is read only if the policy allows the request, so a
// refused request costs no reading.
func (h *Handler) decide(x *exchange, rec *Record, request policy.Request, a *admission, item *batch.Item) error {
	if item == nil { // the items of a batch are decided in one step
		defer x.traced.step("decide").end()
	}
	request.References = x.referenceIn(request.Target)
	decision := x.authorization.policy.Decide(request)
	if _, err := h.app(decision, request.Target); err != nil {
		return err
	}
	if decision.ReadBody {
		if err := x.judgeBody(item, &request); err != nil {
			return err
		}
		if decision = x.authorization.policy.Decide(request); decision.Reason == policy.ReasonUnreadable {
			return unreadableBody(request.Body)
		}
	}
	if decision.Allow {
		bounded := decision.Rule.BoundsReferences()
		refs, err := x.references(item, request.Target, bounded)
		if err != nil {
			return err
		}
		if request.References = append(request.References, refs.named...); bounded {
			decision = x.authorization.policy.Decide(request)
		}
		if decision.Allow && refs.unfit != nil {
			return refs.unfit
		}
	}
	if decision.Allow && item == nil { // the media type of a batch was checked already
		if err := checkMediaType(x.request, request.Target, x.in); err != nil {
			return err
		}
	}
	rec.decide(decision)
	if !decision.Allow {
		return h.deniedHere(x.authorization.policy, request, decision)
	}
	if err := checkSelection(request, decision); err != nil {
		return err
	}
	app, err := h.app(decision, request.Target)
	if err != nil {
		return err
	}
	a.request, a.decision, a.app = request, decision, app
	return nil
}

// referenceIn returns the resource that the option $id refers to, if it is there.
func (x *exchange) referenceIn(t *odata.Target) []string {
	value, found := t.Option("$id")
	if !found {
		return nil
	}
	if x.links != nil {
		value = x.links.Path(value)
	}
	return []string{value}
}

// app returns the app registration that the decision names. A target with a tenant other than that app's is
// refused: the tenant is not sent on, so the request would reach the app's own tenant.
func (h *Handler) app(d policy.Decision, t *odata.Target) (*App, error) {
	app := h.apps.App(d.App, d.Tenant)
	switch {
	case app == nil:
		return nil, fmt.Errorf("the policy names the app %q in tenant %q, which is not there", d.App, d.Tenant)
	case t.Tenant == "", strings.EqualFold(t.Tenant, "myOrganization"), strings.EqualFold(t.Tenant, app.Tenant):
		return app, nil
	}
	return nil, badRequest("foreignTenant", "the path names the tenant %q, which is not the one of the app registration "+
		"that this request uses; leave the tenant out", t.Tenant)
}

// deniedHere is denied, with the cure where it is in this process's settings.
func (h *Handler) deniedHere(p *policy.Policy, r policy.Request, d policy.Decision) *Error {
	e := denied(p, r, d)
	if d.Reason == policy.ReasonSelection && h.noLinkKey(p, r.Caller) {
		e.Message += "; graphproxy has no key to mark such links with, so none can be followed: its operator sets " +
			"GRAPHPROXY_LINK_KEY_FILE"
	}
	return e
}

// denied is the answer to a request that the policy denies: why, and what would be allowed. Only the audit line has
// the rule's line in the file.
func denied(p *policy.Policy, r policy.Request, d policy.Decision) *Error {
	return &Error{
		Status:  http.StatusForbidden,
		Code:    codeDenied,
		Inner:   "policyDenied",
		Message: p.Denial(r, d),
	}
}
