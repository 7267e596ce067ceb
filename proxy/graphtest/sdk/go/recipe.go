// This is the recipe of docs/sdks.md for Go. It is in a module of its own, so that graphproxy's go.mod stays small.

// recipe: begin
package recipe

import (
	"context"
	"net/http"
	"net/url"
	"os"

	"github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/authentication"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	jsonserialization "github.com/microsoft/kiota-serialization-json-go"
	core "github.com/microsoftgraph/msgraph-sdk-go-core"
)

// key shows the app's key to graphproxy only.
type key struct {
	value string
	hosts *authentication.AllowedHostsValidator
}

func (k key) GetAuthorizationToken(_ context.Context, u *url.URL, _ map[string]any) (string, error) {
	if !k.hosts.IsUrlHostValid(u) {
		return "", nil
	}
	return k.value, nil
}

func (k key) GetAllowedHostsValidator() *authentication.AllowedHostsValidator { return k.hosts }

// newAdapter makes what NewGraphServiceClient of msgraph-sdk-go takes. A nil client is core's own.
func newAdapter(client *http.Client) (*core.GraphRequestAdapterBase, error) {
	proxy, err := url.Parse(os.Getenv("GRAPHPROXY_URL")) // https://graphproxy.contoso.com
	if err != nil {
		return nil, err
	}
	hosts, err := authentication.NewAllowedHostsValidatorErrorCheck([]string{proxy.Hostname()})
	if err != nil {
		return nil, err
	}
	shown := authentication.NewBaseBearerTokenAuthenticationProvider(key{os.Getenv("GRAPHPROXY_KEY"), hosts})
	adapter, err := core.NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		shown, core.GraphClientOptions{}, nil, nil, client)
	if err != nil {
		return nil, err
	}
	abstractions.RegisterDefaultSerializer(func() serialization.SerializationWriterFactory {
		return jsonserialization.NewJsonSerializationWriterFactory()
	}) // msgraph-sdk-go does these two itself
	abstractions.RegisterDefaultDeserializer(func() serialization.ParseNodeFactory {
		return jsonserialization.NewJsonParseNodeFactory()
	})
	adapter.SetBaseUrl(proxy.JoinPath("v1.0").String())
	return adapter, nil
}

func everybody(ctx context.Context, adapter abstractions.RequestAdapter) ([]*user, error) {
	first, err := adapter.Send(ctx, get("{+baseurl}/users?%24select=id,displayName&%24top=20"), newPage, nil)
	if err != nil {
		return nil, err
	}
	pages, err := core.NewPageIterator[*user](first, adapter, newPage)
	if err != nil {
		return nil, err
	}
	var all []*user
	err = pages.Iterate(ctx, func(u *user) bool { all = append(all, u); return true })
	return all, err
}

func several(ctx context.Context, adapter abstractions.RequestAdapter, paths ...string) (statuses []int32, err error) {
	batch := core.NewBatchRequest(adapter)
	for _, path := range paths {
		if _, err := batch.AddBatchRequestStep(*get("{+baseurl}" + path)); err != nil {
			return nil, err
		}
	}
	answers, err := batch.Send(ctx, adapter)
	if err != nil {
		return nil, err
	}
	for _, item := range batch.GetRequests() {
		statuses = append(statuses, *answers.GetResponseById(*item.GetId()).GetStatus())
	}
	return statuses, nil
}

// What follows stands for what msgraph-sdk-go generates, as far as the recipe needs it.

func get(template string) *abstractions.RequestInformation {
	return abstractions.NewRequestInformationWithMethodAndUrlTemplateAndPathParameters(abstractions.GET, template,
		map[string]string{})
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
	return fields{
		"@odata.nextLink":  text(&p.next),
		"@odata.deltaLink": text(&p.delta),
		"value": func(n serialization.ParseNode) error {
			all, err := n.GetCollectionOfObjectValues(newUser)
			for _, u := range all {
				p.users = append(p.users, u.(*user))
			}
			return err
		},
	}
}

// recipe: end
