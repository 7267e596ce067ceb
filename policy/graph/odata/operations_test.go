package odata_test

import (
	"slices"
	"strings"
	"testing"

	"graphproxy/policy/graph/catalog/catalogtest"
	"graphproxy/policy/graph/odata"
)

// operations returns the distinct path templates in the list of Graph's operations of a version.
func operations(t *testing.T, version string) []string {
	t.Helper()
	var paths []string
	for line := range strings.Lines(catalogtest.List(t, version)) {
		_, path, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// sampleKeys are keys in the forms that Graph uses.
var sampleKeys = []string{
	"6e7b768e-07e2-4810-8459-485f84f8f204", "adele@contoso.com", "AAMkAGI2TG93AAA=", "19:abc_1@thread.tacv2",
	"b!-RIj2DuyvEyV1T4NlOaMHk",
	"contoso.sharepoint.com,2c712604-1370-44e7-a1f5-426573fda80a,2d2244c3-251a-49ea-93a8-39e1c3a060fe",
	"01BYE5RZ6QN3ZWBTUFOFD3GSPGOHDJD36K", "Adele_adatum.com#EXT#@contoso.com", "o'brien@contoso.com", "0",
}

// fill returns the segments of a template with keys in place of its variables, as segments or in parentheses.
func fill(template *odata.Template, parentheses bool) []odata.Segment {
	var filled []odata.Segment
	for i, s := range template.Segments {
		key := sampleKeys[i%len(sampleKeys)]
		switch {
		case s.Var && parentheses:
			s = odata.Segment{Kind: odata.Key, Text: key, Quoted: true}
		case s.Var:
			s = odata.Segment{Kind: odata.Name, Text: key}
		case s.Kind == odata.Args:
			s.Args = slices.Clone(s.Args)
			for j := range s.Args {
				if s.Args[j].Var {
					s.Args[j] = odata.Arg{Name: s.Args[j].Name, Fold: s.Args[j].Fold, Value: key, Quoted: true}
				}
			}
		}
		filled = append(filled, s)
	}
	return filled
}

func TestEveryOperationOfGraph(t *testing.T) {
	for _, list := range []struct{ version, prefix string }{
		{"v1.0", ""},
		{"beta", "/beta"},
	} {
		t.Run(list.version, func(t *testing.T) {
			t.Parallel()
			paths := operations(t, list.version)
			targets := 0
			for _, path := range paths {
				template, err := odata.ParseTemplate(list.prefix + path)
				if err != nil {
					t.Errorf("%s is no template: %v", path, err)
					continue
				}
				checkTemplateText(t, path, template)
				for _, parentheses := range []bool{false, true} {
					checkFilled(t, template, parentheses)
					targets++
				}
			}
			t.Logf("%d paths are templates; %d targets made from them parse and round-trip", len(paths), targets)
		})
	}
}

// checkTemplateText checks that the template's text is the operation's, without the quotes around variables.
func checkTemplateText(t *testing.T, path string, template *odata.Template) {
	t.Helper()
	want := "/" + template.Version + path
	if plain := strings.NewReplacer("'{", "{", "}'", "}").Replace(want); template.Text != plain &&
		!strings.Contains(path, "@") {
		t.Errorf("%s is written %s", path, template.Text)
	}
}

func checkFilled(t *testing.T, template *odata.Template, parentheses bool) {
	t.Helper()
	segments := fill(template, parentheses)
	written := (&odata.Target{Version: template.Version, Segments: segments}).EscapedPath()
	target, err := odata.Parse(written, "")
	if err != nil {
		t.Errorf("%s, made from %s: %v", written, template.Text, err)
		return
	}
	if got, want := describe(target.Segments), describe(segments); got != want {
		t.Errorf("%s reads as\n%s, want\n%s", written, got, want)
	}
	if target.EscapedPath() != written {
		t.Errorf("%s is written %s again", written, target.EscapedPath())
	}
}
