package lint

import (
	"slices"
	"strings"

	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// way is another operation with the same effect as one whose body a rule bounds.
type way struct {
	of     string // the last name of the bounded path: "sendmail"
	method match.Methods
	by     string // the template of the other operation, with {} for each key, or its end: ".../send"
	does   string // its effect: "sends a draft"
	source string // page of Graph's documentation
}

const api = "https://learn.microsoft.com/graph/api/"

// everyWay is collected by hand from Graph's API reference. "messages" also stands for messages below folders of
// mail.
var everyWay = [...]way{
	{"sendmail", match.Post, "messages", "makes a draft", api + "user-post-messages"},
	{"sendmail", match.Patch, "messages/{}", "changes a draft", api + "message-update"},
	{"sendmail", match.Post, "messages/{}/send", "sends a draft", api + "message-send"},
	{"sendmail", match.Post, "messages/{}/forward", "forwards a message", api + "message-forward"},
	{"sendmail", match.Post, "messages/{}/createForward", "makes a draft that forwards", api + "message-createforward"},
	{"sendmail", match.Post, "messages/{}/reply", "replies to a message", api + "message-reply"},
	{"sendmail", match.Post, "messages/{}/replyAll", "replies to a message", api + "message-replyall"},
	{"sendmail", match.Post, "messages/{}/createReply", "makes a draft that replies", api + "message-createreply"},
	{"sendmail", match.Post, "messages/{}/createReplyAll", "makes a draft that replies", api + "message-createreplyall"},
	{"sendmail", match.Post, "messageRules", "makes a rule that forwards", api + "mailfolder-post-messagerules"},
	{"sendmail", match.Patch, "messageRules/{}", "makes a rule forward", api + "messagerule-update"},
	{"sendmail", match.Post, "messages/{}/attachments", "adds an attachment", api + "message-post-attachments"},
	{"sendmail", match.Post, "attachments/createUploadSession", "adds an attachment",
		api + "attachment-createuploadsession"},
	{"sendmail", match.Post, "events", "sends an invitation to a meeting", api + "user-post-events"},
	{"events", match.Post, "events", "makes a meeting", api + "calendar-post-events"},
	{"events", match.Post, "events/{}/forward", "forwards a meeting", api + "event-forward"},
	{"events", match.Patch, "events/{}", "changes who attends", api + "event-update"},
	{"events", match.Post, "calendarPermissions", "shares a calendar", api + "calendar-post-calendarpermissions"},
	{"createlink", match.Post, "invite", "shares with anyone", api + "driveitem-invite"},
	{"createlink", match.Post, "permissions", "grants a permission", api + "driveitem-post-permissions"},
	{"createlink", match.Patch, "permissions/{}", "changes a permission", api + "permission-update"},
	{"createlink", match.Post, "permissions/{}/grant", "grants a permission", api + "permission-grant"},
	{"createlink", match.Post, "createLink", "makes a link", api + "driveitem-createlink"},
	{"invite", match.Post, "invite", "shares with anyone", api + "driveitem-invite"},
	{"invite", match.Post, "createLink", "makes a link for anyone", api + "driveitem-createlink"},
	{"invite", match.Post, "permissions", "grants a permission", api + "driveitem-post-permissions"},
	{"subscriptions", match.Patch, "subscriptions/{}", "changes where notifications go", api + "subscription-update"},
}

// ways reports rules of the same caller that allow the effect which a rule's bound on bodies prevents.
func (c *checker) ways() {
	left := pairs{mostPairs}
	for _, b := range c.books {
		for _, r := range b.allow {
			if r.BoundsBody() {
				c.waysRound(&b, r, &left)
			}
		}
	}
}

func (c *checker) waysRound(b *book, bounded *policy.Rule, left *pairs) {
	for _, other := range b.allow {
		if other == bounded || !left.take() || other.BoundsBody() && isAsNarrow(bounded, other) || c.isDenied(b, other) {
			continue
		}
		if does, found := getsRound(bounded.Match(), other.Match()); found {
			c.report.AddIn(bounded.File, bounded.Line, b.where+".allow",
				"%s bounds the body, and %s gets round it: %s. Bound it alike, or take it out",
				bounded.Text, name(other), does)
		}
	}
}

// isAsNarrow reports whether another rule has a bound of its own on what the first one bounds: on recipients, and
// on each property of a message, which has no message/ before it where the body is the message itself.
func isAsNarrow(bounded, other *policy.Rule) bool {
	has := func(r *policy.Rule, key string) bool {
		return slices.ContainsFunc(r.BodyConditions(), func(s string) bool {
			return len(s) >= len(key) && strings.EqualFold(s[:len(key)], key)
		})
	}
	if bounded.Match().Bounds.Cover(other.Match().Bounds) || has(other, "body: {only:") {
		return true
	}
	isMessage := slices.ContainsFunc(other.Match().Template.Segments,
		func(s odata.Segment) bool { return s.Base == "messages" })
	for _, s := range bounded.BodyConditions() {
		key, _, _ := strings.Cut(s, ": {")
		name, _, _ := strings.Cut(strings.TrimPrefix(s, key+": {"), ":")
		of, property, nested := strings.Cut(name, "/")
		switch {
		case name == "recipients" && !has(other, "body: {recipients:"):
			return false
		case isMessage && nested && strings.EqualFold(of, "message") &&
			!has(other, "body: {"+property+":") && !has(other, "body: {"+name+":"):
			return false
		}
	}
	return true
}

func (c *checker) isDenied(b *book, r *policy.Rule) bool {
	return slices.ContainsFunc(b.deny, func(d *policy.Rule) bool { return match.Denies(d.Match(), r.Match()) })
}

// getsRound returns the effect of another rule that equals what a rule bounds.
func getsRound(bounded, other *match.Rule) (does string, found bool) {
	segments := bounded.Template.Segments
	last := &segments[len(segments)-1]
	if bounded.Methods&match.Post != 0 {
		for i := range everyWay {
			w := &everyWay[i]
			if w.of == last.Base && other.Methods&w.method != 0 && w.isIn(other.Template) && sharesKeys(bounded, other) {
				return "it " + w.does + " (" + w.source + ")", true
			}
		}
	}
	switch {
	case !isSameResource(bounded.Template, other.Template) || !sharesKeys(bounded, other):
		return "", false
	case other.Template.Version != bounded.Template.Version && other.Methods&bounded.Methods != 0:
		return "it does the same in " + other.Template.Version, true
	case other.Template.Version == bounded.Template.Version && bounded.Methods&match.Patch != 0 &&
		other.Methods&match.Put != 0:
		return "PUT changes the same", true
	case other.Template.Version == bounded.Template.Version && other.Methods&bounded.Methods != 0 && other.Bounds == nil:
		return "it allows the same without the bound", true
	}
	return "", false
}

// sharesKeys reports whether both rules may be about the same mailbox, drive or other item: the values for their
// first keys may be the same.
func sharesKeys(a, b *match.Rule) bool {
	first := func(r *match.Rule) []string {
		for i := range r.Keys {
			if r.Keys[i].Segment() == 1 {
				return r.Keys[i].Values()
			}
		}
		return nil
	}
	x, y := first(a), first(b)
	if x == nil || y == nil {
		return true
	}
	hasStar := func(s string) bool { return strings.Contains(s, "*") }
	if slices.ContainsFunc(x, hasStar) || slices.ContainsFunc(y, hasStar) {
		return true
	}
	return slices.ContainsFunc(x, func(s string) bool {
		return slices.ContainsFunc(y, func(o string) bool { return strings.EqualFold(s, o) })
	})
}

// isIn reports whether a template can lead to the operation.
func (w *way) isIn(t *odata.Template) bool {
	if t.Below {
		return w.leadsTo(t)
	}
	names := strings.Split(strings.ToLower(w.by), "/")
	return len(names) <= len(t.Segments) && endsWith(t, names)
}

// leadsTo reports whether the operation is below a template that ends in /**: the template ends within the operation,
// or at a place that the operation can be below.
func (w *way) leadsTo(t *odata.Template) bool {
	names := strings.Split(strings.ToLower(w.by), "/")
	for k := min(len(names), len(t.Segments)); k > 0; k-- {
		if endsWith(t, names[:k]) {
			return true
		}
	}
	last := len(t.Segments) - 1
	for last > 0 && (t.Segments[last].Var || t.Segments[last].Kind != odata.Name) {
		last--
	}
	return slices.Contains(placesOf(names[0]), t.Segments[last].Base)
}

// placesOf returns the collections and resources that have a name of an operation below them.
func placesOf(name string) []string {
	switch name {
	case "messages":
		return []string{"users", "mailfolders", "childfolders", "inbox"}
	case "messagerules":
		return []string{"users", "mailfolders", "inbox"}
	case "attachments":
		return []string{"users", "mailfolders", "childfolders", "inbox", "messages"}
	case "events", "calendarpermissions":
		return []string{"users", "groups", "calendar", "calendars", "calendargroups"}
	case "invite", "createlink", "permissions":
		return []string{"users", "groups", "sites", "drives", "drive", "items", "root", "children", "shares"}
	}
	return nil
}

// endsWith reports whether a template ends with names, in which {} is any key.
func endsWith(t *odata.Template, names []string) bool {
	for i, s := range t.Segments[len(t.Segments)-len(names):] {
		if names[i] == "{}" {
			if !s.Var && s.Kind != odata.Key && s.Kind != odata.Name {
				return false
			}
		} else if s.Var || s.Base != names[i] {
			return false
		}
	}
	return true
}

// isSameResource reports whether two templates name the same resource, ignoring versions; a wider one ends in /**
// before the end of the other, or at it.
func isSameResource(t, other *odata.Template) bool {
	x, y := t.Segments, other.Segments
	if len(y) > len(x) || len(y) < len(x) && !other.Below {
		return false
	}
	for i := range y {
		if x[i].Var != y[i].Var || !x[i].Var && x[i].Base != y[i].Base {
			return false
		}
	}
	return true
}
