package permissions

// Report is what a policy needs of the roles of one app registration. All lists are sorted, rules by their place and
// roles by name, and none is nil.
type Report struct {
	App   string `json:"app"`
	Roles []Role `json:"roles"` // those in hand that the file knows
	Rules int    `json:"rules"` // allow rules that use the app and need a role
	Work  int    `json:"work"`  // of these, the ones whose documented operations are all covered

	Cannot []Finding `json:"cannot_work"` // no operation that the rule allows is covered
	Partly []Finding `json:"partly"`      // some are not
	// the file has no entry for what the rule allows, or for one of its methods
	Undocumented []Finding `json:"undocumented"`
	Unused       []Role    `json:"unused"`  // in hand, and no rule that is documented needs it
	Unknown      []Unknown `json:"unknown"` // in hand, and no role of apps that the file knows
	Advice       []Advice  `json:"advice"`  // does not count as a finding
}

// Role is an application permission.
type Role struct {
	Name  string `json:"name"`
	Level int    `json:"level"` // how much it can do, by Microsoft's measure: 1 the least, 5 the most, 0 not known
}

// Finding is a rule that does not work as a whole, or of which it is not known.
type Finding struct {
	Where   string `json:"where"`             // "policy.yaml:31"
	Rule    string `json:"rule"`              // canonical: "GET /users/{id}"
	Methods string `json:"methods,omitempty"` // of an undocumented rule: those that are not documented
	Reason  string `json:"reason,omitempty"`  // why no role would help, or why it is not known

	Documented int    `json:"documented"` // operations that the rule allows and roles exist for
	Covered    int    `json:"covered"`    // of these, by the roles in hand
	SignedIn   int    `json:"signed_in"`  // operations besides, which only a signed-in user has
	Needs      []Need `json:"needs"`      // what would cover the others, sorted by how many it would
}

// Need is a role that operations of a rule need: the least privileged one that covers each.
type Need struct {
	Role
	With       string   `json:"with,omitempty"` // a role that is needed besides, and not in hand
	Operations []string `json:"operations"`     // as the file spells them: "GET /users/{id}"
}

// Unknown is a role in hand that the file does not know as an app role.
type Unknown struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Advice names a role that would do in the place of one in hand. The file has no properties: what Graph leaves out of
// its answers with the lesser role, the caller may need.
type Advice struct {
	Role    Role `json:"role"`
	Instead Role `json:"instead"`
	InHand  bool `json:"in_hand"` // the other is in hand, too
	Rules   int  `json:"rules"`   // that use the role
}

// OK reports whether every rule is covered and no role is too much.
func (r *Report) OK() bool {
	return len(r.Cannot)+len(r.Partly)+len(r.Undocumented)+len(r.Unused)+len(r.Unknown) == 0
}
