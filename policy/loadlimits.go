package policy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"graphproxy/policy/graph/service"
	"graphproxy/policy/limit"
	"graphproxy/policy/match"
	"graphproxy/policy/yamlfile"
)

// commonLimits reads limits.
func (l *loader) commonLimits(v yamlfile.Value) {
	if !v.IsSet() {
		return
	}
	for _, f := range v.Fields("limits by name") {
		l.name("limit", f)
		if !l.unique("limit", f) {
			continue
		}
		keys := f.Value.Mapping("rate", "burst", "concurrency", "wait", "unit", "per", "covers")
		c := &commonLimit{limit: l.limitOf(f.Value, keys, "limits."+f.Key), covers: keys["covers"].IsSet(), own: l.own()}
		c.per = l.per(keys["per"])
		covers := l.covers(keys["covers"])
		l.checkPer(c, keys["per"], covers)
		for _, r := range covers {
			l.policy.covers.Add(&r.match)
			l.policy.coverOf = append(l.policy.coverOf,
				cover{rule: r, limit: len(l.policy.limits), located: lacks(r, c.per) == ""})
		}
		l.policy.limits = append(l.policy.limits, c)
	}
}

func (l *loader) covers(v yamlfile.Value) []*Rule {
	if !v.IsSet() {
		return nil
	}
	var rules []*Rule
	for _, item := range v.Items("a list of METHOD /path") {
		if r := l.cover(item); r != nil {
			rules = append(rules, r)
		}
	}
	return rules
}

// cover reads one item of covers: METHOD /path, or a mapping of that to unknown: true.
func (l *loader) cover(item yamlfile.Value) *Rule {
	if !item.IsMapping() {
		if text, ok := item.Text("METHOD /path"); ok {
			return l.ruleText(item, item.Line(), text)
		}
		return nil
	}
	f, ok := l.ruleField(item)
	if !ok {
		return nil
	}
	r := l.ruleText(item, f.Line, f.Key)
	if settings := f.Value.Mapping("unknown"); r != nil {
		r.unknown = l.unknown(settings["unknown"])
	}
	return r
}

// lacks returns the first of the variables in per that is not in the rule's template, or "".
func lacks(r *Rule, per []string) string {
	variables := match.Variables(r.match.Template)
	for _, name := range per {
		if isVariable(name) && !slices.Contains(variables, name) {
			return name
		}
	}
	return ""
}

// per reads the names of values; each value has a bucket.
func (l *loader) per(v yamlfile.Value) []string {
	if !v.IsSet() {
		return nil
	}
	return v.Texts("caller, app, tenant, or variables of covers")
}

// checkPer refuses a name that no request could have a value for. It warns of templates without a variable that
// the limit names.
func (l *loader) checkPer(c *commonLimit, v yamlfile.Value, covers []*Rule) {
	for i, name := range c.per {
		if slices.Contains(c.per[:i], name) {
			v.Errorf("%q is there twice; keep one", name)
		}
		known, lacking := []string{perCaller, perApp, perTenant}, []*Rule(nil)
		for _, r := range covers {
			variables := match.Variables(r.match.Template)
			if !isVariable(name) && slices.Contains(variables, name) {
				v.Errorf("%q is the %s of the request, and %s has a variable of that name; call the variable something else", name,
					name, r.Text)
			}
			known = append(known, variables...)
			if lacks(r, []string{name}) != "" {
				lacking = append(lacking, r)
			}
		}
		switch {
		case !isVariable(name):
		case len(lacking) == len(covers):
			slices.Sort(known)
			v.Errorf("%s", yamlfile.Unknown("value", name, slices.Compact(known)))
		default:
			for _, r := range lacking {
				l.warnings.Add(r.Line, v.Where(), "%s has no {%s}, so the limit does not cover it; take it out of covers",
					r.Text, name)
			}
		}
	}
}

// limit reads a caller's or a rule's limit: a rate, or a mapping.
func (l *loader) limit(v yamlfile.Value, name string) *limit.Limit {
	if v.IsScalar() {
		rate, _ := l.rate(v)
		return &limit.Limit{Name: name, Rate: rate, Burst: defaultBurst(rate)}
	}
	return l.limitOf(v, v.Mapping("rate", "burst", "concurrency", "wait", "unit"), name)
}

