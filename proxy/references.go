package proxy

import (
	"fmt"
	"mime"
	"net/http"

	"graphproxy/policy/graph/odata"
	"graphproxy/proxy/batch"
	"graphproxy/proxy/links"
)

// references are the resources that a request's body refers to, if the rule bounds that.
type references struct {
	named []string // as policy.Request has them
	unfit error    // why the request cannot be sent although it may refer to all of these
}

// refers is a request whose references are judged, single or in a batch.
type refers struct {
	method      string
	target      *odata.Target
	contentType string
	body        []byte // JSON, which links.BackBody has read; empty for none
}

// references reads the references in a body. A rule that bounds references requires an unambiguous body: a JSON
// object in UTF-8, and after $ref only "@odata.id". Any other body is refused, because Graph, or a server before
// it, may find a reference in it that was not seen here. The addresses that were found are judged first, so that
// the caller sees that one of them is forbidden.
func (q refers) references(l *links.Rewriter) (references, error) {
	if len(q.body) == 0 {
		return references{unfit: q.absent()}, nil
	}
	named, err := l.Names(q.body)
	if err != nil {
		return references{}, badRequest("badJSON", "%s", err.Error())
	}
	return references{named: named.Addresses, unfit: q.unfit(named)}, nil
}

// absent refuses to add a reference that is missing.
func (q refers) absent() error {
	if isReference(q.target) && q.method != http.MethodDelete {
		return badReference()
	}
	return nil
}

func (q refers) unfit(named links.Named) error {
	switch {
	case !isJSONInUTF8(q.contentType):
		return &Error{
			Status: http.StatusUnsupportedMediaType,
			Code:   codeInvalid,
			Inner:  "unsupportedMediaType",
			Message: fmt.Sprintf("the rule bounds what the request refers to, so its body must be JSON in UTF-8, "+
				"and it says Content-Type: %.80q; send application/json", q.contentType),
		}
	case !named.Object:
		return badRequest("badJSON", "the rule bounds what the request refers to, so its body must be one JSON object; "+
			"send {...}")
	case isReference(q.target) && !named.Single:
		return badReference()
	}
	return nil
}

func badReference() *Error {
	return badRequest("badReference", `the rule bounds what the request refers to, so behind $ref the body must be `+
		`{"@odata.id":"..."} with the address of one resource, and nothing else`)
}

// isJSONInUTF8 reports whether a Content-Type is JSON in UTF-8, or missing.
func isJSONInUTF8(contentType string) bool {
	if contentType == "" {
		return true
	}
	_, parameters, err := mime.ParseMediaType(contentType)
	return err == nil && isJSON(contentType) && isUTF8(parameters)
}

// references reads the references in the body of a request, or of an item of a batch, if the rule bounds them.
func (x *exchange) references(item *batch.Item, t *odata.Target, bounded bool) (references, error) {
	if item != nil {
		return x.referencesOfItem(item, t, bounded)
	}
	if !bounded {
		return references{}, nil
	}
	if err := x.readBody(t, true); err != nil {
		return references{}, err
	}
	r := x.request
	q := refers{method: r.Method, target: t, contentType: r.Header.Get("Content-Type"), body: x.body.text}
	return q.references(x.links)
}

// referencesOfItem also replaces the proxy's addresses in the body of the item by Graph's.
func (x *exchange) referencesOfItem(item *batch.Item, t *odata.Target, bounded bool) (references, error) {
	if err := x.mapItemBody(item); err != nil {
		return references{}, err
	}
	if !bounded {
		return references{}, nil
	}
	if item.Body != nil && (x.links == nil || !item.HasJSON()) {
		return references{}, notJSON()
	}
	q := refers{method: item.Method, target: t, contentType: item.ContentType(), body: item.Body}
	return q.references(x.links)
}

func notJSON() *Error {
	return badRequest("badJSON", "the rule bounds what the item may refer to, so its body must be JSON")
}
