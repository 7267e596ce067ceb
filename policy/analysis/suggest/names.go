package suggest

import (
	"strconv"
	"strings"

	"graphproxy/policy/graph/odata"
)

// nameVariables gives each variable its own name: the first key is id, the others are named after their collection,
// with a number if that name is used already.
func nameVariables(segments []odata.Segment) {
	used := make(map[string]bool)
	first := true
	for i := range segments {
		s := &segments[i]
		if s.Var {
			if s.Kind == odata.Name && first {
				s.Text, first = "id", false
			}
			s.Text = unused(used, s.Text)
		}
		for j := range s.Args {
			if a := &s.Args[j]; a.Var {
				a.Value = unused(used, a.Value)
			}
		}
	}
}

// unused takes a name that differs from those taken by more than case.
func unused(used map[string]bool, name string) string {
	const longest = 40
	if name == "" || len(name) > longest {
		name = "id"
	}
	for n, try := 2, name; ; n++ {
		if fold := strings.ToLower(try); !used[fold] {
			used[fold] = true
			return try
		}
		try = name + strconv.Itoa(n)
	}
}

// keyName returns the variable's name for a key after its collection, message for messages; "" if that has no plain
// name.
func keyName(collection string) string {
	if strings.ContainsFunc(collection, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }) {
		return ""
	}
	return singular(collection)
}

func singular(name string) string {
	for _, ending := range [...]struct{ plural, singular string }{
		{"children", "child"},
		{"people", "person"},
		{"ies", "y"},
		{"sses", "ss"},
		{"xes", "x"},
		{"ches", "ch"},
		{"shes", "sh"},
		{"ss", "ss"},
		{"s", ""},
	} {
		if stem, found := strings.CutSuffix(name, ending.plural); found {
			return stem + ending.singular
		}
	}
	return name
}
