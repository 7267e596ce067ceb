package policycmd

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"graphproxy/cmd/graphproxy/config"
	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/graph/service"
	"graphproxy/policy/operations"
)

func newExplain(settings *config.Config, environ []string) *cobra.Command {
	var file string
	var circumstances circumstances
	var recorded recorded
	cmd := &cobra.Command{
		Use:   "explain [--policy FILE] [--body FILE] [--at TIME] CALLER 'METHOD /path?query'",
		Short: "Show how a request of a caller is read and decided, and by which rule",
		Long: "explain shows how a request is read, which rules are compared with it, and which one decides. The request " +
			"is METHOD /path?query,\nan address (a GET, or METHOD and the address), or a whole command line of curl in one " +
			"argument: its host does not matter, and its\nheaders are not read. A request without a version is of v1.0, " +
			"and without --body it has no body.\n" +
			"explain --request-id ID --audit FILE explains a request that an audit log has.\n" +
			"explain READ prints what the method READ stands for.\nStatus 0: allowed. 1: denied, also where report mode " +
			"would let it through. 2: the request has two readings, or no such caller.",
		Args: func(cmd *cobra.Command, args []string) error {
			if recorded.id != "" || len(recorded.logs) > 0 {
				return recorded.check(cmd, args, circumstances)
			}
			if len(args) == 1 && args[0] == "READ" {
				return nil
			}
			return arguments("CALLER", "'METHOD /path?query'")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return explainRecorded(cmd, environ, file, recorded)
			case 1:
				return explainRead(cmd)
			}
			return explain(cmd, file, circumstances, args[0], args[1])
		},
	}
	cmd.Flags().StringVar(&recorded.id, "request-id", "",
		"explain the request with this `ID`, which the caller got as request-id")
	cmd.Flags().StringArrayVar(&recorded.logs, "audit", nil, auditUsage)
	cmd.Flags().StringVar(&file, "policy", settings.Policy, "the policy `FILE`")
	cmd.Flags().StringVar(&circumstances.body, "body", "",
		"the `FILE` with the request's body, JSON; - is the standard input")
	cmd.Flags().StringVar(&circumstances.at, "at", "",
		"the `TIME` of the request: with its zone, or a date; now without it")
	return cmd
}

// explanation is the result of the command explain, as JSON.
type explanation struct {
	Policy   string     `json:"policy"`
	Hash     string     `json:"hash"`
	Caller   string     `json:"caller"`
	App      string     `json:"app"`
	Tenant   string     `json:"tenant,omitempty"`    // that the app is used in, if it is not its own
	Priority string     `json:"priority,omitempty"`  // that is sent to Graph
	InFlight string     `json:"in_flight,omitempty"` // as the policy has it
	Mode     string     `json:"mode"`
	Method   string     `json:"method"`
	Target   target     `json:"target"`
	Is       *operation `json:"operation,omitempty"` // of Graph, if graphproxy's lists have it
	Steps    []step     `json:"steps"`
	Decision string     `json:"decision"`
	Passes   bool       `json:"passes"` // allowed, or let through by report mode
	Rule     *ruleText  `json:"rule,omitempty"`
	Nearest  *ruleText  `json:"nearest,omitempty"`
	Differs  string     `json:"differs,omitempty"`
	Limits   []string   `json:"limits,omitempty"`
	Message  string     `json:"message"`
	Answer   string     `json:"answer,omitempty"` // the message to the caller of a denied request
	About    []aboutOne `json:"about,omitempty"`  // what the file has for people
}

// operation is the operation of Graph that the request calls.
type operation struct {
	Text string `json:"text"`           // "GET /users/{user-id}/messages"
	Kind string `json:"kind,omitempty"` // "function", "action" or ""
	Page string `json:"page,omitempty"` // the address of its page in the reference
}

