package console

import (
	"net/http"
	"strconv"
)

// pageRecords is how many records a page shows.
const pageRecords = 200

// decisionsData is what decisions.html shows.
type decisionsData struct {
	Filter    filter
	Callers   []string
	Decisions []string
	Entries   []entry
	Events    string // the address of the stream for this filter
	Older     string // the address of the page with older records; "": there are none
	Newest    string // the address of the newest page; "": it is this one
	Kept      int
}

// decisionsPage shows the newest records, or those before one.
func (c *Console) decisionsPage(r *http.Request) (any, error) {
	query := r.URL.Query()
	f, err := filterOf(query)
	if err != nil {
		return nil, err
	}
	newest := c.records.Newest()
	before := newest + 1
	if text := query.Get("before"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil || n == 0 {
			return nil, &answer{http.StatusBadRequest, "The number in before= is not one of a record."}
		}
		before = min(before, n)
	}
	all := c.collect(&f, 0, before, pageRecords)
	data := decisionsData{
		Filter:    f,
		Decisions: append(decisions[:len(decisions):len(decisions)], wouldDeny),
		Entries:   entries(all.records),
		Events:    "/events?" + f.query("after", strconv.FormatUint(newest, 10)),
		Kept:      MostRecords,
	}
	if before <= newest {
		data.Newest = "/decisions?" + f.query()
	}
	for _, caller := range c.source.Authorization().Policy().Callers() {
		data.Callers = append(data.Callers, caller.Name)
	}
	if n := len(all.records); all.more && n > 0 {
		data.Older = "/decisions?" + f.query("before", strconv.FormatUint(all.records[n-1].Number, 10))
	}
	return data, nil
}
