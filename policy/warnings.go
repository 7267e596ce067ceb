package policy

import (
	"maps"
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

func (l *loader) unusedSets() {
	for _, name := range slices.Sorted(maps.Keys(l.sets)) {
		if set := l.sets[name]; !set.used {
			l.warnings.AddIn(set.file, set.line, "rules."+name, "no caller includes this set of rules; delete it")
		}
	}
}

// warnOfBatch reports rules for $batch, which have no effect: a batch is judged by its items.
func (l *loader) warnOfBatch(allow []*Rule) {
	for _, r := range allow {
		if r.match.Template.Segments[0].Fold == "$batch" {
			l.warnings.AddIn(r.File, r.Line, "",
				"%s has no effect under allow: a caller may batch what it may send singly; under deny it forbids batching", r.Text)
		}
	}
}

// warnOfNames warns of deny rules that name a user, mailbox, folder or site by its name, while an allow rule
// takes the object id of the same one. Graph accepts both, and the proxy does not know which name and id belong
// together.
func (l *loader) warnOfNames(caller string, b *ruleBook) {
	const most = 1_000_000 // pairs; more would delay a reload only for a warning
	if len(b.denyRules) == 0 || len(b.denyRules)*len(b.allowRules) > most {
		return
	}
	bare := new(match.AllowSet) // the allow rules, without their conditions on queries and bodies
	for _, r := range b.allowRules {
		bare.Add(bareRule(r))
	}
	for _, deny := range b.denyRules {
		for _, n := range names(deny) {
			if allow := b.allowedByID(bare, deny, n); allow != nil {
				l.warnings.AddIn(deny.File, deny.Line, l.denyPlace(caller, deny),
					"%s denies by name, and the object id gets round it: %s (%s) takes one. Write the object ids beside the names, "+
						"or narrow the allow rule by where",
					deny.Text, allow.Text, allow.Where())
				break
			}
		}
	}
	l.warnOfPaths(caller, b, bare)
	l.warnOfSameObjects(caller, b, bare)
}

// denyPlace is where a deny rule of a caller stands.
func (l *loader) denyPlace(caller string, deny *Rule) string {
	if slices.Contains(l.denyAll, deny) {
		return "deny"
	}
	return "callers." + caller + ".deny"
}

func bareRule(r *Rule) *match.Rule {
	return &match.Rule{Methods: r.match.Methods, Template: r.match.Template, Keys: r.match.Keys, Nots: r.match.Nots}
}

// name is a value, in a segment of a deny rule, that is no object id.
type name struct {
	segment int
	value   string
}

// names returns an example of each segment for which a rule denies more names than ids. If there are as many
// ids as names, they are taken for the ids of the same objects.
func names(r *Rule) []name {
	var all []name
	segments := r.match.Template.Segments
	for i := range segments {
		s := &segments[i]
		if i == 0 || s.Var || s.Call || s.Qualified {
			continue
		}
		switch {
		case s.Kind == odata.Args && isAlternateKey(segments, i):
			for _, a := range s.Args {
				if !a.Var {
					all = append(all, name{i, a.Value})
				}
			}
		case (s.Kind == odata.Name || s.Kind == odata.Key) && isNamed(segments[i-1].Base, s.Text):
			all = append(all, name{i, s.Text})
		}
	}
	for _, k := range r.match.Keys {
		i := k.Segment()
		if i == 0 || segments[i].Kind == odata.Path {
			continue
		}
		collection := collectionOf(segments, i)
		if isAlternateKey(segments, i) {
			collection = "" // each value of it is a name
		}
		if value, found := moreNames(collection, isAlternateKey(segments, i), k.Values()); found {
			all = append(all, name{i, value})
		}
	}
	return all
}

// moreNames returns an example of values among which are more names than ids.
func moreNames(collection string, isAlternate bool, values []string) (example string, found bool) {
	var named []string
	for _, v := range values {
		if isNamed(collection, v) || isAlternate && strings.Trim(v, "*") != "" {
			named = append(named, strings.ReplaceAll(v, "*", "x"))
		}
	}
	if len(named) <= len(values)-len(named) {
		return "", false
	}
	return named[0], true
}

// isAlternateKey reports whether a segment names one of a collection by another property than its key:
// users(userPrincipalName='x').
func isAlternateKey(segments []odata.Segment, i int) bool {
	s := &segments[i]
	if i == 0 || s.Kind != odata.Args || len(s.Args) != 1 || !isDirectory(segments[i-1].Base) {
		return false
	}
	switch s.Args[0].Fold {
	case "userprincipalname", "appid", "uniquename", "deviceid", "roletemplateid", "mailnickname", "mail", "name", "id":
		return true
	}
	return false
}

// collectionOf returns the collection whose key segment i is.
func collectionOf(segments []odata.Segment, i int) string {
	if segments[i-1].Kind == odata.Name && !segments[i-1].Var {
		return segments[i-1].Base
	}
	return ""
}

// isNamed reports whether a value is the name of something that also has an object id. In the collections where
// Graph has object ids, a value that is none counts as a name too.
func isNamed(collection, value string) bool {
	switch {
	case strings.Trim(value, "*") == "" || isConversation(value):
		return false
	case strings.Contains(value, "@"):
		return true
	case isDirectory(collection) || collection == "lists" || collection == "calendars":
		return !isID(value)
	case collection == "sites" && strings.Count(value, ",") > 1: // the host and two ids
		return false
	case collection == "mailfolders" || collection == "childfolders" || collection == "sites":
		const shortest = 40 // of the ids that Exchange makes
		return !isID(value) && (len(value) < shortest || strings.Contains(value, "*"))
	}
	return false
}

// isConversation reports whether a value is the id of a chat or a channel, which has an @ too: 19:…@thread.tacv2.
func isConversation(value string) bool {
	_, host, found := strings.Cut(value, "@")
	return found && (strings.HasPrefix(value, "19:") || strings.HasPrefix(host, "thread.") ||
		strings.HasPrefix(host, "unq.gbl."))
}

// isDirectory reports whether a collection, in lower case, has objects of the directory, whose keys are object ids.
func isDirectory(collection string) bool {
	switch collection {
	case "users", "groups", "contacts", "devices", "applications", "serviceprincipals", "teams", "directoryobjects",
		"directoryroles", "administrativeunits", "members", "owners", "transitivemembers", "memberof", "transitivememberof",
		"directreports", "transitivereports", "registeredowners", "registeredusers", "ownedobjects", "owneddevices",
		"createdobjects", "presences", "acceptedsenders", "rejectedsenders":
		return true
	}
	return false
}

// isID reports whether a value is an object id, a pattern of object ids, or a short number as in examples.
func isID(value string) bool {
	plain := strings.Trim(value, "{}")
	before, after, hasStar := strings.Cut(plain, "*")
	switch {
	case isGUID(plain):
		return true
	case hasStar:
		return isGUIDPrefix(before) && isGUIDEnd(strings.TrimLeft(after, "*")) &&
			strings.ContainsAny(before+after, "0123456789-")
	}
	return strings.Trim(strings.ToLower(plain), "0123456789abcdef") == "" && strings.ContainsAny(plain, "0123456789")
}

// isGUIDEnd reports whether an object id can end with a text, in which stars stand for anything.
func isGUIDEnd(text string) bool {
	const zero = "00000000-0000-0000-0000-000000000000"
	if strings.Contains(text, "*") {
		return strings.Trim(strings.ToLower(text), "0123456789abcdef-*") == ""
	}
	return len(text) <= len(zero) && isGUIDPrefix(zero[:len(zero)-len(text)]+text)
}

// allowedByID returns an allow rule that allows for an id what a deny rule denies for a name, or nil. It tries
// the requests that match the templates of both.
func (b *ruleBook) allowedByID(bare *match.AllowSet, deny *Rule, n name) *Rule {
	denied := new(match.DenySet)
	denied.Add(bareRule(deny))
	d := &deny.match
	tried := []*match.Rule{d}
	for _, r := range b.allowRules {
		tried = append(tried, &r.match)
	}
	for _, r := range tried {
		methods := r.Methods & d.Methods
		if n.segment >= len(r.Template.Segments) || r.Template.Version != d.Template.Version || methods == 0 {
			continue
		}
		byName, byID := example(r.Template, n.segment, n.value), byKey(r.Template, n.segment)
		plain := *byName // as a segment, a name may be an operation, and then it is no key
		plain.Segments = slices.Clone(byName.Segments)
		plain.Segments[n.segment].Kind, plain.Segments[n.segment].Quoted = odata.Name, false
		for m := match.Get; m <= match.Delete; m <<= 1 {
			if methods&m == 0 {
				continue
			}
			_, isDenied := denied.First(byName, m)
			_, idDenied := denied.First(byID, m)
			got := bare.Find(byID, m)
			if isDenied && !idDenied && got.Index >= 0 && bare.Find(&plain, m).Index >= 0 && !b.denies(byID, m) {
				return b.allowRules[got.Index]
			}
		}
	}
	return nil
}

// denies reports whether a deny rule denies a target with any body.
func (b *ruleBook) denies(t *odata.Target, m match.Methods) bool {
	return b.deny.FirstFor(t, m, &match.Circumstances{}).Found
}

// byKey returns a target that a template matches, with an object id in one segment; in place of an alternate key, too.
func byKey(t *odata.Template, segment int) *odata.Target {
	target := example(t, segment, exampleID)
	if isAlternateKey(t.Segments, segment) {
		target.Segments[segment] = odata.Segment{
			Kind:   odata.Key,
			Text:   exampleID,
			Fold:   exampleID,
			Base:   exampleID,
			Quoted: true,
		}
	}
	return target
}

// example returns a target that a template matches, with one segment set to a key.
func example(t *odata.Template, segment int, key string) *odata.Target {
	target := &odata.Target{Version: t.Version, Segments: slices.Clone(t.Segments)}
	for i := range target.Segments {
		s := &target.Segments[i]
		value := exampleID
		if i == segment {
			value = key
		}
		switch {
		case s.Kind == odata.Args:
			s.Args = slices.Clone(s.Args)
			for j := range s.Args {
				s.Args[j].Value, s.Args[j].Var = value, false
			}
		case s.Kind == odata.Path && s.Var:
			*s = odata.Segment{Kind: odata.Path, Text: value, Fold: value, Base: value}
		case s.Var || i == segment && s.Kind != odata.System:
			*s = odata.Segment{
				Kind:   odata.Key,
				Text:   value,
				Fold:   strings.ToLower(value),
				Base:   strings.ToLower(value),
				Quoted: true,
			}
		}
	}
	return target
}