// operationOf returns the operation of Graph that a request calls; nil if the lists do not have it.
func operationOf(r policy.Request) (*operation, error) {
	known, err := operations.Embedded()
	if err != nil {
		return nil, err
	}
	o, found := known.Find(r.Target.Segments, r.Target.Version, r.Method)
	if !found {
		return nil, nil
	}
	version := ""
	if r.Target.Version == "beta" {
		version = "/beta"
	}
	return &operation{o.Method + " " + version + o.Path, string(o.Kind), o.URL(r.Target.Version)}, nil
}

// step is one check of a decision, and its result.
type step struct {
	Name   string `json:"name"`
	Result string `json:"result"`
}

// target is how the request's URL was read.
type target struct {
	Version  string    `json:"version"`
	Segments []segment `json:"segments"`
	Query    []option  `json:"query"`
	Sent     string    `json:"sent"` // the text that Graph gets
}

type segment struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

type option struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// explainRead prints the operations that the method READ includes.
func explainRead(cmd *cobra.Command) error {
	readings := service.Readings()
	return write(cmd, readings, func(w io.Writer) error {
		fmt.Fprintln(w, "READ is GET, and these POSTs, which only read:")
		for _, r := range readings {
			on := strings.Join(r.On, ", ")
			if on == "" {
				on = "workbook: all that calculate"
			}
			fmt.Fprintf(w, "%-32s on %s\n%32s %s\n", r.Operation, on, "", r.Source)
		}
		return nil
	})
}

func explain(cmd *cobra.Command, file string, c circumstances, caller, text string) error {
	p, err := ReadPolicy(file)
	if err != nil {
		return err
	}
	if err := checkCaller(p, caller); err != nil {
		return err
	}
	request, err := c.request(cmd, caller, text)
	if err != nil {
		return err
	}
	result, err := explanationOf(p, request)
	if err != nil {
		return err
	}
	if err := write(cmd, result, result.text); err != nil {
		return err
	}
	if result.Decision == "deny" {
		return ErrNo
	}
	return nil
}

func explanationOf(p *policy.Policy, r policy.Request) (explanation, error) {
	e := p.Explain(r)
	is, err := operationOf(r)
	x := explanation{
		Policy:   p.File(),
		Hash:     p.Hash(),
		Caller:   r.Caller,
		App:      e.App,
		Tenant:   e.Tenant,
		Priority: e.Priority,
		InFlight: e.InFlight,
		Mode:     "enforce",
		Method:   r.Method,
		Target:   targetOf(r.Target),
		Is:       is,
		Steps:    steps(p, r, e),
		Decision: decision(e.Allow),
		Passes:   e.Allow || e.Reports,
		Rule:     ruleOf(e.Rule),
		Nearest:  ruleOf(e.Nearest),
		Differs:  e.Differs,
		Limits:   e.Limits,
		Message:  e.String(),
		Answer:   e.Answer,
	}
	x.About = aboutOf(p, r.Caller, cmp.Or(e.Rule, e.Nearest))
	if e.Allow && e.Rule != nil {
		x.Target.matched(e.Rule)
	}
	if e.Reports {
		x.Mode = "report"
	}
	return x, err
}

func targetOf(t *odata.Target) target {
	out := target{Version: t.Version, Segments: []segment{}, Query: []option{}, Sent: t.EscapedPath()}
	if q := t.RawQuery(); q != "" {
		out.Sent += "?" + q
	}
	for i := range t.Segments {
		out.Segments = append(out.Segments, segmentOf(&t.Segments[i]))
	}
	for _, o := range t.Query {
		out.Query = append(out.Query, option{o.Fold, o.Value})
	}
	return out
}

// nameOrKey is the kind of a plain segment as long as no rule decides it.
const nameOrKey = "name or key"

// segmentOf names a segment in words.
func segmentOf(s *odata.Segment) segment {
	switch {
	case s.Kind == odata.Key:
		return segment{"key", s.Text}
	case s.Kind == odata.Args:
		var args []string
		for _, a := range s.Args {
			args = append(args, a.Name+"="+a.Value)
		}
		return segment{"arguments or alternate key", strings.Join(args, ",")}
	case s.Kind == odata.Path:
		return segment{"drive or site path", s.Text}
	case s.Kind == odata.System:
		return segment{"system segment", s.Text}
	case s.Call:
		return segment{"function", s.Text}
	case s.Qualified:
		return segment{"cast, function or action", s.Text}
	}
	return segment{nameOrKey, s.Text}
}

