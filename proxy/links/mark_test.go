package links_test

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"graphproxy/proxy/links"
)

// marking marks every link with what it got, so that a test sees both.
func marking(link string) string {
	return "&got=" + strings.NewReplacer("?", "Q", "&", "A", `"`, "D").Replace(link)
}

func TestLinksOfThePageAreMarkedAndNothingElseChanges(t *testing.T) {
	for _, c := range []struct{ name, from, to string }{
		{"the next page", `{"value":[],"@odata.nextLink":"<G>/a?b"}`, `{"value":[],"@odata.nextLink":"<G>/a?b&got=/aQb"}`},
		{"later changes", `{"@odata.deltaLink":"<G>/a?b","value":[]}`, `{"@odata.deltaLink":"<G>/a?b&got=/aQb","value":[]}`},
		{"both", `{"@odata.deltaLink":"<G>/a","@odata.nextLink":"<G>/b"}`,
			`{"@odata.deltaLink":"<G>/a&got=/a","@odata.nextLink":"<G>/b&got=/b"}`},
		{"letter case", `{"@ODATA.NextLink":"<G>/a","@odata.deltalink":"<G>/b"}`,
			`{"@ODATA.NextLink":"<G>/a&got=/a","@odata.deltalink":"<G>/b&got=/b"}`},
		{"OData 4.01 and 3", `{"@nextLink":"<G>/a","odata.deltaLink":"<G>/b"}`,
			`{"@nextLink":"<G>/a&got=/a","odata.deltaLink":"<G>/b&got=/b"}`},
		{"escapes", `{"\u0040odata.next\u004cink" : "https:\/\/graph.microsoft.com\/a?b=c\u0026d=\""}`,
			`{"\u0040odata.next\u004cink" : "https:\/\/graph.microsoft.com\/a?b=c\u0026d=\"&got=/aQb=cAd=D"}`},
		{"white space and a byte order mark", "\ufeff \r\n{\t\"@odata.nextLink\"\n:\n\"<G>/a\" }\n",
			"\ufeff \r\n{\t\"@odata.nextLink\"\n:\n\"<G>/a&got=/a\" }\n"},
		{"after all kinds of values", `{"a":{"b":[{}]},"c":-1.5e3,"d":true,"e":null,"f":"\\","@odata.nextLink":"<G>/a"}`,
			`{"a":{"b":[{}]},"c":-1.5e3,"d":true,"e":null,"f":"\\","@odata.nextLink":"<G>/a&got=/a"}`},
		{"another host", `{"@odata.nextLink":"https://fabrikam.example/a"}`,
			`{"@odata.nextLink":"https://fabrikam.example/a"}`},
		{"a host that looks like Graph's", `{"@odata.nextLink":"<G>.fabrikam.example/a"}`,
			`{"@odata.nextLink":"<G>.fabrikam.example/a"}`},
		{"a relative link", `{"@odata.nextLink":"/v1.0/a"}`, `{"@odata.nextLink":"/v1.0/a"}`},
		{"in an object of the page", `{"value":[{"@odata.nextLink":"<G>/a"}],"x":{"@odata.deltaLink":"<G>/a"}}`,
			`{"value":[{"@odata.nextLink":"<G>/a"}],"x":{"@odata.deltaLink":"<G>/a"}}`},
		{"of a property", `{"members@odata.nextLink":"<G>/a"}`, `{"members@odata.nextLink":"<G>/a"}`},
		{"in a list", `{"@odata.nextLink":["<G>/a"],"x":"<G>/a"}`, `{"@odata.nextLink":["<G>/a"],"x":"<G>/a"}`},
		{"in an object below the name", `{"@odata.nextLink":{"@odata.nextLink":"<G>/a"}}`,
			`{"@odata.nextLink":{"@odata.nextLink":"<G>/a"}}`},
		{"as a value", `{"x":"@odata.nextLink","y":"<G>/a"}`, `{"x":"@odata.nextLink","y":"<G>/a"}`},
		{"in text", `{"x":"\"@odata.nextLink\":\"<G>/a\"","y":"{\"@odata.nextLink\":"}`,
			`{"x":"\"@odata.nextLink\":\"<G>/a\"","y":"{\"@odata.nextLink\":"}`},
		{"a list at the top", `[{"@odata.nextLink":"<G>/a"}]`, `[{"@odata.nextLink":"<G>/a"}]`},
		{"after the end", `{} {"@odata.nextLink":"<G>/a"}`, `{} {"@odata.nextLink":"<G>/a"}`},
		{"brackets that do not match", `]{"@odata.nextLink":"<G>/a"}`, `]{"@odata.nextLink":"<G>/a"}`},
		{"a text that ends within a link", `{"@odata.nextLink":"<G>/a`, `{"@odata.nextLink":"<G>/a`},
		{"nothing", ``, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			addresses := strings.NewReplacer("<G>", graph)
			from, to := addresses.Replace(c.from), addresses.Replace(c.to)
			equal(t, string(rewriter(t).AppendMarked([]byte("x"), []byte(from), marking)), "x"+to)
			for _, slow := range []func(io.Reader) io.Reader{
				func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader,
			} {
				got, err := io.ReadAll(rewriter(t).NewMarker(io.NopCloser(slow(strings.NewReader(from))), marking))
				if err != nil {
					t.Fatal(err)
				}
				equal(t, string(got), to)
			}
		})
	}
}

func TestALinkThatIsTooLongIsNotMarked(t *testing.T) {
	text := `{"@odata.nextLink":"` + graph + "/" + strings.Repeat("a", 128<<10) + `","@odata.deltaLink":"` + graph + `/b"}`
	want := strings.TrimSuffix(text, `"}`) + `&got=/b"}`
	equal(t, string(rewriter(t).AppendMarked(nil, []byte(text), marking)), want)
}

func FuzzMarksAreAllThatIsAdded(f *testing.F) {
	for _, s := range samples {
		f.Add(s.from(), 3)
	}
	f.Fuzz(func(t *testing.T, text string, size int) {
		const added = "&graphproxy-mark=\x01"
		mark := func(string) string { return added }
		whole := string(rewriter(t).AppendMarked(nil, []byte(text), mark))
		if !strings.Contains(text, added) {
			equal(t, strings.ReplaceAll(whole, added, ""), text)
		}
		pieces, err := io.ReadAll(rewriter(t).NewMarker(io.NopCloser(&limited{strings.NewReader(text), size}), mark))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, string(pieces), whole)
	})
}

// limited reads a few bytes at a time.
type limited struct {
	io.Reader
	size int
}

func (l *limited) Read(p []byte) (int, error) { return l.Reader.Read(p[:min(len(p), 1+l.size&15)]) }

var _ links.Mark = marking
