package graphtest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"
)

func itemKind() *kind {
	return &kind{
		name:   "driveItem",
		set:    "driveItems",
		page:   200,
		max:    999,
		always: []string{"id"},
		search: []string{"name"},
	}
}

// drive is a document library. Items are linked by parentReference.
type drive struct {
	id, owner string
	items     *table
	root      *entity
	content   map[string][]byte // by item id
}

func (t *tenant) addDrive(id, ownerID, owner string) {
	d := &drive{id: id, owner: owner, items: newTable(itemKind()), content: map[string][]byte{}}
	t.drives[id], t.driveOf[ownerID] = d, id
	d.root = t.add(d.items, object{
		"id": itemID(owner + "/"), "name": "root", "root": object{}, "folder": object{"childCount": 0}, "size": 0,
		"parentReference": object{"driveId": id, "driveType": "business"},
	})
	for _, f := range [][2]string{
		{"Reports/2026/q1/summary.txt", "Sales rose in the first quarter.\n"},
		{"Reports/2026/q1/50% done.txt", "half\n"},
		{"Reports/Ryan's files/doc (1) #2.txt", "a name with signs\n"},
		{"Übersicht.txt", "UTF-8\n"},
		{"Salaries/2026.csv", "name,salary\n"},
		{"readme.txt", "Welcome to Contoso.\n"},
	} {
		t.putFile(d, d.root, f[0], []byte(f[1]))
	}
}

// putFile writes a file below an item, and the folders on the way.
func (t *tenant) putFile(d *drive, at *entity, path string, data []byte) *entity {
	parts := strings.Split(path, "/")
	for _, name := range parts[:len(parts)-1] {
		next := d.child(at, name)
		if next == nil {
			next = t.addItem(d, at, name, object{"folder": object{"childCount": 0}})
		}
		at = next
	}
	name := parts[len(parts)-1]
	e := d.child(at, name)
	if e == nil {
		e = t.addItem(d, at, name, object{})
	}
	t.writeContent(d, e, data)
	return e
}

// writeContent makes data the content of a file. Its hash and its eTag follow.
func (t *tenant) writeContent(d *drive, e *entity, data []byte) {
	name, sum := e.text("name"), sha256.Sum256(data)
	e.props["file"] = object{
		"mimeType": mimeType(name),
		"hashes":   object{"sha256Hash": strings.ToUpper(hex.EncodeToString(sum[:]))},
	}
	e.props["size"] = len(data)
	d.content[e.id] = data
	t.touch(e)
	e.props["eTag"] = fmt.Sprintf(`"{%s},%d"`, e.id, e.changed)
}

func (t *tenant) addItem(d *drive, parent *entity, name string, props object) *entity {
	props["name"] = name
	props["id"] = itemID(d.owner + "/" + parent.id + "/" + name)
	props["createdDateTime"], props["lastModifiedDateTime"] = timestamp(epoch()), timestamp(epoch())
	props["webUrl"] = "https://contoso.sharepoint.com/Documents/" + strings.ReplaceAll(name, " ", "%20")
	props["parentReference"] = object{"driveId": d.id, "driveType": "business", "id": parent.id, "path": d.pathOf(parent)}
	return t.add(d.items, props)
}

func mimeType(name string) string {
	if strings.HasSuffix(name, ".csv") {
		return "text/csv"
	}
	return "text/plain"
}

// pathOf is parentReference.path of an item's children.
func (d *drive) pathOf(e *entity) string {
	path := ""
	for e != d.root {
		path = "/" + e.text("name") + path
		ref, _ := e.props["parentReference"].(object)
		id, _ := ref["id"].(string)
		if e = d.items.get(id); e == nil {
			break
		}
	}
	return "/drives/" + d.id + "/root:" + path
}

func (d *drive) child(parent *entity, name string) *entity {
	for _, e := range d.children(parent) {
		if strings.EqualFold(e.text("name"), name) {
			return e
		}
	}
	return nil
}

func (d *drive) children(parent *entity) []*entity {
	var out []*entity
	for _, e := range d.items.live() {
		ref, _ := e.props["parentReference"].(object)
		if ref["id"] == parent.id {
			out = append(out, e)
		}
	}
	return out
}

func (t *tenant) childrenOf(e *entity) []*entity {
	ref, _ := e.props["parentReference"].(object)
	id, _ := ref["driveId"].(string)
	if d := t.drives[id]; d != nil {
		return d.children(e)
	}
	return nil
}

