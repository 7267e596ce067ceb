package policy

import (
	"crypto/sha256"
	"strconv"
	"strings"
	"unicode"
)

// commonWords are what people write for a key while they try something, or never change: the beginning of every list of
// leaked passwords, and the words of this domain. Keys are compared with them in several spellings and with numbers
// behind.
const commonWords = `abc abc123 abcd abcd1234 abcdef abcdefg abcdefgh admin administrator api apikey api-key api_key app azure baseball
batman bearer caller changeit changeme change-me change_me client company contoso credential default demo dev development dragon
dummy example fabrikam foo foobar football freedom fuckyou graph graphproxy graph-proxy guest hello helloworld hr hr-sync hunter hunter2 iloveyou
install internal key key1 letmein letmeintoo local localhost login mailer master microsoft monkey mustang mykey my-key mykey1 mysecret
my-secret my-secret-key mysecretkey mytoken nimda none nopass null office365 p@ssw0rd p@ssword pass passw0rd passwd password password1
placeholder pa55word prod production proxy public qwerty qwerty123 qwertyuiop replace-me replaceme root s3cr3t s3cret sandbox sample secret secret1 secret-key
secretkey secrets service shadow shared starwars sunshine superman superset supersecret super-secret supersecretkey sysadmin system temp temp123 test
test123 testing test-key testkey test-secret testsecret testtest thekey the-key thisisasecret tmp todo token toor trustno1 undefined user username welcome welcome1
winter spring summer autumn whatever x xx xxx xxxx xyz your-key your-api-key your-secret your-secret-key yourkey yoursecret zxcvbn 1q2w3e 1q2w3e4r 1qaz2wsx qazwsx asdf
asdfgh asdfghjkl a aa aaa aaaa aaaaaa b c k correcthorsebatterystaple correct-horse-battery-staple`

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
