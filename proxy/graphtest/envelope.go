package graphtest

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// readBatch reads the items of a batch. An error refuses the batch as a whole, before any item runs.
func readBatch(body []byte) ([]batchItem, error) {
	var envelope struct {
		Requests []batchItem `json:"requests"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil || len(envelope.Requests) == 0 {
		return nil, badBatch("Invalid batch payload format.")
	}
	if len(envelope.Requests) > maxItems {
		return nil, badBatch("Number of requests inside batch exceeds the limit.")
	}
	items := envelope.Requests
	seen := map[string]bool{}
	for i := range items {
		item := &items[i]
		if item.ID == "" || item.Method == "" || item.URL == "" {
			return nil, badBatch("Invalid batch payload format.")
		}
		id := strings.ToLower(item.ID)
		if seen[id] {
			return nil, badBatch("Request Id '%s' is not unique in the batch.", item.ID)
		}
		for _, needed := range item.DependsOn {
			if !seen[strings.ToLower(needed)] {
				return nil, badBatch("Invalid dependency for request Id : %s", item.ID)
			}
		}
		seen[id] = true
		if err := item.readContent(); err != nil {
			return nil, err
		}
	}
	if anyDepends(items) && !allSerial(items) && !allSame(items) {
		return nil, badBatch("Batch should be either fully sequential or fully parallel.")
	}
	return items, nil
}

func badBatch(format string, args ...any) error {
	return fail(http.StatusBadRequest, "BadRequest", format, args...)
}

// readContent reads an item's body: JSON as it is, anything else from a string. A method that writes needs one, and any
// needs a type.
func (b *batchItem) readContent() error {
	contentType := ""
	for name, value := range b.Headers {
		if strings.EqualFold(name, "Content-Type") {
			contentType = value
		}
	}
	empty := len(b.Body) == 0 || string(b.Body) == "null"
	writes := slices.Contains([]string{"POST", "PUT", "PATCH"}, strings.ToUpper(b.Method))
	switch {
	case empty && !writes:
		return nil
	case empty || contentType == "":
		return badBatch("Write request id : %s does not contain Content-Type header or body.", b.ID)
	}
	media, _, _ := mime.ParseMediaType(contentType)
	var text string
	if isJSON(media) || json.Unmarshal(b.Body, &text) != nil {
		b.content = b.Body
		return nil
	}
	if strings.HasPrefix(media, "text/") {
		b.content = []byte(text)
		return nil
	}
	return b.decodeContent(text)
}

// decodeContent decodes base64url, and base64, which some clients send in its place.
func (b *batchItem) decodeContent(text string) (err error) {
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	if b.content, err = base64.RawURLEncoding.DecodeString(text); err != nil {
		return badBatch("Invalid batch payload format.")
	}
	return nil
}

func anyDepends(items []batchItem) bool {
	return slices.ContainsFunc(items, func(b batchItem) bool { return len(b.DependsOn) > 0 })
}

// allSerial reports whether each item depends on the one before it, and on no other.
func allSerial(items []batchItem) bool {
	for i, item := range items {
		if i > 0 && (len(item.DependsOn) != 1 || !strings.EqualFold(item.DependsOn[0], items[i-1].ID)) {
			return false
		}
	}
	return true
}

// allSame reports whether the items that depend on another all depend on the same one.
func allSame(items []batchItem) bool {
	same := ""
	for _, item := range items {
		for _, needed := range item.DependsOn {
			if same != "" && !strings.EqualFold(needed, same) {
				return false
			}
			same = needed
		}
	}
	return true
}
