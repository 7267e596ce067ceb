package policy

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"graphproxy/policy/yamlfile"
)

// An EvidenceCheck returns the problems of the identities of all callers together, such as a key that two
// callers have; or, if there is none, what evidence proves for tests that have some. The problems need no file
// name. The callers have a name and at least one identity, and each of their identities was read without a
// problem. auth/caller decides; this package does not import it.
type EvidenceCheck func(callers []Caller) (Prove, Errors)

// Load reads and parses a policy file, see Parse. Other errors than Errors are about reading it.
func Load(file string, checks ...EvidenceCheck) (*Policy, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading policy: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, yamlfile.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading policy: %w", err)
	}
	return Parse(file, data, checks...)
}

// Parse reads a policy from the bytes of a file whose name, for messages, is file. It then runs the tests in
// the file. The error is of type Errors: all problems at once, sorted by line, including the problems of the
// checks. There is no partial policy.
//
// Without a check, two callers of the policy may have the same evidence. caller.New also refuses this. And tests that
// have evidence fail, because nothing judges it.
//
// Tests without at: are judged as if no grant had ended; see ParseAt.
func Parse(file string, data []byte, checks ...EvidenceCheck) (*Policy, error) {
	return ParseAt(time.Time{}, file, data, checks...)
}

// ParseAt is Parse, with the time at which tests without at: are judged.
func ParseAt(now time.Time, file string, data []byte, checks ...EvidenceCheck) (*Policy, error) {
	p, err := ParseUntested(file, data, checks...)
	return tested(now, p, err)
}

// tested returns p if its tests pass, judged at now where they have no time of their own. An err is passed on.
func tested(now time.Time, p *Policy, err error) (*Policy, error) {
	if err != nil {
		return nil, err
	}
	p.loaded = now
	if errs := p.testErrors(); len(errs) > 0 {
		return nil, errs
	}
	return p, nil
}

// ParseUntested is Parse without running the file's tests, for tools that report the outcome of each
// (Policy.Test). A policy that serves requests must come from Load or Parse.
func ParseUntested(file string, data []byte, checks ...EvidenceCheck) (*Policy, error) {
	return ParseFilesUntested(Files{All: []File{{Name: file, Data: data}}}, checks...)
}

// loader turns a file into a policy. Its methods report problems and continue with the rest.
type loader struct {
	report   yamlfile.Report
	warnings yamlfile.Report
	policy   *Policy
	files    []*document       // the main one first
	named    map[string]string // the place of each name that is unique over all files, by its kind and itself
	checks   []EvidenceCheck
	mode     bool // report, for callers without a mode
	sets     map[string]*ruleSet
	keys     []keyPlace
	setNames []string
	denyAll  []*Rule     // for every caller
	keyNames []callerKey // of all callers; nil until a test names one

	prefix    string            // before the names of files in messages
	listFiles map[string][]byte // files of lists, by name
	lists     map[string]*list
	listNames []string
	bounds    []*bounds
	reporting map[string]int // line of mode: report, by caller
}

// documents reads what the files say. What the rest refers to is read from all of them first.
func (l *loader) documents() {
	for i, d := range l.files {
		l.top(d, i == 0)
	}
	l.required()
	l.main(l.files[0])
	l.each("lists", l.readLists)
	l.each("limits", l.commonLimits)
	l.each("rules", l.ruleSets)
	l.readBounds()
	l.each("deny", func(v yamlfile.Value) { l.denyAll = append(l.denyAll, l.denyRules(v)...) })
	l.each("callers", l.callers)
	l.commonKeys()
	l.evidence()
	l.checkBounds()
	l.unusedSets()
	l.unusedLists()
	l.voidDenies()
	l.each("tests", l.testCases)
}

// each reads a key of every file.
func (l *loader) each(key string, read func(yamlfile.Value)) {
	for _, d := range l.files {
		l.enter(d.shown)
		read(d.top[key])
	}
}

// main reads what only the main file may say.
func (l *loader) main(d *document) {
	l.enter(d.shown)
	l.includes(d.top["include"])
	l.boundedFiles(d.top["bounds"])
	l.mode = l.reportMode(d.top["mode"], false)
	l.policy.report = l.mode
	l.policy.contact = l.contact(d.top["contact"])
	l.policy.console = l.consoleIdentities(d.top["console"])
}

