package suggest

import (
	"io"
	"slices"

	"graphproxy/policy/graph/catalog"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// Operations are the operations of Graph: paths with variables, of one version or both. The zero value is empty.
// After the last Read it is safe for concurrent use, except one from Embedded.
type Operations struct {
	templates []*odata.Template // those with fewer variables first
	tree      match.AllowSet
	embedded  map[string]bool // by version and root: what of the embedded lists has been added; nil: nothing is to be
}

// Embedded returns the operations of the lists that policy/graph/catalog embeds. It reads only the needed parts.
func Embedded() *Operations { return &Operations{embedded: make(map[string]bool)} }

// Read adds a list in the format of catalog.Read. If it fails, the error names the line, and nothing has been
// added.
func (o *Operations) Read(r io.Reader, version string) error {
	templates := slices.Clone(o.templates)
	seen := make(map[string]bool)
	err := catalog.Read(r, version, func(_ string, t *odata.Template) {
		if !seen[t.Text] {
			seen[t.Text] = true
			templates = append(templates, t)
		}
	})
	if err == nil {
		o.set(templates)
	}
	return err
}

// set sorts the most exact templates first, so that a name is found before the variable beside it.
func (o *Operations) set(templates []*odata.Template) {
	slices.SortStableFunc(templates,
		func(a, b *odata.Template) int { return len(match.Variables(a)) - len(match.Variables(b)) })
	o.templates, o.tree = templates, match.AllowSet{}
	for _, t := range templates {
		o.tree.Add(&match.Rule{Methods: match.Any, Template: t})
	}
}

// keysOf returns which segments of a target are keys; nil if no known operation has such a path.
func (o *Operations) keysOf(t *odata.Target) []bool {
	if o == nil {
		return nil
	}
	o.embed(t)
	found := o.tree.Find(t, match.Get)
	if found.Index < 0 {
		return nil
	}
	segments := o.templates[found.Index].Segments
	if len(segments) != len(t.Segments) {
		return nil // a template that ends in /**
	}
	keys := make([]bool, len(segments))
	for i := range segments {
		keys[i] = segments[i].Var && segments[i].Kind == odata.Name && !isWellKnown(t.Segments[i].Fold)
	}
	return keys
}

// embed adds the part of the embedded list of the target's version below its first segment. A test of package
// catalog reads every line.
func (o *Operations) embed(t *odata.Target) {
	if len(t.Segments) == 0 {
		return
	}
	key := t.Version + "/" + t.Segments[0].Base
	if o.embedded == nil || o.embedded[key] {
		return
	}
	o.embedded[key] = true
	templates, last := slices.Clone(o.templates), ""
	err := catalog.Below(t.Version, t.Segments[0].Base, func(op catalog.Operation) bool {
		if op.Path == last {
			return true
		}
		last = op.Path
		if template, err := odata.ParseTemplate("/" + t.Version + op.Path); err == nil {
			templates = append(templates, template)
		}
		return true
	})
	if err == nil {
		o.set(templates)
	}
}
