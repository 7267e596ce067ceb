package match

// edges lead to nodes by texts. Each text leads to one. A nil *edges has none.
type edges struct {
	lengths uint64 // see lengthOf; a text of any other length leads nowhere
	few     []edge
	many    map[string]*node // all of them, when few are not enough
}

type edge struct {
	text string
	next *node
}

// fewEdges are found as fast one by one, and need a fraction of a map's memory.
const fewEdges = 8

// lengthOf returns a bit for the length of a text. Texts with different bits have different lengths.
func lengthOf(text string) uint64 { return 1 << (len(text) % 64) }

// find returns the node that a text leads to; nil if there is none. Most ids are longer than all names, so that for
// them one look is enough.
func (e *edges) find(text string) *node {
	if e == nil || e.lengths&lengthOf(text) == 0 {
		return nil
	}
	return e.search(text)
}

func (e *edges) search(text string) *node {
	if e.many != nil {
		return e.many[text]
	}
	for i := range e.few {
		if e.few[i].text == text {
			return e.few[i].next
		}
	}
	return nil
}

// set lets a text lead to a node.
func (e *edges) set(text string, next *node) {
	e.lengths |= lengthOf(text)
	for i := range e.few {
		if e.few[i].text == text {
			e.few[i].next = next
			return
		}
	}
	if e.many == nil && len(e.few) < fewEdges {
		e.few = append(e.few, edge{text, next})
		return
	}
	if e.many == nil {
		e.many = make(map[string]*node, 2*fewEdges)
		for _, old := range e.few {
			e.many[old.text] = old.next
		}
		e.few = nil
	}
	e.many[text] = next
}

// nodes returns the nodes, in no particular order.
func (e *edges) nodes() []*node {
	var all []*node
	if e == nil {
		return nil
	}
	for _, edge := range e.few {
		all = append(all, edge.next)
	}
	for _, next := range e.many {
		all = append(all, next)
	}
	return all
}

// get returns the node that a text leads to. It is made if there is none.
func get(e **edges, text string) *node {
	next := (*e).find(text)
	if next == nil {
		next = new(node)
		only(e).set(text, next)
	}
	return next
}
