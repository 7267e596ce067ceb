package strictjson_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"weak"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/strictjson"
)

func TestAnErrorNamesThePlaceAndWhatBelongsThere(t *testing.T) {
	for _, c := range []struct {
		text    string
		at      int
		message string
	}{
		{`{"a" 1}`, 5, "'1' stands where a colon should be"},
		{`{"a"`, 4, "the text ends where a colon should be"},
		{`{"a":}`, 5, "'}' stands where a JSON value should be"},
		{`{"a":1 "b":2}`, 7, `'"' stands where a comma or '}' should be`},
		{`{"a":1,}`, 7, "'}' stands where a key in quotes should be"},
		{`{ 1:2}`, 2, "'1' stands where a key in quotes should be"},
		{`[1 2]`, 3, "'2' stands where a comma or ']' should be"},
		{`[1,]`, 3, "']' stands where a JSON value should be"},
		{`[1`, 2, "the text ends where a comma or ']' should be"},
		{`[`, 1, "the text ends where a JSON value should be"},
		{`[tru]`, 1, "'t' stands where a JSON value should be"},
		{`[é]`, 1, `'\u00e9' stands where a JSON value should be`},
		{`[-]`, 2, "']' stands where a digit should be"},
		{`1.`, 2, "the text ends where a digit should be"},
		{`["a`, 3, "the text ends where the quote that ends a string should be"},
		{"[\"a\x07\"]", 3, `a control character stands in a string; write it as \u0007`},
		{"[\"a\xff\"]", 3, "the text is not UTF-8; send JSON in UTF-8"},
		{`["a\x"]`, 4, "'x' stands where an escape that JSON has should be"},
		{`["a\u12x4"]`, 3, `\u is not followed by four hexadecimal digits`},
		{`["a\u12"]`, 3, `\u is not followed by four hexadecimal digits`},
		{`["a\ud83dx"]`, 3, "half of a surrogate pair stands in a string; write the character itself"},
		{`{"a":1, "A":2}`, 9, `the property "A" is there twice, letter case does not count; keep one`},
		{`{"a":1} x`, 8, "there is more behind the end of the JSON value; send one value"},
		{strings.Repeat("[", 65), 64, "arrays and objects nest deeper than 64"},
		{"\xef\xbb\xbf{}", 0, "a byte order mark stands in front; send the text without it"},
		{"\xff\xfe{\x00", 0, "the text is written in UTF-16 or UTF-32; send JSON in UTF-8"},
		{"{\x00}\x00", 0, "the text is written in UTF-16 or UTF-32; send JSON in UTF-8"},
	} {
		var got *strictjson.Error
		if err := strictjson.Check([]byte(c.text)); !errors.As(err, &got) {
			t.Errorf("%q has the error %v", c.text, err)
			continue
		}
		if diff := cmp.Diff(strictjson.Error{At: c.at, Message: c.message}, *got); diff != "" {
			t.Errorf("%q: %s", c.text, diff)
		}
	}
}

// check reads a whole text.
func check(text string, o strictjson.Options) error {
	var r strictjson.Reader
	if err := r.Reset([]byte(text), o); err != nil {
		return err
	}
	if _, err := r.Value(); err != nil {
		return err
	}
	return r.End()
}

