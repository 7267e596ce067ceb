package policycmd_test

import (
	"encoding"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/cmd/graphproxy/policycmd"
)

var update = flag.Bool("update", false, "write the shapes into docs/policy.md")

const (
	shapesBegin = "<!-- json: begin (a test of cmd/graphproxy/policycmd holds these shapes against the code) -->\n```\n"
	shapesEnd   = "```\n<!-- json: end -->"
)

func TestTheDocumentedShapesOfJSONAreThoseOfTheCommands(t *testing.T) {
	const page = "../../../docs/policy.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), shapesBegin)
	documented, after, foundEnd := strings.Cut(rest, shapesEnd)
	if !found || !foundEnd {
		t.Fatalf("%s has no %q", page, shapesBegin)
	}
	shapes := &shaper{names: make(map[reflect.Type]string)}
	var want strings.Builder
	for _, r := range policycmd.Results() {
		fmt.Fprintf(&want, "%s: %s\n", r.Command, shapes.of(reflect.TypeOf(r.Value), "  "))
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+shapesBegin+want.String()+shapesEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want.String(), documented); diff != "" {
		t.Errorf("the shapes are not those of the code; go test ./cmd/graphproxy/policycmd -update writes them: %s", diff)
	}
}

// shaper writes the JSON of Go types as TypeScript writes types. A type that was written before has only its name.
type shaper struct {
	names map[reflect.Type]string
}

func (s *shaper) of(t reflect.Type, indent string) string {
	switch {
	case t.Implements(reflect.TypeFor[json.Marshaler]()), t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return "string"
	case t.Kind() == reflect.Pointer:
		return s.of(t.Elem(), indent)
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64, reflect.Float64:
		return "number"
	case reflect.Slice:
		return s.of(t.Elem(), indent) + "[]"
	case reflect.Map:
		return "{[name: string]: " + s.of(t.Elem(), indent) + "}"
	}
	if name := s.names[t]; name != "" {
		return name
	}
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	s.names[t] = name
	return name + " {\n" + s.fields(t, indent) + strings.TrimSuffix(indent, "  ") + "}"
}

func (s *shaper) fields(t reflect.Type, indent string) string {
	var b strings.Builder
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			embedded := f.Type
			if embedded.Kind() == reflect.Pointer {
				embedded = embedded.Elem()
			}
			b.WriteString(s.fields(embedded, indent))
			continue
		case !f.IsExported() || name == "-":
			continue
		case name == "":
			name = f.Name
		}
		if strings.Contains(options, "omit") {
			name += "?"
		}
		fmt.Fprintf(&b, "%s%s: %s\n", indent, name, s.of(f.Type, indent+"  "))
	}
	return b.String()
}
