// Package recipe_test is the recipe of docs/sdks.md for Go, and what it is checked with. It is a module of its own, so that
// graphproxy's go.mod stays small.
package recipe_test

// recipe: begin
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

// key shows graphproxy, and nobody else, the app's key.
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

// recipe: end
