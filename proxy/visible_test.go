package proxy_test

import (
	"strings"
	"testing"
)

// Marks of direction could make one file look like another to a reader of the log or of the message.
func TestAFormatCharacterInATargetIsEscapedInTheRecordAndTheMessage(t *testing.T) {
	r := newRig(t, `
version: 1
callers:
  app:
    identity: [anyone]
    allow:
      - GET /users
`)
	a := r.do(t, "GET", "/v1.0/drives/d/root:/a%E2%80%AEfdp%E2%81%A6.exe", "")
	if a.status != 403 || strings.ContainsAny(a.body, "\u202e\u2066") ||
		!strings.Contains(a.body, `/a\\u202efdp\\u2066.exe`) {
		t.Errorf("status %d: %+q", a.status, a.body)
	}
	record := r.one(t)
	if got := record["target"]; got != "/v1.0/drives/d/root:/a\u202efdp\u2066.exe" {
		t.Errorf("the record's target reads as %+q", got)
	}
	line := strings.Join(r.audit.all(), "")
	if strings.ContainsAny(line, "\u202e\u2066") || !strings.Contains(line, `/a\u202efdp\u2066.exe`) {
		t.Errorf("the record is %+q", line)
	}
	if n := len(r.graph.Requests()); n != 0 {
		t.Errorf("Graph received %d requests", n)
	}
}
