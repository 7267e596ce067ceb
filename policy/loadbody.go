package policy

import (
	"strconv"
	"strings"

	"graphproxy/policy/body"
	"graphproxy/policy/match"
	"graphproxy/policy/yamlfile"
)

// body reads the conditions on the body of a rule's requests.
func (l *loader) body(r *Rule, v yamlfile.Value) {
	if !v.IsSet() {
		return
	}
	l.checkBody(r, v)
	var conditions []body.Condition
	var recipients []string
	for _, f := range v.Fields("properties of the body with their values") {
		switch f.Key {
		case "recipients":
			recipients = l.recipients(f.Value)
		case "only":
			conditions = append(conditions, body.Condition{Max: -1, Only: l.only(f.Value)})
		default:
			l.checkProperty(f)
			conditions = append(conditions, l.condition(f.Key, f.Value))
		}
		r.bodyTexts = append(r.bodyTexts, r.conditionText("body: {"+flowKey(f.Key)+": ", f.Value))
	}
	r.Conditions = append(r.Conditions, r.bodyTexts...)
	bounds, err := body.New(conditions, recipients)
	if err != nil {
		v.Errorf("%v", err)
		return
	}
	r.body, r.match.Bounds = bounds, bounds
}

// flowKey writes the key of a mapping in braces.
func flowKey(key string) string {
	if strings.ContainsAny(key, "@#:,[]{}&*!|>'\"%`? ") {
		return strconv.Quote(key)
	}
	return key
}

// recipients reads the allowed addresses. With none it returns an empty list.
func (l *loader) recipients(v yamlfile.Value) []string {
	if l.isNoneHere(v) {
		return []string{}
	}
	l.checkRecipients(v)
	return append([]string{}, l.values(v, `none, or a list of addresses such as "*@contoso.com"`)...)
}

// only reads the properties that an object may have. An empty list is none.
func (l *loader) only(v yamlfile.Value) []string {
	const expected = "a list of properties such as jobTitle or manager/displayName"
	only := []string{}
	for _, item := range v.List(expected) {
		if text, ok := item.Text(expected); ok {
			only = append(only, text)
		}
	}
	return only
}

// condition reads the condition on one property.
func (l *loader) condition(path string, v yamlfile.Value) body.Condition {
	const expected = "none, a list of values, or a mapping with values, required, max, only and targets"
	c := body.Condition{Path: path, Max: -1}
	switch {
	case l.isNoneHere(v):
		c.None = true
	case v.IsMapping():
		l.conditionMapping(&c, v)
	default:
		c.Values = l.values(v, expected)
		l.checkTexts(v)
	}
	return c
}

func (l *loader) conditionMapping(c *body.Condition, v yamlfile.Value) {
	keys := v.Mapping("values", "required", "max", "only", "targets")
	if keys["values"].IsSet() {
		c.Values = l.values(keys["values"], "a list of values")
		l.checkTexts(keys["values"])
	}
	if keys["required"].IsSet() {
		c.Required = l.yes(keys["required"])
	}
	if keys["max"].IsSet() {
		c.Max, _ = keys["max"].Int(0)
	}
	if keys["only"].IsSet() {
		c.Only = l.only(keys["only"])
	}
	if keys["targets"].IsSet() {
		c.Targets = l.targets(keys["targets"])
	}
	if len(keys) > 0 && c.Values == nil && !c.Required && c.Max < 0 && c.Only == nil && c.Targets == nil {
		v.Errorf("this says nothing of %s; write values, required: true, max, only or targets", c.Path)
	}
}

// yes reads true or false.
func (l *loader) yes(v yamlfile.Value) bool {
	text, ok := v.Text("true or false")
	if ok && text != "true" && text != "false" {
		v.Errorf("%.80q is not true or false; write true, or leave the key out", text)
	}
	return text == "true"
}

func isNone(v yamlfile.Value) bool {
	if !v.IsScalar() {
		return false
	}
	text, _ := v.Text("none")
	return text == "none"
}

// isNoneHere is isNone, and warns of a value that is a slip for it: it would be the one value that is allowed.
func (l *loader) isNoneHere(v yamlfile.Value) bool {
	if !v.IsScalar() || isNone(v) {
		return isNone(v)
	}
	if text, ok := v.Text("none"); ok && yamlfile.Nearest(text, []string{"none"}) != "" && !isNearNone(text) {
		l.warnings.Add(v.Line(), v.Where(), "%.80q is the one value that is allowed here; did you mean none, which allows "+
			"none at all? Write it in brackets if it is meant", text)
	}
	return false
}

// isNearNone reports whether a text is a word of its own that only looks like none.
func isNearNone(text string) bool {
	switch strings.ToLower(text) {
	case "one", "done", "gone", "tone", "zone", "bone", "cone", "node", "note", "nose", "nine":
		return true
	}
	return false
}

// checkDenyBody refuses conditions that are ambiguous, or have no meaning, under deny.
func checkDenyBody(item yamlfile.Value, r *Rule) {
	if r.body == nil {
		return
	}
	for _, c := range r.body.Conditions() {
		if c.None || c.Required || c.Max >= 0 || c.Only != nil {
			item.Errorf("none, required, max and only say what a body must be, and %s is denied here; "+
				"write the values that are denied, or bound the rule under allow", r.Text)
			return
		}
	}
}

// BodyConditions returns the entries of Conditions about the body. The slice must not be changed.
func (r *Rule) BodyConditions() []string { return r.bodyTexts }

// BodyRecipients returns the allowed addresses; nil if the rule does not bound recipients.
func (r *Rule) BodyRecipients() []string {
	if r.body == nil {
		return nil
	}
	return r.body.Recipients()
}

// BoundsBody reports whether the rule has conditions on the body.
func (r *Rule) BoundsBody() bool { return r != nil && r.body != nil }

// unreadBody is the reason of a rule with conditions on the body for a body that is not read yet.
const unreadBody = match.ReasonBody + "not read"

// bodyDenial returns the condition of the rule that the body does not meet. It names conditions and properties,
// and no values.
func (r *Rule) bodyDenial(b *Body) string {
	f := r.body.Judge(b)
	property := shown(f.Property, maxDenialPath)
	condition := strings.TrimPrefix(f.Reason, match.ReasonBody)
	switch f.Problem {
	case body.BadValue:
		return "the rule bounds " + property + " in the body, and the request's value is not one that it allows"
	case body.BadType:
		if property == "" {
			return "the rule bounds the body, so it must be one JSON object; send {...}"
		}
		return property + " in the body is of another JSON type than the rule's condition " + condition + " needs"
	case body.Missing:
		return "the rule needs " + property + " in the body, and it is not there, or null or empty; send it"
	case body.NotNone:
		return property + " in the body is not allowed here; leave it out"
	case body.TooMuch:
		return property + " in the body is more than the rule's max allows"
	case body.NotNamed:
		return property + " in the body is not named in the rule's only:; leave it out"
	case body.Annotated:
		return "the annotation " + property + " in the body is not named in the rule, and may change what its condition " +
			condition + " bounds; leave it out"
	case body.Odd:
		return "the property " + property + " in the body may be taken for one that the rule's condition " +
			condition + " bounds; write its name plainly"
	case body.NotAddress, body.NoRecipient:
		return "a recipient in " + property + " of the body is not given by one address of mail, and the rule bounds " +
			"recipients; send an address"
	case body.BadRecipient:
		return "the rule bounds recipients, and an address in " + property + " of the body is not one that it allows"
	}
	return "the rule bounds the body, so it must be JSON in UTF-8 with Content-Type: application/json"
}
