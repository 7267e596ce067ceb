package queue

// Lines returns how many lines there are, by each of the three counts.
func (q *Queue) Lines() [3]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	hashed := 0
	for i := range q.hashed {
		hashed += int(q.hashed[i].Load())
	}
	return [3]int{len(q.lines), int(q.open.Load()), hashed}
}

// Callers returns how many callers are counted.
func (q *Queue) Callers() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.callers)
}