// driveRoutes are those of a drive, under every root that leads to one.
func driveRoutes() []route {
	var routes []route
	for _, prefix := range []string{"drives/{drive}", "users/{user}/drive", "groups/{group}/drive", "sites/{site}/drive"} {
		routes = append(routes,
			route{method: "GET", pattern: prefix, handle: (*call).getDrive, need: fileRead()},
			route{method: "GET", pattern: prefix + "/root/delta", handle: (*call).deltaItems, need: fileRead()},
			route{method: "GET", pattern: prefix + "/root/search", handle: (*call).searchItems, need: fileRead()},
		)
		for _, item := range []string{"/root", "/root/:path", "/items/{item}", "/items/{item}/:path"} {
			at := prefix + item
			routes = append(routes,
				route{method: "GET", pattern: at, handle: (*call).getItem, need: fileRead()},
				route{method: "PATCH", pattern: at, handle: (*call).patchItem, need: fileWrite()},
				route{method: "DELETE", pattern: at, handle: (*call).deleteItem, need: fileWrite()},
				route{method: "GET", pattern: at + "/children", handle: (*call).listChildren, need: fileRead()},
				route{method: "POST", pattern: at + "/children", handle: (*call).createFolder, need: fileWrite()},
				route{method: "GET", pattern: at + "/content", handle: (*call).getContent, need: fileRead()},
				route{method: "PUT", pattern: at + "/content", handle: (*call).putContent, need: fileWrite()},
				route{method: "POST", pattern: at + "/copy", handle: (*call).copyItem, need: fileWrite()},
				route{method: "POST", pattern: at + "/createuploadsession", handle: (*call).createUpload, need: fileWrite()},
			)
		}
	}
	return routes
}

// drive finds the one that the path leads to.
func (c *call) drive() (*drive, error) {
	id := c.keys["drive"].Text
	switch {
	case c.keys["user"].Text != "" || c.keys["user"].Args != nil:
		u, err := c.user()
		if err != nil {
			return nil, err
		}
		id = c.t.driveOf[u.id]
	case c.keys["group"].Text != "":
		g, err := c.group()
		if err != nil {
			return nil, err
		}
		id = c.t.driveOf[g.id]
	case c.keys["site"].Text != "":
		s, err := c.siteAt(Segment{}) // a path in the request is one inside the drive
		if err != nil {
			return nil, err
		}
		id = c.t.driveOf[s.id]
	}
	if d := c.t.drives[id]; d != nil {
		return d, nil
	}
	return nil, noItem()
}

// place is a path in a drive: an item that exists, and the path below it that does not exist (yet).
func (c *call) place() (d *drive, at *entity, missing string, err error) {
	if d, err = c.drive(); err != nil {
		return nil, nil, "", err
	}
	at = d.root
	if key, ok := c.keys["item"]; ok {
		if at = d.items.get(key.Text); at == nil && strings.EqualFold(key.Text, "root") {
			at = d.root
		}
		if at == nil {
			return nil, nil, "", noItem()
		}
	}
	path, ok := c.keys["path"]
	if !ok {
		return d, at, "", nil
	}
	parts := strings.Split(path.Text, "/")
	for i, name := range parts {
		next := d.child(at, name)
		if next == nil {
			return d, at, strings.Join(parts[i:], "/"), nil
		}
		at = next
	}
	return d, at, "", nil
}

func (c *call) item() (*drive, *entity, error) {
	d, e, missing, err := c.place()
	if err == nil && missing != "" {
		err = noItem()
	}
	return d, e, err
}

func (c *call) getDrive() (answer, error) {
	d, err := c.drive()
	if err != nil {
		return answer{}, err
	}
	return ok(object{
		"@odata.context": c.root() + "/$metadata#drives/$entity", "id": d.id, "driveType": "business", "name": "OneDrive",
		"owner": object{"user": object{"displayName": d.owner}}, "webUrl": "https://contoso-my.sharepoint.com/personal",
	}), nil
}

func (c *call) getItem() (answer, error) {
	d, e, err := c.item()
	if err != nil {
		return answer{}, err
	}
	a, err := c.answerOne(e, "drives('"+d.id+"')/items")
	if err == nil && d.content[e.id] != nil && c.reading.Options["select"] == "" {
		a.body["@microsoft.graph.downloadUrl"] = c.s.downloadURL(d.id, e.id)
	}
	return a, err
}

