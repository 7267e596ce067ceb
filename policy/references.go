package policy

import (
	"strings"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
	"graphproxy/policy/yamlfile"
)

// references are the resources that a rule lets a request refer to. A nil one allows any.
type references struct {
	rules   []*Rule
	allowed match.AllowSet
	texts   []string
}

// references reads the key references of a rule.
func (l *loader) references(v yamlfile.Value) *references {
	if !v.IsSet() {
		return nil
	}
	refs := new(references)
	for _, item := range v.OneOrMore("a path such as /users/{id}") {
		if r := l.path(item, false); r != nil {
			refs.texts = append(refs.texts, pathText(r))
			refs.rules = append(refs.rules, r)
			refs.allowed.Add(&r.match)
		}
	}
	return refs
}

// Named returns the paths of the resources that a rule lets a request refer to, by references: and targets:. They are
// rules for GET.
func (r *Rule) Named() []*Rule {
	var all []*Rule
	if r.references != nil {
		all = append(all, r.references.rules...)
	}
	if r.body != nil {
		for _, c := range r.body.Conditions() {
			if ts, ok := c.Targets.(*targets); ok {
				all = append(all, ts.rules...)
			}
		}
	}
	return all
}

// PathText returns the path of a rule that Named returns.
func (r *Rule) PathText() string { return strings.TrimPrefix(r.Text, "GET ") }

// pathText returns the path of a rule that path has read, with its conditions.
func pathText(r *Rule) string {
	return strings.Join(append([]string{strings.TrimPrefix(r.Text, "GET ")}, r.Conditions...), ", ")
}

// path reads one path, or a mapping of one to its where. For references it has no version: both versions name
// the same resources.
func (l *loader) path(v yamlfile.Value, mayHaveVersion bool) *Rule {
	path, where := "", yamlfile.Value{}
	if v.IsMapping() {
		fields := v.Fields("a path such as /users/{id}")
		if len(fields) != 1 {
			v.Errorf("one path in each item: begin the next with \"- \" in front")
			return nil
		}
		path, where = fields[0].Key, fields[0].Value.Mapping("where")["where"]
	} else if text, ok := v.Text("a path such as /users/{id}"); ok {
		path = text
	} else {
		return nil
	}
	if !strings.HasPrefix(path, "/") || HasVersion(path) && !mayHaveVersion {
		v.Errorf("%.200q is not the path of a resource; write it without a method and a version, such as /users/{id}", path)
		return nil
	}
	r := l.ruleText(v, v.Line(), "GET "+path)
	if r != nil {
		l.where(r, where)
	}
	return r
}

// may reports whether a request may refer to a resource, given as in Request. Text that cannot be read is no
// resource.
func (refs *references) may(text string) bool {
	path := "/" + strings.TrimPrefix(text, "/")
	if rest, ok := strings.CutPrefix(path, "/beta/"); ok {
		path = "/v1.0/" + rest
	} else if !strings.HasPrefix(path, "/v1.0/") {
		path = "/v1.0" + path
	}
	if strings.ContainsAny(path, "?#") {
		return false
	}
	t, err := odata.Parse(path, "")
	if err != nil || t.Tenant != "" {
		return false
	}
	return refs.allowed.Find(t, match.Get).Index >= 0
}

// BoundsReferences reports whether the rule restricts what a request may refer to, so that its body must be
// read.
func (r *Rule) BoundsReferences() bool { return r != nil && r.references != nil }

// References returns the paths that the rule lets a request refer to, with their conditions; nil if it has no
// such restriction. Must not be changed.
func (r *Rule) References() []string {
	if r.references == nil {
		return nil
	}
	return r.references.texts
}

// MayReferTo reports whether a request under the rule may refer to all of these resources, given as in
// Request.References. If not, it returns the first that is not allowed.
func (r *Rule) MayReferTo(all []string) (offending string, ok bool) {
	if !r.BoundsReferences() {
		return "", true
	}
	for _, text := range all {
		if !r.references.may(text) {
			return text, false
		}
	}
	return "", true
}

// referenceIn returns the resource that the option $id refers to, for requests that people write: the address
// may be at any host.
func referenceIn(t *odata.Target) []string {
	value, found := t.Option("$id")
	if !found {
		return nil
	}
	if _, rest, absolute := strings.Cut(value, "://"); absolute {
		_, path, _ := strings.Cut(rest, "/")
		value = "/" + path
	}
	return []string{value}
}
