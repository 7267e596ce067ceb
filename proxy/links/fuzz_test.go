package links_test

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/proxy/links"
)

// Short addresses are found sooner by chance.
const (
	shortGraph  = "http://g"
	shortPublic = "https://proxy.contoso.com:8443"
)

var (
	atGraph  = regexp.MustCompile(`^[hH][tT][tT][pP]://[gG](:80)?([/?#]|$)`)
	atPublic = regexp.MustCompile(
		`^[hH][tT][tT][pP][sS]://[pP][rR][oO][xX][yY]\.[cC][oO][nN][tT][oO][sS][oO]\.[cC][oO][mM]:8443([/?#]|$)`,
	)
	rootAtGraph  = regexp.MustCompile(`(?i)^http://g(:80)?(/v1\.0/|/beta/)`)
	rootAtPublic = regexp.MustCompile(`(?i)^https://proxy\.contoso\.com:8443(/v1\.0/|/beta/)`)
	isLink       = regexp.MustCompile(`@odata\.(context|id|nextLink|deltaLink|readLink|editLink|mediaReadLink|` +
		`mediaEditLink|associationLink|navigationLink)$|` +
		`^(resourcesFolderUrl|fileUrl|assignmentResourceUrl|principalLink|parentUrl|resourceLocation|sectionsUrl|` +
		`sectionGroupsUrl|messageUri|notificationChannelUrl)$`)
	isFollow = regexp.MustCompile(`(?i)(url|uri|link|location|href)$|^(self|@id|@context)$`)

	isNaming = regexp.MustCompile(`(?i)@(odata\.)?(id|bind)$`)
)

