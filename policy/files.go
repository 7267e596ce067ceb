package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"graphproxy/policy/yamlfile"
)

// Files are the files of one policy, read at one moment. The first is the main file.
type Files struct {
	// Prefix stands before the names in messages: "/etc/graphproxy/". It may be "".
	Prefix string
	All    []File
}

// File is one file of a policy.
type File struct {
	Name string // from the main file's directory, with slashes: "policy.yaml", "teams/hr.yaml"
	Data []byte

	IsList bool // it is no policy file, but holds the values of a list, one on each line
}

// The bounds of what a policy may be made of.
const (
	MaxFiles = 1000
	MaxTotal = 4 * yamlfile.MaxSize // bytes in all files together
)

// ParseFiles reads a policy from its files, as ParseAt does from one. What include names must be among them; the files
// of a directory need no include. A name of a caller, of a set of rules or of a limit is unique over all files.
func ParseFiles(now time.Time, files Files, checks ...EvidenceCheck) (*Policy, error) {
	p, err := ParseFilesUntested(files, checks...)
	return tested(now, p, err)
}

// ParseFilesUntested is ParseFiles without running the tests that the files hold.
func ParseFilesUntested(files Files, checks ...EvidenceCheck) (*Policy, error) {
	l := newLoader(files, checks)
	if l.tooMuch(files) {
		return nil, l.report.Errors()
	}
	if l.parse(files) {
		l.documents()
	}
	if errs := l.report.Errors(); len(errs) > 0 {
		return nil, errs
	}
	l.policy.warnings, l.policy.lists = l.warnings.Errors(), l.listTexts()
	for _, b := range l.bounds {
		l.policy.bounds[b.pattern] = b.text
		l.policy.boundRules = append(l.policy.boundRules, b.allow...)
	}
	return l.policy, nil
}

// document is one file that was parsed.
type document struct {
	File
	shown string // its name in messages
	root  yamlfile.Value
	top   map[string]yamlfile.Value
}

func newLoader(files Files, checks []EvidenceCheck) *loader {
	l := &loader{
		policy: &Policy{hash: hashOf(files.All), rules: make(map[string]*ruleBook), bounds: make(map[string]string)},
		checks: checks,
		sets:   make(map[string]*ruleSet),
		named:  make(map[string]string),

		reporting: make(map[string]int),
		prefix:    files.Prefix,
		listFiles: make(map[string][]byte),
		lists:     make(map[string]*list),
	}
	for _, f := range files.All {
		l.policy.files = append(l.policy.files, files.Prefix+f.Name)
		l.enter(files.Prefix + f.Name)
	}
	return l
}

// enter makes a file the one that what is reported is about.
func (l *loader) enter(shown string) {
	l.report.In(shown)
	l.warnings.In(shown)
}

// tooMuch reports files that are too many or too large together.
func (l *loader) tooMuch(files Files) bool {
	total := 0
	for _, f := range files.All {
		total += len(f.Data)
	}
	switch {
	case len(files.All) == 0:
		l.report.Add(1, "", "there is no file")
	case len(files.All) > MaxFiles:
		l.report.AddIn(l.policy.files[0], 1, "", "the policy has %d files; at most %d are read", len(files.All), MaxFiles)
	case len(files.All) > 1 && total > MaxTotal:
		l.report.AddIn(l.policy.files[0], 1, "", "the files of the policy have %d bytes together; at most %d are read", total,
			MaxTotal)
	default:
		return false
	}
	return true
}

// parse reads each file as YAML, and reports whether all of them can be read.
func (l *loader) parse(files Files) bool {
	ok := true
	for i, f := range files.All {
		if f.IsList && i > 0 {
			l.listFiles[f.Name] = f.Data
			continue
		}
		d := &document{File: f, shown: l.policy.files[i]}
		l.enter(d.shown)
		root, parsed := yamlfile.Parse(&l.report, f.Data)
		if d.root = root; parsed {
			l.files = append(l.files, d)
		}
		ok = ok && parsed
	}
	return ok
}

// hashOf returns the first 12 hexadecimal digits of the SHA-256 of one file, or of the names, lengths and contents of
// several.
func hashOf(files []File) string {
	if len(files) == 1 {
		sum := sha256.Sum256(files[0].Data)
		return hex.EncodeToString(sum[:])[:12]
	}
	h := sha256.New()
	for _, f := range files {
		for _, part := range [][]byte{[]byte(f.Name), f.Data} {
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
			h.Write(part)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// unique reports whether a name is the first of its kind. Within one file, a second one is a doubled key, which
// yamlfile reports.
func (l *loader) unique(kind string, f yamlfile.Field) bool {
	key := kind + " " + f.Key
	place := fmt.Sprintf("%s:%d", f.Value.File(), f.Line)
	if first, found := l.named[key]; found {
		l.report.Add(f.Line, f.Value.Where(), "the %s %q is in %s, too; a name is unique over all files, so rename one", kind,
			f.Key, first)
		return false
	}
	l.named[key] = place
	return true
}

// Files returns the names of the files as messages have them, the main one first. The caller of Files must not change
// them.
func (p *Policy) Files() []string { return p.files }

// topKeys returns the keys that a file may have at its top.
func topKeys(isMain bool) []string {
	keys := []string{"version", "lists", "limits", "rules", "deny", "callers", "tests"}
	if isMain {
		keys = slices.Insert(keys, 1, "mode", "contact", "console", "include", "bounds")
	}
	return keys
}
