package graphtest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// object is an entity's properties, or any other JSON object, as it goes out.
type object = map[string]any

// kind is what the entities of one type have in common.
type kind struct {
	name      string   // "user": its type is microsoft.graph.user
	set       string   // "users", as contexts name it
	defaults  []string // properties that are answered when there is no $select; nil is all
	always    []string // properties that are answered with every $select
	search    []string // properties that $search searches
	hidden    []string // properties that are never answered
	page, max int      // page sizes: by default, and at most
	directory bool     // identity service: resource units, advanced queries
	outlook   bool     // mailbox: links with $skip instead of $skiptoken
}

func (k *kind) odataType() string { return "#microsoft.graph." + k.name }

// entity is one object of the tenant. The tenant's lock guards it.
type entity struct {
	kind    *kind
	id      string
	props   object
	changed int // the tenant's clock at the last change
	removed bool
}

func (e *entity) text(property string) string {
	s, _ := e.props[property].(string)
	return s
}

// table is the entities of one set in the order of their creation. Removed ones stay, so that deltas can report them.
type table struct {
	kind *kind
	rows []*entity
	byID map[string]*entity
}

func newTable(k *kind) *table { return &table{kind: k, byID: map[string]*entity{}} }

func (t *table) live() []*entity {
	var out []*entity
	for _, e := range t.rows {
		if !e.removed {
			out = append(out, e)
		}
	}
	return out
}

// get finds a live entity by id. Letter case counts, except in GUIDs.
func (t *table) get(id string) *entity {
	e := t.byID[id]
	if e == nil && len(id) == 36 {
		e = t.byID[strings.ToLower(id)]
	}
	if e == nil || e.removed {
		return nil
	}
	return e
}

// find finds a live entity by a property's value, letter case ignored.
func (t *table) find(property, value string) *entity {
	for _, e := range t.rows {
		if s, ok := e.props[property].(string); ok && !e.removed && strings.EqualFold(s, value) {
			return e
		}
	}
	return nil
}

// freeID is the ID of a name, or a new one if an entity had it, even a removed one: the next entity of that name
// gets nothing of it.
func (t *table) freeID(name string) string {
	if id := ID(name); t.byID[id] == nil {
		return id
	}
	return newGUID()
}

// add puts a new entity into t. Its id must be in props.
func (tn *tenant) add(t *table, props object) *entity {
	e := &entity{kind: t.kind, id: props["id"].(string), props: props}
	t.rows = append(t.rows, e)
	t.byID[e.id] = e
	tn.touch(e)
	return e
}

// touch records that e changed.
func (tn *tenant) touch(e *entity) {
	tn.clock++
	e.changed = tn.clock
	if e.kind.outlook {
		e.props["@odata.etag"] = fmt.Sprintf(`W/"CQAAABYAAA%s"`,
			base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%08d", e.changed)))
		e.props["changeKey"] = fmt.Sprintf("CQAAABYAAA%08d", e.changed)
	}
}

func (tn *tenant) remove(e *entity) {
	e.removed = true
	tn.touch(e)
}

// links are the targets of one navigation property of one entity, with the changes that deltas report.
type links struct {
	ids     []string
	changes []linkChange
}

type linkChange struct {
	at      int
	id      string
	removed bool
}

func (l *links) has(id string) bool {
	for _, x := range l.ids {
		if x == id {
			return true
		}
	}
	return false
}

// link adds id to the targets, and reports whether it was new.
func (tn *tenant) link(l *links, id string) bool {
	if l.has(id) {
		return false
	}
	tn.clock++
	l.ids = append(l.ids, id)
	l.changes = append(l.changes, linkChange{at: tn.clock, id: id})
	return true
}

// unlink takes id from the targets, and reports whether it was there.
func (tn *tenant) unlink(l *links, id string) bool {
	for i, x := range l.ids {
		if x == id {
			tn.clock++
			l.ids = append(l.ids[:i:i], l.ids[i+1:]...)
			l.changes = append(l.changes, linkChange{at: tn.clock, id: id, removed: true})
			return true
		}
	}
	return false
}

// ID is the id of a named object of the demonstration tenant, the same in every process: of a user by
// userPrincipalName, of a group, an application, a service principal and a site by displayName. Letter case is ignored.
func ID(name string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(name)))
	return guid([16]byte(sum[:16]))
}

// DriveID is the id of the drive of a user (by userPrincipalName), a group or a site (by displayName).
func DriveID(owner string) string {
	sum := sha256.Sum256([]byte("drive:" + strings.ToLower(owner)))
	return "b!" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// itemID is the id of a drive item, in OneDrive's form.
func itemID(seed string) string {
	sum := sha256.Sum256([]byte("item:" + seed))
	return "01" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20])
}

// outlookID is the id of a message, folder or event, in Outlook's form: base64, where letter case counts.
func outlookID(seed string) string {
	sum := sha256.Sum256([]byte("outlook:" + seed))
	return "AAMkAD" + base64.URLEncoding.EncodeToString(sum[:30]) + "AAA="
}

func guid(b [16]byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func newGUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return guid(b)
}

func newKey() (key [32]byte) {
	rand.Read(key[:])
	return key
}

// timestamp is a time as Graph writes it.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
