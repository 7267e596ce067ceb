package graphtest

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

func subscriptionKind() *kind {
	return &kind{name: "subscription", set: "subscriptions", page: 100, max: 100, always: []string{"id"}}
}

// subscriptionRoutes keep subscriptions. Unlike Graph, the server calls no notificationUrl: neither to validate it, nor
// for a change.
func subscriptionRoutes() []route {
	return []route{
		{method: "GET", pattern: "subscriptions", handle: (*call).listSubscriptions},
		{method: "POST", pattern: "subscriptions", handle: (*call).createSubscription},
		{method: "GET", pattern: "subscriptions/{subscription}", handle: (*call).getSubscription},
		{method: "PATCH", pattern: "subscriptions/{subscription}", handle: (*call).renewSubscription},
		{method: "DELETE", pattern: "subscriptions/{subscription}", handle: (*call).deleteSubscription},
		{method: "POST", pattern: "subscriptions/{subscription}/reauthorize", handle: (*call).reauthorizeSubscription},
	}
}

func (c *call) listSubscriptions() (answer, error) {
	return c.answerList(c.t.subscriptions.kind, "subscriptions", c.t.subscriptions.live())
}

func (c *call) subscription() (*entity, error) {
	if e := c.t.subscriptions.get(c.keys["subscription"].Text); e != nil {
		return e, nil
	}
	return nil, fail(http.StatusNotFound, "ResourceNotFound", "The object was not found.")
}

func (c *call) getSubscription() (answer, error) {
	e, err := c.subscription()
	if err != nil {
		return answer{}, err
	}
	return c.answerOne(e, "subscriptions")
}

// createSubscription has Graph's requirements: what changes, where to call (https), of what, and until when.
func (c *call) createSubscription() (answer, error) {
	o, err := c.readObject()
	if err != nil {
		return answer{}, err
	}
	for _, name := range []string{"changeType", "notificationUrl", "resource", "expirationDateTime"} {
		if text, _ := o[name].(string); text == "" {
			return answer{}, fail(http.StatusBadRequest, "InvalidRequest", "%s is a required property.", name)
		}
	}
	if u, err := url.Parse(o["notificationUrl"].(string)); err != nil || u.Scheme != "https" || u.Host == "" {
		return answer{}, fail(http.StatusBadRequest, "ValidationError", "Notification endpoint must be an https address.")
	}
	if err := checkExpiration(o); err != nil {
		return answer{}, err
	}
	e := c.t.add(c.t.subscriptions, object{
		"id":                        newGUID(),
		"resource":                  "",
		"changeType":                "",
		"notificationUrl":           "",
		"expirationDateTime":        "",
		"clientState":               nil,
		"applicationId":             ID("app:Contoso Sync"),
		"includeResourceData":       nil,
		"latestSupportedTlsVersion": "v1_2",
		"lifecycleNotificationUrl":  nil,
	})
	c.merge(e, o)
	return c.created(e, "subscriptions", c.root()+"/subscriptions/"+e.id), nil
}

// checkExpiration refuses a moment that is past. The longest life depends on the resource; the longest of all is 30
// days.
func checkExpiration(o object) error {
	text, _ := o["expirationDateTime"].(string)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Before(time.Now()) || at.After(time.Now().AddDate(0, 0, 30)) {
		return fail(http.StatusBadRequest, "InvalidRequest",
			"Subscription expiration must be a moment in the future, at most 43200 minutes from now.")
	}
	return nil
}

func (c *call) renewSubscription() (answer, error) {
	e, err := c.subscription()
	if err != nil {
		return answer{}, err
	}
	o, err := c.readObject()
	if err != nil {
		return answer{}, err
	}
	for name := range o {
		if !strings.EqualFold(name, "expirationDateTime") {
			return answer{}, fail(http.StatusBadRequest, "InvalidRequest", "Only expirationDateTime can be changed.")
		}
	}
	if err := checkExpiration(o); err != nil {
		return answer{}, err
	}
	c.merge(e, o)
	return c.answerOne(e, "subscriptions")
}

func (c *call) deleteSubscription() (answer, error) {
	e, err := c.subscription()
	if err != nil {
		return answer{}, err
	}
	c.t.remove(e)
	return empty(http.StatusNoContent), nil
}

func (c *call) reauthorizeSubscription() (answer, error) {
	if _, err := c.subscription(); err != nil {
		return answer{}, err
	}
	return empty(http.StatusNoContent), nil
}
