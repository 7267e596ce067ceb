package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy"
)

// The rules that documentation shows for bodies, in the spelling that people copy.
const bodyExamples = `
version: 1
callers:
  app:
    identity: [anyone]
    allow:
      - POST /users/{id}/sendMail:
          where: {id: [noreply@contoso.com]}
          body:
            recipients: ["*@contoso.com"]          # see below
            message/attachments: none
            message/importance: [low, normal]
            saveToSentItems: ["true"]
      - PATCH /users/{id}:
          body: {only: [jobTitle, department, manager/displayName]}
      - POST /drives/{d}/items/{i}/createLink:
          body: {type: [view], scope: {values: [organization, users], required: true}}
      - POST /subscriptions:
          body:
            notificationUrl: {values: ["https://hooks.contoso.com/**"], required: true}
            lifecycleNotificationUrl: ["https://hooks.contoso.com/**"]
            resource: {targets: [/users/{id}/messages], required: true}     # a path of Graph: judged as one, all spellings
      - POST /users/{id}/events:
          body: {recipients: ["*@contoso.com"], isOnlineMeeting: ["false"]}
tests:
  - caller: app
    allow:
      - POST /users/noreply@contoso.com/sendMail: {body: {message: {toRecipients: [{emailAddress: {address: a@contoso.com}}]}}}
      - POST /subscriptions:
          body: {notificationUrl: "https://hooks.contoso.com/a", resource: "users('adele@contoso.com')/messages"}
      - POST /users/1/events: {body: {subject: x, isOnlineMeeting: false}}
    deny:
      - POST /users/a@contoso.com/sendMail: {body: {message: {}}}
      - POST /users/noreply@contoso.com/sendMail: {body: {message: {attachments: [{name: x}]}}}
      - POST /subscriptions:
          body: {notificationUrl: "https://hooks.contoso.com/a", resource: /groups/1/events}
      - POST /drives/1/items/2/createLink: {body: {type: view}}
      - PATCH /users/1: {body: {manager: {id: x}}}
`

func TestTheRulesForBodiesLoadAsPeopleWriteThem(t *testing.T) {
	p, err := policy.Parse("policy.yaml", []byte(bodyExamples))
	if err != nil {
		t.Fatal(err)
	}
	if p.Warnings() != nil {
		t.Error(p.Warnings())
	}
}

func TestASlipForNoneIsReported(t *testing.T) {
	const warning = "is the one value that is allowed here; did you mean none, which allows none at all? Write it in " +
		"brackets if it is meant"
	for _, c := range []struct {
		rule string
		want string // "": no warning
	}{
		{"POST /x: {body: {message/attachments: nune}}", `"nune"`},
		{"POST /x: {body: {message/attachments: None}}", `"None"`},
		{"POST /x: {body: {message/attachments: noen}}", `"noen"`},
		{"POST /x: {body: {recipients: non}}", `"non"`},
		{"GET /users: {query: {$search: nnone}}", `"nnone"`},
		{"GET /users: {query: {$search: NONE}}", `"NONE"`},
		{"POST /x: {body: {a: none}}", ""},
		{"POST /x: {body: {a: [nune]}}", ""},
		{"POST /x: {body: {a: done}}", ""},
		{"POST /x: {body: {a: low}}", ""},
		{"POST /x: {body: {a: \"*\"}}", ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p, err := policy.Parse("policy.yaml",
				[]byte("version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow:\n      - "+c.rule+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range p.Warnings() {
				got = append(got, w.Message)
			}
			var want []string
			if c.want != "" {
				want = []string{c.want + " " + warning}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(strings.TrimSpace(diff))
			}
		})
	}
}
