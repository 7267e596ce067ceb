package policy

import (
	"slices"

	"graphproxy/policy/yamlfile"
)

// consoleName is the name of the visitors of the console, where the checks of evidence want one. No caller has it: a
// name has no colon.
const consoleName = "console:"

// Console returns the evidence of the people who may look at the pages of the console, any one of which suffices; nil
// if the file names none. The caller of Console must not change it.
func (p *Policy) Console() []Identity { return p.console }

// consoleIdentities reads who may look at the console. Each item must prove a person: what every request of a network
// or of a machine has would show the pages to any site that a browser there visits.
func (l *loader) consoleIdentities(v yamlfile.Value) []Identity {
	if !v.IsSet() {
		return nil
	}
	all := l.identities(v)
	for _, id := range all {
		if !slices.ContainsFunc(id.Each(), provesPerson) {
			l.report.AddIn(id.File, id.Line, "console", "%q proves no person, and the console must know who looks; write a "+
				"key, a token or a certificate, alone or beside it in all:", id.Kind)
		}
		for _, one := range id.Each() {
			if one.Kind == "unix" && id.Kind == "all" {
				l.report.AddIn(id.File, id.Line, "console", "the console listens on no unix socket; take unix out")
			}
		}
	}
	l.uniqueNames(&Caller{Name: consoleName, Identities: all})
	return all
}

func provesPerson(id Identity) bool {
	return id.Kind == "key" || id.Kind == "token" || id.Kind == "certificate"
}

// consoleEvidence runs the checks of evidence on those who may look, and refuses a key that is a caller's, too: a
// program that may call must not be able to look.
func (l *loader) consoleEvidence() {
	if len(l.policy.console) == 0 {
		return
	}
	looks := []Caller{{Name: consoleName, Identities: l.policy.console}}
	for _, check := range l.checks {
		_, problems := check(looks)
		for _, e := range problems {
			l.report.Append(&Error{File: e.File, Line: e.Line, Where: "console", Message: e.Message})
		}
	}
	owners := map[[32]byte]*Caller{}
	for i := range l.policy.callers {
		for _, id := range l.policy.callers[i].Identities {
			for _, one := range id.Each() {
				if one.Kind == "key" {
					owners[one.KeySHA256] = &l.policy.callers[i]
				}
			}
		}
	}
	for _, id := range l.policy.console {
		for _, one := range id.Each() {
			if owner := owners[one.KeySHA256]; one.Kind == "key" && owner != nil {
				l.report.AddIn(one.File, one.Line, "console", "this is also the key of callers.%s, which could then look at "+
					"the console; make another key with: graphproxy key", owner.Name)
			}
		}
	}
}
