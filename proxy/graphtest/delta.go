package graphtest

import (
	"net/http"
	"slices"
	"strings"
)

// deltaToken is what $skiptoken and $deltatoken of a delta hold. With the place in the changes it holds the options
// that the query was begun with: links do not show them, and what a caller writes beside a token does not count
// (https://learn.microsoft.com/graph/delta-query-overview).
type deltaToken struct {
	Since  int `json:"s"` // changes after this are reported
	Until  int `json:"u"` // and up to this
	Offset int `json:"o"`

	Options map[string]string `json:"q,omitempty"`
}

// answerDelta answers a page of changes. Members, if not nil, are reported as members@delta.
func (c *call) answerDelta(t *table, set string, members map[string]*links) (answer, error) {
	token := deltaToken{Until: c.t.clock, Options: without(c.reading.Options, "skiptoken", "deltatoken", "token", "top")}
	for _, name := range []string{"skiptoken", "deltatoken"} {
		text, ok := c.reading.Options[name]
		switch {
		case !ok:
		case strings.EqualFold(text, "latest"):
			return c.deltaPage(nil, token, set), nil
		case openToken(text, &token) != nil || token.Offset < 0:
			return answer{}, c.resync(t.kind)
		case name == "deltatoken":
			token.Since, token.Until = token.Until, c.t.clock
		}
	}
	q, err := c.parseQuery(token.Options, t.kind)
	if err != nil {
		return answer{}, err
	}
	var values []object
	for _, e := range t.rows {
		if o, err := c.change(e, q, token, members); err != nil {
			return answer{}, err
		} else if o != nil {
			values = append(values, o)
		}
	}
	return c.deltaPage(values, token, set), nil
}

// resync is the 410 for a token that is no longer valid. In OneDrive's, Location has the address to begin anew.
func (c *call) resync(k *kind) error {
	f := &failure{
		status: http.StatusGone, code: "syncStateNotFound",
		message: "The sync state generation is not found; continuing with delta requires a full synchronization.",
	}
	if k.name == "driveItem" {
		f.code, f.message = "resyncChangesApplyDifferences", "Resync required. Replace any local items with the server's "+
			"version (including deletes)."
		f.header = http.Header{
			"Location": {c.s.base + c.linkPath() + "?$skiptoken=" + sealToken(deltaToken{Until: c.t.clock})},
		}
	}
	return f
}

// change is what a delta reports about e, or nil.
func (c *call) change(e *entity, q *query, token deltaToken, members map[string]*links) (object, error) {
	if e.changed <= token.Since || e.changed > token.Until {
		return nil, nil
	}
	if e.removed {
		if token.Since == 0 {
			return nil, nil
		}
		return object{"id": e.id, "@removed": object{"reason": "changed"}}, nil
	}
	o, err := c.project(e, q)
	if err != nil || members == nil || q.selects != nil && !slices.Contains(q.selects, "members") {
		return o, err
	}
	changes := []object{}
	for _, ch := range members[e.id].changes {
		if ch.at <= token.Since || ch.at > token.Until || token.Since == 0 && ch.removed {
			continue
		}
		m := object{"@odata.type": "#microsoft.graph.user", "id": ch.id}
		if ch.removed {
			m["@removed"] = object{"reason": "deleted"}
		}
		changes = append(changes, m)
	}
	if len(changes) > 0 {
		o["members@delta"] = changes
	}
	return o, nil
}

const deltaPageSize = 25

func (c *call) deltaPage(values []object, token deltaToken, set string) answer {
	end := min(token.Offset+deltaPageSize, len(values))
	page := list(values[min(token.Offset, end):end])
	body := object{"@odata.context": c.root() + "/$metadata#" + set, "value": page}
	link := c.s.base + c.linkPath() + "?"
	if end < len(values) {
		token.Offset = end
		body["@odata.nextLink"] = link + "$skiptoken=" + sealToken(token)
	} else {
		body["@odata.deltaLink"] = link + "$deltatoken=" + sealToken(deltaToken{Until: token.Until, Options: token.Options})
	}
	a := ok(body)
	a.escape = token.Offset/deltaPageSize%2 == 1
	return a
}

func without(options map[string]string, names ...string) map[string]string {
	out := map[string]string{}
	for name, v := range options {
		out[name] = v
	}
	for _, name := range names {
		delete(out, name)
	}
	return out
}
