package catalog

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Operation is one operation of Graph.
type Operation struct {
	Method string // "GET"
	Path   string // without version, with variables: "/users/{user-id}/messages"
	// the query options that it takes, sorted: "$select", "includeHiddenMessages"; must not be changed
	Options []string
	Kind    Kind
	Page    string // of the reference, "user-list-messages"; "" if the SDK names none
}

// Kind is the kind of the last segment of an operation's path.
type Kind string

// The values of Kind.
const (
	Resource Kind = "" // an entity, a collection, a property, or a segment like $count
	Function Kind = "function"
	Action   Kind = "action"
)

// URL returns the address of the operation's page in Graph's reference, for a version of Graph; "" if there is none.
func (o *Operation) URL(version string) string {
	if o.Page == "" {
		return ""
	}
	return "https://learn.microsoft.com/graph/api/" + o.Page + "?view=graph-rest-" + strings.TrimPrefix(version, "v")
}

// Source is the origin of a list.
type Source struct {
	Version    string // of Graph: "v1.0"
	Module     string // the SDK: "github.com/microsoftgraph/msgraph-beta-sdk-go"; several with "+"
	Release    string // of the SDK: "v0.165.0"
	Date       string // of the release: "2026-08-05"
	Operations int
}

// Compare orders operations by path and then by method, as in a list.
func Compare(a, b Operation) int {
	return cmp.Or(strings.Compare(a.Path, b.Path),
		strings.IndexByte(letters, letter(a.Method))-strings.IndexByte(letters, letter(b.Method)))
}

// format is the first word of a list. A different layout must get a different word.
const format = "graph-operations-1"

// letters stand for methods, in the order of methodNames.
const letters = "GPUAD"

func methodNames() []string { return []string{"GET", "POST", "PUT", "PATCH", "DELETE"} }

func letter(method string) byte {
	if i := slices.Index(methodNames(), method); i >= 0 {
		return letters[i]
	}
	return 0
}

// Encode writes a list. Operations must be sorted by Compare, each once.
//
// Its first line is the source of the list. Then comes a line for each set of query options, with a "?" in front.
// Then comes a line for each path: how many bytes it has in common with the path before, the rest of it, a tab, and
// a letter for each method. After a letter comes "f" or "a" for a function or action, the number of its set of
// options, and its page in colons. The first path with a new first segment has nothing in common with the path
// before.
func Encode(w io.Writer, s Source, operations []Operation) error {
	if !slices.IsSortedFunc(operations, Compare) {
		return errors.New("the operations are not sorted")
	}
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, format, s.Version, s.Module, s.Release, s.Date, len(operations))
	sets := make(map[string]int)
	for _, o := range operations {
		key := strings.Join(o.Options, ",")
		if _, found := sets[key]; !found && key != "" {
			sets[key] = len(sets)
			fmt.Fprintln(out, "?"+key)
		}
	}
	before := ""
	for i := 0; i < len(operations); {
		path := operations[i].Path
		same := common(before, path)
		fmt.Fprintf(out, "%d%s\t", same, path[same:])
		for ; i < len(operations) && operations[i].Path == path; i++ {
			encodeMethod(out, operations[i], sets)
		}
		out.WriteByte('\n')
		before = path
	}
	return out.Flush()
}

func encodeMethod(out *bufio.Writer, o Operation, sets map[string]int) {
	out.WriteByte(letter(o.Method))
	if o.Kind != Resource {
		out.WriteByte(o.Kind[0])
	}
	if len(o.Options) > 0 {
		out.WriteString(strconv.Itoa(sets[strings.Join(o.Options, ",")]))
	}
	if o.Page != "" {
		out.WriteString(":" + o.Page + ":")
	}
}

// common returns the length of the common beginning of two paths, up to a digit, which would be read as part of the
// number.
func common(a, b string) int {
	if rootOf(a) != rootOf(b) {
		return 0
	}
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	for n > 0 && n < len(b) && isDigit(b[n]) {
		n--
	}
	return n
}

// rootOf returns the first segment of a path, without parentheses.
func rootOf(path string) string {
	root, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	root, _, _ = strings.Cut(root, "(")
	return root
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
