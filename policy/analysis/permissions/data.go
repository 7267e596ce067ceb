// Package permissions compares the application roles of a token with a policy, by Microsoft's published list of
// Graph's permissions (permissions.json of microsoftgraph/microsoft-graph-devx-content).
//
// It reports which rules no role covers and which role would, which roles no rule needs, and which roles allow more
// than needed. It distinguishes "cannot work" from "not documented": most of Graph's operations are not in that
// file, and a missing entry does not mean that no role is needed. It decides no request: Graph does, and knows more
// than the file. Callers provide the roles and the file.
package permissions

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// maxSize bounds the file: it has 3 MB.
const maxSize = 16 << 20

// Data is the content of a permissions.json. It is immutable and safe for concurrent use. The zero value documents
// nothing.
type Data struct {
	roles   map[string]*role    // by name in lower case
	entries map[string][]*entry // by the first segment, sorted by text
}

// role is a permission that apps are granted as an app role.
type role struct {
	Role
	reach int  // documented operations that it covers
	other bool // it is only for signed-in users, or for single resources (RSC): no token of an app has it
}

// entry is a path and the facts of the file about it, for all its spellings there. The file has no versions.
type entry struct {
	text     string // in the file's spelling, with its own names of variables
	template *odata.Template
	grants   []grant
	signedIn match.Methods // for which a permission of a signed-in user is known
	single   match.Methods // for which consent of a single team, chat or the like (RSC) is known
	literals int           // segments that are no variable
}

// grant is a role that covers methods of a path.
type grant struct {
	role    *role
	methods match.Methods
	mark    int      // asApp, asUser or unmarked: the file marks the role as the least privileged one here
	also    []string // one of these roles is also needed; in lower case; nil: none is
}

// file is permissions.json, as far as it is used here.
type file struct {
	Permissions map[string]permission `json:"permissions"`
}

type permission struct {
	AuthorizationType string `json:"authorizationType"`
	Schemes           map[string]struct {
		PrivilegeLevel int `json:"privilegeLevel"`
	} `json:"schemes"`
	PathSets []pathSet `json:"pathSets"`
}

type pathSet struct {
	SchemeKeys []string          `json:"schemeKeys"`
	Methods    []string          `json:"methods"`
	Paths      map[string]string `json:"paths"`
}

// The schemes of tokens without a user, and with a user of an organization.
const (
	application = "Application"
	delegated   = "DelegatedWork"
)

// The kinds of marks for the least privileged role. The mark for users is the best hint where only a permission for
// single resources is marked for apps.
const (
	unmarked = iota
	asUser
	asApp
)

// Read reads a permissions.json. Paths that cannot be read, and those with a query, are left out, as if the file
// did not have them. The error describes the problem of the file.
func Read(r io.Reader) (*Data, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSize {
		return nil, fmt.Errorf("it has more than %d MiB, which no permissions.json has", maxSize>>20)
	}
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("it is no permissions.json: %w", err)
	}
	reader := reader{
		data:   &Data{roles: make(map[string]*role), entries: make(map[string][]*entry)},
		byPath: make(map[string]*entry),
	}
	for _, name := range slices.Sorted(maps.Keys(f.Permissions)) {
		reader.permission(name, f.Permissions[name])
	}
	if len(reader.data.entries) == 0 {
		return nil, errors.New("it is no permissions.json: it has no paths under permissions, <name>, pathSets")
	}
	for _, entries := range reader.data.entries {
		slices.SortFunc(entries, func(a, b *entry) int { return cmp.Compare(a.text, b.text) })
	}
	return reader.data, nil
}

type reader struct {
	data   *Data
	byPath map[string]*entry // by path as the file spells it, and by canonical path; nil: it cannot be read
}

func (r *reader) permission(name string, p permission) {
	scheme, isApplication := p.Schemes[application]
	isOAuth := p.AuthorizationType == "oAuth2"
	known := &role{Role: Role{Name: name, Level: scheme.PrivilegeLevel}, other: !isOAuth || !isApplication}
	r.data.roles[strings.ToLower(name)] = known
	for _, set := range p.PathSets {
		var methods match.Methods
		for _, m := range set.Methods {
			methods |= match.MethodOf(strings.ToUpper(m))
		}
		forApps := isApplication && slices.Contains(set.SchemeKeys, application)
		for _, path := range slices.Sorted(maps.Keys(set.Paths)) {
			switch e := r.entry(path); {
			case e == nil:
			case isOAuth && forApps:
				e.grants = append(e.grants, grantOf(known, methods, set.Paths[path]))
				known.reach += bits.OnesCount8(uint8(methods))
			case isOAuth:
				e.signedIn |= methods
			case forApps:
				e.single |= methods
			}
		}
	}
}

// grantOf reads the value of a path: "least=DelegatedWork,Application;AlsoRequires=Directory.Read.All".
func grantOf(r *role, methods match.Methods, value string) grant {
	g := grant{role: r, methods: methods}
	for part := range strings.SplitSeq(value, ";") {
		key, list, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch strings.ToLower(key) {
		case "least":
			switch schemes := strings.Split(list, ","); {
			case slices.Contains(schemes, application):
				g.mark = asApp
			case slices.Contains(schemes, delegated):
				g.mark = asUser
			}
		case "alsorequires":
			for name := range strings.SplitSeq(list, ",") {
				g.also = append(g.also, strings.ToLower(strings.TrimSpace(name)))
			}
		}
	}
	return g
}

// entry returns the entry of a path, and creates it if needed; nil if the path cannot be read.
func (r *reader) entry(path string) *entry {
	if e, known := r.byPath[path]; known {
		return e
	}
	r.byPath[path] = nil
	// A path that needs one role with some query and another role without has no single role.
	if strings.Contains(path, "?") {
		return nil
	}
	t, err := odata.ParseTemplate(numbered(path))
	if err != nil {
		return nil
	}
	canonical := strings.ToLower(t.Text)
	e := r.byPath[canonical]
	if e == nil {
		e = &entry{text: path, template: t}
		for i := range t.Segments {
			if s := &t.Segments[i]; !s.Var && s.Kind != odata.Args {
				e.literals++
			}
		}
		r.byPath[canonical] = e
		root := t.Segments[0].Base
		r.data.entries[root] = append(r.data.entries[root], e)
	}
	e.text = min(e.text, path) // "servicePrincipals" before "serviceprincipals"
	r.byPath[path] = e
	return e
}

// numbered gives each variable of a path its own name, because the file calls most of them {id}. It removes the
// spaces between arguments.
func numbered(path string) string {
	var b strings.Builder
	for n := 1; ; n++ {
		before, rest, found := strings.Cut(path, "{")
		b.WriteString(strings.ReplaceAll(before, ", ", ","))
		if !found {
			return b.String()
		}
		_, path, _ = strings.Cut(rest, "}")
		b.WriteString("{v" + strconv.Itoa(n) + "}")
	}
}
