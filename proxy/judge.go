package proxy

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
)

// judge asks the policy whether a request may be made, and then whether there is room for it now, and notes what they say. Refers
// is called when the request may be made, so that a body costs nothing before. It reads the body as far as that has to be, and gives what
// it refers to if the rule bounds that. The leave is to be ended when the request has.
func (h *Handler) judge(ctx context.Context, x *exchange, rec *Record, request policy.Request, l *leave, refers func(bounded bool) (references, error)) error {
	request.References = x.referenceIn(request.Target)
	decision := x.rules.policy.Decide(request)
	app, err := h.app(decision, request.Target)
	if err != nil {
		return err
	}
	if decision.Allow {
		bounded := decision.Rule.BoundsReferences()
		refs, err := refers(bounded)
		if err != nil {
			return err
		}
		if request.References = append(request.References, refs.named...); bounded {
			decision = x.rules.policy.Decide(request)
		}
		if decision.Allow && refs.unfit != nil {
			return refs.unfit
		}
	}
	if decision.Allow && l.check != nil {
		if err := l.check(); err != nil {
			return err
		}
	}
	rec.decide(decision)
	if !decision.Allow {
		return denied(x.rules.policy, request, decision)
	}
	l.decision, l.app = decision, app
	return h.admit(ctx, x, rec, request, l)
}

// referenceIn returns what the option $id refers to, if it is there.
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

// app returns the app registration that the decision names. A target that names another tenant than that app's is refused:
// without the name, which is not sent on, it would be ours.
func (h *Handler) app(d policy.Decision, t *odata.Target) (*App, error) {
	app := h.apps.App(d.App, d.Tenant)
	switch {
	case app == nil:
		return nil, fmt.Errorf("the policy names the app %q in tenant %q, which is not there", d.App, d.Tenant)
	case t.Tenant == "", strings.EqualFold(t.Tenant, "myOrganization"), strings.EqualFold(t.Tenant, app.Tenant):
		return app, nil
	}
	return nil, badRequest("foreignTenant", "the path names the tenant %q, which is not the one of the app registration that this request uses; leave the tenant out", t.Tenant)
}

// denied says why the policy denies the request, and what would be allowed. Where in the file the rule stands is for the audit line.
func denied(p *policy.Policy, r policy.Request, d policy.Decision) *Error {
	return &Error{Status: http.StatusForbidden, Code: codeDenied, Inner: "policyDenied", Message: p.Denial(r, d)}
}
