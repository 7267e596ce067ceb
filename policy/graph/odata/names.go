package odata

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// NamedByPeople reports whether the keys in a collection are names that people choose, and may have any form.
// Collection is lower case.
func NamedByPeople(collection string) bool {
	switch collection {
	case "lists", "mailfolders", "childfolders", "worksheets", "tables", "charts", "columns", "names", "pivottables":
		return true
	}
	return false
}

// IsBesideNames reports whether Graph has an operation in such a collection, besides the names. The operation
// is in lower case, without a namespace.
func IsBesideNames(operation string) bool {
	switch operation {
	case "add", "addformulalocal", "count", "delta", "itemat", "refreshall":
		return true
	}
	return false
}

// isChosen reports whether the next segment, or the key in its parentheses, is a name that a person has chosen:
// of a list or a folder, of a file after children, or of anything in a workbook. Such a name may contain and
// end in characters that no id has. Text is the segment's.
func (r *pathReader) isChosen(text string) bool {
	collection, _, _ := strings.Cut(text, "(")
	if holdsChosen(fold(collection)) {
		return true
	}
	for i := range r.segments {
		if s := &r.segments[i]; s.Fold == "workbook" || i == len(r.segments)-1 && holdsChosen(s.Fold) {
			return true
		}
	}
	return false
}

// holdsChosen reports whether a key in the collection may be a name that a person has chosen. After children,
// Graph takes an item's id and its name: children('Q3 plan; final.docx').
func holdsChosen(collection string) bool {
	return collection == "children" || NamedByPeople(collection)
}

// checkName refuses characters in a name or key that a reader which normalises text reads as the syntax of a
// path. In a name that no person has chosen it also refuses characters that another reader may drop or replace.
// A chosen name may have these: deny rules compare names in the form of Wide.
func checkName(text, raw string, chosen bool) error {
	switch r, found := disguised(text, chosen); {
	case found:
		return refuseDisguised(r, raw)
	case isDots(text):
		return refuse(codeAmbiguous,
			"the segment %s has only dots, spaces or characters that are not displayed as its name; write the name that "+
				"is meant", quote(raw))
	case text[0] != '$' && Bare(Wide(text))[0] == '$':
		return refuse(codeAmbiguous,
			"the segment %s begins with \"$\" for a server that drops or folds what stands around it; write the name that "+
				"is meant", quote(raw))
	case chosen || all(text, inText) && !hasLooseEnds(text):
		return nil
	case hasLooseEnds(text):
		return refuse(codeAmbiguous,
			"the segment %s begins with a space, or ends with a space or dot, which some servers drop; take it off", quote(raw))
	}
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf:
		case !unicode.IsPrint(r):
			return refuse(codeAmbiguous, "the segment %s holds the invisible character %U; take it out", quote(raw), r)
		case r == 'İ' || r == 'ı' || r == 'ſ' || r == '\u212A':
			return refuse(codeAmbiguous,
				"the segment %s holds %U, which turns into an ASCII letter when its case changes; write the ASCII letter",
				quote(raw), r)
		}
	}
	return nil
}

func refuseDisguised(r rune, raw string) error {
	return refuse(codeAmbiguous,
		"the segment %s holds the character %U, which some servers read as %q; write the plain character where it is "+
			"meant, or address the resource by its id",
		quote(raw), r, norm.NFKC.String(string(r)))
}

// disguised returns the first character of text whose compatibility decomposition has a meaning in paths, such
// as the full-width full stop. A semicolon has one where it is refused itself: in names that no person has
// chosen.
func disguised(text string, chosen bool) (r rune, found bool) {
	for i, r := range text {
		if r < utf8.RuneSelf {
			continue
		}
		for _, c := range norm.NFKD.PropertiesString(text[i:]).Decomposition() {
			if strings.IndexByte(`/.\%:?#`, c) >= 0 || c == ';' && !chosen || unicode.IsControl(rune(c)) && c < utf8.RuneSelf {
				return r, true
			}
		}
	}
	return 0, false
}

// isDots reports whether s has only dots, spaces and invisible characters: "..", also with the trailing dots
// and spaces that Windows drops.
func isDots(s string) bool {
	if all(s, inSegment) && s != "" && s[0] != '.' {
		return false
	}
	return strings.Trim(Wide(s), " .") == ""
}

// checkSecondLayer refuses a name of a drive path that would be another path if it were decoded or normalised
// once more. Any other escape in it is text: OneDrive decodes once.
func checkSecondLayer(part, raw string) error {
	again := DecodeAgain(part)
	if again != part &&
		(index(again, notInFile) >= 0 || strings.ContainsAny(again, "/\\") ||
			strings.ContainsFunc(again, unicode.IsControl)) {
		return refuse(codeAmbiguous,
			"the drive path %s has an escape within an escape that would end a name; escape it once only, or address the "+
				"item by its id", quote(raw))
	}
	for name := range strings.FieldsFuncSeq(Wide(again), func(r rune) bool { return r == '/' || r == '\\' }) {
		if isDots(name) {
			return refuse(codeAmbiguous,
				"the drive path %s has a name that some servers read as a dot segment; write the path that is meant", quote(raw))
		}
	}
	return nil
}

// indexEscape returns the place of the first percent sign before two hexadecimal digits, or -1.
func indexEscape(s string) int {
	for i := range len(s) {
		if s[i] == '%' {
			if _, ok := unhex(s, i); ok {
				return i
			}
		}
	}
	return -1
}
