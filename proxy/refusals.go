package proxy

import (
	"strings"
	"sync"
	"time"

	"graphproxy/auth/caller"
	"graphproxy/policy"
)

// keptRefusals is how many refusals of one caller are kept in memory, for its own eyes. One has less than 2 KiB.
const keptRefusals = 20

// meRefusal is one refusal of a caller's request, or of an item of its batch. It has what the audit line has, and no
// value of the query.
type meRefusal struct {
	Time      time.Time `json:"time"`
	Method    string    `json:"method"`
	Target    string    `json:"target,omitempty"`
	Status    int       `json:"status"`
	Decision  string    `json:"decision"`
	WouldDeny bool      `json:"would_deny,omitempty"`
	Reason    string    `json:"reason"`
	Condition string    `json:"condition,omitempty"`
	Rule      string    `json:"rule,omitempty"`
	RequestID string    `json:"request_id"`
	Item      string    `json:"item,omitempty"`

	client string
}

// refusals are the last refusals of one caller. Safe for concurrent use.
type refusals struct {
	mu   sync.Mutex
	last [keptRefusals]meRefusal
	n    int // all that came
}

// keepRefusal keeps the refusal that a record is about, if it is one and its caller is known. The record is complete.
func (h *Handler) keepRefusal(rec *Record) {
	if rec.Caller == "" || rec.Reason == "" || rec.Decision == decisionAllow && !rec.WouldDeny {
		return
	}
	kept, found := h.refused.Load(rec.Caller)
	if !found {
		kept, _ = h.refused.LoadOrStore(strings.Clone(rec.Caller), new(refusals))
	}
	kept.(*refusals).add(meRefusal{
		Time:      rec.Time,
		Method:    strings.Clone(rec.Method),
		Target:    strings.Clone(rec.Target),
		Status:    rec.Status,
		Decision:  rec.Decision,
		WouldDeny: rec.WouldDeny,
		Reason:    strings.Clone(rec.Reason),
		Condition: strings.Clone(rec.Condition),
		Rule:      strings.Clone(rec.Rule),
		RequestID: strings.Clone(rec.RequestID),
		Item:      strings.Clone(rec.Item),
		client:    strings.Clone(rec.Client),
	})
}

func (r *refusals) add(one meRefusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last[r.n%keptRefusals] = one
	r.n++
}

// refusalsOf returns the last refusals of a caller, the newest first. Whom only its address identifies, or nothing, may
// be one of many people: it sees those of its own address.
func (h *Handler) refusalsOf(known caller.Found, client string) []meRefusal {
	all := []meRefusal{}
	kept, found := h.refused.Load(known.Name)
	if !found {
		return all
	}
	r := kept.(*refusals)
	r.mu.Lock()
	defer r.mu.Unlock()
	byPlace := known.Evidence == caller.Network || known.Evidence == caller.Anyone
	for i := r.n - 1; i >= max(0, r.n-keptRefusals); i-- {
		if one := r.last[i%keptRefusals]; !byPlace || one.client == client {
			all = append(all, one)
		}
	}
	return all
}

// forgetRefusals drops the refusals of callers that the policy does not have.
func (h *Handler) forgetRefusals(p *policy.Policy) {
	names := make(map[string]bool)
	for _, c := range p.Callers() {
		names[c.Name] = true
	}
	h.refused.Range(func(name, _ any) bool {
		if !names[name.(string)] {
			h.refused.Delete(name)
		}
		return true
	})
}
