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