func short(t testing.TB) *links.Rewriter {
	t.Helper()
	r, err := links.New(shortGraph, shortPublic)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func seeds(f *testing.F, add func(text string, kind byte)) {
	f.Helper()
	for _, s := range samples {
		kind := byte(0)
		if s.options.References {
			kind |= 1
		}
		add(strings.NewReplacer("<G>", shortGraph, "<K>", shortGraph).Replace(s.text), kind)
	}
	for _, text := range []string{
		`{"\u0040odata.id":"\u0048ttp:\/\/\u0067:80\/a\\"}`, `{"@odata.id":"http://g:8"}`,
		`{"@odata.id":"http://g\\","a":"\\\""}`,
		`{"responses":[{"headers":{"Location":"\/v2\/a","content-location":"/beta","Operation-Location":"//g/"}}]}`,
	} {
		add(text, 1)
	}
}

func options(kind byte) links.Options {
	return links.Options{References: kind&1 != 0}
}

func FuzzAnAnswerInPiecesBecomesWhatItBecomesWhole(f *testing.F) {
	seeds(f, func(text string, kind byte) {
		f.Add([]byte(text), kind, uint16(len(text)/3), uint16(len(text)/2), uint8(3))
	})
	f.Fuzz(func(t *testing.T, text []byte, kind byte, a, b uint16, buffer uint8) {
		i := min(int(a), len(text))
		j := i + min(int(b), len(text)-i)
		parts := io.MultiReader(bytes.NewReader(text[:i]), bytes.NewReader(text[i:j]), bytes.NewReader(text[j:]))
		var got bytes.Buffer
		body := short(t).NewReader(io.NopCloser(parts), options(kind))
		if _, err := io.CopyBuffer(struct{ io.Writer }{&got}, body, make([]byte, int(buffer)+1)); err != nil {
			t.Fatal(err)
		}
		equal(t, got.String(), string(short(t).Append(nil, text, options(kind))))
	})
}

// The finder, which does not follow the text, finds the same links as the scanner, which does. The scanner is for
// answers to $ref, where strings under "value" at the top are links too.
func FuzzTheFinderFindsWhatTheScannerFinds(f *testing.F) {
	seeds(f, func(text string, _ byte) { f.Add([]byte(text), uint16(len(text)/2), uint8(7)) })
	f.Add(
		[]byte(`{"@odata\u002enextLink":"h\u0074tp:\u002f\u002fg/a","self":"http:\/\/\u0067\/v1.0\/",`+
			`"content":"\u003ca\u003e\"self\":\"\u0068ttp://g/v1.0/"}`), uint16(30), uint8(3),
	)
	f.Fuzz(func(t *testing.T, text []byte, a uint16, buffer uint8) {
		i := min(int(a), len(text))
		var got bytes.Buffer
		parts := io.MultiReader(bytes.NewReader(text[:i]), bytes.NewReader(text[i:]))
		body := short(t).NewReader(io.NopCloser(parts), links.Options{})
		if _, err := io.CopyBuffer(struct{ io.Writer }{&got}, body, make([]byte, int(buffer)+1)); err != nil {
			t.Fatal(err)
		}
		equal(t, got.String(), string(short(t).Append(nil, text, links.Options{})))
		if len(text) > 400 || !json.Valid(text) ||
			bytes.Count(bytes.ToLower(text), []byte(shortGraph)) != bytes.Count(text, []byte(shortGraph)) {
			return // long keys, text that is not JSON, and unescaped capitals may differ
		}
		var top map[string]json.RawMessage
		if _ = json.Unmarshal(text, &top); top["value"] == nil {
			equal(t, got.String(), string(short(t).Append(nil, text, links.Options{References: true})))
		}
	})
}

func FuzzOnlyTheAddressesInLinksChange(f *testing.F) {
	seeds(f, func(text string, kind byte) { f.Add([]byte(text), kind) })
	f.Fuzz(func(t *testing.T, text []byte, kind byte) {
		if len(text) > 1000 { // keys and nesting beyond the bounds may differ
			return
		}
		var before, after any
		if !decode(text, &before) {
			return
		}
		o := options(kind)
		got := short(t).Append(nil, text, o)
		if !decode(got, &after) {
			t.Fatalf("%q became %q, which is not JSON", text, got)
		}
		m := model{o}
		if diff := cmp.Diff(m.value(before, "", nil), after); diff != "" {
			t.Errorf("%q became %q: %s", text, got, diff)
		}
	})
}

func decode(text []byte, v *any) bool {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(v) == nil && d.Decode(new(any)) == io.EOF //nolint:errorlint // it is io.EOF itself
}

// model computes the expected answer in another way, on a tree.
type model struct{ o links.Options }

func (m model) value(v any, key string, path []string) any {
	switch v := v.(type) {
	case map[string]any:
		for k, member := range v {
			v[k] = m.value(member, k, append(path[:len(path):len(path)], k))
		}
	case []any:
		for i, element := range v {
			inside := append(path[:len(path):len(path)], "[]")
			name := ""
			if _, ok := element.(string); ok && m.o.References && strings.Join(inside, "/") == "value/[]" {
				name = "@odata.id"
			}
			v[i] = m.value(element, name, inside)
		}
	case string:
		return m.text(v, key, path)
	}
	return v
}

func (m model) text(s, key string, path []string) string {
	switch {
	case isLink.MatchString(key), m.o.References && len(path) == 1 && key == "value":
		return exchange(atGraph, s, shortPublic)
	case isFollow.MatchString(key):
		return exchange(rootAtGraph, s, shortPublic)
	}
	return s
}

// exchange replaces the address that at finds at the beginning of s.
func exchange(at *regexp.Regexp, s, address string) string {
	found := at.FindStringSubmatchIndex(s)
	if found == nil {
		return s
	}
	return address + s[found[len(found)-2]:]
}

func FuzzWithEqualAddressesNothingChanges(f *testing.F) {
	seeds(f, func(text string, kind byte) { f.Add([]byte(text), kind&1) })
	const address = "http://g:9"
	r, err := links.New(address, address)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"@odata.id":"http://g:9/a","b":"http://g:9","@odata.nextLink":"http://g:9`), byte(0))
	f.Fuzz(func(t *testing.T, text []byte, kind byte) {
		other := bytes.Count(bytes.ToLower(text), []byte(address)) != bytes.Count(text, []byte(address))
		if other || bytes.Contains(text, []byte(`\u`)) || bytes.Contains(text, []byte(`\/`)) {
			return // the address may be there in another spelling, which changes
		}
		equal(t, string(r.Append(nil, text, options(kind&1))), string(text))
	})
}

func FuzzInRequestsOnlyTheAddressesInReferencesChange(f *testing.F) {
	seeds(f, func(text string, _ byte) {
		text = strings.ReplaceAll(text, shortGraph, shortPublic)
		f.Add([]byte(text))
		f.Add([]byte(strings.ReplaceAll(text, "nextLink", "bind")))
	})
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := short(t).BackBody(text)
		var before, after any
		if err != nil || len(text) == 0 || len(text) > 1000 { // deep trees take long to compare
			return
		}
		if !decode(bytes.TrimPrefix(text, []byte("\ufeff")), &before) || !decode(got, &after) {
			t.Fatalf("%q became %q, which is not JSON", text, got)
		}
		m := naming{}
		if diff := cmp.Diff(m.value(before, ""), after); diff != "" {
			t.Errorf("%q became %q: %s", text, got, diff)
		}
		named, err := short(t).Names(got)
		if err != nil {
			return
		}
		for s := range m {
			if !strings.Contains("\x00"+strings.Join(named.Addresses, "\x00")+"\x00", "\x00"+s+"\x00") {
				t.Errorf("%q names %q, but %q was reported", text, s, named.Addresses)
			}
		}
	})
}

// naming computes the expected body of a request in another way, on a tree, and keeps the resources that it names.
type naming map[string]bool

func (m naming) value(v any, key string) any {
	switch v := v.(type) {
	case map[string]any:
		for k, member := range v {
			v[k] = m.value(member, k)
		}
	case []any:
		for i, element := range v {
			v[i] = m.value(element, key)
		}
	case string:
		switch {
		case isNaming.MatchString(key):
			m[exchange(atPublic, exchange(atGraph, v, ""), "")] = true
			return exchange(atPublic, v, shortGraph)
		case isLink.MatchString(key):
			return exchange(atPublic, v, shortGraph)
		case isFollow.MatchString(key):
			return exchange(rootAtPublic, v, shortGraph)
		}
	}
	return v
}
