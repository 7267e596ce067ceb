package proxy_test

import (
	"testing"

	"graphproxy/auth/caller"
	"graphproxy/policy"
	"graphproxy/proxy"
)

// Each kind of evidence in a policy reaches package caller with all its parts: an identity without its only part
// would be refused.
func TestIdentitiesReachPackageCallerWhole(t *testing.T) {
	for _, identity := range []string{
		"unix: {uid: 1000}", "unix: {gid: 1000}", "certificate: {dns: app.contoso.com}", "certificate: {common_name: app}",
		`certificate: {uri: "spiffe://contoso.com/app"}`, "network: [10.0.0.0/8]", "anyone",
	} {
		t.Run(identity, func(t *testing.T) {
			p, err := policy.Parse("policy.yaml", []byte("version: 1\ncallers:\n  app:\n    identity:\n      - "+identity+
				"\n    allow: [GET /users]\n"))
			must(t, err)
			if _, err := proxy.NewAuthorization(p, caller.Options{}); err != nil {
				t.Error(err)
			}
		})
	}
}
