// Package batch reads the envelope of a $batch request and puts answers back together.
//
// It decides which items the JSON has, what each requests, and on which others it depends. Reading is strict: a text
// that two readers read in two ways would be judged in one way here and carried out in the other at Graph. Encode
// writes a new batch from what was read, so that Graph gets what was judged and not the caller's bytes. Package odata
// reads the URL of an item, as that of any other request.
//
// Package proxy decides whether an item may be sent, whether the limits allow it, what a refused item is answered, and
// what is recorded. The caller of Read bounds the size of a body.
//
// The format is Graph's, https://learn.microsoft.com/graph/json-batching, which is that of OData JSON Format 4.01 §19
// (https://docs.oasis-open.org/odata/odata-json-format/v4.01/) without atomicity groups.
package batch

import (
	"bytes"
	"encoding/json"
	"slices"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/strictjson"
)

// MaxItems is how many items Graph takes in one batch.
const MaxItems = 20

// Options are what Read must know of the request that carried the batch.
type Options struct {
	// Version is that of the batch's own URL, "v1.0" or "beta". All items are of it: Graph puts it before each URL.
	Version string
	// Hosts are the proxy's own addresses, each a scheme and host as in "https://graph.contoso.com". Clients that write
	// whole URLs write the address that they know, which is the proxy's; it is taken off. All other hosts are refused.
	Hosts []string
	// Header reports whether a header of an item may go on to Graph. The name is as written; letter case does not count
	// in it. With nil none may.
	Header func(name, value string) bool
	// MaxURLs is how many bytes the URLs of all items may have together, which are judged one by one; 0: any number.
	MaxURLs int
}

// Batch is an envelope that was read. It is safe for concurrent use. Its owner may give items another Target or Body
// before anything else is done with it.
type Batch struct {
	Items []Item // in the order of the envelope; 1 to MaxItems

	ids   []string // of Items, in the form of foldID
	order []int    // see Order
}

// Item is one request of a batch.
type Item struct {
	// ID is the id as text: an integer's digits, or the string. Ids are different even without regard to letter
	// case, and 1 and "1" are the same.
	ID string
	// Number reports that the caller wrote the id as an integer. Graph gets a string; the caller gets the integer back.
	Number bool
	Method string // as written
	// Target is the URL as it was read, without the version and address that the caller may have put before it. Its Tenant
	// is for the caller of Read to compare, as with odata.Parse. It is nil if Err is not.
	Target *odata.Target
	// Headers are those that may go on, in the order and spelling written: Graph has been seen to treat
	// content-type and Content-Type differently. No two have the same name in any letter case.
	Headers []Header
	// Body holds the caller's bytes of the JSON value, shared with the text that was read. It is nil if there is none,
	// also for null, which OData defines as none.
	Body json.RawMessage
	// DependsOn holds the indexes in Items that must succeed first, each once. There are no cycles.
	DependsOn []int
	// Err is why this item alone cannot be sent. It is the answer in the item's place.
	Err *ItemError
}

// Header is one header of an item.
type Header struct{ Name, Value string }

