package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// bodiesPolicy has the rules of docs/sdks.md that bound what the clients send.
func bodiesPolicy(t *testing.T) string {
	t.Helper()
	docs, err := os.ReadFile("../../docs/sdks.md")
	must(t, err)
	_, rest, _ := strings.Cut(string(docs), "\n## When a body is denied\n")
	_, rest, _ = strings.Cut(rest, "```yaml\n")
	policy, _, ends := strings.Cut(rest, "```\n")
	if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(sdkKey))); !ends || !strings.Contains(policy, sum) {
		t.Fatalf("docs/sdks.md shows no policy for bodies with the key's hash %s", sum)
	}
	return policy
}

// The clients send mail, create an event, change a user and subscribe under rules that bound bodies, allowed and
// denied. What docs/sdks.md shows of a denial is what they print.
func TestPublishedClientsUnderRulesForBodies(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../../docs/sdks.md")
	must(t, err)
	w := newSDKWorld(t, bodiesPolicy(t), "Mail.Send", "Calendars.ReadWrite", "Mail.Read", "User.ReadWrite.All")
	expires := "GRAPHPROXY_BODIES=" + time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for _, r := range []recipe{
		{
			name:    "JavaScript",
			file:    "node/bodies.mjs",
			command: []string{"node", "--import", "./check.mjs", "bodies.mjs"},
			needs:   []string{"node"},
		},
		{
			name:    "Go",
			file:    "go/bodies_test.go",
			command: []string{sdkTests, "-test.v", "-test.run", "TestBodies"},
			needs:   []string{"go"},
		},
	} {
		t.Run(r.name, func(t *testing.T) {
			r.mustBeInstalled(t)
			output, err := w.run(t, r, "https", expires)
			t.Logf("\n%s", output)
			if err != nil {
				t.Fatal(err)
			}
			shown := 0
			for line := range strings.Lines(output) {
				if strings.Contains(line, "403") {
					if shown++; !strings.Contains(string(docs), "\n    "+line) {
						t.Errorf("docs/sdks.md does not show\n    %s", line)
					}
				}
			}
			if shown < 4 {
				t.Errorf("%d denials were printed", shown)
			}
			w.wantKeyKept(t, 4)
		})
	}
}