// matched sets the kinds of the segments from the rule that allows them. Both have the same segments then, up to
// the rule's end.
func (t *target) matched(r *policy.Rule) {
	for i, s := range r.Match().Template.Segments {
		switch {
		case s.Var:
			t.Segments[i].Kind = "key {" + s.Text + "}"
		case t.Segments[i].Kind == nameOrKey:
			t.Segments[i].Kind = "name"
		}
	}
}

// steps returns the checks in order, up to the one that decided.
func steps(p *policy.Policy, r policy.Request, e policy.Explanation) []step {
	allow, deny := p.Rules(r.Caller)
	switch {
	case e.Differs == policy.ReasonEnded:
		return []step{{"caller", "has ended"}}
	case e.Rule != nil && !e.Allow:
		return []step{{"deny", e.Rule.Where() + " matches: " + describe(e.Rule)}}
	case e.Batch:
		return []step{
			{"deny", noneMatches(len(deny))},
			{"batch", "needs no rule: each item is judged as a request of its own"},
		}
	case e.Allow:
		return []step{{"deny", noneMatches(len(deny))}, {"allow", e.Rule.Where() + " matches: " + describe(e.Rule)}}
	case e.Nearest == nil:
		return []step{{"deny", noneMatches(len(deny))}, {"allow", noneMatches(len(allow)) + ", and none begins like it"}}
	}
	return []step{
		{"deny", noneMatches(len(deny))},
		{"allow", noneMatches(len(allow))},
		{"nearest", e.Nearest.Where() + ": " + describe(e.Nearest) + ", " + e.Differs},
	}
}

func noneMatches(n int) string {
	if n == 0 {
		return "this caller has no such rule"
	}
	return fmt.Sprintf("none of %d matches", n)
}

// describe is a rule with its conditions on one line.
func describe(r *policy.Rule) string {
	all := append([]string{r.Text}, r.Conditions...)
	if r.BoundsReferences() {
		all = append(all, "references: ["+strings.Join(r.References(), ", ")+"]")
	}
	return strings.Join(all, ", ")
}

func (x explanation) text(w io.Writer) error {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-9s %s\n", name, odata.Visible(fmt.Sprintf(format, args...)))
	}
	line("policy", "%s, hash %s", x.Policy, x.Hash)
	app := x.App
	if x.Tenant != "" {
		app += " in tenant " + x.Tenant
	}
	line("caller", "%s, app %s, mode %s", x.Caller, app, x.Mode)
	if x.Priority != "" {
		line("priority", "%s", x.Priority)
	}
	if x.InFlight != "" {
		line("in flight", "%s", x.InFlight)
	}
	line("request", "%s %s", x.Method, x.Target.Sent)
	line("version", "%s", x.Target.Version)
	for _, s := range x.Target.Segments {
		line("segment", "%s (%s)", s.Text, s.Kind)
	}
	for _, o := range x.Target.Query {
		line("option", "%s = %s", o.Name, o.Value)
	}
	switch {
	case x.Is == nil:
		line("graph", "graphproxy knows no such operation of Graph")
	case x.Is.Page == "":
		line("graph", "%s", x.Is.Text)
	default:
		line("graph", "%s, see %s", x.Is.Text, x.Is.Page)
	}
	for _, s := range x.Steps {
		line(s.Name, "%s", s.Result)
	}
	for _, name := range x.Limits {
		line("limit", "%s", name)
	}
	for _, a := range x.About {
		line("about", "%s: %s", a.Of, a.text)
	}
	if x.Answer != "" {
		line("answer", "%s", x.Answer)
	}
	verdict := x.Decision
	if x.Decision == "deny" && x.Passes {
		verdict += ", but report mode lets it through"
	}
	_, err := fmt.Fprintf(w, "decision  %s\n", verdict)
	return err
}
