package match

// Work returns how many machine words a pattern of a value reads for each byte of a text, at most, besides one
// search for the text between its stars.
func Work(value string) int {
	p := newPattern(value, true, func(s string) string { return s })
	if p.states == nil {
		return 0
	}
	return len(p.states.stars)
}

// Edges are edges that lead to the numbers of their texts, from 0.
type Edges struct {
	edges *edges
	of    map[*node]int
}

// NewEdges returns edges; of two that are the same text, the later counts.
func NewEdges(texts []string) Edges {
	e := Edges{of: make(map[*node]int)}
	for i, text := range texts {
		next := new(node)
		e.of[next] = i
		only(&e.edges).set(text, next)
	}
	return e
}

// Find returns the number of a text.
func (e Edges) Find(text string) (number int, found bool) {
	next := e.edges.find(text)
	return e.of[next], next != nil
}

// Len returns the number of edges.
func (e Edges) Len() int { return len(e.edges.nodes()) }
