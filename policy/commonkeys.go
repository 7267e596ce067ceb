package policy

import (
	"graphproxy/policy/commonwords"
	"graphproxy/policy/yamlfile"
)

// keyPlace is the place of a key's hash in the file.
type keyPlace struct {
	sum   [32]byte
	value yamlfile.Value
}

// commonKeys refuses keys that are common words, or names in the file itself.
func (l *loader) commonKeys() {
	const most = 20 // names; a file with more is no first trial
	var names []string
	for _, c := range l.policy.callers {
		names = append(names, c.Name)
	}
	names = names[:min(len(names), most)]
	for _, k := range l.keys {
		found, err := commonwords.Has(k.sum, names...)
		switch {
		case err != nil:
			k.value.Errorf("%v", err)
		case found:
			k.value.Errorf("this is the SHA-256 of a common word, which anyone who guesses tries first; " +
				"make a long random key with: graphproxy key")
		}
	}
}
