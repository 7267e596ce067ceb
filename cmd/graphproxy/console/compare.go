package console

import (
	"context"
	"strings"
	"sync"
	"time"

	"graphproxy/policy"
	"graphproxy/policy/analysis/diff"
)

// patience is how long a page waits for a comparison. Two policies of 30,000 rules take longer than a minute.
const patience = 5 * time.Second

// comparer compares the policy in force with the candidate: each pair once, and one pair at a time, however many
// visitors look. It is safe for concurrent use.
type comparer struct {
	patience time.Duration // how long wait waits

	mu   sync.Mutex
	last *comparison
}

// comparison is what two policies with these hashes decide otherwise. What follows done is there when that is closed.
type comparison struct {
	hashes [2]string
	done   chan struct{}
	same   bool   // they decide alike
	text   string // as policy diff prints it
}

// wait returns the comparison of two policies; nil if it takes too long, or ctx ends. It goes on meanwhile.
func (c *comparer) wait(ctx context.Context, active, candidate *policy.Policy) *comparison {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	hashes := [2]string{active.Hash(), candidate.Hash()}
	for {
		found := c.find(hashes, active, candidate)
		select {
		case <-found.done:
			if found.hashes == hashes {
				return found
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// find returns the comparison of the policies with these hashes, which it begins unless another one is under way; then
// it returns that.
func (c *comparer) find(hashes [2]string, active, candidate *policy.Policy) *comparison {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil && (c.last.hashes == hashes || !c.last.isDone()) {
		return c.last
	}
	c.last = &comparison{hashes: hashes, done: make(chan struct{})}
	go c.last.compare(active, candidate)
	return c.last
}

func (c *comparison) isDone() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func (c *comparison) compare(active, candidate *policy.Policy) {
	defer close(c.done)
	difference := diff.Policies(active, candidate)
	c.same = difference.Empty()
	var b strings.Builder
	_ = difference.WriteText(&b) // a Builder's errors are nil
	c.text = b.String()
}