// top reads the keys at the top of a file.
func (l *loader) top(d *document, isMain bool) {
	l.enter(d.shown)
	root := d.root
	d.top = make(map[string]yamlfile.Value)
	for _, f := range root.Fields("a mapping with " + strings.Join(topKeys(isMain), ", ")) {
		switch {
		case slices.Contains(topKeys(isMain), f.Key):
			d.top[f.Key] = f.Value
		case slices.Contains(topKeys(true), f.Key):
			l.report.Add(f.Line, "", "%q stands in the main file of a policy only, %s; take it out here", f.Key,
				l.files[0].shown)
		default:
			l.report.Add(f.Line, "", "%s", yamlfile.Unknown("key", f.Key, topKeys(isMain)))
		}
	}
}

// required reports what is missing: version in each file, and callers in all of them.
func (l *loader) required() {
	hasCallers := slices.ContainsFunc(l.files[1:], func(d *document) bool { return d.top["callers"].IsSet() })
	for i, d := range l.files {
		l.enter(d.shown)
		if !d.root.IsMapping() {
			continue
		}
		l.require(d.root.Line(), "", d.top, "version", "write version: 1")
		if i == 0 && !hasCallers {
			l.require(d.root.Line(), "", d.top, "callers", "a policy without callers denies everything")
		}
		if n, ok := d.top["version"].Int(1); ok && n != 1 {
			d.top["version"].Errorf("version %d is not known to this graphproxy; write version: 1", n)
		}
	}
}

// require reports a missing key. A key without a value is reported where it is read.
func (l *loader) require(line int, where string, values map[string]yamlfile.Value, key, cure string) {
	if _, found := values[key]; !found {
		l.report.Add(line, where, "the key %q is missing; %s", key, cure)
	}
}

// reportMode reads a mode.
func (l *loader) reportMode(v yamlfile.Value, otherwise bool) bool {
	if !v.IsSet() {
		return otherwise
	}
	mode, ok := v.Text("enforce or report")
	if ok && mode != "enforce" && mode != "report" {
		v.Errorf("%s", yamlfile.Unknown("mode", mode, []string{"enforce", "report"}))
	}
	return mode == "report"
}

// longestName bounds the names that messages, records and buckets carry, in bytes.
const longestName = 64

// name checks a name that messages, records and buckets contain.
func (l *loader) name(kind string, f yamlfile.Field) {
	if !yamlfile.IsName(f.Key) || len(f.Key) > longestName {
		l.report.Add(f.Line, "", "the name %.80q of a %s is not made of at most %d letters, digits, \"-\", \"_\" and \".\"",
			f.Key, kind, longestName)
	}
}

func (l *loader) callers(v yamlfile.Value) {
	for _, f := range v.Fields("callers by name") {
		l.name("caller", f)
		if l.unique("caller", f) {
			l.caller(f)
		}
	}
}

// evidence runs the checks on the callers that can be checked. The problems of a caller without a name or an
// identity are reported already.
func (l *loader) evidence() {
	var callers []Caller
	for _, c := range l.policy.callers {
		if c.Name != "" && len(c.Identities) > 0 {
			callers = append(callers, c)
		}
	}
	for _, check := range l.checks {
		prove, problems := check(callers)
		l.policy.prove = prove
		for _, e := range problems {
			l.report.Append(&Error{File: cmp.Or(e.File, l.policy.File()), Line: e.Line, Where: e.Where, Message: e.Message})
		}
	}
	l.consoleEvidence()
}

