package policycmd

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"graphproxy/cmd/graphproxy/config"
	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

func newGraph(settings *config.Config) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "graph [--format mermaid|dot] [FILE]",
		Short: "Draw which caller may reach which part of Graph",
		Long: "graph writes a drawing for mermaid or Graphviz: an arrow from each caller to each part of Graph that a rule " +
			"names,\nwith the methods. A dashed arrow is what a deny rule takes out of it. A part is the first name of a " +
			"path, " +
			"and after /me, /users and\nthe like the name after the key. Conditions are not drawn; an asterisk at the methods " +
			"says that each rule there has some.",
		Args: arguments("[FILE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			draw, known := map[string]func(io.Writer, []arrow) error{"mermaid": mermaid, "dot": dot}[format]
			if !known {
				return fmt.Errorf("--format: %.40q is neither mermaid nor dot", format)
			}
			p, err := ReadPolicy(fileOf(args, settings))
			if err != nil {
				return err
			}
			arrows := arrowsOf(p)
			return write(cmd, arrows, func(w io.Writer) error { return draw(w, arrows) })
		},
	}
	cmd.Flags().StringVar(&format, "format", "mermaid", "the `LANGUAGE` of the drawing: mermaid or dot")
	return cmd
}

// arrow is what the rules of a caller say about one part of Graph.
type arrow struct {
	Caller    string   `json:"caller"`
	Part      string   `json:"part"` // "/users/{id}/messages", "/beta/devices"; "/**": everything
	Methods   []string `json:"methods"`
	Deny      bool     `json:"deny"`      // the rules are deny rules
	Condition bool     `json:"condition"` // each of them has conditions

	methods match.Methods
}

// arrowsOf returns the arrows of all callers, in file order.
func arrowsOf(p *policy.Policy) []arrow {
	all := []arrow{}
	for _, c := range p.Callers() {
		allow, deny := p.Rules(c.Name)
		all = addArrows(all, c.Name, allow, false)
		all = addArrows(all, c.Name, deny, true)
	}
	for i := range all {
		all[i].Methods = strings.Split(all[i].methods.String(), ",")
	}
	return all
}

func addArrows(all []arrow, caller string, rules []*policy.Rule, deny bool) []arrow {
	first := len(all)
	for _, r := range rules {
		part := partOf(r.Match().Template)
		at := slices.IndexFunc(all[first:], func(a arrow) bool { return a.Part == part })
		if at < 0 {
			at = len(all) - first
			all = append(all, arrow{Caller: caller, Part: part, Deny: deny, Condition: true})
		}
		a := &all[first+at]
		a.methods |= r.Match().Methods
		a.Condition = a.Condition && (len(r.Conditions) > 0 || r.BoundsReferences())
	}
	return all
}

// partOf returns the front of a template that names a part of Graph: its first name, with the key and the name after it
// if there are such.
func partOf(t *odata.Template) string {
	part := ""
	if t.Version != "v1.0" {
		part = "/" + t.Version
	}
	names := 0
	for i := range t.Segments {
		s := &t.Segments[i]
		if s.Kind != odata.Name && s.Kind != odata.System || names == 2 {
			break
		}
		if s.Var {
			part += "/{" + s.Text + "}"
			continue
		}
		part += "/" + s.Text
		names++
	}
	if names == 0 || t.Below && names < 2 {
		part += "/**"
	}
	return part
}

// label is the text at an arrow.
func (a *arrow) label() string {
	text := strings.Join(a.Methods, ", ")
	if a.Condition {
		text += " *"
	}
	if a.Deny {
		text = "not " + text
	}
	return text
}

// mermaid writes the arrows as a flowchart (https://mermaid.js.org/syntax/flowchart.html).
func mermaid(w io.Writer, arrows []arrow) error {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	nodes := map[string]string{}
	node := func(kind, text, open, end string) string {
		name, found := nodes[kind+text]
		if !found {
			name = fmt.Sprint(kind, len(nodes))
			nodes[kind+text] = name
			fmt.Fprintf(&b, "  %s%s\"%s\"%s\n", name, open, entities(text), end)
		}
		return name
	}
	for _, a := range arrows {
		from, to := node("c", a.Caller, "([", "])"), node("g", a.Part, "[", "]")
		line := "-->"
		if a.Deny {
			line = "-.->"
		}
		fmt.Fprintf(&b, "  %s %s|\"%s\"| %s\n", from, line, entities(a.label()), to)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// entities writes what mermaid would read as its own syntax or as Markdown as the codes of characters.
func entities(text string) string {
	var b strings.Builder
	for _, r := range odata.Visible(text) {
		if strings.ContainsRune("\"#&;<>`*_\\", r) {
			fmt.Fprintf(&b, "#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// dot writes the arrows for Graphviz (https://graphviz.org/doc/info/lang.html).
func dot(w io.Writer, arrows []arrow) error {
	var b strings.Builder
	b.WriteString("digraph policy {\n  rankdir=LR;\n  node [shape=box];\n")
	callers := map[string]bool{}
	for _, a := range arrows {
		if !callers[a.Caller] {
			callers[a.Caller] = true
			fmt.Fprintf(&b, "  %s [label=%s, style=rounded];\n", quoted("caller "+a.Caller), quoted(a.Caller))
		}
		style := ""
		if a.Deny {
			style = ", style=dashed"
		}
		fmt.Fprintf(&b, "  %s -> %s [label=%s%s];\n", quoted("caller "+a.Caller), quoted(a.Part), quoted(a.label()), style)
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// quoted is a quoted string of dot.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(odata.Visible(text)) + `"`
}
