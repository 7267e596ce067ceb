package graphtest

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strings"
)

func unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

func userRoutes() []route {
	return []route{
		{method: "GET", pattern: "users", handle: (*call).listUsers, need: userRead(), units: 2},
		{method: "POST", pattern: "users", handle: (*call).createUser, need: userWrite(), units: 1},
		{method: "GET", pattern: "users/$count", handle: (*call).countUsers, need: userRead(), units: 1},
		{method: "GET", pattern: "users/delta", handle: (*call).deltaUsers, need: userRead(), units: 2},
		{method: "GET", pattern: "users/{user}", handle: (*call).getUser, need: userRead(), units: 1},
		{method: "PATCH", pattern: "users/{user}", handle: (*call).patchUser, need: userWrite(), units: 1},
		{method: "DELETE", pattern: "users/{user}", handle: (*call).deleteUser, need: userWrite(), units: 1},
		{method: "GET", pattern: "users/{user}/manager", handle: (*call).getManager, need: userRead(), units: 1},
		{method: "PUT", pattern: "users/{user}/manager/$ref", handle: (*call).putManager, need: userWrite(), units: 1},
		{method: "DELETE", pattern: "users/{user}/manager/$ref", handle: (*call).deleteManager, need: userWrite(), units: 1},
		{method: "GET", pattern: "users/{user}/directreports", handle: (*call).listReports, need: userRead(), units: 1},
		{method: "GET", pattern: "users/{user}/memberof", handle: (*call).listMemberOf, need: objectRead(), units: 2},
		{method: "GET", pattern: "users/{user}/photo", handle: (*call).getPhoto, need: photoRead()},
		{method: "GET", pattern: "users/{user}/photo/$value", handle: (*call).getPhotoValue, need: photoRead()},
		{method: "PUT", pattern: "users/{user}/photo/$value", handle: (*call).putPhotoValue, need: photoWrite()},
	}
}

func (c *call) listUsers() (answer, error) {
	return c.answerList(c.t.users.kind, "users", c.t.users.live())
}

func (c *call) countUsers() (answer, error) { return c.answerCount(c.t.users.kind, c.t.users.live()) }

func (c *call) deltaUsers() (answer, error) { return c.answerDelta(c.t.users, "users", nil) }

func (c *call) getUser() (answer, error) {
	u, err := c.user()
	if err != nil {
		return answer{}, err
	}
	return c.answerOne(u, "users")
}

func (c *call) createUser() (answer, error) {
	o, err := c.readObject()
	if err != nil {
		return answer{}, err
	}
	upn, _ := o["userPrincipalName"].(string)
	name, _ := o["displayName"].(string)
	switch {
	case upn == "" || name == "":
		return answer{}, badRequest("A value is required for property 'userPrincipalName' of resource 'User'.")
	case c.t.users.find("userPrincipalName", upn) != nil:
		return answer{}, badRequest("Another object with the same value for property userPrincipalName already exists.")
	}
	u := c.t.addPerson(person{upn: upn, name: name}, len(c.t.users.rows))
	c.merge(u, o)
	return c.created(u, "users", c.root()+"/users/"+u.id), nil
}

func (c *call) patchUser() (answer, error) {
	u, err := c.user()
	if err != nil {
		return answer{}, err
	}
	return c.patch(u)
}

// patch merges the body into an entity of the directory.
func (c *call) patch(e *entity) (answer, error) {
	o, err := c.readObject()
	if err != nil {
		return answer{}, err
	}
	c.merge(e, o)
	return empty(http.StatusNoContent), nil
}

func (c *call) merge(e *entity, o object) {
	for name, v := range o {
		if name == "id" || strings.HasPrefix(name, "@") || strings.EqualFold(name, "passwordProfile") {
			continue
		}
		for known := range e.props {
			if strings.EqualFold(known, name) {
				name = known
			}
		}
		e.props[name] = v
	}
	c.t.touch(e)
}

func (c *call) deleteUser() (answer, error) {
	u, err := c.user()
	if err != nil {
		return answer{}, err
	}
	c.t.remove(u)
	return empty(http.StatusNoContent), nil
}

