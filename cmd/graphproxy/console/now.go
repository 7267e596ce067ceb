package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"graphproxy/policy"
)

// nowData is what now.html shows.
type nowData struct {
	State
	At       time.Time
	Up       time.Duration
	Age      time.Duration // of the policy in force
	Mode     string
	Callers  int
	Rates    []rate
	Charts   []chart
	Own      latency
	Graph    latency
	Services []serviceRow
	Limits   []limitRow
	Tokens   []tokenRow
	Ends     []certificateRow
}

// rate is the requests of one decision.
type rate struct {
	Decision string
	PerSec   string
	Hour     uint64
}

type serviceRow struct {
	Name            string
	Throttled, Held uint64
	Holding         int
	Used            string // of Graph's limit; "": Graph did not say
}

type limitRow struct {
	Name    string
	Used    float64 // from 0 (free) to 1 (full)
	Waiting int
}

type tokenRow struct {
	Token
	Left  string
	Words string
}

type certificateRow struct {
	Certificate
	Left  string
	Words string
}

// nowPage shows what the proxy is doing.
func (c *Console) nowPage(*http.Request) (any, error) {
	now, state := c.now(), c.source.State()
	hour := c.history.hour()
	d := &nowData{
		State:    state,
		At:       now,
		Up:       now.Sub(c.started),
		Age:      now.Sub(state.Policy.Since),
		Mode:     modeOf(state.Policy.Policy),
		Callers:  len(state.Policy.Policy.Callers()),
		Rates:    rates(hour),
		Charts:   charts(hour),
		Services: services(&state),
		Limits:   limits(&state),
		Tokens:   tokens(state.Tokens, now),
		Ends:     certificates(state.Certificates, now),
	}
	if n := len(hour); n > 0 {
		d.Own, d.Graph = hour[n-1].own, hour[n-1].graph
	}
	return d, nil
}

func modeOf(p *policy.Policy) string {
	reports := 0
	for _, c := range p.Callers() {
		if p.Reports(c.Name) {
			reports++
		}
	}
	switch reports {
	case 0:
		return "enforce"
	case len(p.Callers()):
		return "report: what the policy denies is let through"
	}
	return "mixed: some callers are in report mode"
}

func rates(hour []sample) []rate {
	var all []rate
	for i, name := range decisions {
		r := rate{Decision: name, PerSec: "0"}
		for _, s := range hour {
			r.Hour += s.decided[i]
			r.PerSec = figure(float64(s.decided[i]) / s.seconds)
		}
		all = append(all, r)
	}
	return all
}

func charts(hour []sample) []chart {
	var decided []series
	for i, name := range decisions {
		decided = append(decided, series{name, name, func(s sample) float64 { return float64(s.decided[i]) / s.seconds }})
	}
	const ms = 1000
	return []chart{
		newChart("Requests by decision", "per second", hour, decided...),
		newChart("What graphproxy itself takes", "ms", hour,
			series{"mean", "allow", func(s sample) float64 { return s.own.mean * ms }},
			series{"95th percentile", "limit", func(s sample) float64 { return s.own.p95 * ms }}),
		newChart("What Microsoft Graph takes", "ms", hour,
			series{"mean", "allow", func(s sample) float64 { return s.graph.mean * ms }},
			series{"95th percentile", "limit", func(s sample) float64 { return s.graph.p95 * ms }}),
	}
}

// services are the services that Graph throttled, or said something about, since the start.
func services(s *State) []serviceRow {
	var all []serviceRow
	for _, one := range s.Work.Services {
		if one.Throttled == 0 && one.Held == 0 && one.Holding == 0 && one.Percentage == 0 {
			continue
		}
		row := serviceRow{Name: one.Name, Throttled: one.Throttled, Held: one.Held, Holding: one.Holding}
		if one.Percentage > 0 {
			row.Used = fmt.Sprintf("%.0f %%", one.Percentage*100)
		}
		all = append(all, row)
	}
	return all
}

// limits are all limits of the policy, the fullest first.
func limits(s *State) []limitRow {
	var all []limitRow
	seen := map[string]bool{}
	add := func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		row := limitRow{Name: name, Waiting: s.Work.ByLimit[name]}
		if left, found := s.Work.Fill[name]; found {
			row.Used = min(1, max(0, 1-left))
		}
		all = append(all, row)
	}
	p := s.Policy.Policy
	for _, l := range p.Limits() {
		add(l.Limit.Name)
	}
	for _, c := range p.Callers() {
		if l := p.CallerLimit(c.Name); l != nil {
			add(l.Name)
		}
		allow, _ := p.Rules(c.Name)
		for _, r := range allow {
			if r.Limit() != nil {
				add(r.Limit().Name)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b limitRow) int {
		switch {
		case a.Used > b.Used:
			return -1
		case a.Used < b.Used:
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}

func tokens(all []Token, now time.Time) []tokenRow {
	var rows []tokenRow
	for _, t := range all {
		row := tokenRow{Token: t, Words: "ready", Left: "none"}
		if !t.Ready {
			row.Words = "no token"
		}
		if !t.Expires.IsZero() {
			row.Left = period(t.Expires.Sub(now))
		}
		rows = append(rows, row)
	}
	return rows
}

// soon is when a certificate is said to end soon, as the log says it.
const soon = 30 * 24 * time.Hour

func certificates(all []Certificate, now time.Time) []certificateRow {
	var rows []certificateRow
	for _, one := range all {
		row := certificateRow{Certificate: one, Left: period(one.Ends.Sub(now)), Words: "valid"}
		switch left := one.Ends.Sub(now); {
		case left <= 0:
			row.Words = "expired"
		case left < soon:
			row.Words = "ends soon"
		}
		rows = append(rows, row)
	}
	return rows
}
