package proxy

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"graphproxy/auth/caller"
	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/limit"
)

// MePath is the one path that graphproxy answers itself on the callers' address: what a caller may ask about itself.
// Graph has no version of this name, so no request to Graph has it.
const MePath = "/.graphproxy/me"

// isMe reports whether a request is for MePath, exactly: without a query, and in no other spelling.
func isMe(r *http.Request) bool { return r.RequestURI == MePath }

// me is the answer at MePath. docs/app-developers.md describes it.
type me struct {
	Caller      string      `json:"caller"`
	Evidence    string      `json:"evidence"`
	Credential  string      `json:"credential,omitempty"`
	Mode        string      `json:"mode"` // enforce or report
	Until       *time.Time  `json:"until,omitempty"`
	App         string      `json:"app"`
	Tenant      string      `json:"tenant,omitempty"`
	Description string      `json:"description,omitempty"`
	Owner       string      `json:"owner,omitempty"`
	Ticket      string      `json:"ticket,omitempty"`
	Contact     string      `json:"contact,omitempty"`
	Policy      string      `json:"policy"` // hash
	Allow       []meRule    `json:"allow"`
	Deny        []meRule    `json:"deny"`
	Limits      []meLimit   `json:"limits"`
	Refusals    []meRefusal `json:"refusals"` // the last ones, the newest first
}

// meRule is a rule as the policy has it.
type meRule struct {
	Rule        string     `json:"rule"` // GET /users/{id}
	Conditions  []string   `json:"conditions,omitempty"`
	Where       string     `json:"where"` // file:line
	Until       *time.Time `json:"until,omitempty"`
	App         string     `json:"app,omitempty"`
	Tenant      string     `json:"tenant,omitempty"`
	Description string     `json:"description,omitempty"`
	Owner       string     `json:"owner,omitempty"`
	Ticket      string     `json:"ticket,omitempty"`
}

// meLimit is a limit that may cover requests of the caller. Left and InFlight are there if the bucket is the caller's
// alone: what other callers take is not shown.
type meLimit struct {
	Name        string   `json:"name"`
	Rate        float64  `json:"rate,omitempty"` // units a second
	Burst       int      `json:"burst,omitempty"`
	Concurrency int      `json:"concurrency,omitempty"`
	Unit        string   `json:"unit"`
	Per         []string `json:"per,omitempty"`
	Left        *float64 `json:"left,omitempty"` // units
	InFlight    *int     `json:"in_flight,omitempty"`
}

// maxMeCondition bounds the text of one condition in the answer, in bytes: it may hold a list of any length.
const maxMeCondition = 1000

// serveMe answers a caller that asks about itself. The request is authenticated, checked and limited as any other.
func (h *Handler) serveMe(x *exchange, known caller.Found) error {
	r, p := x.request, x.authorization.policy
	x.rec.Target, x.rec.Path = MePath, MePath
	if err := h.checkOrigin(r, known.Evidence, p.ContactAdvice()); err != nil {
		return err
	}
	if err := checkHeaders(r.Header); err != nil {
		return err
	}
	if r.Method != http.MethodGet {
		return &Error{
			Status:  http.StatusMethodNotAllowed,
			Code:    codeInvalid,
			Inner:   "methodNotAllowed",
			Message: MePath + " is read with GET, and has no other method",
			allow:   http.MethodGet,
		}
	}
	if err := checkBody(r, x.in); err != nil {
		return err
	}
	if p.Ended(known.Name, x.rec.Time) {
		x.rec.Decision = decisionDeny
		return &Error{
			Status:  http.StatusForbidden,
			Code:    codeDenied,
			Inner:   "policyDenied",
			Message: "the caller has ended; its time in the policy is over" + p.ContactAdvice(),
		}
	}
	a := &x.admission
	if a.charges = p.OwnCharges(a.few[:0], known.Name); len(a.charges) > 0 {
		defer x.finish()
		if err := h.take(x, x.rec, a); err != nil {
			return err
		}
	}
	text, err := h.heldAboutCaller(x, known)
	if err != nil {
		return err
	}
	x.rec.Decision = decisionAllow
	header := x.out.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.Itoa(len(text)))
	header.Set("Request-Id", x.rec.RequestID)
	header.Set("Client-Request-Id", x.rec.ClientRequestID)
	header.Set("Proxy-Status", "graphproxy")
	x.out.WriteHeader(http.StatusOK)
	_, _ = x.out.Write(text)
	return nil
}

