package graphtest

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

func messageKind() *kind {
	return &kind{
		name:    "message",
		set:     "messages",
		page:    10,
		max:     1000,
		outlook: true,
		always:  []string{"@odata.etag", "id"},
		search:  []string{"subject", "bodyPreview"},
	}
}

func folderKind() *kind {
	return &kind{
		name:   "mailFolder",
		set:    "mailFolders",
		page:   10,
		max:    1000,
		always: []string{"id"},
		search: []string{"displayName"},
	}
}

// mailbox is what Outlook keeps for a user.
type mailbox struct{ messages, folders, events, calendars *table }

// wellKnown are the folders that have a name besides their id.
func wellKnown() []string {
	return []string{"inbox", "drafts", "sentitems", "deleteditems", "archive", "junkemail"}
}

func folderID(upn, name string) string {
	return outlookID("folder:" + strings.ToLower(upn) + ":" + name)
}

func (t *tenant) newMailbox(upn string) *mailbox {
	m := &mailbox{
		messages:  newTable(messageKind()),
		folders:   newTable(folderKind()),
		events:    newTable(eventKind()),
		calendars: newTable(calendarKind()),
	}
	t.add(m.calendars, object{
		"id":                calendarID(upn),
		"name":              "Calendar",
		"isDefaultCalendar": true,
		"canEdit":           true,
		"owner":             address(upn)["emailAddress"],
	})
	for _, name := range wellKnown() {
		t.add(m.folders, object{
			"id":               folderID(upn, name),
			"displayName":      name,
			"parentFolderId":   folderID(upn, "root"),
			"childFolderCount": 0,
			"isHidden":         false,
		})
	}
	for i := range 12 {
		folder := "inbox"
		if i >= 9 {
			folder = "archive"
		}
		t.add(m.messages, letter(outlookID(fmt.Sprintf("message:%s:%d", strings.ToLower(upn), i)), folderID(upn, folder),
			fmt.Sprintf("Weekly report %d", i+1), "The figures of the week.", "megan@contoso.com", upn, epoch().AddDate(0, 0,
				7*i)))
		t.add(m.events, appointment(outlookID(fmt.Sprintf("event:%s:%d", strings.ToLower(upn), i)), calendarID(upn),
			fmt.Sprintf("Stand-up %d", i+1), epoch().AddDate(0, 0, 7*i)))
	}
	return m
}

func address(a string) object { return object{"emailAddress": object{"name": a, "address": a}} }

func letter(id, folder, subject, text, from, to string, at time.Time) object {
	return object{
		"id":                   id,
		"parentFolderId":       folder,
		"subject":              subject,
		"bodyPreview":          text,
		"body":                 object{"contentType": "text", "content": text},
		"importance":           "normal",
		"isRead":               false,
		"isDraft":              false,
		"hasAttachments":       false,
		"from":                 address(from),
		"sender":               address(from),
		"toRecipients":         []object{address(to)},
		"receivedDateTime":     timestamp(at),
		"sentDateTime":         timestamp(at),
		"createdDateTime":      timestamp(at),
		"lastModifiedDateTime": timestamp(at),
		"internetMessageId":    "<" + id + "@contoso.com>",
		"webLink":              "https://outlook.office365.com/owa/?ItemID=" + id,
	}
}

func mailRoutes() []route {
	routes := []route{
		{method: "POST", pattern: "users/{user}/sendmail", handle: (*call).sendMail, need: mailSend()},
		{method: "GET", pattern: "users/{user}/mailfolders", handle: (*call).listFolders, need: mailRead()},
		{method: "GET", pattern: "users/{user}/mailfolders/{folder}", handle: (*call).getFolder, need: mailRead()},
	}
	for _, prefix := range []string{"users/{user}/messages", "users/{user}/mailfolders/{folder}/messages"} {
		routes = append(routes,
			route{method: "GET", pattern: prefix, handle: (*call).listMessages, need: mailRead()},
			route{method: "POST", pattern: prefix, handle: (*call).createMessage, need: mailWrite()},
			route{method: "GET", pattern: prefix + "/$count", handle: (*call).countMessages, need: mailRead()},
			route{method: "GET", pattern: prefix + "/delta", handle: (*call).deltaMessages, need: mailRead()},
			route{method: "GET", pattern: prefix + "/{message}", handle: (*call).getMessage, need: mailRead()},
			route{method: "PATCH", pattern: prefix + "/{message}", handle: (*call).patchMessage, need: mailWrite()},
			route{method: "DELETE", pattern: prefix + "/{message}", handle: (*call).deleteMessage, need: mailWrite()},
			route{method: "GET", pattern: prefix + "/{message}/$value", handle: (*call).getMIME, need: mailRead()},
			route{method: "POST", pattern: prefix + "/{message}/send", handle: (*call).sendDraft, need: mailSend()},
		)
	}
	return routes
}

// box is the user's mailbox. A guest has none.
func (c *call) box() (*entity, *mailbox, error) {
	u, err := c.user()
	if err != nil {
		return nil, nil, err
	}
	m := c.t.mail[u.id]
	if m == nil || strings.Contains(u.text("userPrincipalName"), "#EXT#") {
		return nil, nil, noMailbox()
	}
	return u, m, nil
}

// folder finds the folder in the path by id or well-known name; nil without one.
func (c *call) folder(m *mailbox) (*entity, error) {
	key, ok := c.keys["folder"]
	if !ok {
		return nil, nil
	}
	if f := m.folders.get(key.Text); f != nil {
		return f, nil
	}
	if f := m.folders.find("displayName", key.Text); f != nil {
		return f, nil
	}
	return nil, noMessage()
}

