package policycmd

import "graphproxy/policy"

// aboutOne is what a policy has for people about a caller, a rule or a list, as JSON.
type aboutOne struct {
	Of          string `json:"of"` // "caller hr-sync", "rule policy.yaml:6", "list vips"
	Description string `json:"description,omitempty"`
	Owner       string `json:"owner,omitempty"`
	Ticket      string `json:"ticket,omitempty"`

	text string
}

// aboutOf returns what the policy has about the caller, the rule (nil: none) and the lists that the rule uses.
func aboutOf(p *policy.Policy, caller string, r *policy.Rule) []aboutOne {
	var all []aboutOne
	add := func(of string, a policy.About) {
		if a != (policy.About{}) {
			all = append(all, aboutOne{of, a.Description, a.Owner, a.Ticket, a.String()})
		}
	}
	for _, c := range p.Callers() {
		if c.Name == caller {
			add("caller "+caller, c.About)
		}
	}
	if r != nil {
		add("rule "+r.Where(), r.About())
	}
	for _, l := range r.AboutLists() {
		add("list "+l.Name, l.About)
	}
	return all
}
