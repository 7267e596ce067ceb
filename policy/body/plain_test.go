package body_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"graphproxy/policy/body"
	"graphproxy/policy/match"
)

// A second reading of conditions, written apart from the first over encoding/json's maps, as a person would check a
// body. Where the first one allows a body, this one must, too.

// glob reports whether a value with stars stands for a text.
func glob(pattern, text string) bool {
	var b strings.Builder
	b.WriteString("(?is)^")
	for _, part := range regexp.MustCompile(`\*\*|\*|[^*]+`).FindAllString(pattern, -1) {
		switch part {
		case "**":
			b.WriteString(".*")
		case "*":
			b.WriteString("[^/]*")
		default:
			b.WriteString(regexp.QuoteMeta(part))
		}
	}
	return regexp.MustCompile(b.String() + "$").MatchString(text)
}

func anyGlob(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return glob(p, text) })
}

// under returns the values under the names of a path, lists taken apart on the way, and whether the last name is
// missing somewhere.
func under(v any, path []string) (found []any, missing bool) {
	if list, ok := v.([]any); ok {
		missing = len(list) == 0
		for _, item := range list {
			f, m := under(item, path)
			found, missing = append(found, f...), missing || m
		}
		return found, missing
	}
	if len(path) == 0 {
		return []any{v}, false
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, true
	}
	for name, next := range object {
		if strings.EqualFold(name, path[0]) {
			if len(path) == 1 {
				return []any{next}, false
			}
			return under(next, path[1:])
		}
	}
	return nil, true
}

