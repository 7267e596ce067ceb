package match_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// templates returns the different paths of the operations, parsed, in order.
func templates(t testing.TB, ops []operation) []*odata.Template {
	t.Helper()
	paths := make(map[string]bool)
	for _, o := range ops {
		paths[o.path] = true
	}
	var all []*odata.Template
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		parsed, err := odata.ParseTemplate(path)
		if err != nil {
			t.Errorf("%s cannot be a rule: %v", path, err)
			continue
		}
		all = append(all, parsed)
	}
	return all
}

// spelling writes a template as a URL. Each of its functions gets the index of a segment, so that keys differ.
type spelling struct {
	key  func(i int) string
	name func(s *odata.Segment) string
	args func([]string) []string
}

var spellings = map[string]spelling{
	"as the reference writes it": {
		key:  func(i int) string { return "/k" + strconv.Itoa(i) + "@contoso.com" },
		name: func(s *odata.Segment) string { return s.Text + call(s) },
		args: func(args []string) []string { return args },
	},
	"keys in parentheses, functions without": {
		key:  func(i int) string { return "('delta''s%20" + strconv.Itoa(i) + "')" },
		name: func(s *odata.Segment) string { return s.Text },
		args: func(args []string) []string { return args },
	},
	"namespaces written out, escaped keys, arguments in another order": {
		key: func(i int) string { return "/%6b%40" + strconv.Itoa(i) },
		name: func(s *odata.Segment) string {
			if s.Call && !s.Qualified {
				return "microsoft.graph." + s.Text
			}
			return strings.Replace("/"+s.Text, "/graph.", "/microsoft.graph.", 1)[1:] + call(s)
		},
		args: func(args []string) []string { slices.Reverse(args); return args },
	},
	"capital letters": {
		key:  func(i int) string { return "/AAMK" + strconv.Itoa(i) + "==" },
		name: func(s *odata.Segment) string { return strings.ToUpper(s.Text) + call(s) },
		args: func(args []string) []string {
			for i := range args {
				args[i] = strings.ToUpper(args[i])
			}
			return args
		},
	},
}

func call(s *odata.Segment) string {
	if s.Call {
		return "()"
	}
	return ""
}

func (w spelling) url(t *odata.Template) string {
	url := "/" + t.Version
	for i := range t.Segments {
		s := &t.Segments[i]
		switch {
		case s.Kind == odata.Args:
			var args []string
			for _, a := range s.Args {
				args = append(args, a.Name+"='v'")
			}
			url += "(" + strings.Join(w.args(args), ",") + ")"
		case s.Kind != odata.Name:
			url += "/" + s.Text
		case s.Var:
			url += w.key(i)
		default:
			url += "/" + w.name(s)
		}
	}
	return url
}

// resource returns a template with one name for all variables: two with the same result name the same resource.
func resource(t *odata.Template) string {
	var b strings.Builder
	for i := range t.Segments {
		switch s := &t.Segments[i]; {
		case s.Kind == odata.Args:
			var names []string
			for _, a := range s.Args {
				names = append(names, a.Fold)
			}
			slices.Sort(names)
			b.WriteString("(" + strings.Join(names, ",") + ")")
		case s.Var:
			b.WriteString("/{}")
		default:
			b.WriteString("/" + s.Fold)
		}
	}
	return b.String()
}

func TestEveryTemplateOfGraphMatchesItsURLsAndNoOther(t *testing.T) {
	for _, version := range []string{"v1.0", "beta"} {
		t.Run(version, func(t *testing.T) {
			all := templates(t, operations(t, version))
			// A rule that matches first in both orders is the only match.
			var forward, backward match.AllowSet
			var wide match.DenySet
			resources := make(map[string]bool)
			for _, template := range all {
				forward.Add(&match.Rule{Methods: match.Get, Template: template})
				wide.Add(&match.Rule{Methods: match.Get, Template: template})
				resources[resource(template)] = true
			}
			for _, template := range slices.Backward(all) {
				backward.Add(&match.Rule{Methods: match.Get, Template: template})
			}
			urls, others := 0, 0
			for i, template := range all {
				for name, spelling := range spellings {
					url := spelling.url(template)
					urls++
					target, err := odata.Parse(url, "")
					if err != nil {
						t.Errorf("%s, made from %s: %v", url, template.Text, err)
						continue
					}
					first, last := forward.Find(target, match.Get).Index, backward.Find(target, match.Get).Index
					if first < 0 || last < 0 {
						t.Errorf("%s: %s matches nothing, and is made from %s", name, url, template.Text)
						continue
					}
					for _, found := range []*odata.Template{all[first], all[len(all)-1-last]} {
						if resource(found) != resource(template) {
							t.Errorf("%s: %s matches %s, and is made from %s", name, url, found.Text, template.Text)
						}
					}
					var hits match.Hits
					wide.All(target, match.Get, &hits)
					if !has(&hits, i) {
						t.Errorf("%s: %s does not match %s widely", name, url, template.Text)
					}
					others += hits.Len() - 1
				}
			}
			t.Logf("%d templates, %d of them different; %d URLs, each matches one; widely they match %d others", len(all),
				len(resources), urls, others)
		})
	}
}

func has(hits *match.Hits, index int) bool {
	for i := range hits.Len() {
		if hits.At(i).Index == index {
			return true
		}
	}
	return false
}
