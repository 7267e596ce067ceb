package direct

import (
	"context"
	"errors"
	"testing"
	"time"
)

// newPool returns a pool of idle connections to h, the one that was idle for longest first. Its sweep does not run.
func newPool(h host, idle ...*conn) *pool {
	p := &pool{most: 8, idleTimeout: time.Hour, swept: true}
	for _, c := range idle {
		c.host = h
		p.add(c, context.Background())
		p.put(c, true)
	}
	return p
}

func TestTheConnectionThatWasUsedLastIsTakenFirst(t *testing.T) {
	h := host{"https", "graph.microsoft.com"}
	first, second := new(conn), new(conn)
	p := newPool(h, first, second)
	for _, want := range []*conn{second, first, nil} {
		if next := p.next(h); next != want {
			t.Errorf("the next connection is %p, want %p", next, want)
		}
		if got := p.take(h, context.Background()); got != want {
			t.Errorf("took %p, want %p", got, want)
		}
	}
}

func TestACheckedConnectionStaysInItsPlace(t *testing.T) {
	h := host{"https", "graph.microsoft.com"}
	now := time.Now()
	oldest, checked, newest := new(conn), new(conn), new(conn)
	p := newPool(h, oldest, checked, newest)
	for i, c := range []*conn{oldest, checked, newest} {
		c.since = now.Add(time.Duration(i) * time.Second)
	}
	p.idle[h] = []*conn{oldest, newest}
	p.idles--
	checked.odd = true
	p.activate(checked, context.Background())
	if !p.put(checked, true) {
		t.Fatal("the checked connection was not kept")
	}
	for _, want := range []*conn{newest, checked, oldest} {
		if got := p.take(h, context.Background()); got != want {
			t.Errorf("took %p, want %p", got, want)
		}
	}
}

func TestAConnectionWhoseRequestWasEndedIsNotKept(t *testing.T) {
	h := host{"https", "graph.microsoft.com"}
	c := new(conn)
	p := newPool(h, c)
	if p.take(h, context.Background()) != c {
		t.Fatal("the pool has no connection")
	}
	c.cut = errors.New("the caller left")
	if p.put(c, true) {
		t.Error("the connection waits for another request: an answer may still come on it")
	}
	if active, idle := p.count(); active != 0 || idle != 0 {
		t.Errorf("%d connections are active and %d idle", active, idle)
	}
}
