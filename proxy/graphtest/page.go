package graphtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// answerList answers a page of entities. context is what the @odata.context names.
func (c *call) answerList(k *kind, context string, entities []*entity) (answer, error) {
	q, err := c.parseQuery(c.reading.Options, k)
	if err != nil {
		return answer{}, err
	}
	found := q.sift(entities)
	start, err := c.startOf(q, k)
	if err != nil {
		return answer{}, err
	}
	size, preferred := c.pageSize(q, k)
	page := found[min(start, len(found)):min(start+size, len(found))]
	values, err := c.values(page, q, k)
	if err != nil {
		return answer{}, err
	}
	a := ok(object{"@odata.context": c.context(context, ""), "value": values})
	if preferred {
		a.set("Preference-Applied", "odata.maxpagesize="+strconv.Itoa(size))
	}
	if q.count && (start == 0 || start == q.skip && !c.paging()) {
		a.body["@odata.count"] = len(found)
	}
	if end := start + len(page); end < len(found) {
		a.body["@odata.nextLink"] = c.nextLink(k, end)
		// Graph's services differ: some escape the ampersands of a link, and a reader of JSON must not notice.
		a.escape = start/size%2 == 1
	}
	return a, nil
}

// values projects entities; in a collection of several kinds each names its type.
func (c *call) values(entities []*entity, q *query, k *kind) ([]object, error) {
	out := []object{}
	for _, e := range entities {
		o, err := c.project(e, q)
		if err != nil {
			return nil, err
		}
		if e.kind != k {
			o["@odata.type"] = e.kind.odataType()
		}
		out = append(out, o)
	}
	return out, nil
}

// pageSize is $top, or what the caller prefers, or the kind's own.
func (c *call) pageSize(q *query, k *kind) (size int, preferred bool) {
	if q.top > 0 {
		return q.top, false
	}
	for _, v := range c.header.Values("Prefer") {
		for item := range strings.SplitSeq(v, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
			if n, err := strconv.Atoi(value); err == nil && strings.EqualFold(name, "odata.maxpagesize") && n > 0 {
				return min(n, k.max), true
			}
		}
	}
	return k.page, false
}

// pageToken is what a $skiptoken holds. For is a digest of the request that it was made for: a token taken out of its
// link and put into another request is refused.
type pageToken struct {
	Offset int    `json:"o"`
	For    string `json:"f"`
}

func (c *call) paging() bool {
	_, token := c.reading.Options["skiptoken"]
	return token
}

// startOf is where the page starts among the entities found.
func (c *call) startOf(q *query, k *kind) (int, error) {
	if !c.paging() || k.outlook {
		return q.skip, nil
	}
	var token pageToken
	if err := openToken(c.reading.Options["skiptoken"], &token); err != nil || token.For != c.digest() ||
		token.Offset < 0 {
		return 0, fail(http.StatusBadRequest, "Directory_ExpiredPageToken",
			"The specified page token value has expired and can no longer be included in your request.")
	}
	return token.Offset, nil
}

// digest stands for everything in the request but the place in the list. Spelling does not change it.
func (c *call) digest() string {
	var text strings.Builder
	for _, seg := range c.normalise(c.reading.Segments) {
		fmt.Fprintf(&text, "/%s|%s", cmpText(seg), seg.Args)
	}
	for _, name := range slices.Sorted(maps.Keys(c.reading.Options)) {
		if name != "skiptoken" && name != "skip" {
			fmt.Fprintf(&text, "&%s=%s", name, c.reading.Options[name])
		}
	}
	sum := sha256.Sum256([]byte(text.String()))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

func cmpText(s Segment) string {
	if name := s.Name(); name != "" {
		return name
	}
	return strings.ToLower(s.Text)
}

func sealToken(v any) string {
	// cannot fail: tokens are structs of strings and numbers
	data, _ := json.Marshal(v)
	// the zero, so that it does not look like a JWT
	return "m~" + base64.RawURLEncoding.EncodeToString(append([]byte{0}, data...))
}

func openToken(token string, v any) error {
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "m~"))
	if err != nil {
		return err
	}
	return json.Unmarshal(bytes.TrimPrefix(data, []byte{0}), v)
}

// nextLink is the absolute URL of the next page. The directory continues with $skiptoken. Outlook continues with $skip,
// and encodes the names of options and, in lower case, their values.
func (c *call) nextLink(k *kind, offset int) string {
	var options []string
	for pair := range strings.SplitSeq(c.query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		switch folded := strings.TrimPrefix(strings.ToLower(decode(name)), "$"); {
		case folded == "" || folded == "skiptoken" || folded == "skip":
		case k.outlook:
			options = append(options, lowerEscapes(decode(name))+"="+lowerEscapes(decode(strings.ReplaceAll(value, "+", " "))))
		default:
			options = append(options, strings.ReplaceAll(pair, " ", "%20"))
		}
	}
	if k.outlook {
		options = append(options, "%24skip="+strconv.Itoa(offset))
	} else {
		options = append(options, "$skiptoken="+sealToken(pageToken{offset, c.digest()}))
	}
	return c.s.base + c.linkPath() + "?" + strings.Join(options, "&")
}

// linkPath is the path as links carry it: as it was asked for, beginning with the version as Graph writes it.
func (c *call) linkPath() string {
	path := strings.TrimPrefix(c.path, c.s.base)
	if _, rest, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/"); ok {
		path = rest
	}
	return "/" + c.reading.Version + "/" + strings.TrimSuffix(path, "/")
}

// lowerEscapes percent-encodes as the .NET of old does, with lower-case hex digits.
func lowerEscapes(s string) string {
	s = strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			out.WriteString(strings.ToLower(s[i : i+3]))
			i += 2
			continue
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// answerCount answers a /$count segment.
func (c *call) answerCount(k *kind, entities []*entity) (answer, error) {
	if k.directory && !c.eventual() {
		return answer{}, badRequest("$count is not currently supported.")
	}
	q, err := c.parseQuery(c.reading.Options, k)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, raw: fmt.Append(nil, len(q.sift(entities))), contentType: "text/plain"}, nil
}

// answerRefs answers a /$ref segment of a collection: the addresses of the objects.
func (c *call) answerRefs(entities []*entity) (answer, error) {
	values := []object{}
	for _, e := range entities {
		values = append(values, object{"@odata.id": c.objectURL(e.id)})
	}
	return ok(object{"@odata.context": c.root() + "/$metadata#Collection($ref)", "value": values}), nil
}

func (c *call) objectURL(id string) string { return c.root() + "/directoryObjects/" + id }
