package graphtest

import (
	"fmt"
	"strings"
	"time"
)

// tenant is Contoso. The server's lock guards it.
type tenant struct {
	id, base string
	clock    int // counts changes, for deltas
	sent     int

	users, groups, apps, principals, sites *table
	subscriptions                          *table
	managers                               map[string]string // by user id
	members                                map[string]*links // by group id
	mail                                   map[string]*mailbox
	photos                                 map[string]func() []byte // drawn when they are read
	drives                                 map[string]*drive        // by drive id
	driveOf                                map[string]string        // drive id by user, group or site id
	uploads                                map[string]*upload
}

func userKind() *kind {
	return &kind{
		name:      "user",
		set:       "users",
		page:      20,
		max:       999,
		directory: true,
		always:    []string{"id"},
		search:    []string{"displayName", "mail", "userPrincipalName"},
		defaults: []string{"businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone",
			"officeLocation", "preferredLanguage", "surname", "userPrincipalName", "id"},
	}
}

// person is a user whom tests may name.
type person struct{ upn, name, title, department string }

func people() []person {
	return []person{
		{"ceo@contoso.com", "Patti Fernandez", "Chief Executive Officer", "Executive"},
		{"adele@contoso.com", "Adele Vance", "Product Marketing Manager", "Marketing"},
		{"alex@contoso.com", "Alex Wilber", "Marketing Assistant", "Marketing"},
		{"megan@contoso.com", "Megan Bowen", "Marketing Manager", "Marketing"},
		{"diego@contoso.com", "Diego Siciliani", "HR Manager", "HR"},
		{"isaiah@contoso.com", "Isaiah Langer", "Sales Rep", "Sales"},
		{"joni@contoso.com", "Joni Sherman", "Paralegal", "Legal"},
		{"lee@contoso.com", "Lee Gu", "Director", "Manufacturing"},
		{"lynne@contoso.com", "Lynne Robbins", "Planner", "Retail"},
		{"miriam@contoso.com", "Miriam Graham", "Director", "Sales"},
		{"nestor@contoso.com", "Nestor Wilke", "Director", "Operations"},
		{"pradeep@contoso.com", "Pradeep Gupta", "Accountant", "Finance"},
		{"henrietta@contoso.com", "Henrietta Mueller", "Developer", "R&D"},
		{"o'brien@contoso.com", "Kim O'Brien", "Designer", "R&D"},
		{"no-reply@contoso.com", "Contoso", "", ""},
		{"Adele_fabrikam.com#EXT#@contoso.com", "Adele (Fabrikam)", "", ""},
	}
}

func newTenant(id, base string, users int) *tenant {
	t := &tenant{
		id:            id,
		base:          base,
		users:         newTable(userKind()),
		groups:        newTable(groupKind()),
		apps:          newTable(appKind()),
		principals:    newTable(principalKind()),
		sites:         newTable(siteKind()),
		subscriptions: newTable(subscriptionKind()),
		managers:      map[string]string{},
		members:       map[string]*links{},
		mail:          map[string]*mailbox{},
		photos:        map[string]func() []byte{},
		drives:        map[string]*drive{},
		driveOf:       map[string]string{},
		uploads:       map[string]*upload{},
	}
	t.addPeople(users)
	t.addGroups()
	t.addOthers()
	return t
}

func (t *tenant) addPeople(n int) {
	if n == 0 {
		n = 60
	}
	all := people()
	for i := len(all); i < max(n, 24); i++ {
		all = append(all, person{fmt.Sprintf("worker%02d@contoso.com", i), fmt.Sprintf("Worker %02d", i), "Operator",
			"Manufacturing"})
	}
	for i, p := range all {
		t.addPerson(p, i)
	}
	boss := ID("ceo@contoso.com")
	for i, p := range all[1:] {
		switch {
		case strings.Contains(p.upn, "#EXT#") || p.title == "":
		case p.department == "Marketing" && p.upn != "megan@contoso.com":
			t.managers[ID(p.upn)] = ID("megan@contoso.com")
		case i > 15:
			t.managers[ID(p.upn)] = ID("lee@contoso.com")
		default:
			t.managers[ID(p.upn)] = boss
		}
	}
}

func (t *tenant) addPerson(p person, i int) *entity {
	first, last, _ := strings.Cut(p.name, " ")
	var mail any = p.upn
	kind := "Member"
	if strings.Contains(p.upn, "#EXT#") {
		mail, kind = "adele@fabrikam.com", "Guest"
	}
	u := t.add(t.users, object{
		"id":                t.users.freeID(p.upn),
		"userPrincipalName": p.upn,
		"displayName":       p.name,
		"givenName":         first,
		"surname":           last,
		"mail":              mail,
		"jobTitle":          p.title,
		"department":        p.department,
		"accountEnabled":    i%7 != 6,
		"userType":          kind,
		"businessPhones":    []string{fmt.Sprintf("+1 425 555 01%02d", i%100)},
		"mobilePhone":       nil,
		"officeLocation":    fmt.Sprintf("18/%d", 2100+i),
		"preferredLanguage": "en-US",
		"createdDateTime":   timestamp(epoch().AddDate(0, 0, i)),
	})
	t.mail[u.id] = t.newMailbox(p.upn)
	t.photos[u.id] = func() []byte { return picture(byte(i)) }
	t.addDrive(DriveID(p.upn), u.id, p.upn)
	return u
}

// epoch is when the tenant was made. A fixed one, so that every process has the same.
func epoch() time.Time { return time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC) }

// user finds the one that a path's key names: id, userPrincipalName, or an alternate key.
func (c *call) user() (*entity, error) {
	key := c.keys["user"]
	name := key.Text
	if upn, ok := key.Args["userprincipalname"]; ok {
		name = upn
	}
	// Outlook writes ids with the tenant's: users('{id}@{tenant}').
	if id, at, ok := strings.Cut(name, "@"); ok && strings.EqualFold(at, c.t.id) {
		name = id
	}
	if u := c.t.users.get(name); u != nil {
		return u, nil
	}
	if u := c.t.users.find("userPrincipalName", name); u != nil {
		return u, nil
	}
	return nil, noObject(name)
}

func (c *call) group() (*entity, error) {
	key := c.keys["group"].Text
	if g := c.t.groups.get(key); g != nil {
		return g, nil
	}
	return nil, noObject(key)
}

// directory finds any directory object by id.
func (t *tenant) directory(id string) *entity {
	for _, table := range []*table{t.users, t.groups, t.apps, t.principals} {
		if e := table.get(id); e != nil {
			return e
		}
	}
	return nil
}

func (t *tenant) directoryAll(ids []string) []*entity {
	var out []*entity
	for _, id := range ids {
		if e := t.directory(id); e != nil {
			out = append(out, e)
		}
	}
	return out
}

// readObject is a JSON object in a body.
func (c *call) readObject() (object, error) {
	var o object
	if err := unmarshal(c.body, &o); err != nil || o == nil {
		return nil, badBody()
	}
	return o, nil
}
