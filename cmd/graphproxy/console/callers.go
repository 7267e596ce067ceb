package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"graphproxy/policy"
)

// callersData is what callers.html shows.
type callersData struct {
	Callers []callerRow
	Others  []callerTraffic // of callers that the policy does not have, and of none
	Kept    int
	Up      time.Duration // rules are counted since the console was started
}

// callerRow is a caller of the policy.
type callerRow struct {
	callerTraffic
	Link      string // to its line
	About     string
	Evidence  []string // kinds, without anything secret
	App       string
	Mode      string
	Until     time.Time // zero: it does not end
	HasEnded  bool
	InFlight  string
	Limits    []limitRow
	Allow     []ruleRow
	Deny      []ruleRow
	NotCalled int // allow rules that were not used since the start
}

// callerTraffic is what the kept records have of a caller.
type callerTraffic struct {
	Name      string
	Requests  int
	Decisions [len(decisions)]int // in the order of decisions
	WouldDeny int
	Last      time.Time // zero: none
}

// Counts are the requests by decision, in words: "8 allow, 1 deny".
func (t callerTraffic) Counts() string {
	var parts []string
	for i, n := range t.Decisions {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, decisions[i]))
		}
	}
	return strings.Join(parts, ", ")
}

// Refused is how many requests were refused, for any reason, or would be without report mode.
func (t callerTraffic) Refused() int {
	n := t.WouldDeny
	for i, name := range decisions {
		if name != "allow" {
			n += t.Decisions[i]
		}
	}
	return n
}

// callersPage shows each caller: what proves it, what it does, and what it could do.
func (c *Console) callersPage(*http.Request) (any, error) {
	now, state := c.now(), c.source.State()
	d := &callersData{Kept: MostRecords, Up: now.Sub(c.started)}
	traffic := c.traffic()
	for i := range state.Policy.Policy.Callers() {
		one := &state.Policy.Policy.Callers()[i]
		row := c.callerOf(one, &state, now)
		if t := traffic[one.Name]; t != nil {
			row.callerTraffic = *t
		}
		delete(traffic, one.Name)
		d.Callers = append(d.Callers, row)
	}
	for _, name := range slices.Sorted(maps.Keys(traffic)) {
		d.Others = append(d.Others, *traffic[name])
	}
	return d, nil
}

// callerOf returns a caller without its traffic.
func (c *Console) callerOf(one *policy.Caller, state *State, now time.Time) callerRow {
	p := state.Policy.Policy
	row := callerRow{
		callerTraffic: callerTraffic{Name: one.Name},
		Link:          state.Policy.link(one.File, one.Line),
		About:         one.About.String(),
		App:           one.App,
		Mode:          "enforce",
		Until:         one.Until,
		HasEnded:      p.Ended(one.Name, now),
		InFlight:      cmp.Or(one.InFlight.String(), "50%"),
	}
	if one.Tenant != "" {
		row.App += " in tenant " + one.Tenant
	}
	if p.Reports(one.Name) {
		row.Mode = "report"
	}
	for i := range one.Identities {
		row.Evidence = append(row.Evidence, evidenceOf(&one.Identities[i]))
	}
	if l := p.CallerLimit(one.Name); l != nil {
		row.Limits = append(row.Limits, limitOf(state, l.Name))
	}
	allow, deny := p.Rules(one.Name)
	row.Allow, row.Deny = c.rulesOf(one.Name, state, allow), c.rulesOf(one.Name, state, deny)
	for i, r := range allow {
		if r.Limit() != nil {
			row.Limits = append(row.Limits, limitOf(state, r.Limit().Name))
		}
		if row.Allow[i].Hits == 0 {
			row.NotCalled++
		}
	}
	return row
}

func (c *Console) rulesOf(caller string, state *State, rules []*policy.Rule) []ruleRow {
	var rows []ruleRow
	for _, r := range rules {
		u := c.history.of(caller, r)
		rows = append(rows, ruleRow{
			Text:       r.Text,
			Conditions: r.Conditions,
			Where:      r.Where(),
			Link:       state.Policy.link(r.File, r.Line),
			Hits:       u.hits,
			Last:       u.last,
		})
	}
	return rows
}

// traffic counts the kept records by caller. "" is the caller of requests that no caller was proven for.
func (c *Console) traffic() map[string]*callerTraffic {
	all := make(map[string]*callerTraffic)
	c.eachRecord(func(r Record) {
		var line struct {
			Time      time.Time `json:"time"`
			Caller    string    `json:"caller"`
			Decision  string    `json:"decision"`
			WouldDeny bool      `json:"would_deny"`
		}
		if json.Unmarshal(r.Line, &line) != nil {
			return
		}
		at := slices.Index(decisions[:], line.Decision)
		if at < 0 {
			return
		}
		t := all[line.Caller]
		if t == nil {
			t = &callerTraffic{Name: line.Caller}
			all[line.Caller] = t
		}
		t.Requests++
		t.Decisions[at]++
		if line.WouldDeny {
			t.WouldDeny++
		}
		if line.Time.After(t.Last) {
			t.Last = line.Time
		}
	})
	return all
}

// eachRecord calls each for the records that are kept now, oldest first. A line is good until each returns.
func (c *Console) eachRecord(each func(Record)) {
	var memory copies
	newest := c.records.Newest()
	for after := uint64(0); after < newest; {
		part := c.records.after(&memory, after)
		if len(part) == 0 {
			return
		}
		for _, r := range part {
			each(r)
			after = r.Number
		}
	}
}

// evidenceOf describes what proves a caller. A key has its name only: not its hash, from which a weak key can be found.
func evidenceOf(id *policy.Identity) string {
	if id.Kind == "all" {
		var parts []string
		for i := range id.All {
			parts = append(parts, evidenceOf(&id.All[i]))
		}
		return named("all of: "+strings.Join(parts, ", and "), id.Name)
	}
	var parts []string
	add := func(what, value string) {
		if value != "" {
			parts = append(parts, what+value)
		}
	}
	add("URI ", id.URI)
	add("DNS name ", id.DNS)
	add("common name ", id.CommonName)
	add("issuer ", id.Issuer)
	add("audience ", id.Audience)
	add("subject ", id.Subject)
	for _, name := range slices.Sorted(maps.Keys(id.Claims)) {
		add("claim ", name)
	}
	if id.UID != nil {
		add("user id ", strconv.Itoa(*id.UID))
	}
	if id.GID != nil {
		add("group id ", strconv.Itoa(*id.GID))
	}
	add("user ", id.User)
	for _, n := range id.Networks {
		add("", n.String())
	}
	return named(strings.TrimSuffix(id.Kind+": "+strings.Join(parts, ", "), ": "), id.Name)
}

func named(text, name string) string {
	if name == "" {
		return text
	}
	return text + ", named " + name
}