func (l *loader) limitOf(v yamlfile.Value, keys map[string]yamlfile.Value, name string) *limit.Limit {
	lim := &limit.Limit{Name: name}
	if keys["rate"].IsSet() {
		lim.Rate, _ = l.rate(keys["rate"])
		lim.Burst = defaultBurst(lim.Rate)
	}
	if keys["burst"].IsSet() {
		lim.Burst, _ = keys["burst"].Int(1)
		if !keys["rate"].IsSet() {
			keys["burst"].Errorf("a burst needs a rate; write rate: as well")
		}
	}
	if keys["concurrency"].IsSet() {
		lim.Concurrency, _ = keys["concurrency"].Int(1)
	}
	if v.IsMapping() && !keys["rate"].IsSet() && !keys["concurrency"].IsSet() {
		v.Errorf("this limit bounds nothing; write rate: or concurrency:")
	}
	lim.Wait = l.wait(keys["wait"])
	l.unit(lim, keys)
	return lim
}

// unit reads what the rate counts. It refuses a bucket that is smaller than the cost of one request, which
// would let requests through on credit.
func (l *loader) unit(lim *limit.Limit, keys map[string]yamlfile.Value) {
	v := keys["unit"]
	if !v.IsSet() {
		return
	}
	units := []string{limit.Requests.String(), limit.ResourceUnits.String()}
	name, ok := v.Text("requests or resource-units")
	switch {
	case !ok:
		return
	case !slices.Contains(units, name):
		v.Errorf("%s", yamlfile.Unknown("unit", name, units))
	case !keys["rate"].IsSet():
		v.Errorf("a unit is what a rate counts; write rate: as well")
	}
	if name != limit.ResourceUnits.String() {
		return
	}
	lim.Unit = limit.ResourceUnits
	switch burst := keys["burst"]; {
	case !burst.IsSet():
		lim.Burst = max(lim.Burst, service.MostUnits)
	case lim.Burst > 0 && lim.Burst < service.MostUnits:
		burst.Errorf("a request may cost %d resource units, so the bucket must hold as many; write burst: %[1]d, or more",
			service.MostUnits)
	}
}

// longestWait is shorter than the usual timeouts of callers, and bounds how long waiting requests use memory.
const longestWait = 5 * time.Minute

// wait reads how long a request may wait: 500ms, 2s, 1m.
func (l *loader) wait(v yamlfile.Value) time.Duration {
	const expected = "a time such as 500ms, 2s or 1m"
	if !v.IsSet() {
		return 0
	}
	text, ok := v.Text(expected)
	if !ok {
		return 0
	}
	for _, unit := range []struct {
		name string
		is   time.Duration
	}{{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}} {
		number, found := strings.CutSuffix(text, unit.name)
		n, okNumber := plainNumber(number)
		if !found || !okNumber {
			continue
		}
		if n > int(longestWait/unit.is) {
			v.Errorf("%s is longer than a request may wait; write 5m, or less", text)
		}
		return time.Duration(n) * unit.is
	}
	v.Errorf("%.80q is not %s", text, expected)
	return 0
}

// defaultBurst is the number of requests that the rate allows in one second, at least 1.
func defaultBurst(rate float64) int { return max(1, int(rate)) }

// rate reads N/s, N/m, N/h, N/d, or over several of them: 10000/10m. It returns requests per second.
func (l *loader) rate(v yamlfile.Value) (float64, bool) {
	const expected = "a rate such as 20/s, 300/m, 1000/h, 500/d or 10000/10m"
	text, ok := v.Text(expected)
	if !ok {
		return 0, false
	}
	count, window, _ := strings.Cut(text, "/")
	n, okCount := plainNumber(count)
	length, okWindow := parseWindow(window)
	if !okCount || !okWindow {
		v.Errorf("%.80q is not %s", text, expected)
		return 0, false
	}
	return float64(n) / length.Seconds(), true
}

// parseWindow reads s, m, h, d, 30s, 10m, up to a day.
func parseWindow(text string) (time.Duration, bool) {
	if text == "" {
		return 0, false
	}
	unit := map[byte]time.Duration{
		's': time.Second,
		'm': time.Minute,
		'h': time.Hour,
		'd': 24 * time.Hour,
	}[text[len(text)-1]]
	n, ok := 1, true
	if len(text) > 1 {
		n, ok = plainNumber(text[:len(text)-1])
	}
	if !ok || unit == 0 || n > int(24*time.Hour/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// plainNumber reads a positive number as people write it.
func plainNumber(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n > 0 && n <= 1_000_000_000 && strconv.Itoa(n) == text
}