// heldAboutCaller returns the answer, which is accounted for. Only one is made for a caller at a time: that takes
// several times its length, which is known only afterwards.
func (h *Handler) heldAboutCaller(x *exchange, known caller.Found) ([]byte, error) {
	one := &x.allotment.has.me
	one.Lock()
	defer one.Unlock()
	text, err := h.aboutCaller(x.authorization.policy, known, x.rec)
	if err == nil && !x.held.add(int64(len(text))) {
		return nil, overShare()
	}
	return text, err
}

// aboutCaller returns what the policy and the proxy have about a caller. Hidden characters are escaped.
func (h *Handler) aboutCaller(p *policy.Policy, known caller.Found, rec *Record) ([]byte, error) {
	m := me{
		Caller:     known.Name,
		Evidence:   known.Evidence,
		Credential: known.Credential,
		Mode:       "enforce",
		Contact:    p.Contact(),
		Policy:     p.Hash(),
		Limits:     h.limitsOf(p, known.Name),
		Refusals:   h.refusalsOf(known, rec.Client),
	}
	if p.Reports(known.Name) {
		m.Mode = "report"
	}
	for _, c := range p.Callers() {
		if c.Name == known.Name {
			m.App, m.Tenant, m.Until = c.App, c.Tenant, whenSet(c.Until)
			m.Description, m.Owner, m.Ticket = c.About.Description, c.About.Owner, c.About.Ticket
		}
	}
	allow, deny := p.Rules(known.Name)
	m.Allow, m.Deny = rulesShown(allow), rulesShown(deny)
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(m); err != nil {
		return nil, err
	}
	return odata.VisibleJSON(text.Bytes()), nil
}

func whenSet(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func rulesShown(rules []*policy.Rule) []meRule {
	all := make([]meRule, 0, len(rules))
	for _, r := range rules {
		about := r.About()
		shown := meRule{
			Rule:        r.Text,
			Where:       r.Where(),
			Until:       whenSet(r.Until()),
			App:         r.App(),
			Tenant:      r.Tenant(),
			Description: about.Description,
			Owner:       about.Owner,
			Ticket:      about.Ticket,
		}
		for _, condition := range r.Conditions {
			short, _ := cut(condition, maxMeCondition)
			shown.Conditions = append(shown.Conditions, short)
		}
		all = append(all, shown)
	}
	return all
}

// limitsOf returns the limits that may cover requests of a caller. With Redis, levels are not shown.
func (h *Handler) limitsOf(p *policy.Policy, name string) []meLimit {
	buckets, canTell := h.buckets.(leveled)
	all := []meLimit{}
	for _, own := range p.OwnLimits(name) {
		l := own.Charge.Limit
		shown := meLimit{
			Name:        l.Name,
			Rate:        l.Rate,
			Concurrency: l.Concurrency,
			Unit:        l.Unit.String(),
			Per:         own.Per,
		}
		if l.Rate > 0 {
			shown.Burst = l.Burst
		}
		if own.Own && canTell {
			shown.level(l, buckets.Level(&own.Charge))
		}
		all = append(all, shown)
	}
	return all
}

// level shows what a bucket has.
func (m *meLimit) level(l *limit.Limit, level limit.Level) {
	if l.Rate > 0 {
		left := float64(int64(level.Tokens*10)) / 10
		m.Left = &left
	}
	if l.Concurrency > 0 {
		m.InFlight = &level.Held
	}
}
