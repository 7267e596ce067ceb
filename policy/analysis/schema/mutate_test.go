package schema_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"
)

// oddScalars replace the values of examples.
var oddScalars = [...]string{
	"1", "0", "007", "0x1F", "1.5", "1e3", "-7", "true", "no", "null", "~", `""`, `"1"`, "none", "2026-11-21", ".inf",
	"5/s", "10000/10m", "86400/24h", "anyone", "enforce", "GET /users", "ANY /users/**", "GET,POST /beta/users/{id}/$ref",
	"GET /v1.0/users", "10.0.0.0/8", `"::/0"`, `"**"`, "id", "members($select=id)", "id/name", "[]", "{}", "[id, 5]",
	"{include: x}", "{rate: 1/s}", "[GET /users]", "[1]",
}

const alphabet = "aZ09 /$*.-_%,:'(){}?#@é"

// mutator changes documents at random.
type mutator struct {
	random *rand.Rand
	pool   []*yaml.Node // what may stand anywhere
}

func nodes(n *yaml.Node, into []*yaml.Node) []*yaml.Node {
	into = append(into, n)
	for _, below := range n.Content {
		into = nodes(below, into)
	}
	return into
}

func clone(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = nil
	for _, below := range n.Content {
		c.Content = append(c.Content, clone(below))
	}
	return &c
}

func (m *mutator) pick(from []*yaml.Node) *yaml.Node { return from[m.random.IntN(len(from))] }

// mutate changes one place of a document.
func (m *mutator) mutate(document *yaml.Node) {
	n := m.pick(nodes(document.Content[0], nil))
	if n.Kind == yaml.ScalarNode {
		if m.random.IntN(4) == 0 {
			*n = *clone(m.pick(m.pool))
		} else {
			m.edit(n)
		}
		return
	}
	step := 1
	if n.Kind == yaml.MappingNode {
		step = 2
	}
	if len(n.Content) == 0 {
		return
	}
	at := m.random.IntN(len(n.Content)/step) * step
	switch m.random.IntN(4) {
	case 0:
		n.Content = slices.Delete(n.Content, at, at+step)
	case 1:
		again := clone(&yaml.Node{Kind: n.Kind, Content: n.Content[at : at+step]}).Content
		if step == 2 {
			m.edit(again[0])
		}
		n.Content = slices.Insert(n.Content, at, again...)
	case 2:
		n.Content[at+step-1] = clone(m.pick(m.pool))
	case 3:
		n.Content[at+step-1] = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n.Content[at+step-1]}}
	}
}

// edit changes a letter of a text, or its kind: 5 and "5".
func (m *mutator) edit(n *yaml.Node) {
	letters := []rune(n.Value)
	at := m.random.IntN(len(letters) + 1)
	letter := []rune(alphabet)[m.random.IntN(len([]rune(alphabet)))]
	switch m.random.IntN(5) {
	case 0:
		n.Style ^= yaml.DoubleQuotedStyle
	case 1:
		letters = slices.Insert(letters, at, letter)
	default:
		if at == len(letters) {
			return
		}
		letters[at] = letter
		if m.random.IntN(2) == 0 {
			letters = slices.Delete(letters, at, at+1)
		}
	}
	n.Value, n.Tag = string(letters), ""
}

// originals returns the good files without their tests, which mutations would fail.
func originals(t *testing.T) (documents []*yaml.Node) {
	t.Helper()
	files := goodFiles(t)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		var document yaml.Node
		if err := yaml.Unmarshal(files[name], &document); err != nil {
			t.Fatal(err)
		}
		top := document.Content[0]
		for i := 0; i < len(top.Content); i += 2 {
			if top.Content[i].Value == "tests" {
				top.Content = slices.Delete(top.Content, i, i+2)
			}
		}
		documents = append(documents, &document)
	}
	return documents
}

// An editor that marks correct text as wrong teaches people to ignore its marks.
func TestWhatTheLoaderTakesTheSchemaTakes(t *testing.T) {
	s, documents := compile(t), originals(t)
	m := &mutator{random: rand.New(rand.NewPCG(1, 2))}
	for _, d := range documents {
		m.pool = nodes(d.Content[0], m.pool)
	}
	for _, text := range oddScalars {
		var document yaml.Node
		if err := yaml.Unmarshal([]byte(text), &document); err != nil {
			t.Fatal(err)
		}
		m.pool = append(m.pool, document.Content[0])
	}
	const tries = 1500
	loaded, refused, seen := 0, 0, 0
	for range tries {
		d := clone(m.pick(documents))
		for range 1 + m.random.IntN(2) {
			m.mutate(d)
		}
		text, err := yaml.Marshal(d)
		if err != nil {
			continue
		}
		_, loadErr := parse(text)
		got, err := judge(s, text)
		switch {
		case loadErr != nil:
			refused++
			if got != unmarked {
				seen++
			}
		case got != unmarked:
			t.Fatalf("it loads, but %s: %v\n%s", got, err, text)
		default:
			loaded++
		}
	}
	t.Logf("%d load and are accepted; of %d that do not load, %d are refused", loaded, refused, seen)
	if loaded < tries/10 || seen < refused/3 {
		t.Error("too few of either kind to tell")
	}
}