func (c *call) patchItem() (answer, error) {
	d, e, err := c.item()
	if err != nil {
		return answer{}, err
	}
	o, err := c.readObject()
	if err != nil {
		return answer{}, err
	}
	c.merge(e, o)
	return c.answerOne(e, "drives('"+d.id+"')/items")
}

func (c *call) deleteItem() (answer, error) {
	d, e, err := c.item()
	if err != nil {
		return answer{}, err
	}
	if e == d.root {
		return answer{}, fail(http.StatusBadRequest, "invalidRequest", "The root cannot be deleted.")
	}
	c.t.remove(e)
	return empty(http.StatusNoContent), nil
}

func (c *call) listChildren() (answer, error) {
	d, e, err := c.item()
	if err != nil {
		return answer{}, err
	}
	return c.answerList(d.items.kind, "drives('"+d.id+"')/items('"+e.id+"')/children", d.children(e))
}

func (c *call) createFolder() (answer, error) {
	d, e, err := c.item()
	if err != nil {
		return answer{}, err
	}
	o, err := c.readObject()
	if err != nil {
		return answer{}, err
	}
	name, _ := o["name"].(string)
	switch {
	case name == "" || o["folder"] == nil:
		return answer{}, fail(http.StatusBadRequest, "invalidRequest", "A name and the folder facet are needed.")
	case d.child(e, name) != nil:
		return answer{}, fail(http.StatusConflict, "nameAlreadyExists",
			"An item with the same name already exists under the parent.")
	}
	folder := c.t.addItem(d, e, name, object{"folder": object{"childCount": 0}})
	return c.created(folder, "drives('"+d.id+"')/items", c.root()+"/drives/"+d.id+"/items/"+folder.id), nil
}

// getContent sends the caller to a pre-authenticated URL on the foreign host.
func (c *call) getContent() (answer, error) {
	d, e, err := c.item()
	if err != nil {
		return answer{}, err
	}
	if d.content[e.id] == nil {
		return answer{}, notAFile()
	}
	a := empty(http.StatusFound)
	a.set("Location", c.s.downloadURL(d.id, e.id))
	return a, nil
}

func notAFile() error {
	return fail(http.StatusBadRequest, "invalidRequest", "A folder has no content.")
}

func (c *call) putContent() (answer, error) {
	d, at, missing, err := c.place()
	if err != nil {
		return answer{}, err
	}
	status := http.StatusOK
	var e *entity
	switch {
	case missing != "":
		status, e = http.StatusCreated, c.t.putFile(d, at, missing, c.body)
	case at.props["folder"] != nil:
		return answer{}, notAFile()
	default:
		c.t.writeContent(d, at, c.body)
		e = at
	}
	a, err := c.answerOne(e, "drives('"+d.id+"')/items")
	a.status = status
	return a, err
}

// copyItem is a long-running action: 202, with a monitor on the foreign host.
func (c *call) copyItem() (answer, error) {
	if _, _, err := c.item(); err != nil {
		return answer{}, err
	}
	a := empty(http.StatusAccepted)
	a.set("Location", c.s.signed("/monitor/"+newGUID()))
	return a, nil
}

func (c *call) deltaItems() (answer, error) {
	d, err := c.drive()
	if err != nil {
		return answer{}, err
	}
	if token, ok := c.reading.Options["token"]; ok { // OneDrive's own spelling
		c.reading.Options["deltatoken"] = token
	}
	return c.answerDelta(d.items, "Collection(driveItem)", nil)
}

func (c *call) searchItems() (answer, error) {
	d, err := c.drive()
	if err != nil {
		return answer{}, err
	}
	text := strings.ToLower(c.arg("q"))
	var found []*entity
	for _, e := range d.items.live() {
		if strings.Contains(strings.ToLower(e.text("name")), text) {
			found = append(found, e)
		}
	}
	return c.answerList(d.items.kind, "Collection(driveItem)", found)
}

func (c *call) createUpload() (answer, error) {
	d, at, missing, err := c.place()
	if err != nil {
		return answer{}, err
	}
	if missing == "" && at.props["folder"] != nil {
		return answer{}, notAFile()
	}
	id := newGUID()
	c.t.uploads[id] = &upload{drive: d, at: at, path: missing}
	return ok(object{
		"@odata.context": c.root() + "/$metadata#microsoft.graph.uploadSession", "uploadUrl": c.s.signed("/up/" + id),
		"expirationDateTime": timestamp(time.Now().Add(time.Hour)), "nextExpectedRanges": []string{"0-"},
	}), nil
}
