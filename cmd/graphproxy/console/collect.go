package console

import "slices"

// found are the newest records that a filter selects, newest first.
type found struct {
	records []Record
	more    bool // older ones may be selected, too
}

// collect returns at most most records with numbers between after and before, both excluded. 0 as before is after the
// newest. It copies a few dozen lines at a time, into the same memory until one is selected, and decodes none.
func (c *Console) collect(f *filter, after, before uint64, most int) found {
	var all found
	var memory copies
	for {
		part := c.records.before(&memory, before)
		for _, r := range slices.Backward(part) {
			if r.Number <= after {
				return all
			}
			if !f.selects(r.Line) {
				continue
			}
			if len(all.records) == most {
				all.more = true
				return all
			}
			all.records = append(all.records, r)
			memory = copies{} // the line stays in the one before
		}
		if len(part) == 0 {
			return all
		}
		before = part[0].Number
	}
}

// entries decodes records.
func entries(records []Record) []entry {
	all := make([]entry, 0, len(records))
	for _, r := range records {
		if e, ok := decode(r); ok {
			all = append(all, e)
		}
	}
	return all
}
