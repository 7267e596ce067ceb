package graphtest

import (
	"net/http"
	"slices"
	"strings"
)

func groupKind() *kind {
	return &kind{
		name:      "group",
		set:       "groups",
		page:      100,
		max:       999,
		directory: true,
		always:    []string{"id"},
		search:    []string{"displayName", "description"},
	}
}

func (t *tenant) addGroups() {
	groups := []struct {
		name    string
		members []string
	}{
		{"Marketing", []string{"adele@contoso.com", "alex@contoso.com", "megan@contoso.com"}},
		{"Leadership", []string{"ceo@contoso.com", "lee@contoso.com", "miriam@contoso.com", "nestor@contoso.com"}},
		{"HR", []string{"diego@contoso.com"}},
		{"Sales", []string{"isaiah@contoso.com", "miriam@contoso.com"}},
		{"Legal", []string{"joni@contoso.com"}},
		{"Finance", []string{"pradeep@contoso.com"}},
		{"Developers", []string{"henrietta@contoso.com", "o'brien@contoso.com"}},
		{"All Company", nil},
	}
	for _, g := range groups {
		e := t.addGroup(g.name)
		for _, upn := range g.members {
			t.link(t.members[e.id], ID(upn))
		}
		if g.members == nil {
			for _, u := range t.users.rows {
				t.link(t.members[e.id], u.id)
			}
		}
	}
}

func (t *tenant) addGroup(name string) *entity {
	nick := strings.ToLower(strings.ReplaceAll(name, " ", ""))
	g := t.add(t.groups, object{
		"id":              t.groups.freeID(name),
		"displayName":     name,
		"description":     name + " at Contoso",
		"mailNickname":    nick,
		"mail":            nick + "@contoso.com",
		"mailEnabled":     true,
		"securityEnabled": false,
		"groupTypes":      []string{"Unified"},
		"visibility":      "Private",
		"createdDateTime": timestamp(epoch()),
	})
	t.members[g.id] = &links{}
	t.addDrive(DriveID(name), g.id, name)
	return g
}

func groupRoutes() []route {
	return []route{
		{method: "GET", pattern: "groups", handle: (*call).listGroups, need: groupRead(), units: 1},
		{method: "POST", pattern: "groups", handle: (*call).createGroup, need: groupWrite(), units: 1},
		{method: "GET", pattern: "groups/$count", handle: (*call).countGroups, need: groupRead(), units: 1},
		{method: "GET", pattern: "groups/delta", handle: (*call).deltaGroups, need: groupRead(), units: 1},
		{method: "GET", pattern: "groups/{group}", handle: (*call).getGroup, need: groupRead(), units: 1},
		{method: "PATCH", pattern: "groups/{group}", handle: (*call).patchGroup, need: groupWrite(), units: 1},
		{method: "DELETE", pattern: "groups/{group}", handle: (*call).deleteGroup, need: groupWrite(), units: 1},
		{method: "GET", pattern: "groups/{group}/members", handle: (*call).listMembers, need: memberRead(), units: 3},
		{method: "GET", pattern: "groups/{group}/transitivemembers", handle: (*call).listMembers, need: memberRead(),
			units: 5},
		{method: "GET", pattern: "groups/{group}/members/microsoft.graph.user", handle: (*call).listUserMembers,
			need: memberRead(), units: 3},
		{method: "GET", pattern: "groups/{group}/members/$count", handle: (*call).countMembers, need: memberRead(), units: 1},
		{method: "GET", pattern: "groups/{group}/members/$ref", handle: (*call).listMemberRefs, need: memberRead(), units: 1},
		{method: "POST", pattern: "groups/{group}/members/$ref", handle: (*call).addMember, need: memberWrite(), units: 1},
		{method: "DELETE", pattern: "groups/{group}/members/$ref", handle: (*call).removeMemberByID, need: memberWrite(),
			units: 1},
		{method: "DELETE", pattern: "groups/{group}/members/{user}/$ref", handle: (*call).removeMember, need: memberWrite(),
			units: 1},
		// The trap: without /$ref the request is about the member itself.
		{method: "DELETE", pattern: "groups/{group}/members/{user}", handle: (*call).deleteUser, need: userWrite(), units: 1},
		{method: "GET", pattern: "groups/{group}/members/{user}", handle: (*call).getUser, need: memberRead(), units: 1},
		{method: "GET", pattern: "groups/{group}/owners", handle: (*call).listOwners, need: memberRead(), units: 1},
	}
}

