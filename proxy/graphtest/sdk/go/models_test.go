package recipe

import (
	"time"

	"github.com/microsoft/kiota-abstractions-go/serialization"
)

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
