package policy

import "slices"

// BoundDelta is an allow rule that is for a delta query and bounds what the tokens in its links hold. Such a rule
// matches what follows a link only with a Request.Selection.
type BoundDelta struct {
	Rule *Rule
	App  string // that its requests use
}

// BoundDeltas returns the rules that are for a delta query by their path, and bound what its tokens hold, in file order
// of the callers; each once for each app. Rules with /** do not count: most of what they are for is no delta query.
func (p *Policy) BoundDeltas() []BoundDelta {
	var all []BoundDelta
	for _, c := range p.callers {
		book := p.rules[c.Name]
		for _, r := range book.allowRules {
			app, _ := book.appOf(r)
			if d := (BoundDelta{r, app}); r.selects && r.match.IsDelta() && !r.match.Template.Below && !slices.Contains(all, d) {
				all = append(all, d)
			}
		}
	}
	return all
}