// leaves are what a value consists of, lists taken apart.
func leaves(v any) (all []any) {
	if list, ok := v.([]any); ok {
		for _, item := range list {
			all = append(all, leaves(item)...)
		}
		return all
	}
	return []any{v}
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// plainText is a value as conditions compare it; false for an object.
func plainText(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "null", true
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

// meets reports whether a body meets a condition.
func meets(c body.Condition, v any) error {
	var path []string
	if c.Path != "" {
		path = strings.Split(c.Path, "/")
	}
	found, missing := under(v, path)
	if c.Required && (missing || len(found) == 0 || slices.ContainsFunc(found, isEmpty)) {
		return fmt.Errorf("%s is required", c.Path)
	}
	for _, value := range found {
		if c.None && !isEmpty(value) {
			return fmt.Errorf("%s is not none: %v", c.Path, value)
		}
		if err := meetsValues(c, value); err != nil {
			return err
		}
		if err := meetsMax(c, value); err != nil {
			return err
		}
		if err := meetsOnly(c, value); err != nil {
			return err
		}
	}
	return nil
}

func meetsValues(c body.Condition, value any) error {
	if c.Values == nil {
		return nil
	}
	for _, leaf := range leaves(value) {
		text, ok := plainText(leaf)
		_, isText := leaf.(string)
		booleans := !slices.ContainsFunc(c.Values, func(s string) bool { return s != "true" && s != "false" })
		switch {
		case !ok, booleans && isText:
			return fmt.Errorf("%s has another type: %v", c.Path, leaf)
		case leaf == nil && !slices.Contains(c.Values, "null"), !anyGlob(c.Values, text):
			return fmt.Errorf("%s has another value: %v", c.Path, leaf)
		}
	}
	return nil
}

func meetsMax(c body.Condition, value any) error {
	if c.Max < 0 {
		return nil
	}
	switch v := value.(type) {
	case nil:
	case []any:
		if len(v) > c.Max {
			return fmt.Errorf("%s has %d elements", c.Path, len(v))
		}
	case json.Number:
		if f, err := v.Float64(); err != nil || f > float64(c.Max) {
			return fmt.Errorf("%s is %v", c.Path, v)
		}
	default:
		return fmt.Errorf("%s is neither a list nor a number: %v", c.Path, v)
	}
	return nil
}

func meetsOnly(c body.Condition, value any) error {
	if c.Only == nil {
		return nil
	}
	for _, leaf := range leaves(value) {
		if err := onlyNames(leaf, c.Only); err != nil {
			return fmt.Errorf("%s: %w", c.Path, err)
		}
	}
	return nil
}

// onlyNames reports whether a value has no other properties than these. What is named as a whole holds no object.
func onlyNames(v any, only []string) error {
	object, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	for name, value := range object {
		var below []string
		whole := false
		for _, path := range only {
			first, rest, nested := strings.Cut(path, "/")
			switch {
			case !strings.EqualFold(first, name):
			case nested:
				below = append(below, rest)
			default:
				whole = true
			}
		}
		if !whole && below == nil {
			return fmt.Errorf("%q is not named", name)
		}
		for _, leaf := range leaves(value) {
			if _, isObject := leaf.(map[string]any); isObject && below == nil {
				return fmt.Errorf("%q holds an object", name)
			}
			if below != nil {
				if err := onlyNames(leaf, below); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// everyAddress returns all texts under a key that is about recipients, at any depth below one.
func everyAddress(v any, within bool) (all []string) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			all = append(all, everyAddress(item, within)...)
		}
	case map[string]any:
		for name, value := range v {
			text, isText := value.(string)
			switch folded := strings.ToLower(name); {
			case within && isText && (folded == "address" || folded == "email"):
				all = append(all, text)
			case within && folded == "emailaddress":
				all = append(all, everyAddress(value, true)...)
			case within:
			case slices.Contains([]string{"torecipients", "bccrecipients", "from", "recipients", "forwardto"}, folded):
				all = append(all, everyAddress(value, true)...)
			case folded == "message" || folded == "actions":
				all = append(all, everyAddress(value, false)...)
			}
		}
	}
	return all
}

var (
	plainNames = []string{
		"a",
		"B",
		"message",
		"toRecipients",
		"bccRecipients",
		"from",
		"emailAddress",
		"address",
		"actions",
		"forwardTo",
		"recipients",
		"email",
		"attachments",
		"list",
	}
	plainValues = []string{
		"low",
		"high",
		"true",
		"x@contoso.com",
		"x@evil.example",
		"x@contoso.com@evil.example",
		"",
		"null",
		"https://hooks.contoso.com/a",
		"https://hooks.contoso.com.evil.example/",
		"5",
	}
	plainPatterns = []string{
		"low",
		"l*",
		"*@contoso.com",
		"https://hooks.contoso.com/**",
		"true",
		"false",
		"5",
		"null",
		"*",
		"**",
	}
)

// drawBody draws a value of JSON with names in any letter case.
func drawBody(t *rapid.T, depth int) any {
	kind := rapid.IntRange(0, 7).Draw(t, "kind")
	switch {
	case kind < 2 && depth > 0, depth == 4:
		object := map[string]any{}
		for range rapid.IntRange(0, 3).Draw(t, "members") {
			name := rapid.SampledFrom(plainNames).Draw(t, "name")
			if rapid.IntRange(0, 5).Draw(t, "case") == 0 {
				name = strings.ToUpper(name)
			}
			if !slices.ContainsFunc(keysOf(object), func(s string) bool { return strings.EqualFold(s, name) }) {
				object[name] = drawBody(t, depth-1)
			}
		}
		return object
	case kind == 2 && depth > 0:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "elements") {
			list = append(list, drawBody(t, depth-1))
		}
		return list
	case kind == 3:
		return rapid.SampledFrom([]any{true, false, nil, 5, 1.5, -3, 100}).Draw(t, "literal")
	case kind == 4 && depth > 0:
		return []any{map[string]any{"emailAddress": map[string]any{
			"address": rapid.SampledFrom(plainValues).Draw(t, "address")}}}
	}
	return rapid.SampledFrom(plainValues).Draw(t, "value")
}

func keysOf(m map[string]any) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

func drawPath(t *rapid.T, label string) string {
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(plainNames), 1, 3).Draw(t, label), "/")
}

// drawBounds draws conditions that can be compiled.
func drawBounds(t *rapid.T) (*body.Bounds, []body.Condition, []string) {
	var conditions []body.Condition
	for range rapid.IntRange(0, 3).Draw(t, "conditions") {
		c := body.Condition{Path: drawPath(t, "path"), Max: -1}
		switch rapid.IntRange(0, 5).Draw(t, "condition") {
		case 0:
			c.None = true
		case 1:
			c.Values = rapid.SliceOfNDistinct(rapid.SampledFrom(plainPatterns), 1, 3, rapid.ID).Draw(t, "patterns")
		case 2:
			c.Required = true
		case 3:
			c.Max = rapid.IntRange(0, 5).Draw(t, "max")
		case 4:
			c.Values, c.Required = []string{"true"}, true
		default:
			if rapid.Bool().Draw(t, "root") {
				c.Path = ""
			}
			c.Only = rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) string { return drawPath(t, "named") }), 0, 4,
				rapid.ID).Draw(t, "only")
		}
		conditions = append(conditions, c)
	}
	var recipients []string
	if rapid.Bool().Draw(t, "recipients") {
		recipients = []string{"*@contoso.com"}
	}
	bounds, err := body.New(conditions, recipients)
	if err != nil {
		t.Skip(err)
	}
	return bounds, conditions, recipients
}

