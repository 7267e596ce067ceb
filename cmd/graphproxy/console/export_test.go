package console

// Sample samples the counters now.
func (c *Console) Sample() { c.sample() }

// The bounds of the event stream.
const (
	EventRecords = eventRecords
	MostWatchers = mostWatchers
)

// Streams returns functions that make the next event of new streams.
func (c *Console) Streams(n int) []func() []byte {
	var all []func() []byte
	for range n {
		all = append(all, (&stream{console: c}).next)
	}
	return all
}

// Compare makes a comparison of other policies that is under way, until the returned function is called. No page waits
// for it.
func (c *Console) Compare() (end func()) {
	before := c.comparer.patience
	c.comparer.patience = 0
	other := &comparison{hashes: [2]string{"other", "policies"}, done: make(chan struct{})}
	c.comparer.last = other
	return func() { close(other.done); c.comparer.patience = before }
}

// Compared identifies the last comparison.
func (c *Console) Compared() any { return c.comparer.last }
