package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"graphproxy/policy/strictjson"
)

func TestATextWithTwoReadingsIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                                     "",
		"only space":                                  " \n",
		"a key twice":                                 `{"a":1,"a":2}`,
		"a key twice in another letter case":          `{"Scope":1,"sCOPE":2}`,
		"a key twice, once escaped":                   `{"scope":1,"\u0073cope":2}`,
		"a key twice, once with the Kelvin sign":      "{\"key\":1,\"\u212aey\":2}",
		"a key twice, once in wide letters":           "{\"type\":1,\"\uff54ype\":2}",
		"a key twice, once with an invisible space":   "{\"type\":1,\"ty\u200bpe\":2}",
		"a key twice, once with a space at its end":   `{"a":1,"a ":2}`,
		"a key twice below a list":                    `{"a":[{"b":1,"B":1}]}`,
		"a byte order mark":                           "\ufeff{}",
		"UTF-16":                                      "{\x00}\x00",
		"a byte that is not UTF-8":                    "{\"a\":\"\xff\"}",
		"a letter in two bytes too many":              "{\"a\":\"\xc0\xaf\"}",
		"half a surrogate pair":                       `{"a":"\ud83d"}`,
		"the second half alone":                       `{"a":"\ude00"}`,
		"halves in the wrong order":                   `{"a":"\ude00\ud83d"}`,
		"an escape that JSON does not have":           `{"a":"\x41"}`,
		"a short escape":                              `{"a":"\u12"}`,
		"a line end in a string":                      "{\"a\":\"x\ny\"}",
		"a NUL in a string":                           "{\"a\":\"\x00\"}",
		"a text behind the value":                     `{} {}`,
		"a comma at the end of an object":             `{"a":1,}`,
		"a comma at the end of a list":                `[1,]`,
		"a comment":                                   `{"a":1/*x*/}`,
		"a key without quotes":                        `{a:1}`,
		"quotes of another language":                  `{'a':1}`,
		"a number that begins with 0":                 `{"a":01}`,
		"a number with a plus":                        `{"a":+1}`,
		"a number that ends with a point":             `{"a":1.}`,
		"a number without digits in its exponent":     `{"a":1e}`,
		"a hexadecimal number":                        `{"a":0x1}`,
		"not a number":                                `{"a":NaN}`,
		"a word in capitals":                          `{"a":True}`,
		"a word with more behind it":                  `{"a":nullx}`,
		"an object that does not end":                 `{"a":1`,
		"a string that does not end":                  `{"a":"x`,
		"a list closed as an object":                  `[1}`,
		"two values without a comma":                  `[1 2]`,
		"a colon missing":                             `{"a" 1}`,
		"a form feed as space":                        "{\f}",
		"a space of another script":                   "{\u00a0}",
		"lists in more than the levels that are read": strings.Repeat("[", 65) + strings.Repeat("]", 65),
	} {
		var fault *strictjson.Error
		if err := strictjson.Check([]byte(text)); !errors.As(err, &fault) {
			t.Errorf("%s: %q has the error %v", name, text, err)
		} else if fault.At < 0 || fault.At > len(text) {
			t.Errorf("%s: the error is at byte %d of %d", name, fault.At, len(text))
		}
	}
}

func TestATextWithOneReadingIsRead(t *testing.T) {
	for name, text := range map[string]string{
		"an empty object":             `{}`,
		"a value alone":               ` "x" `,
		"space of every kind":         "\t{\r\n \"a\" : [ 1 , 2 ] }\n",
		"numbers of every form":       `[0,-0,1.5,-1e9,2E-3,123456789012345678901234567890]`,
		"all escapes":                 `"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`,
		"the same key elsewhere":      `{"a":{"a":1},"b":[{"a":1},{"a":2}]}`,
		"keys that differ":            `{"a":1,"aa":2,"@odata.type":"#x","a@odata.type":"y"}`,
		"letters of other scripts":    `{"subject":"会議 Ünïcode Привет 😀"}`,
		"the deepest that is read":    strings.Repeat("[", 64) + strings.Repeat("]", 64),
		"an object of very many keys": manyKeys(5_000),
	} {
		if err := strictjson.Check([]byte(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The search for doubled keys does not compare each key with every other: the cost for each key is the same in
// a large and in a small object.
func TestManyKeysTakeMemoryForEachKeyOnly(t *testing.T) {
	text := []byte(manyKeys(100_000))
	if n := testing.AllocsPerRun(1, func() { _ = strictjson.Check(text) }); n > 100_000 {
		t.Errorf("%.0f allocations for an object of 100,000 keys", n)
	}
}

func manyKeys(n int) string {
	object := make(map[string]int, n)
	for i := range n {
		object["key"+strconv.Itoa(i)] = i
	}
	text, _ := json.Marshal(object)
	return string(text)
}

// encoding/json accepts every text that Check accepts, and an independent search finds no doubled key.
func FuzzWhatIsReadHasOneReading(f *testing.F) {
	for _, text := range []string{
		`{}`, `[1,"a",{"b":null}]`, `{"a":1,"A":2}`, `{"\u0061":1,"a":2}`, `"\ud83d\ude00"`, "\ufeff{}",
		`{"a":[{"b":1,"B":2}]}`,
		`{"a":1.5e3}`, `[[[[]]]]`, "{\"\u212a\":1,\"k\":2}", `{"a":"\/"}`, "[1,\n2]", `{"a":tru}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if strictjson.Check(text) != nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q is no JSON", text)
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if twice := keyTwice(t, decoder); twice != "" {
			t.Errorf("%q has %q twice", text, twice)
		}
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
			t.Errorf("%q goes on behind its value", text)
		}
	})
}

// keyTwice reads one value and returns a key that an object of it has twice, ignoring letter case; "" if there
// is none.
func keyTwice(t *testing.T, decoder *json.Decoder) (twice string) {
	token, err := decoder.Token()
	if err != nil {
		t.Fatal(err)
	}
	opening, isOpening := token.(json.Delim)
	if !isOpening {
		return ""
	}
	seen := make(map[string]bool)
	for decoder.More() {
		if opening == '{' {
			key, _ := decoder.Token()
			folded := strings.ToLower(key.(string))
			if seen[folded] {
				twice = folded
			}
			seen[folded] = true
		}
		if below := keyTwice(t, decoder); below != "" {
			twice = below
		}
	}
	if _, err := decoder.Token(); err != nil {
		t.Fatal(err)
	}
	return twice
}
