package recipe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/microsoft/kiota-abstractions-go"
	core "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go-core/fileuploader"
)

// TestRecipe needs graphproxy in front of a Graph of 500 users. The tests of cmd/graphproxy start them and run it.
func TestRecipe(t *testing.T) {
	if os.Getenv("GRAPHPROXY_URL") == "" {
		t.Skip("needs GRAPHPROXY_URL; go test -run TestPublishedClients ./cmd/graphproxy sets it")
	}
	watch := &watch{t: t}
	client := core.GetDefaultClient(&core.GraphClientOptions{})
	watch.next, client.Transport = client.Transport, watch
	adapter, err := newAdapter(client)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	t.Run("PageIterator reads 500 users on 25 pages", func(t *testing.T) {
		users, err := everybody(ctx, adapter)
		if err != nil || len(users) != 500 {
			t.Errorf("%d users, error %v", len(users), err)
		}
	})
	t.Run("a batch answers what is allowed and refuses in its place what is not", func(t *testing.T) {
		statuses, err := several(ctx, adapter, "/users/adele@contoso.com", "/users/ceo@contoso.com")
		if err != nil || !slices.Equal(statuses, []int32{200, 403}) {
			t.Errorf("%v, error %v", statuses, err)
		}
	})
	t.Run("a deltaLink tells the one change", func(t *testing.T) {
		name := "Lee of " + os.Getenv("GRAPHPROXY_URL")
		users, err := changed(ctx, adapter, name)
		if err != nil || len(users) != 1 || *users[0].displayName != name {
			t.Errorf("%d users, error %v", len(users), err)
		}
	})
	t.Run("LargeFileUploadTask uploads three ranges", func(t *testing.T) {
		if err := upload(ctx, adapter, filepath.Join(t.TempDir(), "go.bin")); err != nil {
			t.Error(err)
		}
	})
	t.Run("a refusal is an ApiError", func(t *testing.T) {
		_, err := adapter.Send(ctx, get("{+baseurl}/users/ceo@contoso.com"), newUser, nil)
		if refused := new(abstractions.ApiError); !errors.As(err, &refused) ||
			refused.ResponseStatusCode != http.StatusForbidden {
			t.Errorf("error %v", err)
		}
	})
	if t.Logf("%d answers, none with Graph's address unless said above", watch.answers); watch.answers <= 25 {
		t.Error("the client did not use the transport that looks at its answers")
	}
}

// changed reads a delta to its end, renames a user, and returns the changes under the deltaLink.
func changed(ctx context.Context, adapter abstractions.RequestAdapter, name string) ([]*user, error) {
	first, err := adapter.Send(ctx, get("{+baseurl}/users/delta()?%24select=displayName"), newPage, nil)
	if err != nil {
		return nil, err
	}
	all, err := core.NewPageIterator[*user](first, adapter, newPage)
	if err != nil {
		return nil, err
	}
	if err := all.Iterate(ctx, func(*user) bool { return true }); err != nil {
		return nil, err
	}
	rename := get("{+baseurl}/users/lee@contoso.com")
	rename.Method = abstractions.PATCH
	if err := rename.SetContentFromParsable(ctx, adapter, "application/json", &user{displayName: &name}); err != nil {
		return nil, err
	}
	if err := adapter.SendNoContent(ctx, rename, nil); err != nil {
		return nil, err
	}
	since, err := adapter.Send(ctx, get(*all.GetOdataDeltaLink()), newPage, nil)
	if err != nil {
		return nil, err
	}
	return since.(*page).users, nil
}

// upload makes a file and uploads it in three ranges.
func upload(ctx context.Context, adapter abstractions.RequestAdapter, path string) error {
	create := get("{+baseurl}/users/adele@contoso.com/drive/root:/Reports/go.bin:/createUploadSession")
	create.Method = abstractions.POST
	created, err := adapter.Send(ctx, create, newSession, nil)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte("Contoso "), 700*1024/8), 0o600); err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	ranges := 0
	task := fileuploader.NewLargeFileUploadTask[*item](adapter, created.(*session), file, 320*1024, newItem, nil)
	result := task.Upload(func(int64, int64) { ranges++ })
	if !result.GetUploadSucceeded() || ranges != 3 {
		return fmt.Errorf("%d ranges: %w", ranges, errors.Join(result.GetResponseErrors()...))
	}
	return nil
}

// watch searches every answer that the client gets for the address of Graph.
type watch struct {
	t       *testing.T
	next    http.RoundTripper
	answers int
}

func (w *watch) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	w.answers++
	if graph := os.Getenv("GRAPH_HOST"); bytes.Contains(body, []byte(graph)) ||
		bytes.Contains(fmt.Append(nil, answer.Header), []byte(graph)) {
		w.t.Errorf("%s answers with Graph's address: %.300s", r.URL, body)
	}
	return answer, nil
}
