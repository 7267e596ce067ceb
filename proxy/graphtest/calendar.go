package graphtest

import (
	"net/http"
	"strings"
	"time"
)

func eventKind() *kind {
	return &kind{
		name:    "event",
		set:     "events",
		page:    10,
		max:     1000,
		outlook: true,
		always:  []string{"@odata.etag", "id"},
		search:  []string{"subject"},
		hidden:  []string{calendarOf},
	}
}

func calendarKind() *kind {
	return &kind{
		name:   "calendar",
		set:    "calendars",
		page:   10,
		max:    1000,
		always: []string{"id"},
		search: []string{"name"},
	}
}

// calendarOf is the property of an event that names its calendar. Graph does not return it.
const calendarOf = "calendarId"

func calendarID(upn string) string { return outlookID("calendar:" + strings.ToLower(upn)) }

func appointment(id, calendar, subject string, at time.Time) object {
	when := func(t time.Time) object {
		return object{"dateTime": t.Format("2006-01-02T15:04:05.0000000"), "timeZone": "UTC"}
	}
	return object{
		"id":        id,
		calendarOf:  calendar,
		"subject":   subject,
		"isAllDay":  false,
		"start":     when(at),
		"end":       when(at.Add(time.Hour)),
		"organizer": address("megan@contoso.com"),
	}
}

func calendarRoutes() []route {
	routes := []route{
		{method: "GET", pattern: "users/{user}/calendar", handle: (*call).getCalendar, need: calendarRead()},
		{method: "GET", pattern: "users/{user}/calendars", handle: (*call).listCalendars, need: calendarRead()},
		{method: "POST", pattern: "users/{user}/calendars", handle: (*call).createCalendar, need: calendarWrite()},
		{method: "GET", pattern: "users/{user}/calendars/{calendar}", handle: (*call).getCalendar, need: calendarRead()},
		{method: "GET", pattern: "users/{user}/calendarview", handle: (*call).calendarView, need: calendarRead()},
		{method: "GET", pattern: "users/{user}/calendar/calendarview", handle: (*call).calendarView, need: calendarRead()},
		{method: "GET", pattern: "users/{user}/calendars/{calendar}/calendarview", handle: (*call).calendarView,
			need: calendarRead()},
	}
	for _, prefix := range []string{"users/{user}/events", "users/{user}/calendar/events",
		"users/{user}/calendars/{calendar}/events"} {
		routes = append(routes,
			route{method: "GET", pattern: prefix, handle: (*call).listEvents, need: calendarRead()},
			route{method: "POST", pattern: prefix, handle: (*call).createEvent, need: calendarWrite()},
			route{method: "GET", pattern: prefix + "/{event}", handle: (*call).getEvent, need: calendarRead()},
			route{method: "PATCH", pattern: prefix + "/{event}", handle: (*call).patchEvent, need: calendarWrite()},
			route{method: "DELETE", pattern: prefix + "/{event}", handle: (*call).deleteEvent, need: calendarWrite()},
		)
	}
	return routes
}

// calendar is the one in the path: by its id, or the user's own.
func (c *call) calendar() (*mailbox, *entity, error) {
	u, m, err := c.box()
	if err != nil {
		return nil, nil, err
	}
	id := calendarID(u.text("userPrincipalName"))
	if key, ok := c.keys["calendar"]; ok {
		id = key.Text
	}
	if e := m.calendars.get(id); e != nil {
		return m, e, nil
	}
	return nil, nil, noMessage()
}

// events are those of the calendar in the path.
func (c *call) events() (*mailbox, []*entity, error) {
	m, calendar, err := c.calendar()
	if err != nil {
		return nil, nil, err
	}
	var found []*entity
	for _, e := range m.events.live() {
		if e.text(calendarOf) == calendar.id {
			found = append(found, e)
		}
	}
	return m, found, nil
}

