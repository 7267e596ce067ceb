package policycmd

import "graphproxy/policy/graph/service"

// Result is what a command prints with --json.
type Result struct {
	Command string
	Value   any // of the type that is printed
}

// Results are the results of the commands, in the order of docs/policy.md.
func Results() []Result {
	return []Result{
		{"check", checkResult{}},
		{"test", testResult{}},
		{"explain", explanation{}},
		{"explain --request-id", recordedRequests{}},
		{"diff", difference{}},
		{"suggest", suggestion{}},
		{"suggest --into", merged{}},
		{"fmt", formatResult{}},
		{"graph", []arrow{}},
		{"limits", []service.Preset{}},
	}
}
