// Package commonwords finds the hashes of common words among the hashes of keys: passwords that have leaked, English
// words and names, with the numbers and signs that people append to them, and the names that a file itself uses.
//
// A key that is a word is guessed within seconds by anyone who has the address, and its hash is found in tables. The
// package says nothing about other keys: that a hash is not found does not make its key a good one.
package commonwords

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

//go:generate go run ./generate /tmp/zxcvbn/frequency/lists.go words.gz

// 22,000 words, the commonest passwords first. NOTICE has their licence. Never changed.
//
//go:embed words.gz
var packed []byte

// ours are words of this domain, which people use as a key in a first trial and never change. Passwords of the list
// and these get more endings than other words.
const ours = `
	abc abcd abcde abcdef abcdefg abcdefgh foo bar foobar asdf asdfgh asdfghjkl qwerty qwertyuiop qazwsx zxcvbn 1q2w3e
	1q2w3e4r 1qaz2wsx testtest null iloveyou letmein hunter monkey dragon
	admin administrator apikey api_key api-key azure bearer changeit changeme change_me change-me contoso credential
	default demo dev development dummy entra example fabrikam graph graphapi graphproxy guest helloworld internal key
	login microsoft msgraph mykey myapp mysecret mysecretkey mytoken none nopass null office365 p@ssw0rd p@ssword pa55word
	pa$$word pass passw0rd password placeholder prod production proxy public replaceme root s3cr3t s3cret sample secret
	secretkey secrets service staging supersecret supersecretkey sysadmin temp test testing testkey testsecret thekey
	thisisasecret todo token toor trustno undefined user username welcome winter spring summer autumn monday yourkey
	yoursecret insecure $KEY ${KEY} $API_KEY ${API_KEY} $TOKEN $SECRET <key> <secret>`

// parts are words that are put together: my-secret-key.
const parts = "my the api app admin graph graphproxy proxy test dev prod secret key token password hello world super " +
	"user new old service hr default change me demo local shared master client"

// The first 8 bytes of each hash, sorted. They are computed when the first key is read, within some 50 ms, and take
// 3 MB. Two hashes with the same 8 bytes have a chance of 1 to 10^13.
var hashes = sync.OnceValues(compute)

func compute() ([]uint64, error) {
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("the embedded list of common words: %w", err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		return nil, fmt.Errorf("the embedded list of common words: %w", err)
	}
	var f finder
	f.all(strings.Split(string(text), "\n"))
	slices.Sort(f.found)
	return slices.Clip(slices.Compact(f.found)), nil
}

// Has reports whether a hash is the SHA-256 of a common word, or of a name with an ending. It is safe for concurrent
// use. The error means that the embedded list is damaged.
func Has(sum [32]byte, names ...string) (bool, error) {
	known, err := hashes()
	if err != nil {
		return false, err
	}
	start := binary.BigEndian.Uint64(sum[:8])
	if _, found := slices.BinarySearch(known, start); found {
		return true, nil
	}
	var f finder
	for _, name := range names {
		for _, with := range []string{"", "-key", "_key", "key", "-secret", "-token", "-password"} {
			f.spelled(name+with, []string{"", "\n", "1", "123", "!"})
		}
	}
	return slices.Contains(f.found, start), nil
}

// finder collects the beginnings of hashes.
type finder struct{ found []uint64 }

func (f *finder) try(parts ...string) {
	var buffer [128]byte
	text := buffer[:0]
	for _, p := range parts {
		text = append(text, p...)
	}
	sum := sha256.Sum256(text)
	f.found = append(f.found, binary.BigEndian.Uint64(sum[:8]))
}

// all tries every word, with more endings for the first ones.
func (f *finder) all(words []string) {
	const many = 500
	ends := endings()
	for i, word := range words {
		if i < many {
			f.spelled(word, ends)
		} else {
			f.spelled(word, []string{"", "\n"})
		}
	}
	for word := range strings.FieldsSeq(ours) {
		f.spelled(word, ends)
		for _, around := range [][2]string{{`"`, `"`}, {"'", "'"}, {"Bearer ", ""}} {
			f.try(around[0], word, around[1])
		}
	}
	f.together()
	f.numbers()
	f.short()
}

// spelled tries a word in small letters, in capitals, and with one capital.
func (f *finder) spelled(word string, ends []string) {
	first, size := utf8.DecodeRuneInString(word)
	capital, upper := string(unicode.ToUpper(first))+word[size:], strings.ToUpper(word)
	for _, end := range ends {
		f.try(word, end)
		if capital != word {
			f.try(capital, end)
		}
		if upper != capital {
			f.try(upper, end)
		}
	}
}

// lineEnds are the ends of a line that echo and editors leave behind a word.
func lineEnds() []string { return []string{"", "\n", "\r\n"} }

// endings are what people append to a word.
func endings() []string {
	all := append(lineEnds(),
		"!", "!!", "1", "2", "3", "0", "00", "01", "007", "11", "12", "22", "69", "77", "88", "99", "123", "321", "1234",
		"12345", "123456", "1!", "12!", "123!", "1234!", "@1", "@123", "#1", "?", ".", "$",
	)
	for year := 2018; year <= 2032; year++ {
		text := strconv.Itoa(year)
		all = append(all, text, text+"!")
	}
	return all
}

// together tries words that are put together, and the sentence of a well-known drawing.
func (f *finder) together() {
	for _, with := range []string{"", "-", "_", " ", "."} {
		f.try(strings.Join([]string{"correct", "horse", "battery", "staple"}, with))
		for a := range strings.FieldsSeq(parts) {
			for b := range strings.FieldsSeq(parts) {
				f.try(a, with, b)
				f.try(a, with, b, "\n")
				if with != "-" && with != "" {
					continue
				}
				for c := range strings.FieldsSeq(parts) {
					f.try(a, with, b, with, c)
				}
			}
		}
	}
}

// numbers tries what is typed on the keys of numbers, and one sign many times.
func (f *finder) numbers() {
	for n := range 20_000 {
		f.try(strconv.Itoa(n))
	}
	for n, digits := 3, "12345678901234567890"; n <= len(digits); n++ {
		for _, end := range lineEnds() {
			f.try(digits[:n], end)
		}
	}
	for _, sign := range "0123456789abcdefghijklmnopqrstuvwxyz" {
		for n := 3; n <= 64; n++ {
			f.try(strings.Repeat(string(sign), n))
		}
	}
}

// short tries every text of one or two characters, and white space.
func (f *finder) short() {
	const first, last = '\t', '~'
	for a := first; a <= last; a++ {
		f.try(string(a))
		f.try(string(a), "\n")
		for b := first; b <= last; b++ {
			f.try(string(a), string(b))
		}
	}
}
