package graphtest

import (
	"net/http"
	"strconv"
	"strings"
)

// related is what a navigation property of an entity leads to; single: one entity, or none.
func (c *call) related(e *entity, name string) (to []*entity, single, known bool) {
	switch e.kind.name + "." + name {
	case "user.manager":
		if m := c.t.users.get(c.t.managers[e.id]); m != nil {
			to = []*entity{m}
		}
		return to, true, true
	case "user.directreports":
		return c.t.reports(e), false, true
	case "user.memberof", "user.transitivememberof":
		return c.t.memberOf(e), false, true
	case "group.members", "group.transitivemembers":
		return c.t.directoryAll(c.t.members[e.id].ids), false, true
	case "group.owners":
		return c.t.directoryAll([]string{ID("megan@contoso.com")}), false, true
	case "driveItem.children":
		return c.t.childrenOf(e), false, true
	}
	return nil, false, false
}

// properties that $expand=* expands.
func navigation(kindName string) []string {
	switch kindName {
	case "user":
		return []string{"manager", "directreports", "memberof"}
	case "group":
		return []string{"members", "owners"}
	case "driveItem":
		return []string{"children"}
	}
	return nil
}

// spelled is a navigation property as answers spell it.
func spelled(name string) string {
	switch name {
	case "directreports":
		return "directReports"
	case "memberof":
		return "memberOf"
	case "transitivemembers":
		return "transitiveMembers"
	case "transitivememberof":
		return "transitiveMemberOf"
	}
	return name
}

// expand puts into out what an item of $expand asks for. The directory expands 20 objects at the most.
func (c *call) expand(out object, e *entity, x expansion) error {
	if x.name == "*" {
		for _, name := range navigation(e.kind.name) {
			if err := c.expand(out, e, expansion{name: name, options: x.options}); err != nil {
				return err
			}
		}
		return nil
	}
	to, single, known := c.related(e, x.name)
	switch {
	case known:
	case e.kind.name == "user" && isWorkload(x.name):
		return fail(http.StatusBadRequest, "ExpandNotSupported",
			"Expand is not allowed for property '%s' according to the entity schema.", x.name)
	default:
		return unsupportedQuery("Could not find a property named '%s' on type 'microsoft.graph.%s'.", x.name, e.kind.name)
	}
	q, err := c.parseQuery(x.options, e.kind)
	if err != nil {
		return err
	}
	if levels := x.options["levels"]; levels != "" {
		q.expands = append(q.expands, deeper(x, levels)...)
	}
	var values []object
	for _, target := range q.sift(to) {
		if x.cast != "" && !strings.EqualFold(target.kind.name, x.cast) || len(values) == 20 {
			continue
		}
		o, err := c.project(target, q)
		if err != nil {
			return err
		}
		o["@odata.type"] = target.kind.odataType()
		values = append(values, o)
	}
	switch {
	case !single:
		out[spelled(x.name)] = list(values)
	case len(values) == 1:
		out[spelled(x.name)] = values[0]
	}
	return nil
}

// deeper is the same expansion one level down, while $levels lasts.
func deeper(x expansion, levels string) []expansion {
	left := 8 // of max: the chain of Contoso's managers is shorter
	if n, err := strconv.Atoi(levels); err == nil {
		left = n
	}
	if left <= 1 {
		return nil
	}
	options := map[string]string{}
	for name, v := range x.options {
		options[name] = v
	}
	options["levels"] = strconv.Itoa(left - 1)
	return []expansion{{name: x.name, cast: x.cast, options: options}}
}
