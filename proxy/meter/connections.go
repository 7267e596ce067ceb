package meter

import "sync/atomic"

// Connections counts the connections to Graph. The code that makes and keeps the connections changes it. The zero
// Connections is ready to use, and all of its fields are safe for concurrent use.
type Connections struct {
	Dialled atomic.Uint64 // connections that were made
	Failed  atomic.Uint64 // attempts to make one that failed, TLS included
	Reused  atomic.Uint64 // requests that were sent on a connection that had carried one before
	Open    atomic.Int64  // connections that are open now
	Idle    atomic.Int64  // open connections that wait for the next request now
}
