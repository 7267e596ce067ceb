package queue

import (
	"fmt"
	"time"
)

func (q *Queue) Dump() (s string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.lines {
		s += fmt.Sprintf("\n  line %s/%s at %v free %d slots %v passes %d:", l.bucket.limit.Name, l.bucket.key, l.at.Sub(time.Now()), l.free, l.slots, l.passes)
		for e := l.ring.Front(); e != nil; e = e.Next() {
			o := e.Value.(*own)
			for f := o.waiters.Front(); f != nil; f = f.Next() {
				w := f.Value.(*waiter)
				s += fmt.Sprintf(" %s#%d[%d]", w.caller, w.arrival, len(w.passes))
				for _, p := range w.passes {
					s += "P" + p.line.bucket.limit.Name + "/" + p.line.bucket.key
				}
			}
		}
	}
	return s
}
