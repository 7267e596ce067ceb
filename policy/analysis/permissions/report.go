package permissions

// Report compares a policy with the roles of one app registration. All lists are sorted, rules by their place and
// roles by name, and none is nil.
type Report struct {
	App   string `json:"app"`
	Roles []Role `json:"roles"` // the app's roles that the file has
	Rules int    `json:"rules"` // allow rules that use the app and need a role
	Work  int    `json:"work"`  // of these, the rules whose documented operations are all covered

	Cannot []Finding `json:"cannot_work"` // no allowed operation is covered
	Partly []Finding `json:"partly"`      // some operations are not covered
	// the file has no entry for what the rule allows, or for one of its methods
	Undocumented []Finding `json:"undocumented"`
	Unused       []Role    `json:"unused"`  // the app has it, and no documented rule needs it
	Unknown      []Unknown `json:"unknown"` // the app has it, and the file has no such app role
	Advice       []Advice  `json:"advice"`  // does not count as a finding

	// the app's roles that cover single resources only, such as Sites.Selected, and the rules that depend on them: no
	// token shows the resources. They do not count as findings.
	PerResource []Role    `json:"per_resource"`
	Depends     []Finding `json:"depends"`
}

// Role is an application permission.
type Role struct {
	Name  string `json:"name"`
	Level int    `json:"level"` // how much it can do, on Microsoft's scale: 1 the least, 5 the most, 0 unknown
}

// Finding is a rule that does not work as a whole, or that is undocumented.
type Finding struct {
	Where   string `json:"where"`             // "policy.yaml:31"
	Rule    string `json:"rule"`              // canonical: "GET /users/{id}"
	Methods string `json:"methods,omitempty"` // of an undocumented rule: those that are not documented
	Reason  string `json:"reason,omitempty"`  // why no role would help, or why it is unknown
	Note    string `json:"note,omitempty"`    // how it may work without the roles in Needs

	Operations []Operation `json:"operations"` // that the rule names; empty if graphproxy's lists do not have them

	Documented int    `json:"documented"` // operations that the rule allows and that have roles
	Covered    int    `json:"covered"`    // of these, by the roles in hand
	SignedIn   int    `json:"signed_in"`  // further operations, which only a signed-in user has
	Needs      []Need `json:"needs"`      // the roles that would cover the others, sorted by their number of operations
}

// Need is a role that operations of a rule need: the least privileged one that covers each.
type Need struct {
	Role
	With       string   `json:"with,omitempty"` // a role that is also needed and missing
	Operations []string `json:"operations"`     // as the file spells them: "GET /users/{id}"
}

// Unknown is one of the app's roles that is not in the file as an app role.
type Unknown struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Advice names a less privileged role that could replace one of the app's roles. The file does not list properties:
// the caller may need a property that Graph leaves out with the lesser role.
type Advice struct {
	Role    Role `json:"role"`
	Instead Role `json:"instead"`
	InHand  bool `json:"in_hand"` // the app has the other role, too
	Rules   int  `json:"rules"`   // that use the role
}

// OK reports whether every rule is covered and no role is superfluous.
func (r *Report) OK() bool {
	return len(r.Cannot)+len(r.Partly)+len(r.Undocumented)+len(r.Unused)+len(r.Unknown) == 0
}
