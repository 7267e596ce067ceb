package links_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"graphproxy/proxy/links"
)

func equal(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %.300q\nwant %.300q", got, want)
	}
}

func quoted(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

// rewrite returns the rewritten answer, read through a reader.
func rewrite(t testing.TB, answer string, o links.Options) string {
	t.Helper()
	return readAll(t, strings.NewReader(answer), o)
}

func readAll(t testing.TB, answer io.Reader, o links.Options) string {
	t.Helper()
	text, err := io.ReadAll(rewriter(t).NewReader(io.NopCloser(answer), o))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sample is an answer with marks: <G> is Graph's address and becomes the proxy's; <K> is Graph's address and stays.
type sample struct {
	name, text string
	options    links.Options
}

func (s sample) from() string {
	return strings.NewReplacer("<G>", graph, "<K>", graph).Replace(s.text)
}

func (s sample) to() string {
	return strings.NewReplacer("<G>", public, "<K>", graph).Replace(s.text)
}

var references = links.Options{References: true}

var samples = []sample{
	{name: "the context", text: `{"@odata.context":"<G>/v1.0/$metadata#users","value":[]}`},
	{name: "the next page", text: `{"value":[{"id":"1"}],"@odata.nextLink":"<G>/v1.0/users?$skiptoken=x"}`},
	{name: "the next page with a fragment",
		text: `{"@odata.nextLink":"<G>/v1.0/$metadata#communications/callRecords('1')/sessions?$skiptoken=abc"}`},
	{name: "the next page without a question mark",
		text: `{"@odata.nextLink":"<G>/v1.0/me/drive/root/search(query='contoso project')&skipToken=x"}`},
	{name: "the next page with lower-case escapes",
		text: `{"@odata.nextLink":"<G>/v1.0/me/calendarView?startDateTime=2017-01-01T19%3a00%3a00&$skip=10"}`},
	{name: "the delta link", text: `{"@odata.deltaLink":"<G>/v1.0/users/delta?$deltatoken=x"}`},
	{
		name: "the id of an object",
		text: `{"value":[{"@odata.id":"<G>/v2/7a1c/directoryObjects/1/Microsoft.DirectoryServices.Group"},` +
			`{"@odata.id":"<G>/v1.0/users('1@2')/messages('3')"}]}`,
	},
	{name: "an id that is relative", text: `{"@odata.id":"users('1')","@odata.editLink":"users('1')"}`},
	{
		name: "links to read and edit",
		text: `{"@odata.readLink":"<G>/v1.0/a","@odata.editLink":"<G>/v1.0/b","@odata.mediaReadLink":"<G>/v1.0/c",` +
			`"@odata.mediaEditLink":"<G>/v1.0/d"}`,
	},
	{
		name: "annotations of properties",
		text: `{"sessions@odata.context":"<G>/a","sessions@odata.nextLink":"<G>/b",` +
			`"bannerLogo@odata.mediaReadLink":"<G>/c","bannerLogo@odata.mediaEditLink":"<G>/d",` +
			`"m@odata.navigationLink":"<G>/e","m@odata.associationLink":"<G>/f/$ref"}`,
	},
	{
		name: "links of education",
		text: `{"resourcesFolderUrl":"<G>/v1.0/drives/1","value":[{"resource":{"fileUrl":"<G>/v1.0/drives/2"},` +
			`"assignmentResourceUrl":"<G>/v1.0/education/3"}]}`,
	},
	{name: "links of OneNote", text: `{"sectionsUrl":"<G>/v1.0/a","sectionGroupsUrl":"<G>/v1.0/b","parentUrl":"<G>/c"}`},
	{
		name: "a page and a notebook of OneNote",
		text: `{"contentUrl":"<G>/v1.0/users('1')/onenote/pages/2/content","self":"<G>/v1.0/users/1/onenote/pages/2",` +
			`"value":[{"pagesUrl":"<G>/beta/sites/a/onenote/sections/3/pages","parentNotebook":{"self":"<G>/v1.0/x"},` +
			`"links":{"oneNoteWebUrl":{"href":"https://contoso.sharepoint.com/x"},` +
			`"oneNoteClientUrl":{"href":"onenote:https://contoso"}}}]}`,
	},
	{
		name: "recordings and transcripts of meetings",
		text: `{"recordingContentUrl":"<G>/v1.0/users/1/onlineMeetings/2/recordings/3/content",` +
			`"transcriptContentUrl":"<G>/beta/a","metadataContentUrl":"<G>/v1.0/b",` +
			`"attachments":[{"contentUrl":"<G>/v1.0/chats/1/messages/2/hostedContents/3/$value","thumbnailUrl":null}]}`,
	},
	{
		name: "other names of addresses",
		text: `{"url":"<G>/v1.0/a","Uri":"<G>/beta/b","href":"<G>/v1.0/c","nextLink":"<G>/v1.0/d",` +
			`"statusLocation":"<G>/v1.0/e","webURL":"<G>/v1.0/f","@id":"<G>/v1.0/g","@context":"<G>/v1.0/$metadata",` +
			`"@odata.nextlink":"<G>/v1.0/h","@microsoft.graph.downloadUrl":"<G>/v1.0/i","self" : "<G>/V1.0/j"}`,
	},
	{
		name: "names of addresses with a value that is not below the API root",
		text: `{"contentUrl":"<K>","self":"<K>/","pagesUrl":"<K>/v1.0","url":"<K>/v2/a","href":"<K>/v1.0x/",` +
			`"uri":"<K>?v1.0/","link":"<K>/beta","x1Url":"<K>/v1.00/a","x2Url":"<K>//v1.0/a","x3Url":" <K>/v1.0/a",` +
			`"x4Url":["<K>/v1.0/a"],"x5Url":{"a":"<K>/v1.0/a"}}`,
	},
	{
		name: "text that is an address at the API root",
		text: `{"body":{"contentType":"html","content":"<K>/v1.0/users"},"description":"<K>/v1.0/a",` +
			`"displayName":"<K>/v1.0/b","id":"<K>/v1.0/c","value":"<K>/v1.0/d","myself":"<K>/v1.0/e","urls":"<K>/v1.0/f",` +
			`"locations":"<K>/v1.0/g","resource":"<K>/v1.0/h","links":"<K>/v1.0/i"}`,
	},
	{
		name: "text that only holds one",
		text: `{"content":"<p><img src=\"<K>/v1.0/chats/1/messages/2/hostedContents/3/$value\"></p>","contentUrl":"see ` +
			`<K>/v1.0/a","self":"\"self\":\"<K>/v1.0/b\""}`,
	},
	{name: "the other links of Graph's own",
		text: `{"principalLink":"<G>/a","resourceLocation":"<G>/b","messageUri":"<G>/c","notificationChannelUrl":"<G>/d"}`},
	{name: "deep inside", text: `{"a":[[{"b":{"c":[1,{"@odata.id":"<G>/x","d":"<K>"},"<K>"]}}]],"@odata.id":"<G>"}`},
	{name: "the address alone", text: `{"@odata.id":"<G>","@odata.context":"<G>?a","@odata.nextLink":"<G>#b"}`},
	{name: "the same key twice", text: `{"@odata.id":"<G>/1","@odata.id":"<G>/2"}`},
	{
		name: "text that contains the address",
		text: `{"subject":"<K>/v1.0/users","body":{"content":"see <K>/v1.0, \"@odata.nextLink\":\"<K>/v1.0\""},` +
			`"webUrl":"<K>/v1.0","name":"<K>"}`,
	},
	{name: "an address further back in a link",
		text: `{"@odata.nextLink":"<G>/v1.0/a?u=<K>/v1.0/b","@odata.context":"x<K>/","@odata.id":" <K>/"}`},
	{
		name: "keys that are like those of links",
		text: `{"@odata.nextlink":"<K>/","odata.nextLink":"<K>/","@odata.nextLinks":"<K>/","@odata.type":"<K>/",` +
			`"x@odata.bind":"<K>/","@odata.nextLink ":"<K>/","@microsoft.graph.downloadUrl":"<K>/",` +
			`"@odata.nextLink@x":"<K>/","":"<K>/","fileURL":"<K>/"}`,
	},
	{
		name: "values that are no strings",
		text: `{"@odata.nextLink":null,"@odata.id":{"x":"<K>/"},"@odata.context":["<K>/",["<K>/"]],"fileUrl":-1.50E+3,` +
			`"x":"<K>/"}`,
	},
	{name: "an address as a key", text: `{"<K>/v1.0":"<K>/v1.0","@odata.id":"<G>/"}`},
	{name: "strings in arrays, which are no keys", text: `["@odata.id","<K>/",{"a":["@odata.id","<K>/"]}]`},
	{name: "a value in an answer that is not to $ref", text: `{"value":"<K>/v1.0/a"}`},
	{name: "values in an answer that is not to $ref", text: `{"value":["<K>/v1.0/a"]}`},
	{name: "one reference", text: `{"value":"<G>/v1.0/directoryObjects/1"}`, options: references},
	{
		name: "references",
		text: `{"@odata.context":"<G>/v1.0/$metadata#Collection($ref)","value":["<G>/v1.0/a","x","<K>x",null,["<K>/"],` +
			`{"value":"<K>/","@odata.id":"<G>/v1.0/b"},"<G>/v1.0/c"],"other":["<K>/"]}`,
		options: references,
	},
	{name: "references in an array, as Graph has none", text: `[{"value":["<K>/"]},"<K>/"]`, options: references},
	{name: "a value below the top of an answer to $ref", text: `{"a":{"value":["<K>/"]},"value":[{"value":["<K>/"]}]}`,
		options: references},
	{
		name: "a batch",
		text: `{"responses":[{"id":"1","status":200,"headers":{"Location":"<G>/v1.0/a","X":"<K>/"},` +
			`"body":{"@odata.context":"<G>/v1.0/$metadata#users","value":["<K>/"],"headers":{"Location":"<K>/"}}}],` +
			`"@odata.nextLink":"<G>/e"}`,
	},
	{
		name: "a batch with a redirect and base64",
		text: `{"responses":[{"id":"1","status":302,"headers":{"location":"https://b0mpua-by3301.files.1drv.com/x"},` +
			`"body":"PEs+L3YxLjA"},{"id":"2","body":"<K>/v1.0"}]}`,
	},
	{
		name: "what is like a batch's headers",
		text: `{"headers":{"Location":"<K>/"},"responses":{"headers":{"Location":"<K>/"}},` +
			`"x":[{"headers":{"Location":"<K>/"}}],"responses":[[{"headers":{"Location":"<K>/"}}],` +
			`{"body":{"headers":{"Location":"<K>/"}},"headers":{"a":{"Location":"<K>/"},"Location":["<K>/"]},` +
			`"Location":"<K>/"}]}`,
	},
	{name: "headers in an answer that is no batch's", text: `{"responses":[{"headers":{"Location":"<K>/"}}]}`},
	{name: "white space and numbers",
		text: " \t\r\n{ \"@odata.id\" :\r\n\t\"<G>/\" , \"n\" : [ 1.0e+05 , -0 , 1E400 , true , { } , [ ] ] } \n"},
	{name: "bytes that are not UTF-8", text: "{\"a\xff\":\"\xc3\",\"@odata.id\":\"<G>/\xff\xfe\"}"},
	{name: "a byte order mark", text: "\xef\xbb\xbf{\"@odata.id\":\"<G>/\"}"},
	{
		name: "escapes of all kinds",
		text: `{"\"@odata.id":"\"","a\\":"\\","@odata.id":"<G>/\"\\\/\u0041\\\"","@odata.context":"<G>/\\","b":"\\\\\"<K>/"}`,
	},
	{name: "a string after the end", text: `{"@odata.id":"<G>/"} {"@odata.id":"<K>/"}`, options: references},
	{name: "a string", text: `"<K>/"`},
	{name: "nothing", text: ``},
	{name: "a missing comma", text: `{"@odata.id":"<G>/" "@odata.id":"<K>/"}`, options: references},
	{name: "a missing colon", text: `{"@odata.id" "<K>/","@odata.id":"<K>/"}`, options: references},
	{name: "a missing value", text: `{"@odata.id":,"@odata.id":"<K>/"}`, options: references},
	{name: "a comma too many", text: `{"a":[1,],"@odata.id":"<K>/"}`, options: references},
	{name: "brackets that do not match", text: `{"a":[},"@odata.id":"<K>/"}`, options: references},
	{name: "a bracket too many", text: `{}},{"@odata.id":"<K>/"}`, options: references},
	{name: "a comment", text: `{/**/"@odata.id":"<K>/"}`, options: references},
	{name: "single quotes", text: `{'@odata.id':"<K>/"}`},
	{name: "two literals", text: `{"a":1 2,"@odata.id":"<K>/"}`, options: references},
	{name: "a key that is no string", text: `{1:2,"@odata.id":"<K>/"}`, options: references},
	{name: "a text that ends within a link", text: `{"@odata.id":"<K>`},
	{name: "a text that ends within a port", text: `{"@odata.id":"<K>:44`},
	{name: "a text that ends within an escape", text: `{"@odata.id":"https:\/\u00`},
	{name: "a text that ends within a changed link", text: `{"@odata.id":"<G>/v1.0/us`},
	{name: "a text that ends within a key", text: `{"@odata.i`},
	{name: "HTML", text: `<html><a href="@odata.id":"<K>/v1.0">`, options: references},
}

func TestInAnswersTheLinksAndNothingElseChange(t *testing.T) {
	for _, s := range samples {
		t.Run(s.name, func(t *testing.T) {
			equal(t, rewrite(t, s.from(), s.options), s.to())
			equal(t, string(rewriter(t).Append([]byte("x"), []byte(s.from()), s.options)), "x"+s.to())
		})
	}
}

func TestEscapesDoNotHideALink(t *testing.T) {
	for _, c := range []struct{ name, from, to string }{
		{"in the key", `{"\u0040odata.next\u004cink":"` + graph + `/a"}`, `{"\u0040odata.next\u004cink":"` + public + `/a"}`},
		{"in a property's name", `{"file\u0055rl":"` + graph + `/a"}`, `{"file\u0055rl":"` + public + `/a"}`},
		{"beyond ASCII before the annotation", `{"\u00e9\ud83d\ude00@odata.nextLink":"` + graph + `/a"}`,
			`{"\u00e9\ud83d\ude00@odata.nextLink":"` + public + `/a"}`},
		{"in the address", `{"@odata.id":"https:\/\/graph.microsoft.com\/v1.0\/a"}`,
			`{"@odata.id":"` + public + `\/v1.0\/a"}`},
		{"as code points", `{"@odata.id":"\u0068ttps:\u002F\u002f\u0047raph.microsoft.com\u002fv1.0"}`,
			`{"@odata.id":"` + public + `\u002fv1.0"}`},
		{"in a port", `{"@odata.id":"https://graph.microsoft.com\u003a443/v1.0"}`, `{"@odata.id":"` + public + `/v1.0"}`},
		{"in key and address", `{"@odata\u002enextLink":"h\u0074tps:\u002f\u002fgraph\u002emicrosoft\u002ecom/v1.0/users"}`,
			`{"@odata\u002enextLink":"` + public + `/v1.0/users"}`},
		{"everywhere", `{"` + escaped("@odata.deltaLink") + `" : "` + escaped(graph+"/v1.0/") + `x"}`,
			`{"` + escaped("@odata.deltaLink") + `" : "` + public + escaped("/v1.0/") + `x"}`},
		{"in a long name of a property",
			`{"` + escaped("aLongNameOfAPropertyThatIsInTheSchemaOfATenant@odata.nextLink") + `":"` + escaped(graph) + `/a"}`,
			`{"` + escaped("aLongNameOfAPropertyThatIsInTheSchemaOfATenant@odata.nextLink") + `":"` + public + `/a"}`},
		{"in the API root",
			`{"contentUrl":"` + graph + `\/v1\u002e0\/a","self":"` + graph + `/\u0062eta/b","pagesUrl":"` + graph +
				`\u002fv1.0x"}`, `{"contentUrl":"` + public + `\/v1\u002e0\/a","self":"` + public + `/\u0062eta/b","pagesUrl":"` +
				graph + `\u002fv1.0x"}`},
		{"in the name of a property of OneNote",
			`{"content\u0055rl":"` + graph + `/v1.0/a","\u0073elf":"` + graph + `/v1.0/b"}`, `{"content\u0055rl":"` + public +
				`/v1.0/a","\u0073elf":"` + public + `/v1.0/b"}`},
		{"after many others",
			`{"content":"` + strings.Repeat(`\u003cp\u003e\u0026\u0027\u00e9`, 40) +
				`","@odata.id":"\u0068ttps://graph.microsoft.com/a"}`, `{"content":"` +
				strings.Repeat(`\u003cp\u003e\u0026\u0027\u00e9`, 40) + `","@odata.id":"` + public + `/a"}`},
		{"in text",
			`{"content":"\u0068ttps://graph.microsoft.com/v1.0","@odata.type":"h\u0074tps:\/\/graph.microsoft.com\/"}`,
			`{"content":"\u0068ttps://graph.microsoft.com/v1.0","@odata.type":"h\u0074tps:\/\/graph.microsoft.com\/"}`},
		{"in text that looks like a link", `{"content":"\"@odata.id\":\"\u0068ttps://graph.microsoft.com/v1.0"}`,
			`{"content":"\"@odata.id\":\"\u0068ttps://graph.microsoft.com/v1.0"}`},
		{"after a backslash",
			`{"@odata.id":"\\u0068ttps://graph.microsoft.com/a","self":"\\\u0068ttps://graph.microsoft.com/v1.0/a"}`,
			`{"@odata.id":"\\u0068ttps://graph.microsoft.com/a","self":"\\\u0068ttps://graph.microsoft.com/v1.0/a"}`},
		{"in another host",
			`{"@odata.id":"https://graph\u002emicrosoft.com.fabrikam.example/",` +
				`"self":"https://graph.microsoft.com\u0040fabrikam.example/v1.0/"}`,
			`{"@odata.id":"https://graph\u002emicrosoft.com.fabrikam.example/",` +
				`"self":"https://graph.microsoft.com\u0040fabrikam.example/v1.0/"}`},
		{"a quote after the host", `{"@odata.id":"https://graph.microsoft.com\"/v1.0"}`,
			`{"@odata.id":"https://graph.microsoft.com\"/v1.0"}`},
		{"a quote after the host, and a link behind it",
			`{"@odata.id":"https://graph.microsoft.com\"","@odata.context":"` + graph + `/a"}`,
			`{"@odata.id":"https://graph.microsoft.com\"","@odata.context":"` + public + `/a"}`},
		{"a quote in the name of a property that ends like one of a link", `{"a\"self":"` + graph + `/v1.0/a"}`,
			`{"a\"self":"` + graph + `/v1.0/a"}`},
		{"a zero after the host", `{"@odata.id":"https://graph.microsoft.com\u0000"}`,
			`{"@odata.id":"https://graph.microsoft.com\u0000"}`},
		{"a letter that is one only in a wider sense", `{"@odata.id":"https://graph.microsoft.com\u012f"}`,
			`{"@odata.id":"https://graph.microsoft.com\u012f"}`},
		{"an escape that is none", `{"@odata.id":"https:\x//graph.microsoft.com/","a":"\u00zz"}`,
			`{"@odata.id":"https:\x//graph.microsoft.com/","a":"\u00zz"}`},
		{"a backslash in the key", `{"\\u0040odata.id":"` + graph + `/a"}`, `{"\\u0040odata.id":"` + graph + `/a"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, o := range []links.Options{{}, references} {
				equal(t, rewrite(t, c.from, o), c.to)
				everySplit(t, c.from, c.to, o)
			}
		})
	}
}

// escaped writes each character of a text as an escape.
func escaped(text string) string {
	var b strings.Builder
	for _, c := range text {
		fmt.Fprintf(&b, `\u%04x`, c)
	}
	return b.String()
}

// everySplit reads a text in two pieces, split at each place, and byte by byte.
func everySplit(t *testing.T, from, to string, o links.Options) {
	t.Helper()
	for i := range len(from) + 1 {
		two := io.MultiReader(strings.NewReader(from[:i]), strings.NewReader(from[i:]))
		if got := readAll(t, two, o); got != to {
			t.Fatalf("parted at %d, %q\ngot  %q\nwant %q", i, from[:i], got, to)
		}
	}
	equal(t, readAll(t, iotest.OneByteReader(strings.NewReader(from)), o), to)
	equal(t, readAll(t, iotest.DataErrReader(strings.NewReader(from)), o), to)
	small, err := io.ReadAll(iotest.OneByteReader(rewriter(t).NewReader(io.NopCloser(strings.NewReader(from)), o)))
	if equal(t, string(small), to); err != nil {
		t.Error(err)
	}
}

func TestItDoesNotMatterWhereAnAnswerIsParted(t *testing.T) {
	for _, s := range samples {
		t.Run(s.name, func(t *testing.T) {
			everySplit(t, s.from(), s.to(), s.options)
			slashes := strings.ReplaceAll(s.from(), graph, `https:\/\/graph.microsoft.com`)
			everySplit(t, slashes, string(rewriter(t).Append(nil, []byte(slashes), s.options)), s.options)
			const odd = `https:\/\/Graph\u002emicrosoft.com`
			want := strings.NewReplacer("<G>", public, "<K>", odd, "<V>", public+"/beta").Replace(s.text)
			everySplit(t, strings.NewReplacer("<G>", odd, "<K>", odd, "<V>", "").Replace(s.text), want, s.options)
		})
	}
}

// pieces returns one piece for each Read, as a connection does, and counts.
type pieces struct {
	rest  []string
	reads int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	p.reads++
	n := copy(b, p.rest[0])
	p.rest = p.rest[1:]
	return n, nil
}

func TestWhatHasComeGoesOutAtOnce(t *testing.T) {
	for _, c := range []struct {
		name     string
		in, want []string
	}{
		{"text, keys and numbers", []string{`{"a`, `bc":"de`, `f","g":1`, `2`, `}`},
			[]string{`{"a`, `bc":"de`, `f","g":1`, `2`, `}`}},
		{"a link that is told", []string{`{"@odata.id":"` + graph + `/`, `v1.0`, `"}`},
			[]string{`{"@odata.id":"` + public + `/`, `v1.0`, `"}`}},
		{"what stands before a link that is not told yet",
			[]string{`{"@odata.id":"https://gr`, `aph.microsoft.com`, `/v1.0`}, []string{`{"@odata.id":`,
				`"` + public + `/v1.0`}},
		{"a link that turns out to be another's", []string{`{"@odata.id":"https://gr`, `oup`, `"}`},
			[]string{`{"@odata.id":`, `"https://group`, `"}`}},
		{"a link to another host, from its first other letter on", []string{`{"@odata.id":"https://c`, `ontoso`},
			[]string{`{"@odata.id":"https://c`, `ontoso`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := &pieces{rest: c.in}
			body := rewriter(t).NewReader(io.NopCloser(source), links.Options{})
			var got []string
			for b := make([]byte, 4096); ; {
				n, err := body.Read(b)
				if n > 0 {
					got = append(got, string(b[:n]))
				}
				if err != nil {
					break
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("a Read that has something does not wait for more", func(t *testing.T) {
		source := &pieces{rest: []string{`{"@odata.id":"` + graph + `/a"`, `}`}}
		if n, err := rewriter(t).NewReader(io.NopCloser(source), links.Options{}).Read(make([]byte, 100)); n == 0 ||
			err != nil || source.reads != 1 {
			t.Errorf("%d bytes, %v, after %d reads", n, err, source.reads)
		}
	})
}

func TestAnErrorOfTheAnswerComesAfterAllThatCameBefore(t *testing.T) {
	for _, text := range []string{`{"a":"b`, `{"@odata.id":"https://graph`, ``} {
		broken := rewriter(t).NewReader(
			io.NopCloser(io.MultiReader(strings.NewReader(text), iotest.ErrReader(io.ErrUnexpectedEOF))), links.Options{},
		)
		got, err := io.ReadAll(broken)
		if equal(t, string(got), text); err != io.ErrUnexpectedEOF { //nolint:errorlint // it must be the same
			t.Errorf("%q: %v", text, err)
		}
		if n, err := broken.Read(make([]byte, 10)); n != 0 || err != io.ErrUnexpectedEOF { //nolint:errorlint // likewise
			t.Errorf("%q, once more: %d, %v", text, n, err)
		}
	}
}

func TestNestingBeyondTheBoundPasses(t *testing.T) {
	for _, depth := range []int{1000, 1022, 1023, 1024, 100_000} {
		link, want := `{"@odata.id":"`+graph+`/"}`, `{"@odata.id":"`+public+`/"}`
		if depth > 1023 { // and the object itself
			want = link
		}
		text := func(s string) string { return strings.Repeat("[", depth) + s + strings.Repeat("]", depth) }
		equal(t, rewrite(t, text(link), references), text(want))
	}
}

func TestLongKeysAndValuesAreNotHeld(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	slashes := strings.Repeat(`\\`, 1<<20)
	for _, c := range []struct{ name, from, to string }{
		{"a key", `{"` + long + `@odata.id":"` + graph + `/","@odata.id":"` + graph + `/"}`,
			`{"` + long + `@odata.id":"` + graph + `/","@odata.id":"` + public + `/"}`},
		{"a value", `{"a":"` + long + `","@odata.id":"` + graph + `/` + long + `"}`,
			`{"a":"` + long + `","@odata.id":"` + public + `/` + long + `"}`},
		{"backslashes", `{"` + slashes + `":"` + slashes + `\"","@odata.id":"` + graph + `/"}`,
			`{"` + slashes + `":"` + slashes + `\"","@odata.id":"` + public + `/"}`},
		{"white space", `{"@odata.id":` + strings.Repeat(" ", 1<<20) + `"` + graph + `/"}`,
			`{"@odata.id":` + strings.Repeat(" ", 1<<20) + `"` + public + `/"}`},
		{"a number", `[` + strings.Repeat("1", 1<<20) + `,{"@odata.id":"` + graph + `/"}]`,
			`[` + strings.Repeat("1", 1<<20) + `,{"@odata.id":"` + public + `/"}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			equal(t, rewrite(t, c.from, references), c.to)
			for _, size := range []int{1, 100, 4096} {
				if n := allocated(t, strings.NewReader(c.from), size, references); n > 16<<10 {
					t.Errorf("%d bytes allocated with a buffer of %d", n, size)
				}
			}
		})
	}
}

func TestMemoryDoesNotGrowWithTheAnswer(t *testing.T) {
	part := []byte(strings.Repeat(`{"@odata.id":"`+graph+`/v1.0/users/1","displayName":"Adele Vance"},`, 500))
	for _, o := range []links.Options{{}, references} {
		for _, most := range []int64{1 << 20, 64 << 20} {
			answer := io.MultiReader(strings.NewReader(`{"value":[`), &endless{part: part, most: most})
			if n := allocated(t, answer, 32<<10, o); n > 256<<10 {
				t.Errorf("%d bytes allocated for an answer of %d MiB", n, most>>20)
			}
		}
	}
}

// allocated returns how many bytes are allocated while an answer is read.
func allocated(t *testing.T, answer io.Reader, buffer int, o links.Options) uint64 {
	t.Helper()
	r, b := rewriter(t), make([]byte, buffer)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	body := r.NewReader(io.NopCloser(answer), o)
	for {
		if _, err := body.Read(b); err != nil {
			break
		}
	}
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestAPageOfGraphsIsTheSameButForItsLinks(t *testing.T) {
	text := page(60_000)
	want := strings.ReplaceAll(string(text), graph, public)
	for _, size := range []int{1, 7, 512, 4096, 100_000} {
		b := rewriter(t).NewReader(io.NopCloser(bytes.NewReader(text)), links.Options{})
		var got bytes.Buffer
		if _, err := io.CopyBuffer(struct{ io.Writer }{&got}, b, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		equal(t, got.String(), want)
	}
}