func (c *call) getManager() (answer, error) {
	u, err := c.user()
	if err != nil {
		return answer{}, err
	}
	m := c.t.users.get(c.t.managers[u.id])
	if m == nil {
		return answer{}, noObject("manager")
	}
	a, err := c.answerOne(m, "directoryObjects")
	if err == nil {
		a.body["@odata.type"] = m.kind.odataType()
	}
	return a, err
}

func (c *call) putManager() (answer, error) {
	u, err := c.user()
	if err != nil {
		return answer{}, err
	}
	id, err := c.reference()
	if err != nil {
		return answer{}, err
	}
	c.t.managers[u.id] = id
	c.t.touch(u)
	return empty(http.StatusNoContent), nil
}

func (c *call) deleteManager() (answer, error) {
	u, err := c.user()
	if err != nil {
		return answer{}, err
	}
	delete(c.t.managers, u.id)
	c.t.touch(u)
	return empty(http.StatusNoContent), nil
}

// reference is the id in a body of the form {"@odata.id": "https://graph.microsoft.com/v1.0/directoryObjects/{id}"}.
// Graph knows no address but its own.
func (c *call) reference() (string, error) {
	o, err := c.readObject()
	if err != nil {
		return "", err
	}
	text, _ := o["@odata.id"].(string)
	return c.objectOf(text)
}

func (c *call) objectOf(address string) (string, error) {
	path, ours := strings.CutPrefix(address, c.s.base+"/")
	if !ours {
		path, ours = strings.CutPrefix(address, c.s.url+"/")
	}
	id := path[strings.LastIndexByte(path, '/')+1:]
	if !ours || c.t.directory(id) == nil {
		return "", badRequest("Invalid object identifier or address '%s'.", address)
	}
	return id, nil
}

func (c *call) listReports() (answer, error) {
	u, err := c.user()
	if err != nil {
		return answer{}, err
	}
	return c.answerList(c.t.users.kind, "directoryObjects", c.t.reports(u))
}

func (t *tenant) reports(u *entity) []*entity {
	var out []*entity
	for _, e := range t.users.live() {
		if t.managers[e.id] == u.id {
			out = append(out, e)
		}
	}
	return out
}

func (c *call) listMemberOf() (answer, error) {
	u, err := c.user()
	if err != nil {
		return answer{}, err
	}
	return c.answerList(c.t.users.kind, "directoryObjects", c.t.memberOf(u))
}

func (t *tenant) memberOf(u *entity) []*entity {
	var out []*entity
	for _, g := range t.groups.live() {
		if t.members[g.id].has(u.id) {
			out = append(out, g)
		}
	}
	return out
}

func (c *call) getPhoto() (answer, error) {
	u, err := c.user()
	if err != nil {
		return answer{}, err
	}
	return ok(object{
		"@odata.context": c.root() + "/$metadata#users('" + u.id + "')/photo/$entity", "@odata.mediaContentType": "image/png",
		"@odata.mediaEtag": `W/"photo"`, "id": "4x4", "width": 4, "height": 4,
	}), nil
}

func (c *call) getPhotoValue() (answer, error) {
	u, err := c.user()
	if err != nil {
		return answer{}, err
	}
	var data []byte
	if photo := c.t.photos[u.id]; photo != nil {
		data = photo()
	}
	if data == nil {
		return answer{}, fail(http.StatusNotFound, "ImageNotFound", "The photo wasn't found.")
	}
	return answer{status: http.StatusOK, raw: data, contentType: http.DetectContentType(data)}, nil
}

func (c *call) putPhotoValue() (answer, error) {
	u, err := c.user()
	if err != nil {
		return answer{}, err
	}
	body := c.body
	c.t.photos[u.id] = func() []byte { return body }
	return empty(http.StatusOK), nil
}

// picture is a photo of 4 by 4 pixels.
func picture(seed byte) []byte {
	m := image.NewRGBA(image.Rect(0, 0, 4, 4))
	for x := range 4 {
		for y := range 4 {
			m.Set(x, y, color.RGBA{seed * 37, byte(x * 60), byte(y * 60), 255})
		}
	}
	var buf bytes.Buffer
	_ = png.Encode(&buf, m) // a buffer takes everything
	return buf.Bytes()
}
