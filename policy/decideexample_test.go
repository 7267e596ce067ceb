package policy_test

import (
	"fmt"
	"log"

	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
)

const staffList = `
version: 1
callers:
  phone-book:
    identity: [anyone]
    allow:
      - GET /users
      - GET /users/{id}:
          where: {id: ["*@contoso.com"]}
    deny:
      - ANY /users/ceo@contoso.com/**
`

func ExampleParse() {
	p, err := policy.Parse("policy.yaml", []byte(staffList))
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range p.Callers() {
		fmt.Println(c.Name)
	}

	_, err = policy.Parse("policy.yaml",
		[]byte("version: 1\ncallers:\n  phone-book:\n    identity: [anyone]\n    alow: [GET /users]\n"))
	fmt.Println(err)
	// Output:
	// phone-book
	// policy.yaml:3: callers.phone-book: the key "allow" is missing; write allow: [] if this caller may do nothing
	// policy.yaml:5: callers.phone-book: unknown key "alow"; did you mean "allow"?
}

func ExamplePolicy_Decide() {
	p, err := policy.Parse("policy.yaml", []byte(staffList))
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range []string{
		"/v1.0/users",
		"/v1.0/users('adele@contoso.com')",
		"/v1.0/users/adele@fabrikam.com",
		"/v1.0/users/ceo@contoso.com",
		"/v1.0/groups",
	} {
		target, err := odata.Parse(path, "")
		if err != nil {
			log.Fatal(err)
		}
		d := p.Decide(policy.Request{Caller: "phone-book", Method: "GET", Target: target})
		switch {
		case d.Allow:
			fmt.Printf("%s is allowed by line %d\n", path, d.Rule.Line)
		case d.Rule != nil:
			fmt.Printf("%s is denied by line %d\n", path, d.Rule.Line)
		default:
			fmt.Printf("%s is denied: %s\n", path, d.Reason)
		}
	}
	// Output:
	// /v1.0/users is allowed by line 7
	// /v1.0/users('adele@contoso.com') is allowed by line 8
	// /v1.0/users/adele@fabrikam.com is denied: where: id
	// /v1.0/users/ceo@contoso.com is denied by line 11
	// /v1.0/groups is denied: no rule allows it
}
