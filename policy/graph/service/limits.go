package service

import (
	"fmt"
	"slices"
	"strings"
)

const (
	pageGraph      = "https://learn.microsoft.com/graph/throttling-limits"
	pageSharePoint = "https://learn.microsoft.com/sharepoint/dev/general-development/" +
		"how-to-avoid-getting-throttled-or-blocked-in-sharepoint-online"
)

// A Preset is the limits that Microsoft publishes for a part of Graph, as limits of a policy to paste and adapt.
// With them, requests wait or fail in graphproxy, where that is cheap and fair, before Graph throttles the app.
//
// The published numbers are upper bounds and "subject to change"; Graph may throttle below them. Viva Engage has no
// preset, because its limits are for each signed-in user. Planner has none, because nothing is published, and
// neither have services that exist in beta only.
type Preset struct {
	Name    string  `json:"name"`           // as in a command: "directory"
	Title   string  `json:"title"`          // in words
	Source  string  `json:"source"`         // the page that publishes it
	Note    string  `json:"note,omitempty"` // further published facts, or limits that cannot be expressed, in sentences
	Limits  []Limit `json:"limits"`
	Service Service `json:"-"` // that answers the covered requests; Other if several do
}

// A Limit is one entry of a policy's limits.
type Limit struct {
	Name        string   `json:"name"` // unique among all presets
	What        string   `json:"what"` // what is counted, in words, on one line
	Rate        string   `json:"rate,omitempty"`
	Unit        string   `json:"unit,omitempty"` // of the rate: "resource-units", or "" for requests
	Concurrency int      `json:"concurrency,omitempty"`
	Per         []string `json:"per"`
	Covers      []string `json:"covers,omitempty"` // none: every request
}

// perAppAndTenant is a limit with the scope that most have: the app and the tenant that a request is sent with.
func perAppAndTenant(name, what, rate string, covers []string) Limit {
	return Limit{Name: name, What: what, Rate: rate, Per: []string{"app", "tenant"}, Covers: covers}
}

// perTenant is a limit that all apps of a tenant share.
func perTenant(name, rate string, covers []string) Limit {
	return Limit{
		Name:   name,
		What:   "requests in a tenant, of all apps",
		Rate:   rate,
		Per:    []string{"tenant"},
		Covers: covers,
	}
}

// Size is the size of a tenant, on which the limits of the directory depend.
type Size string

// The sizes that there are.
const (
	Small  Size = "S" // fewer than 50 users
	Medium Size = "M" // 50 to 500
	Large  Size = "L" // more
)

// Presets returns the presets of all services, in a fixed order, for a tenant of a size. Every call returns new
// ones. An unknown size is an error.
func Presets(size Size) ([]Preset, error) {
	rate := map[Size]string{Small: "3500/10s", Medium: "5000/10s", Large: "8000/10s"}[size]
	if rate == "" {
		return nil, fmt.Errorf("the tenant's size %q is not known: S is fewer than 50 users, M 50 to 500, L more",
			string(size))
	}
	return slices.Concat(directory(rate), outlook(), files(), teams(), office(), management()), nil
}

const header = `# The limits that Microsoft publishes for Graph, each with its source. They are upper bounds, and they change:
# Graph may throttle earlier. Graph counts in windows, and a bucket counts all the time: in one window it lets through
# the rate and, once, the burst, which is by default what the rate gives in a second. Add burst: to let more come at
# once, or wait: 2s to let requests wait until the bucket has enough. Templates are of v1.0; to count beta too, add
# them with /beta in front.
`

// Text writes presets as the limits of a policy, with comments. The result begins with a comment and "limits:", and
// loads as a policy file.
func Text(presets []Preset) string {
	var b strings.Builder
	b.WriteString(header)
	b.WriteString("limits:\n")
	for i := range presets {
		if i > 0 {
			b.WriteByte('\n')
		}
		presets[i].text(&b)
	}
	return b.String()
}

func (p *Preset) text(b *strings.Builder) {
	fmt.Fprintf(b, "  # %s\n  # %s\n", p.Title, p.Source)
	for _, line := range lines(p.Note) {
		fmt.Fprintf(b, "  # %s\n", line)
	}
	for i := range p.Limits {
		p.Limits[i].text(b)
	}
}

func (l *Limit) text(b *strings.Builder) {
	fmt.Fprintf(b, "  %s:  # %s\n", l.Name, l.What)
	if l.Rate != "" {
		fmt.Fprintf(b, "    rate: %s\n", l.Rate)
	}
	if l.Unit != "" {
		fmt.Fprintf(b, "    unit: %s\n", l.Unit)
	}
	if l.Concurrency > 0 {
		fmt.Fprintf(b, "    concurrency: %d\n", l.Concurrency)
	}
	fmt.Fprintf(b, "    per: [%s]\n", strings.Join(l.Per, ", "))
	if len(l.Covers) > 0 {
		b.WriteString("    covers:\n")
	}
	for _, c := range l.Covers {
		fmt.Fprintf(b, "      - %s\n", c)
	}
}

// lines breaks a text into lines of at most 120 characters.
func lines(text string) (all []string) {
	for word := range strings.FieldsSeq(text) {
		if n := len(all) - 1; n >= 0 && len(all[n])+1+len(word) <= 120 {
			all[n] += " " + word
		} else {
			all = append(all, word)
		}
	}
	return all
}

// on returns rules: the methods before each path.
func on(methods string, paths []string) []string {
	rules := make([]string, len(paths))
	for i, p := range paths {
		rules[i] = methods + " " + p
	}
	return rules
}

const (
	posts         = "POST,PUT,PATCH"
	writes        = posts + ",DELETE"
	resourceUnits = "resource-units"
)