func (c *call) listGroups() (answer, error) {
	return c.answerList(c.t.groups.kind, "groups", c.t.groups.live())
}

func (c *call) countGroups() (answer, error) {
	return c.answerCount(c.t.groups.kind, c.t.groups.live())
}

func (c *call) deltaGroups() (answer, error) { return c.answerDelta(c.t.groups, "groups", c.t.members) }

func (c *call) getGroup() (answer, error) {
	g, err := c.group()
	if err != nil {
		return answer{}, err
	}
	return c.answerOne(g, "groups")
}

func (c *call) createGroup() (answer, error) {
	o, err := c.readObject()
	if err != nil {
		return answer{}, err
	}
	name, _ := o["displayName"].(string)
	if name == "" || c.t.groups.find("displayName", name) != nil {
		return answer{}, badRequest(
			"A value is required for property 'displayName' of resource 'Group', and one that is not taken.",
		)
	}
	bound, _ := o["members@odata.bind"].([]any)
	delete(o, "members@odata.bind")
	var members []string
	for _, address := range bound {
		text, _ := address.(string)
		id, err := c.objectOf(text)
		if err != nil {
			return answer{}, err
		}
		members = append(members, id)
	}
	g := c.t.addGroup(name)
	for _, id := range members {
		c.t.link(c.t.members[g.id], id)
	}
	c.merge(g, o)
	return c.created(g, "groups", c.root()+"/groups/"+g.id), nil
}

func (c *call) patchGroup() (answer, error) {
	g, err := c.group()
	if err != nil {
		return answer{}, err
	}
	return c.patch(g)
}

func (c *call) deleteGroup() (answer, error) {
	g, err := c.group()
	if err != nil {
		return answer{}, err
	}
	c.t.remove(g)
	return empty(http.StatusNoContent), nil
}

func (c *call) membersOf() ([]*entity, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	return c.t.directoryAll(c.t.members[g.id].ids), nil
}

func (c *call) listMembers() (answer, error) {
	m, err := c.membersOf()
	if err != nil {
		return answer{}, err
	}
	return c.answerList(c.t.users.kind, "directoryObjects", m)
}

func (c *call) listUserMembers() (answer, error) {
	m, err := c.membersOf()
	if err != nil {
		return answer{}, err
	}
	m = slices.DeleteFunc(m, func(e *entity) bool { return e.kind != c.t.users.kind })
	return c.answerList(c.t.users.kind, "users", m)
}

func (c *call) countMembers() (answer, error) {
	m, err := c.membersOf()
	if err != nil {
		return answer{}, err
	}
	return c.answerCount(c.t.users.kind, m)
}

func (c *call) listMemberRefs() (answer, error) {
	m, err := c.membersOf()
	if err != nil {
		return answer{}, err
	}
	return c.answerRefs(m)
}

func (c *call) listOwners() (answer, error) {
	if _, err := c.group(); err != nil {
		return answer{}, err
	}
	return c.answerList(c.t.users.kind, "directoryObjects", c.t.directoryAll([]string{ID("megan@contoso.com")}))
}

func (c *call) addMember() (answer, error) {
	g, err := c.group()
	if err != nil {
		return answer{}, err
	}
	id, err := c.reference()
	if err != nil {
		return answer{}, err
	}
	if !c.t.link(c.t.members[g.id], id) {
		return answer{}, badRequest(
			"One or more added object references already exist for the following modified properties: 'members'.",
		)
	}
	c.t.touch(g)
	return empty(http.StatusNoContent), nil
}

func (c *call) removeMember() (answer, error) {
	u, err := c.user()
	if err != nil {
		return answer{}, err
	}
	return c.unlinkMember(u.id)
}

// removeMemberByID is DELETE …/members/$ref?$id=https://graph.microsoft.com/v1.0/directoryObjects/{id}.
func (c *call) removeMemberByID() (answer, error) {
	address := c.reading.Options["id"]
	if address == "" {
		address = c.reading.Options["@id"]
	}
	id, err := c.objectOf(address)
	if err != nil {
		return answer{}, err
	}
	return c.unlinkMember(id)
}

func (c *call) unlinkMember(id string) (answer, error) {
	g, err := c.group()
	if err != nil {
		return answer{}, err
	}
	if !c.t.unlink(c.t.members[g.id], id) {
		return answer{}, noObject(id)
	}
	c.t.touch(g)
	return empty(http.StatusNoContent), nil
}
