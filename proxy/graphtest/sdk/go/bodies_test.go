package recipe

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	core "github.com/microsoftgraph/msgraph-sdk-go-core"
)

// refusal stands for the ODataError that msgraph-sdk-go generates.
type refusal struct {
	abstractions.ApiError
	main mainError
}

type mainError struct{ code, message *string }

func newRefusal(serialization.ParseNode) (serialization.Parsable, error) {
	return &refusal{ApiError: *abstractions.NewApiError()}, nil
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%d %s: %s", r.ResponseStatusCode, *r.main.code, *r.main.message)
}

func (r *refusal) Serialize(serialization.SerializationWriter) error { return nil }

func (r *refusal) GetFieldDeserializers() fields {
	return fields{"error": func(n serialization.ParseNode) error {
		_, err := n.GetObjectValue(func(serialization.ParseNode) (serialization.Parsable, error) { return &r.main, nil })
		return err
	}}
}

func (m *mainError) Serialize(serialization.SerializationWriter) error { return nil }

func (m *mainError) GetFieldDeserializers() fields {
	return fields{"code": text(&m.code), "message": text(&m.message)}
}

// TestBodies sends what apps send under rules with body:, allowed and denied. The tests of cmd/graphproxy run it.
func TestBodies(t *testing.T) {
	if os.Getenv("GRAPHPROXY_BODIES") == "" {
		t.Skip("needs GRAPHPROXY_URL with rules for bodies; go test -run UnderRulesForBodies ./cmd/graphproxy sets it")
	}
	watch := &watch{t: t}
	client := core.GetDefaultClient(&core.GraphClientOptions{})
	watch.next, client.Transport = client.Transport, watch
	adapter, err := newAdapter(client)
	if err != nil {
		t.Fatal(err)
	}
	const to = `[{"emailAddress":{"address":%q}}]`
	for _, c := range []struct {
		what, method, path, body string
		good, bad                any
	}{
		{"sendMail", "POST", "/users/adele@contoso.com/sendMail",
			`{"message":{"subject":"Hello","toRecipients":` + to + `},"saveToSentItems":true}`, "lee@contoso.com",
			"someone@example.com"},
		{"event", "POST", "/users/adele@contoso.com/events", `{"subject":"Lunch","attendees":` + to +
			`,"start":{"dateTime":"2026-12-01T12:00:00","timeZone":"UTC"},` +
			`"end":{"dateTime":"2026-12-01T13:00:00","timeZone":"UTC"}}`, "lee@contoso.com", "someone@example.com"},
		{"user", "PATCH", "/users/adele@contoso.com", `{%q:"Engineer"}`, "jobTitle", "displayName"},
		{"subscription", "POST", "/subscriptions", `{"changeType":"created","notificationUrl":%q,` +
			`"resource":"/users/adele@contoso.com/messages","expirationDateTime":"` + os.Getenv("GRAPHPROXY_BODIES") + `"}`,
			"https://hooks.contoso.com/mail", "https://example.com/mail"},
	} {
		t.Run(c.what, func(t *testing.T) {
			send := func(value any) error {
				r := get("{+baseurl}" + c.path)
				r.Method = abstractions.POST
				if c.method == "PATCH" {
					r.Method = abstractions.PATCH
				}
				r.SetStreamContentAndContentType(fmt.Appendf(nil, c.body, value), "application/json")
				return adapter.SendNoContent(t.Context(), r, abstractions.ErrorMappings{"XXX": newRefusal})
			}
			if err := send(c.good); err != nil {
				t.Errorf("allowed, and error %v", err)
			}
			err := send(c.bad)
			if refused := new(refusal); !errors.As(err, &refused) || refused.ResponseStatusCode != http.StatusForbidden {
				t.Errorf("denied, and error %v", err)
			}
			fmt.Printf("msgraph-sdk-go-core: %s: %v\n", c.what, err)
		})
	}
}
