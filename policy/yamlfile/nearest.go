package yamlfile

import "strings"

// Unknown returns a message that a name is unknown, and a proposal: the nearest of the known names if one is
// near, else all of them if they are few. Kind is a word like "key".
func Unknown(kind, name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return "unknown " + kind + " " + quote(name) + "; did you mean " + quote(near) + "?"
	}
	message := "unknown " + kind + " " + quote(name)
	const few = 12
	if len(known) == 0 || len(known) > few {
		return message
	}
	return message + "; known here: " + strings.Join(known, ", ")
}

// Nearest returns the known name that is nearest to name, or "" when none is near enough: names are near when
// one mistake in three letters turns one into the other. Letter case is ignored.
func Nearest(name string, known []string) string {
	const longest = 64 // no key is longer, and the distance costs the product of the lengths
	if len(name) > longest {
		return ""
	}
	best, distance := "", 1+max(1, len(name)/3)
	for _, k := range known {
		if len(k) > longest {
			continue
		}
		if d := editDistance(strings.ToLower(name), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// editDistance counts the letters to add, drop or change, and the neighbours to swap, that turn a into b.
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
