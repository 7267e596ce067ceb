package graphtest

import (
	"net/http"
	"strings"
)

func appKind() *kind {
	return &kind{
		name:      "application",
		set:       "applications",
		page:      100,
		max:       999,
		directory: true,
		always:    []string{"id"},
		search:    []string{"displayName"},
	}
}

func principalKind() *kind {
	return &kind{
		name:      "servicePrincipal",
		set:       "servicePrincipals",
		page:      100,
		max:       999,
		directory: true,
		always:    []string{"id"},
		search:    []string{"displayName"},
	}
}

func siteKind() *kind {
	return &kind{
		name:   "site",
		set:    "sites",
		page:   200,
		max:    999,
		always: []string{"id"},
		search: []string{"displayName", "name"},
	}
}

func (t *tenant) addOthers() {
	for _, name := range []string{"Contoso Sync", "Contoso Portal"} {
		appID := ID("app:" + name)
		t.add(t.apps, object{"id": ID(name), "appId": appID, "displayName": name, "signInAudience": "AzureADMyOrg"})
		t.add(t.principals, object{
			"id":                   ID("sp:" + name),
			"appId":                appID,
			"displayName":          name,
			"servicePrincipalType": "Application",
		})
	}
	for name, path := range map[string]string{
		"Contoso":        "",
		"Team Marketing": "/sites/marketing",
		"Team HR":        "/sites/hr",
	} {
		s := t.add(t.sites, object{
			"id":             "contoso.sharepoint.com," + ID(name) + "," + ID("web:"+name),
			"displayName":    name,
			"name":           strings.TrimPrefix(path, "/sites/"),
			"webUrl":         "https://contoso.sharepoint.com" + path,
			"siteCollection": object{"hostname": "contoso.sharepoint.com"},
		})
		t.addDrive(DriveID(name), s.id, name)
	}
}

func directoryRoutes() []route {
	return []route{
		{method: "GET", pattern: "directoryobjects/{object}", handle: (*call).getDirectoryObject, need: objectRead(),
			units: 1},
		{method: "POST", pattern: "directoryobjects/getbyids", handle: (*call).getByIDs, need: objectRead(), units: 5},
		{method: "GET", pattern: "applications", handle: (*call).listApps, need: applicationRead(), units: 2},
		{method: "GET", pattern: "applications/{app}", handle: (*call).getApp, need: applicationRead(), units: 1},
		{method: "GET", pattern: "serviceprincipals", handle: (*call).listPrincipals, need: applicationRead(), units: 1},
		{method: "GET", pattern: "organization", handle: (*call).listOrganization, need: organizationRead(), units: 1},
	}
}

func (c *call) getDirectoryObject() (answer, error) {
	e := c.t.directory(c.keys["object"].Text)
	if e == nil {
		return answer{}, noObject(c.keys["object"].Text)
	}
	a, err := c.answerOne(e, "directoryObjects")
	if err == nil {
		a.body["@odata.type"] = e.kind.odataType()
	}
	return a, err
}

func (c *call) getByIDs() (answer, error) {
	o, err := c.readObject()
	if err != nil {
		return answer{}, err
	}
	asked, _ := o["ids"].([]any)
	var ids []string
	for _, id := range asked {
		if text, ok := id.(string); ok {
			ids = append(ids, text)
		}
	}
	return c.answerList(nilKind(), "directoryObjects", c.t.directoryAll(ids))
}

// nilKind makes every object of an answer name its type.
func nilKind() *kind { return &kind{name: "directoryObject", page: 1000, max: 1000, directory: true} }

func (c *call) listApps() (answer, error) {
	return c.answerList(c.t.apps.kind, "applications", c.t.apps.live())
}

func (c *call) listPrincipals() (answer, error) {
	return c.answerList(c.t.principals.kind, "servicePrincipals", c.t.principals.live())
}

func (c *call) getApp() (answer, error) {
	key := c.keys["app"]
	e := c.t.apps.get(key.Text)
	if id, ok := key.Args["appid"]; ok {
		e = c.t.apps.find("appId", id)
	}
	if e == nil {
		return answer{}, noObject(key.Text)
	}
	return c.answerOne(e, "applications")
}