// decodedBody is a body as encoding/json reads it.
func decodedBody(t *rapid.T, text []byte) any {
	var v any
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAnAllowedBodyMeetsItsConditionsInASecondReading(t *testing.T) {
	allowed, bounded := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		bounds, conditions, recipients := drawBounds(t)
		for range 8 {
			text, err := json.Marshal(drawBody(t, 4))
			if err != nil {
				t.Fatal(err)
			}
			if bounds.Unmet(&match.Body{State: match.BodyJSON, Text: text}) != "" {
				continue
			}
			allowed++
			v := decodedBody(t, text)
			for _, c := range conditions {
				if err := meets(c, v); err != nil {
					t.Fatalf("allowed, and %v: %+v\n%s", err, c, text)
				}
			}
			for _, address := range everyAddress(v, false) {
				if bounded++; recipients != nil && address != "" && (!anyGlob(recipients, address) ||
					strings.Count(address, "@") != 1) {
					t.Fatalf("allowed to send to %q: %s", address, text)
				}
			}
		}
	})
	if t.Logf("%d bodies allowed, %d addresses", allowed, bounded); allowed < 50 {
		t.Error("too few bodies are allowed for a test")
	}
}

// What a condition of a deny rule names is denied, also where the same condition of an allow rule allows it.
func TestWhatAnAllowedValueIsADenyRuleTouches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		path := drawPath(t, "path")
		values := rapid.SliceOfNDistinct(rapid.SampledFrom(plainPatterns), 1, 3, rapid.ID).Draw(t, "patterns")
		bounds, err := body.New([]body.Condition{{Path: path, Values: values, Max: -1}}, nil)
		if err != nil {
			t.Skip(err)
		}
		text, err := json.Marshal(drawBody(t, 4))
		if err != nil {
			t.Fatal(err)
		}
		sent := &match.Body{State: match.BodyJSON, Text: text}
		found, _ := under(decodedBody(t, text), strings.Split(path, "/"))
		for _, value := range found {
			for _, leaf := range leaves(value) {
				if s, ok := plainText(leaf); ok && leaf != nil && anyGlob(values, s) && !bounds.Touched(sent) {
					t.Fatalf("%q is not denied: %s %q", s, text, values)
				}
			}
		}
	})
}

// A body that meets narrower conditions meets wider ones, where Cover reports so.
func TestWhatIsCoveredIsAllowed(t *testing.T) {
	covers := 0
	rapid.Check(t, func(t *rapid.T) {
		wide, conditions, recipients := drawBounds(t)
		narrower := slices.Clone(conditions)
		for i := range narrower {
			if c := &narrower[i]; rapid.Bool().Draw(t, "narrower") {
				c.Required = c.Required || c.Values != nil
				if len(c.Values) > 1 {
					c.Values = c.Values[:1]
				}
				if c.Max > 0 {
					c.Max--
				}
				if len(c.Only) > 1 {
					c.Only = c.Only[:1]
				}
			}
		}
		narrow, err := body.New(narrower, recipients)
		if err != nil {
			t.Skip(err)
		}
		for _, pair := range [][2]*body.Bounds{{wide, narrow}, {narrow, wide}} {
			if !pair[0].Cover(pair[1]) {
				continue
			}
			covers++
			for range 4 {
				text, err := json.Marshal(drawBody(t, 4))
				if err != nil {
					t.Fatal(err)
				}
				sent := &match.Body{State: match.BodyJSON, Text: text}
				if pair[1].Unmet(sent) == "" && pair[0].Unmet(sent) != "" {
					t.Fatalf("covered, and %s: %s\n%+v\n%+v", pair[0].Unmet(sent), text, pair[0].Conditions(), pair[1].Conditions())
				}
			}
		}
	})
	if covers == 0 {
		t.Error("nothing was covered")
	}
}