func (c *call) getCalendar() (answer, error) {
	_, e, err := c.calendar()
	if err != nil {
		return answer{}, err
	}
	return c.answerOne(e, "users('"+c.keys["user"].Text+"')/calendars")
}

func (c *call) listCalendars() (answer, error) {
	_, m, err := c.box()
	if err != nil {
		return answer{}, err
	}
	return c.answerList(m.calendars.kind, "users('"+c.keys["user"].Text+"')/calendars", m.calendars.live())
}

func (c *call) createCalendar() (answer, error) {
	u, m, err := c.box()
	if err != nil {
		return answer{}, err
	}
	o, err := c.readObject()
	if err != nil {
		return answer{}, err
	}
	if name, _ := o["name"].(string); name == "" {
		return answer{}, fail(http.StatusBadRequest, "ErrorInvalidRequest", "The property 'name' is missing.")
	}
	owner := address(u.text("userPrincipalName"))["emailAddress"]
	e := c.t.add(m.calendars, object{
		"id":                outlookID(newGUID()),
		"name":              "",
		"isDefaultCalendar": false,
		"canEdit":           true,
		"owner":             owner,
	})
	c.merge(e, o)
	return c.created(e, "users('"+c.keys["user"].Text+"')/calendars", c.root()+"/users/"+u.id+"/calendars/"+e.id), nil
}

func (c *call) eventSet() string { return "users('" + c.keys["user"].Text + "')/events" }

func (c *call) listEvents() (answer, error) {
	m, found, err := c.events()
	if err != nil {
		return answer{}, err
	}
	return c.answerList(m.events.kind, c.eventSet(), found)
}

func (c *call) event() (*entity, error) {
	_, found, err := c.events()
	if err != nil {
		return nil, err
	}
	for _, e := range found {
		if e.id == c.keys["event"].Text {
			return e, nil
		}
	}
	return nil, noMessage()
}

func (c *call) getEvent() (answer, error) {
	e, err := c.event()
	if err != nil {
		return answer{}, err
	}
	return c.answerOne(e, c.eventSet())
}

func (c *call) patchEvent() (answer, error) {
	e, err := c.event()
	if err != nil {
		return answer{}, err
	}
	o, err := c.readObject()
	if err != nil {
		return answer{}, err
	}
	delete(o, calendarOf)
	c.merge(e, o)
	return c.answerOne(e, c.eventSet())
}

func (c *call) deleteEvent() (answer, error) {
	e, err := c.event()
	if err != nil {
		return answer{}, err
	}
	c.t.remove(e)
	return empty(http.StatusNoContent), nil
}

func (c *call) createEvent() (answer, error) {
	m, calendar, err := c.calendar()
	if err != nil {
		return answer{}, err
	}
	o, err := c.readObject()
	if err != nil {
		return answer{}, err
	}
	u, err := c.user()
	if err != nil {
		return answer{}, err
	}
	delete(o, calendarOf)
	e := c.t.add(m.events, appointment(outlookID(newGUID()), calendar.id, "", time.Now().UTC()))
	c.merge(e, o)
	return c.created(e, c.eventSet(), c.root()+"/users/"+u.id+"/events/"+e.id), nil
}

// calendarView is the events between two moments, which must be given.
func (c *call) calendarView() (answer, error) {
	m, all, err := c.events()
	if err != nil {
		return answer{}, err
	}
	from, to := c.reading.Options["startdatetime"], c.reading.Options["enddatetime"]
	if from == "" || to == "" {
		return answer{}, fail(http.StatusBadRequest, "ErrorInvalidParameter",
			"This request requires a time window specified by the query string parameters StartDateTime and EndDateTime.")
	}
	var found []*entity
	for _, e := range all {
		start, _ := lookup(e.props, "start/dateTime").(string)
		if start >= from && start < to {
			found = append(found, e)
		}
	}
	return c.answerList(m.events.kind, c.eventSet(), found)
}
