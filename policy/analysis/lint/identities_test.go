package lint_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/analysis/lint"
)

const callers = `version: 1
callers:
  guest:
    identity: [anyone]
    allow: [GET /users]
  nobody:
    identity:
      - network: 10.0.0.0/8
    allow: []
  inside:
    identity:
      - network: [172.16.0.0/12, 192.168.0.0/16, "fd00::/8", 127.0.0.0/8, "::1/128", "2001:db8::/32"]
    allow: [GET /users]
  mailer:
    identity:
      - certificate: {dns: mailer.contoso.example}
      - token: {issuer: "https://oidc.contoso.example", audience: graphproxy, subject: mailer}
      - certificate: {common_name: Mailer}
    allow: [GET /users]
`

func TestEvidenceThatProvesTooManyIsReportedIfOtherMachinesReachTheProxy(t *testing.T) {
	const cure = " addresses, each of which is this caller without any other proof. Name the networks that the caller " +
		"is in, or evidence that proves it"
	want := []string{
		"4: callers.guest.identity: every client that can reach the proxy is this caller, and it listens for others than " +
			"this " +
			"machine. Listen on 127.0.0.1, or name evidence that proves the caller",
		"12: callers.inside.identity: network 172.16.0.0/12 stands for 1,048,576" + cure,
		"12: callers.inside.identity: network fd00::/8 stands for 2^120" + cure,
	}
	if diff := cmp.Diff(want, texts(lint.Check(load(t, callers), lint.Options{Public: true}))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
