package proxy

import (
	"graphproxy/policy"
	"graphproxy/policy/strictjson"
	"graphproxy/proxy/batch"
)

// judgeBody reads the body of a request, or of an item of a batch, for rules with conditions on it. The policy gets
// the same bytes that are sent to Graph.
func (x *exchange) judgeBody(item *batch.Item, request *policy.Request) error {
	if item != nil {
		return x.judgeItemBody(item, request)
	}
	r := x.request
	switch {
	case !hasBody(r):
		request.Body = &policy.Body{State: policy.BodyAbsent}
		return nil
	case isMedia(request.Target) || !isJSONInUTF8(r.Header.Get("Content-Type")):
		request.Body = &policy.Body{State: policy.BodyOther}
		return nil
	}
	err := x.readBody(request.Target, true)
	request.Body = jsonBody(x.body.text)
	return err
}

func (x *exchange) judgeItemBody(item *batch.Item, request *policy.Request) (err error) {
	if item.Body == nil {
		request.Body = &policy.Body{State: policy.BodyAbsent}
		return nil
	}
	if isMedia(request.Target) || !item.HasJSON() || !isJSONInUTF8(item.ContentType()) {
		request.Body = &policy.Body{State: policy.BodyOther}
		return nil
	}
	err = x.mapItemBody(item)
	request.Body = jsonBody(item.Body)
	return err
}

func jsonBody(text []byte) *policy.Body {
	if len(text) == 0 {
		return &policy.Body{State: policy.BodyAbsent}
	}
	return &policy.Body{State: policy.BodyJSON, Text: text}
}

// mapItemBody replaces the proxy's addresses in the body of an item by Graph's.
func (x *exchange) mapItemBody(item *batch.Item) (err error) {
	if x.links == nil || item.Body == nil || !item.HasJSON() {
		return nil
	}
	item.Body, err = mapBody(item.Body, x.links)
	return err
}

// unreadableBody is the answer to a request whose body is ambiguous, if the rule has conditions on it.
func unreadableBody(b *policy.Body) error {
	err := strictjson.Check(b.Text)
	if err == nil { // the policy has just found that there is one
		return badRequest("badJSON", "the rule bounds the body, and it cannot be read")
	}
	return badRequest("badJSON", "the rule bounds the body, so it must be JSON with one reading; %s", err.Error())
}
