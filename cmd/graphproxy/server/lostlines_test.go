package server_test

import (
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"graphproxy/cmd/graphproxy/server"
	"graphproxy/policy/analysis/audit"
)

// The line about lost lines is valid by the schema, and policy diff and policy suggest read it.
func TestTheLineAboutLostOnesIsAnAuditLine(t *testing.T) {
	line := string(server.LostLines(7))
	schema, err := jsonschema.NewCompiler().Compile("../../../docs/audit.schema.json")
	must(t, err)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
	must(t, err)
	must(t, schema.Validate(value))
	skipped, err := audit.Read(strings.NewReader(line),
		func(l audit.Line) error { t.Errorf("it is a request: %+v", l); return nil })
	must(t, err)
	if skipped.Lost != 7 || skipped.Total() != 0 {
		t.Errorf("%+v", skipped)
	}
}