func (l *loader) caller(f yamlfile.Field) {
	v := f.Value
	keys := v.Mapping(slices.Concat([]string{"identity", "allow", "deny", "limit", "in_flight", "app", "tenant",
		"priority", "mode", "until"}, aboutKeys())...)
	if !v.IsMapping() {
		return
	}
	l.require(f.Line, v.Where(), keys, "identity",
		"nothing would prove this caller; write what does, such as the key: that graphproxy key prints")
	l.require(f.Line, v.Where(), keys, "allow", "write allow: [] if this caller may do nothing")
	c := Caller{
		Name:       f.Key,
		File:       l.report.File,
		Line:       f.Line,
		App:        cmp.Or(l.app(keys["app"]), DefaultApp),
		Tenant:     l.tenant(keys["tenant"]),
		Priority:   l.priority(keys["priority"]),
		Identities: l.identities(keys["identity"]),
		InFlight:   inFlight(keys["in_flight"]),
		Until:      l.until(keys["until"]),
		About:      about(keys),
	}
	l.uniqueNames(&c)
	reports := l.reportMode(keys["mode"], l.mode)
	if reports && keys["mode"].IsSet() {
		l.reporting[c.Name] = keys["mode"].Line()
	}
	book := &ruleBook{
		file:     c.File,
		key:      string(appendPlain([]byte(perCaller+"="), c.Name)),
		app:      c.App,
		tenant:   c.Tenant,
		priority: c.Priority,
		report:   reports,
		about:    c.About,
	}
	allow := l.rules(keys["allow"].List("a list of rules"))
	l.warnOfBatch(allow)
	book.add(allow, slices.Concat(l.denyAll, l.denyRules(keys["deny"])))
	l.warnOfNames(f.Key, book)
	l.warnOfNots(f.Key, book)
	book.inFlight, book.until = c.InFlight, c.Until
	if keys["limit"].IsSet() {
		book.limit = l.limit(keys["limit"], "callers."+f.Key+".limit")
	}
	l.policy.apps = append(l.policy.apps, AppRef{c.App, c.Tenant, l.appAt(keys, v)})
	for _, r := range allow {
		if r.appAt != "" {
			app, tenant := book.appOf(r)
			l.policy.apps = append(l.policy.apps, AppRef{app, tenant, r.appAt})
		}
	}
	l.policy.callers = append(l.policy.callers, c)
	l.policy.rules[c.Name] = book
}

// app reads the name of an app registration.
func (l *loader) app(v yamlfile.Value) string {
	if !v.IsSet() {
		return ""
	}
	name, ok := v.Text("the name of an app registration")
	if !ok {
		return ""
	}
	if !yamlfile.IsName(name) {
		v.Errorf("the name %.80q of an app registration is not made of letters, digits, \"-\", \"_\" and \".\"", name)
		return ""
	}
	return name
}

// tenant reads the tenant that an app registration is used in.
func (l *loader) tenant(v yamlfile.Value) string {
	if !v.IsSet() {
		return ""
	}
	const expected = "a tenant: its ID (a GUID) or one of its domains, such as fabrikam.onmicrosoft.com"
	name, ok := v.Text(expected)
	name = strings.ToLower(name)
	switch {
	case !ok:
		return ""
	case slices.Contains([]string{"common", "organizations", "consumers", "adfs", "dstsv2"}, name):
		v.Errorf("%q stands for many tenants, and an app that acts as itself belongs to one; write %s", name, expected)
	case !isHostName(name):
		v.Errorf("%.80q is not %s", name, expected)
	}
	return name
}

// priority reads the priority by which Graph throttles.
func (l *loader) priority(v yamlfile.Value) string {
	if !v.IsSet() {
		return ""
	}
	known := []string{"low", "normal", "high"}
	name, ok := v.Text("low, normal or high")
	if ok && !slices.Contains(known, name) {
		v.Errorf("%s", yamlfile.Unknown("priority", name, known))
	}
	return name
}

// inFlight reads a caller's share of the requests that the proxy can handle at once.
func inFlight(v yamlfile.Value) Share {
	const expected = "how many requests the caller may have in flight, such as 200, or what part of all, such as 25%"
	if !v.IsSet() {
		return Share{}
	}
	text, ok := v.Text(expected)
	if !ok {
		return Share{}
	}
	digits, isPercent := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(digits)
	switch {
	case err != nil || strconv.Itoa(n) != digits || n < 1 || n > 1_000_000_000 || isPercent && n > 100:
		v.Errorf("%.40q is not %s", text, expected)
		return Share{}
	case isPercent:
		return Share{Percent: n}
	}
	return Share{Requests: n}
}

// appAt returns the place of the keys app and tenant of a caller or rule; "" for a rule that has neither.
func (l *loader) appAt(keys map[string]yamlfile.Value, of yamlfile.Value) string {
	at := keys["app"]
	if !at.IsSet() {
		at = keys["tenant"]
	}
	if !at.IsSet() {
		if _, isCaller := keys["identity"]; !isCaller {
			return ""
		}
		at = of
	}
	where := Error{File: at.File(), Line: at.Line(), Where: at.Where()}
	return where.Place()
}