func (c *call) listOrganization() (answer, error) {
	return ok(object{
		"@odata.context": c.root() + "/$metadata#organization",
		"value": []object{
			{
				"id":          c.t.id,
				"displayName": "Contoso",
				"tenantType":  "AAD",
				"verifiedDomains": []object{
					{"name": "contoso.com", "isDefault": true},
					{"name": "contoso.onmicrosoft.com", "isInitial": true},
				},
			},
		},
	}), nil
}

func siteRoutes() []route {
	return []route{
		{method: "GET", pattern: "sites", handle: (*call).listSites, need: siteRead()},
		{method: "GET", pattern: "sites/{site}", handle: (*call).getSite, need: siteRead()},
		{method: "GET", pattern: "sites/{site}/:path", handle: (*call).getSite, need: siteRead()},
		{method: "GET", pattern: "sites/{site}/lists", handle: (*call).listLists, need: siteRead()},
		{method: "GET", pattern: "sites/{site}/:path/lists", handle: (*call).listLists, need: siteRead()},
	}
}

func (c *call) listSites() (answer, error) {
	text := strings.Trim(strings.ToLower(c.reading.Options["search"]), `"*`)
	var found []*entity
	for _, e := range c.t.sites.live() {
		if strings.Contains(strings.ToLower(e.text("displayName")), text) {
			found = append(found, e)
		}
	}
	return c.answerList(&kind{name: "site", page: 200, max: 999}, "sites", found)
}

// site finds the one that the path names: by id, root, or host and path.
func (c *call) site() (*entity, error) { return c.siteAt(c.keys["path"]) }

// siteAt is site for a path below the host; the zero Segment is none.
func (c *call) siteAt(path Segment) (*entity, error) {
	key := c.keys["site"].Text
	if e := c.t.sites.get(key); e != nil {
		return e, nil
	}
	switch {
	case strings.EqualFold(key, "root") || strings.EqualFold(key, "contoso.sharepoint.com") && !path.Path:
		return c.t.sites.find("displayName", "Contoso"), nil
	case strings.EqualFold(key, "contoso.sharepoint.com"):
		if e := c.t.sites.find("webUrl", "https://contoso.sharepoint.com/"+path.Text); e != nil {
			return e, nil
		}
	}
	return nil, noItem()
}

func (c *call) getSite() (answer, error) {
	s, err := c.site()
	if err != nil {
		return answer{}, err
	}
	return c.answerOne(s, "sites")
}

func (c *call) listLists() (answer, error) {
	s, err := c.site()
	if err != nil {
		return answer{}, err
	}
	return ok(object{"@odata.context": c.root() + "/$metadata#sites('" + s.id + "')/lists", "value": []object{{
		"id": ID("list:" + s.id), "displayName": "Documents", "list": object{"template": "documentLibrary"},
	}}}), nil
}

func otherRoutes() []route {
	return []route{
		{method: "GET", pattern: "reports/**", handle: (*call).report, need: reportRead()},
		{method: "POST", pattern: "$batch", handle: (*call).batch, unlocked: true},
		{method: "POST", pattern: "teams", handle: (*call).createTeam, need: teamCreate()},
	}
}

// report sends the caller to a CSV file on the foreign host.
func (c *call) report() (answer, error) {
	if len(c.rest) != 1 || !c.rest[0].Call {
		return answer{}, noSegment("reports")
	}
	period := c.rest[0].Args["period"]
	if period == "" && c.rest[0].Args["date"] == "" {
		return answer{}, badRequest("A period or a date is needed.")
	}
	a := empty(http.StatusFound)
	a.set("Location", c.s.signed("/report/"+c.rest[0].Name()))
	return a, nil
}

// createTeam is a 202 whose Location is relative and has no version.
func (c *call) createTeam() (answer, error) {
	a := empty(http.StatusAccepted)
	id := newGUID()
	a.set("Location", "/teams('"+id+"')/operations('"+newGUID()+"')")
	a.set("Content-Location", "/teams('"+id+"')")
	return a, nil
}
