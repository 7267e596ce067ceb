package console

// Sample samples the counters now.
func (c *Console) Sample() { c.sample() }

// The bounds of the event stream.
const (
	EventRecords = eventRecords
	MostWatchers = mostWatchers
)
