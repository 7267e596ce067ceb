package policycmd

import (
	"path/filepath"
	"strconv"
	"strings"

	"graphproxy/policy/analysis/diff"
)

// The structs below are the part of SARIF 2.1.0 that a difference needs
// (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html).
type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool struct {
		Driver sarifDriver `json:"driver"`
	} `json:"tool"`
	Results []sarifResult `json:"results"`
}

type sarifDriver struct {
	Name  string      `json:"name"`
	Rules []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID               string    `json:"id"`
	ShortDescription sarifText `json:"shortDescription"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations,omitempty"`
}

type sarifLocation struct {
	PhysicalLocation struct {
		ArtifactLocation struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region struct {
			StartLine int `json:"startLine"`
		} `json:"region"`
	} `json:"physicalLocation"`
}

// The rules of SARIF that results are of.
const (
	sarifGains   = "policy-gains"
	sarifLoses   = "policy-loses"
	sarifDiffers = "policy-differs"
	sarifDenied  = "request-denied-now"
	sarifAllowed = "request-allowed-now"
	sarifUnknown = "request-not-known"
)

// sarifOf returns the difference as SARIF. What may let more through is a warning, and everything else a note.
func sarifOf(d difference) sarifLog {
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "graphproxy", Rules: []sarifRule{
		{sarifGains, sarifText{"The new policy may let more through."}},
		{sarifLoses, sarifText{"The new policy may let less through."}},
		{sarifDiffers, sarifText{"The new policy differs, and lets neither more nor less through."}},
		{sarifDenied, sarifText{"A recorded request that was let through is denied."}},
		{sarifAllowed, sarifText{"A recorded request that was denied is allowed."}},
		{sarifUnknown, sarifText{"Whether a recorded request is answered otherwise depends on what the log does not have."}},
	}}
	for _, c := range d.Callers {
		run.add("caller "+c.Name+": ", c.Changes)
	}
	run.add("", d.File)
	run.add("limit ", d.Limits)
	run.add("", d.Tests)
	if d.Requests != nil {
		for i := range d.Requests.Groups {
			run.addGroup(&d.Requests.Groups[i])
		}
	}
	return sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{run},
	}
}

func (r *sarifRun) add(of string, changes []diff.Change) {
	for _, c := range changes {
		result := sarifResult{RuleID: sarifDiffers, Level: "note", Message: sarifText{of + c.Text}}
		switch {
		case c.Gains:
			result.RuleID, result.Level = sarifGains, "warning"
		case c.Loses:
			result.RuleID = sarifLoses
		}
		result.Locations = locationOf(c.Where)
		r.Results = append(r.Results, result)
	}
}

func (r *sarifRun) addGroup(g *diff.Group) {
	result := sarifResult{RuleID: sarifUnknown, Level: "warning", Message: sarifText{g.Text()}}
	switch g.Change {
	case diff.OutcomeDenied:
		result.RuleID, result.Level = sarifDenied, "note"
	case diff.OutcomeAllowed:
		result.RuleID = sarifAllowed
	}
	result.Locations = locationOf(g.New.Rule)
	r.Results = append(r.Results, result)
}

// locationOf returns the location of file:line, or of a whole file; nil without one.
func locationOf(where string) []sarifLocation {
	if where == "" {
		return nil
	}
	var l sarifLocation
	file, line := where, 1
	if at := strings.LastIndexByte(where, ':'); at > 0 {
		if n, err := strconv.Atoi(where[at+1:]); err == nil {
			file, line = where[:at], n
		}
	}
	l.PhysicalLocation.ArtifactLocation.URI = filepath.ToSlash(file)
	l.PhysicalLocation.Region.StartLine = max(1, line)
	return []sarifLocation{l}
}