func (c *call) messages() (*mailbox, *entity, []*entity, error) {
	_, m, err := c.box()
	if err != nil {
		return nil, nil, nil, err
	}
	f, err := c.folder(m)
	if err != nil {
		return nil, nil, nil, err
	}
	var out []*entity
	for _, e := range m.messages.live() {
		if f == nil || e.text("parentFolderId") == f.id {
			out = append(out, e)
		}
	}
	return m, f, out, nil
}

func (c *call) mailSet() string {
	return "users('" + strings.ReplaceAll(c.keys["user"].Text, "'", "''") + "')/messages"
}

func (c *call) listMessages() (answer, error) {
	m, _, found, err := c.messages()
	if err != nil {
		return answer{}, err
	}
	return c.answerList(m.messages.kind, c.mailSet(), found)
}

func (c *call) countMessages() (answer, error) {
	m, _, found, err := c.messages()
	if err != nil {
		return answer{}, err
	}
	return c.answerCount(m.messages.kind, found)
}

func (c *call) deltaMessages() (answer, error) {
	m, f, _, err := c.messages()
	if err != nil {
		return answer{}, err
	}
	reported := &table{kind: m.messages.kind} // removed ones are reported, too
	for _, e := range m.messages.rows {
		if f == nil || e.text("parentFolderId") == f.id {
			reported.rows = append(reported.rows, e)
		}
	}
	return c.answerDelta(reported, "Collection(message)", nil)
}

func (c *call) message() (*mailbox, *entity, error) {
	m, _, found, err := c.messages()
	if err != nil {
		return nil, nil, err
	}
	for _, e := range found {
		if e.id == c.keys["message"].Text {
			return m, e, nil
		}
	}
	return nil, nil, noMessage()
}

func (c *call) getMessage() (answer, error) {
	_, e, err := c.message()
	if err != nil {
		return answer{}, err
	}
	return c.answerOne(e, c.mailSet())
}

func (c *call) patchMessage() (answer, error) {
	_, e, err := c.message()
	if err != nil {
		return answer{}, err
	}
	o, err := c.readObject()
	if err != nil {
		return answer{}, err
	}
	c.merge(e, o)
	return c.answerOne(e, c.mailSet())
}

func (c *call) deleteMessage() (answer, error) {
	_, e, err := c.message()
	if err != nil {
		return answer{}, err
	}
	c.t.remove(e)
	return empty(http.StatusNoContent), nil
}

func (c *call) getMIME() (answer, error) {
	_, e, err := c.message()
	if err != nil {
		return answer{}, err
	}
	text := "Message-ID: " + e.text("internetMessageId") + "\r\nSubject: " + e.text("subject") +
		"\r\nContent-Type: text/plain\r\n\r\n" + e.text("bodyPreview") + "\r\n"
	return answer{status: http.StatusOK, raw: []byte(text), contentType: "text/plain"}, nil
}

func (c *call) createMessage() (answer, error) {
	u, m, err := c.box()
	if err != nil {
		return answer{}, err
	}
	f, err := c.folder(m)
	if err != nil {
		return answer{}, err
	}
	o, err := c.readObject()
	if err != nil {
		return answer{}, err
	}
	upn := u.text("userPrincipalName")
	folder := folderID(upn, "drafts")
	if f != nil {
		folder = f.id
	}
	e := c.t.add(m.messages, letter(outlookID(newGUID()), folder, "", "", upn, "", time.Now()))
	e.props["isDraft"] = true
	c.merge(e, o)
	return c.created(e, c.mailSet(), c.root()+"/users/"+u.id+"/messages/"+e.id), nil
}

// sendMail accepts a message, and keeps it in the sender's Sent Items.
func (c *call) sendMail() (answer, error) {
	u, m, err := c.box()
	if err != nil {
		return answer{}, err
	}
	o, err := c.readObject()
	if err != nil {
		return answer{}, err
	}
	for name, v := range o {
		if o, ok := v.(object); ok && strings.EqualFold(name, "message") {
			upn := u.text("userPrincipalName")
			e := c.t.add(m.messages, letter(outlookID(newGUID()), folderID(upn, "sentitems"), "", "", upn, "", time.Now()))
			c.merge(e, o)
			c.t.sent++
			return empty(http.StatusAccepted), nil
		}
	}
	return answer{}, fail(http.StatusBadRequest, "ErrorInvalidRequest", "The property 'Message' is missing.")
}

func (c *call) sendDraft() (answer, error) {
	_, e, err := c.message()
	if err != nil {
		return answer{}, err
	}
	if e.props["isDraft"] != true {
		return answer{}, fail(http.StatusBadRequest, "ErrorInvalidOperation", "The message is not a draft.")
	}
	u, _ := c.user()
	e.props["isDraft"], e.props["parentFolderId"] = false, folderID(u.text("userPrincipalName"), "sentitems")
	c.t.touch(e)
	c.t.sent++
	return empty(http.StatusAccepted), nil
}

func (c *call) listFolders() (answer, error) {
	u, m, err := c.box()
	if err != nil {
		return answer{}, err
	}
	return c.answerList(m.folders.kind, "users('"+u.id+"')/mailFolders", m.folders.live())
}

func (c *call) getFolder() (answer, error) {
	_, m, err := c.box()
	if err != nil {
		return answer{}, err
	}
	f, err := c.folder(m)
	if err != nil {
		return answer{}, err
	}
	return c.answerOne(f, "users('"+c.keys["user"].Text+"')/mailFolders")
}
