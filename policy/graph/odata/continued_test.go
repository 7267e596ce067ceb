package odata_test

import (
	"testing"

	"graphproxy/policy/graph/odata"
)

// A token goes on with a delta query. "latest", and a time where Graph takes one, begin one.
func TestATokenGoesOnWithADeltaQuery(t *testing.T) {
	for _, c := range []struct {
		path, query string
		goesOn      bool
	}{
		{"/v1.0/users/delta", "$deltatoken=abc", true},
		{"/v1.0/users/delta", "$skiptoken=abc", true},
		{"/v1.0/users/delta", "$skiptoken=latest", true},
		{"/v1.0/users", "$skiptoken=abc", false},
		{"/v1.0/users", "$deltatoken=abc", true},
		{"/v1.0/users/delta", "$deltatoken=Latest", false},
		{"/v1.0/users/delta", "$deltatoken=2026-11-01T10:00:00Z", true},
		{"/v1.0/drives/1/root/delta", "token=abc", true},
		{"/v1.0/drives/1/root/delta", "token=", true},
		{"/v1.0/drives/1/root/delta", "token=2026-", true},
		{"/v1.0/drives/1/root/delta", "token=latest", false},
		{"/v1.0/drives/1/root/delta", "token=2026-11-01T10:00:00Z", false},
		{"/v1.0/drives/1/root/delta", "token=2026-11-01T10:00:00.5%2B01:00", false},
		{"/v1.0/drives/1/root/delta", "token=2026-11-01", true},
		{"/v1.0/drives/1/root/delta(token='abc')", "", true},
		{"/v1.0/drives/1/root/delta(token='latest')", "", false},
		{"/v1.0/drives/1/root/delta(token='2026-11-01T10:00:00Z')", "", false},
	} {
		target, err := odata.Parse(c.path, c.query)
		if err != nil {
			t.Errorf("%s?%s: %v", c.path, c.query, err)
			continue
		}
		if got := target.Continues(); got != c.goesOn {
			t.Errorf("%s?%s: %v, want %v", c.path, c.query, got, c.goesOn)
		}
	}
}
