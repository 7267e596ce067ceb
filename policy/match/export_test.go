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
