package policycmd

import (
	"strings"

	"graphproxy/policy"
	"graphproxy/policy/analysis/audit"
)

// Recorded is a request of an audit log with its explanation, as the command explain --request-id prints it.
type Recorded struct{ request recordedRequest }

// ExplainLine explains a line of an audit log by a policy.
func ExplainLine(p *policy.Policy, l *audit.Line) (Recorded, error) {
	request, err := explainLine(p, l)
	return Recorded{request}, err
}

// String returns what the command prints.
func (r Recorded) String() string {
	var b strings.Builder
	_ = r.request.text(&b) // a Builder's errors are nil
	return b.String()
}

// Places returns the places in the policy's files that the explanation is about, such as policy.yaml:12: of the rule
// that decides, or of the one that comes nearest.
func (r Recorded) Places() []string {
	if now := r.request.Now; now != nil {
		return now.places()
	}
	return nil
}