// Error refuses a whole text: the caller's envelope (400), or what Graph answered (502).
type Error struct {
	// Code is for programs: badJSON (not one JSON value in UTF-8 with one reading), badBatch (not the envelope that
	// Graph documents), badAnswer (of Merge and Replies: Graph's text is not the answer to what was sent).
	Code string
	// Message is for people: the place, what is wrong there, and the cure. It quotes keys, ids and methods, shortened,
	// and no other values.
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// ItemError refuses one item. The fault is always in what the caller wrote.
type ItemError struct {
	Status  int    // HTTP status: 400, or 405 for a method that Graph does not have
	Code    string // for programs: innerError.code, methodNotAllowed, foreignURL, bodyNotAllowed, or one of odata.Error
	Message string // for people: what is wrong, and the cure
}

// Error returns the message.
func (e *ItemError) Error() string { return e.Message }

// Error codes.
const (
	codeJSON   = "badJSON"
	codeBatch  = "badBatch"
	codeAnswer = "badAnswer"
)

// Read reads an envelope. The error is an *Error and refuses the batch as a whole; there is no partial result. An item
// whose URL or method is bad is there with its Err set, because Graph too answers such an item in its place.
//
// Refused as a whole is what has no single reading as an envelope: text that is not UTF-8, data after the end, nesting
// deeper than 64, an unknown key of the envelope, keys that are doubled or written with escapes, values of the wrong
// type, none or more than MaxItems items, ids equal without regard to case, dependsOn that names no item or leads in a
// circle, and bodies that are not what their Content-Type asks for. An unknown key of an item refuses that item only.
//
// Microsoft's own tools write the envelope in several ways, and each is read: a byte order mark before it, keys in any
// letter case, integers as ids, in dependsOn and as values of headers, and null for an absent headers, body or
// dependsOn.
//
// It takes time linear in the length of body, which must not be changed as long as the Batch is in use.
func Read(body []byte, o Options) (*Batch, error) {
	var space [MaxItems]members
	raw, err := envelope(space[:0], body)
	if err != nil {
		return nil, err
	}
	if err := checkURLs(raw, o.MaxURLs); err != nil {
		return nil, err
	}
	b := &Batch{Items: make([]Item, len(raw))}
	var depends [MaxItems][]string
	for i := range raw {
		if b.Items[i], depends[i], err = raw[i].read(itemPath{item: i}, o); err != nil {
			return nil, err
		}
	}
	if err := b.link(depends[:len(raw)]); err != nil {
		return nil, err
	}
	return b, nil
}

// checkURLs bounds what it costs to judge the items.
func checkURLs(items []members, most int) error {
	n := 0
	for i := range items {
		n += len(items[i].value(keyURL))
	}
	if most > 0 && n > most {
		return refuse(codeBatch,
			"the URLs of the items have %d bytes, at most %d for a batch that was compressed so much; send it without "+
				"Content-Encoding", n, most)
	}
	return nil
}

// envelope appends the members of each item to space.
func envelope(space []members, body []byte) (items []members, err error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if err := checkEncoding(body); err != nil {
		return nil, err
	}
	s := requestScanner()
	err = s.reset(body)
	if s.kind() != strictjson.Object {
		return nil, refuse(codeBatch, "the batch is not a JSON object; write {\"requests\":[...]}")
	}
	if err != nil {
		return nil, err
	}
	seen := false
	err = s.object(func(key []byte) error {
		switch name, err := knownKey(itemPath{item: wholeBatch}, key, "requests"); {
		case err != nil:
			return err
		case name == "":
			return refuse(codeBatch, "the batch: %s", unknownKey(key, "requests"))
		case seen:
			return doubled(itemPath{item: wholeBatch}, name)
		}
		seen = true
		items, err = readItems(space, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	switch {
	case !seen:
		return nil, refuse(codeBatch, "the batch has no key \"requests\"; write {\"requests\":[...]}")
	case len(items) == 0:
		return nil, refuse(codeBatch, "requests is empty; a batch has 1 to %d items", MaxItems)
	}
	return items, nil
}

func readItems(items []members, s *scanner) ([]members, error) {
	if s.kind() != strictjson.Array {
		return nil, refuse(codeBatch, "requests is not an array; write {\"requests\":[...]}")
	}
	err := s.array(func() error {
		where := itemPath{item: len(items)}
		if len(items) == MaxItems {
			return refuse(codeBatch, "requests has more than %d items; send the others in another batch", MaxItems)
		}
		if s.kind() != strictjson.Object {
			return refuse(codeBatch, "%s is not an object; write {\"id\":\"1\",\"method\":\"GET\",\"url\":\"/users\"}", where)
		}
		m, err := readMembers(s, where)
		items = append(items, m)
		return err
	})
	return items, err
}

// link checks the ids against each other, turns those in dependsOn into indexes, and finds the order.
func (b *Batch) link(depends [][]string) error {
	b.ids = make([]string, 0, len(b.Items))
	for i := range b.Items {
		id := foldID(b.Items[i].ID)
		if first := slices.Index(b.ids, id); first >= 0 {
			return refuse(codeBatch,
				"requests[%d].id: %s is the id of requests[%d] too, letter case does not count; give each item its own", i,
				quote(b.Items[i].ID), first)
		}
		b.ids = append(b.ids, id)
	}
	for i, ids := range depends {
		for _, id := range ids {
			on := b.index(id)
			switch {
			case on < 0:
				return refuse(codeBatch, "requests[%d].dependsOn: no item of the batch has the id %s", i, quote(id))
			case on == i:
				return refuse(codeBatch, "requests[%d].dependsOn: the item depends on itself", i)
			case !slices.Contains(b.Items[i].DependsOn, on):
				b.Items[i].DependsOn = append(b.Items[i].DependsOn, on)
			}
		}
	}
	return b.sort()
}

// index returns the index of the item with the id, or -1.
func (b *Batch) index(id string) int { return slices.Index(b.ids, foldID(id)) }

// Order returns the indexes of all items so that each comes after those that it depends on, and else in the order of
// Items. The caller must not change it.
func (b *Batch) Order() []int { return b.order }

// sort finds the order. It refuses items that have no place in it, because each waits for the other.
func (b *Batch) sort() error {
	b.order = make([]int, 0, len(b.Items))
	var done [MaxItems]bool
	waits := func(i int) bool {
		return slices.ContainsFunc(b.Items[i].DependsOn, func(on int) bool { return !done[on] })
	}
	for range b.Items {
		for i := range b.Items {
			if !done[i] && !waits(i) {
				done[i] = true
				b.order = append(b.order, i)
				break
			}
		}
	}
	if len(b.order) == len(b.Items) {
		return nil
	}
	stuck := slices.Index(done[:], false)
	return refuse(codeBatch, "requests[%d].dependsOn: leads in a circle, so the item would never be sent", stuck)
}
