package odata_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"graphproxy/policy/graph/odata"
)

// describe writes segments as text for tables: "users ('x') ~delta() :a/b: $ref f (a='x',b=5) {id}". A name
// with Graph's namespace has "~" and its base in front of it.
func describe(segments []odata.Segment) string {
	var words []string
	for _, s := range segments {
		words = append(words, describeSegment(s))
	}
	return strings.Join(words, " ")
}

func describeSegment(s odata.Segment) string {
	text := s.Text
	if s.Var {
		text = "{" + text + "}"
	}
	switch s.Kind {
	case odata.Name:
		if s.Qualified {
			text = "~" + s.Base + "=" + text
		}
		if s.Call {
			text += "()"
		}
		return text
	case odata.Key:
		return "(" + describeValue(text, s.Quoted, false) + ")"
	case odata.Args:
		var args []string
		for _, a := range s.Args {
			args = append(args, a.Name+"="+describeValue(a.Value, a.Quoted, a.Var))
		}
		return "(" + strings.Join(args, ",") + ")"
	case odata.Path:
		return ":" + text + ":"
	case odata.System:
		return text
	}
	return fmt.Sprintf("?%v", s.Kind)
}

func describeValue(value string, quoted, isVar bool) string {
	switch {
	case isVar:
		return "{" + value + "}"
	case quoted:
		return "'" + value + "'"
	}
	return value
}

// describeQuery writes options as "name[fold]=value", without the fold if it equals the name.
func describeQuery(options []odata.Option) string {
	var words []string
	for _, o := range options {
		word := o.Name
		if o.Fold != o.Name {
			word += "[" + o.Fold + "]"
		}
		words = append(words, word+"="+o.Value)
	}
	return strings.Join(words, " & ")
}

func mustParse(t *testing.T, path, query string) *odata.Target {
	t.Helper()
	target, err := odata.Parse(path, query)
	if err != nil {
		t.Fatalf("Parse(%q, %q): %v", path, query, err)
	}
	return target
}

// checkRefused checks that the error is an *odata.Error with the code and a useful message.
func checkRefused(t *testing.T, err error, code string) {
	t.Helper()
	var refusal *odata.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("got error %v, want an *odata.Error", err)
	}
	if refusal.Code != code {
		t.Errorf("code is %q, want %q; the message is: %s", refusal.Code, code, refusal.Message)
	}
	if refusal.Message == "" || refusal.Error() != refusal.Message {
		t.Errorf("message %q is not the error's text %q", refusal.Message, refusal.Error())
	}
	for _, c := range []byte(refusal.Message) {
		if c < ' ' || c > '~' {
			t.Errorf("message %q holds the byte %#x", refusal.Message, c)
		}
	}
}

// checkRoundTrip checks a property of every target: its canonical text parses to the same target and is written
// the same again.
func checkRoundTrip(t *testing.T, target *odata.Target) {
	t.Helper()
	again, err := odata.Parse(target.EscapedPath(), target.RawQuery())
	if err != nil {
		t.Fatalf("the canonical text %q ? %q does not parse: %v", target.EscapedPath(), target.RawQuery(), err)
	}
	want := *target
	want.Tenant = ""
	if !reflect.DeepEqual(again, &want) {
		t.Errorf("the canonical text %q ? %q reads as\n%#v\nand was written from\n%#v", target.EscapedPath(),
			target.RawQuery(), again, &want)
	}
	fresh := odata.Target{Version: target.Version, Segments: target.Segments, Query: target.Query}
	if fresh.EscapedPath() != target.EscapedPath() || fresh.RawQuery() != target.RawQuery() {
		t.Errorf("written afresh it is %q ? %q, before it was %q ? %q", fresh.EscapedPath(), fresh.RawQuery(),
			target.EscapedPath(), target.RawQuery())
	}
}

func TestKindNames(t *testing.T) {
	got := fmt.Sprint(odata.Name, odata.Key, odata.Args, odata.Path, odata.System, odata.Kind(9))
	if want := "Name Key Args Path System Kind(9)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTargetByHand(t *testing.T) {
	t.Run("a target that was not parsed is written all the same", func(t *testing.T) {
		target := odata.Target{
			Version:  "v1.0",
			Segments: []odata.Segment{{Kind: odata.Name, Text: "users"}, {Kind: odata.Key, Text: "o'b #1", Quoted: true}},
			Query:    []odata.Option{{Name: "$filter", Fold: "$filter", Value: "a eq 'b&c'"}},
		}
		if got, want := target.EscapedPath(), "/v1.0/users('o''b%20%231')"; got != want {
			t.Errorf("path is %q, want %q", got, want)
		}
		if got, want := target.RawQuery(), "$filter=a%20eq%20'b%26c'"; got != want {
			t.Errorf("query is %q, want %q", got, want)
		}
	})
}
