package policy

import (
	"crypto/sha256"
	"strconv"
	"strings"
	"unicode"
)

// commonWords are words that people use as a key in a first trial, and then never change: the beginning of
// every list of leaked passwords, and the words of this domain. Keys are compared with them in several
// spellings and with numbers appended.
const commonWords = `
	abc abcd abcdef abcdefg abcdefgh admin administrator apikey api_key azure baseball batman bearer changeit changeme
	change_me contoso credential default demo development dragon dummy example fabrikam foo foobar football freedom
	fuckyou graph graphproxy guest hello helloworld hunter iloveyou internal key letmein login master microsoft monkey
	mustang mykey mysecret mysecretkey mytoken none nopass null office365 p@ssw0rd p@ssword pass passw0rd passwd password
	placeholder pa55word production proxy public qwerty qwertyuiop replaceme root s3cr3t s3cret sample secret secretkey
	secrets shadow starwars sunshine superman supersecret supersecretkey sysadmin temp test testing testkey testsecret
	testtest thekey thisisasecret todo token toor trustno undefined user username welcome whatever yourkey yoursecret
	zxcvbn 1q2w3e 1q2w3e4r 1qaz2wsx qazwsx asdf asdfgh asdfghjkl correcthorsebatterystaple`

// isCommonKey reports whether a hash is that of a common word.
func (l *loader) isCommonKey(sum [32]byte) bool {
	if l.words == nil {
		l.words = hashesOfWords()
	}
	return l.words[sum]
}

func hashesOfWords() map[[32]byte]bool {
	hashes := make(map[[32]byte]bool)
	add := func(word string) { hashes[sha256.Sum256([]byte(word))] = true }
	ends := []string{
		"", "\n", "!", "1", "12", "123", "1234", "12345", "123456", "01", "2", "3", "0", "00", "007", "1!", "123!", "2024",
		"2025", "2026",
	}
	for word := range strings.FieldsSeq(commonWords) {
		runes := []rune(word)
		runes[0] = unicode.ToUpper(runes[0])
		for _, w := range []string{word, strings.ToUpper(word), string(runes)} {
			for _, end := range ends {
				add(w + end)
			}
		}
	}
	for n := range 2100 {
		add(strconv.Itoa(n))
	}
	for n, digits := 3, "12345678901234567890"; n <= len(digits); n++ {
		add(digits[:n])
		add(digits[:n] + "\n")
		add(strings.Repeat("0", n))
		add(strings.Repeat("1", n))
	}
	return hashes
}
