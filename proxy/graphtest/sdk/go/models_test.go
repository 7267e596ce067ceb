package recipe_test

import (
	"time"

	"github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/serialization"
)

// What msgraph-sdk-go generates, as far as the recipe needs it: that module takes minutes to compile.

func get(template string) *abstractions.RequestInformation {
	return abstractions.NewRequestInformationWithMethodAndUrlTemplateAndPathParameters(abstractions.GET, template, map[string]string{})
}

type fields = map[string]func(serialization.ParseNode) error

// text reads a string into p.
func text(p **string) func(serialization.ParseNode) error {
	return func(n serialization.ParseNode) (err error) { *p, err = n.GetStringValue(); return err }
}

type user struct{ id, displayName *string }

func newUser(serialization.ParseNode) (serialization.Parsable, error) { return &user{}, nil }

func (u *user) GetFieldDeserializers() fields {
	return fields{"id": text(&u.id), "displayName": text(&u.displayName)}
}

func (u *user) Serialize(w serialization.SerializationWriter) error {
	return w.WriteStringValue("displayName", u.displayName)
}

// page is a page of users, of a list or of a delta.
type page struct {
	next, delta *string
	users       []*user
}

func newPage(serialization.ParseNode) (serialization.Parsable, error) { return &page{}, nil }

func (p *page) GetOdataNextLink() *string                         { return p.next }
func (p *page) GetOdataDeltaLink() *string                        { return p.delta }
func (p *page) GetValue() []*user                                 { return p.users }
func (p *page) Serialize(serialization.SerializationWriter) error { return nil }

func (p *page) GetFieldDeserializers() fields {
	return fields{"@odata.nextLink": text(&p.next), "@odata.deltaLink": text(&p.delta), "value": func(n serialization.ParseNode) error {
		all, err := n.GetCollectionOfObjectValues(newUser)
		for _, u := range all {
			p.users = append(p.users, u.(*user))
		}
		return err
	}}
}

// session is an upload session.
type session struct {
	url     *string
	expires *time.Time
	ranges  []string
}

func newSession(serialization.ParseNode) (serialization.Parsable, error) { return &session{}, nil }

func (s *session) GetExpirationDateTime() *time.Time                 { return s.expires }
func (s *session) SetExpirationDateTime(t *time.Time)                { s.expires = t }
func (s *session) GetNextExpectedRanges() []string                   { return s.ranges }
func (s *session) SetNextExpectedRanges(ranges []string)             { s.ranges = ranges }
func (s *session) GetOdataType() *string                             { return nil }
func (s *session) GetUploadUrl() *string                             { return s.url }
func (s *session) Serialize(serialization.SerializationWriter) error { return nil }

func (s *session) GetFieldDeserializers() fields {
	return fields{
		"uploadUrl":          text(&s.url),
		"expirationDateTime": func(n serialization.ParseNode) (err error) { s.expires, err = n.GetTimeValue(); return err },
		"nextExpectedRanges": func(n serialization.ParseNode) error {
			all, err := n.GetCollectionOfPrimitiveValues("string")
			for _, r := range all {
				s.ranges = append(s.ranges, *r.(*string))
			}
			return err
		},
	}
}

// item is a file of a drive.
type item struct{ name *string }

func newItem(serialization.ParseNode) (serialization.Parsable, error) { return &item{}, nil }

func (i *item) GetFieldDeserializers() fields                     { return fields{"name": text(&i.name)} }
func (i *item) Serialize(serialization.SerializationWriter) error { return nil }