func TestALenientReaderTakesWhatIsPassedOnAsItIs(t *testing.T) {
	o := strictjson.Options{Lenient: true, Depth: 3}
	for name, text := range map[string]string{
		"a key twice":              `{"a":1,"a":{"b":1,"B":2}}`,
		"half of a surrogate pair": `["\ud83d"]`,
		"a byte that is not UTF-8": "{\"\xff\":\"\xfe\"}",
		"the deepest that is read": `[{"a":[1]}]`,
	} {
		if err := check(text, o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"an escape that JSON does not have": `["\x"]`,
		"a short escape":                    `["\u12"]`,
		"a control character":               "[\"\n\"]",
		"a comma at the end":                `{"a":1,}`,
		"a second value":                    `{} {}`,
		"nothing":                           ``,
		"an array too deep":                 `[{"a":[[]]}]`,
		"an object too deep":                `[[[{}]]]`,
		"brackets that do not match":        `[{"a":1]}`,
	} {
		if check(text, o) == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestALenientReaderCountsTheDepthWithoutTheBracketsOfStrings(t *testing.T) {
	o := strictjson.Options{Lenient: true, Depth: 3}
	for text, want := range map[string]string{
		`["[[[[{{{{"]`:                 "",
		`["\"[[","\\",[["]]"]]]`:       "",
		`[[[1]],[[2]],[[3]],{"a":[]}]`: "",
		`["]]",[[1]]]`:                 "",
		`["]]","]\"]",[[[1]]]]`:        "byte 15",
		`[[],[],[[],[[]]]]`:            "byte 12",
		`{"[":{"\"":{"a":1,"b":{}}}}`:  "byte 22",
	} {
		err := check(text, o)
		var fault *strictjson.Error
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (!errors.As(err, &fault) || fmt.Sprintf("byte %d", fault.At) != want):
			t.Errorf("%s: %v, want it refused at %s", text, err, want)
		}
	}
}

func TestAValueIsReturnedAsItIsWritten(t *testing.T) {
	for _, o := range []strictjson.Options{{}, {Lenient: true}} {
		var r strictjson.Reader
		text := ` { "a" : [ 1 , {} ] ,"b":"\u0078" , "c" :-1.5e3,"d":null } `
		if err := r.Reset([]byte(text), o); err != nil {
			t.Fatal(err)
		}
		if err := r.Enter(); err != nil {
			t.Fatal(err)
		}
		got := make(map[string]string)
		for {
			key, _, more, err := r.Key()
			if err != nil {
				t.Fatal(err)
			}
			if !more {
				break
			}
			value, err := r.Value()
			if err != nil {
				t.Fatal(err)
			}
			if end := r.Offset(); text[end-len(value):end] != string(value) {
				t.Errorf("%s does not end at byte %d", value, end)
			}
			got[string(key)] = string(value)
		}
		want := map[string]string{"a": "[ 1 , {} ]", "b": `"\u0078"`, "c": "-1.5e3", "d": "null"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAReaderRefusesAValueOfAnotherKind(t *testing.T) {
	for name, read := range map[string]func(*strictjson.Reader) error{
		"a string":                       func(r *strictjson.Reader) error { _, err := r.String(); return err },
		"a number, true, false or null":  func(r *strictjson.Reader) error { _, err := r.Literal(); return err },
		"an object or array of an array": func(r *strictjson.Reader) error { _ = r.Enter(); return r.Enter() },
	} {
		var r strictjson.Reader
		if err := r.Reset([]byte(`["a"]`), strictjson.Options{}); err != nil {
			t.Fatal(err)
		}
		if read(&r) == nil {
			t.Errorf("%s is read", name)
		}
	}
}

func TestUnquoteTakesEscapesOff(t *testing.T) {
	for raw, want := range map[string]string{
		`plain`: "plain", `a\/\"\\\n\u00e9\ud83d\ude00`: "a/\"\\\né😀", `\ud83d`: "\ufffd", `x\ude00y`: "x\ufffdy", ``: "",
	} {
		if got := strictjson.Unquote([]byte(raw)); got != want {
			t.Errorf("%s says %q, not %q", raw, got, want)
		}
	}
}

// Doubled keys of a large object are found by sorting: they stand at any places, and look alike only when folded.
func TestADoubledKeyOfALargeObjectIsFound(t *testing.T) {
	const n = 40
	for name, twin := range map[string]string{
		"the same": "key7", "in another letter case": "KEY7", "with an escape": `\u006bey7`, "in wide letters": "\uff4bey7",
	} {
		for at := range n {
			var members []string
			for i := range n {
				members = append(members, fmt.Sprintf(`"key%d":%d`, i, i))
			}
			text := "{" + strings.Join(slices.Insert(members, at, `"`+twin+`":true`), ",") + "}"
			var fault *strictjson.Error
			if err := strictjson.Check([]byte(text)); !errors.As(err, &fault) || !strings.Contains(fault.Message, "twice") {
				t.Fatalf("%s, before key %d: %v", name, at, err)
			}
		}
	}
	if err := strictjson.Check([]byte(manyKeys(n))); err != nil {
		t.Error(err)
	}
}

func TestASpareKeepsNeitherATextNorMuchMemory(t *testing.T) {
	var spare strictjson.Spare
	read := func(text []byte) *strictjson.Reader {
		r := spare.Take()
		if err := r.Reset(text, strictjson.Options{}); err != nil {
			t.Fatal(err)
		}
		if err := r.Skip(); err != nil {
			t.Fatal(err)
		}
		spare.Put(r)
		return r
	}
	text := new([1 << 10]byte)
	copy(text[:], `{"a":1}`+strings.Repeat(" ", len(text)))
	weakly := weak.Make(text)
	r := read(text[:])
	text = nil
	runtime.GC()
	if weakly.Value() != nil {
		t.Error("the text of a Reader that is not in use is kept")
	}
	if again := read([]byte(manyKeys(5_000))); again != r {
		t.Error("a Reader is not used again")
	}
	if again := spare.Take(); again == r {
		t.Error("a Reader is kept with memory for 5,000 keys")
	}
}

// A Spare's Reader keeps nothing of the text before, and two goroutines never have the same one.
func TestASpareIsUsedByOneAtATime(t *testing.T) {
	var spare strictjson.Spare
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 200 {
				r := spare.Take()
				if err := r.Reset([]byte(`{"a":[{"b":1}],"c":2}`), strictjson.Options{}); err != nil {
					t.Error(err)
				}
				if err := r.Skip(); err != nil {
					t.Error(err)
				}
				spare.Put(r)
			}
		})
	}
	wait.Wait()
	r := spare.Take()
	_ = r.Reset([]byte(`[{"a":1,"a"`), strictjson.Options{})
	_ = r.Skip()
	spare.Put(r)
	if again := spare.Take(); again != r {
		t.Error("the Reader is not used again")
	}
	if err := r.Reset([]byte(`{"a":1}`), strictjson.Options{}); err != nil || r.Skip() != nil {
		t.Errorf("after a text with an error, the next is refused: %v", err)
	}
	if n := testing.AllocsPerRun(100, func() {
		_ = r.Reset([]byte(`{"a":[{"b":1}],"c":2}`), strictjson.Options{})
		_ = r.Skip()
	}); n > 1 { // the text
		t.Errorf("%.0f allocations to read another text", n)
	}
}
