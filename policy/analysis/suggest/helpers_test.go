package suggest_test

import (
	"strings"
	"testing"

	"graphproxy/policy/analysis/audit"
	"graphproxy/policy/analysis/suggest"
	"graphproxy/policy/graph/odata"
)

// line is the audit line of a request that Graph answered: "GET /v1.0/users/adele?$select=id".
func line(t testing.TB, caller, request string) audit.Line {
	t.Helper()
	method, url, _ := strings.Cut(request, " ")
	path, query, _ := strings.Cut(url, "?")
	if !strings.HasPrefix(path, "/v1.0") && !strings.HasPrefix(path, "/beta") {
		path = "/v1.0" + path
	}
	target, err := odata.Parse(path, query)
	if err != nil {
		t.Fatalf("%s: %v", request, err)
	}
	return audit.Line{
		Caller:   caller,
		Method:   method,
		Version:  target.Version,
		Target:   target.Path(),
		Query:    target.OptionNames(),
		Decision: audit.Allow,
		Status:   200,
		Policy:   "0123456789ab",
		Parsed:   target,
	}
}

// suggestion is the suggestion for the requests, all of one caller named app. It must load and allow them.
func suggestion(t testing.TB, o suggest.Options, requests ...string) *suggest.Suggestion {
	t.Helper()
	s := suggest.New(o)
	for _, r := range requests {
		s.Add(line(t, "app", r))
	}
	result := s.Suggest()
	if err := result.Verify(); err != nil {
		t.Error(err)
	}
	return result
}

// texts are the rules of the only caller.
func texts(t testing.TB, s *suggest.Suggestion) []string {
	t.Helper()
	if len(s.Callers) != 1 {
		t.Fatalf("there are %d callers", len(s.Callers))
	}
	all := []string{}
	for _, r := range s.Callers[0].Rules {
		all = append(all, r.Text)
	}
	return all
}

func yamlOf(t testing.TB, s *suggest.Suggestion) string {
	t.Helper()
	var b strings.Builder
	if err := s.WriteYAML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
