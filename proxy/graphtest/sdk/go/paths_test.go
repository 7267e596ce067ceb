package recipe

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"testing"

	"github.com/microsoft/kiota-abstractions-go"
	core "github.com/microsoftgraph/msgraph-sdk-go-core"
)

// TestPaths needs graphproxy in front of a Graph with the drive GRAPH_DRIVE. Kiota's clients address files and sites by
// their paths: the path is the key, so the client escapes it into one segment. The URL templates are those of
// msgraph-sdk-go.
func TestPaths(t *testing.T) {
	if os.Getenv("GRAPH_DRIVE") == "" {
		t.Skip("needs GRAPH_DRIVE; go test -run TestPublishedClients ./cmd/graphproxy sets it")
	}
	watch := &watch{t: t}
	client := core.GetDefaultClient(&core.GraphClientOptions{})
	watch.next, client.Transport = client.Transport, watch
	adapter, err := newAdapter(client)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for _, path := range []string{
		"Reports/2026/q1/summary.txt", "Reports/2026/q1/50% done.txt", "Reports/Ryan's files/doc (1) #2.txt",
		"Übersicht.txt",
	} {
		if text, err := content(ctx, adapter, "root:/"+path+":"); err != nil || len(text) == 0 {
			t.Errorf("%s: %q, error %v", path, text, err)
		}
	}
	t.Run("what is uploaded comes back", func(t *testing.T) {
		const path = "root:/Reports/a & b + c, Go.txt:"
		put := drive(path, "/content")
		put.Method = abstractions.PUT
		put.SetStreamContentAndContentType([]byte("from Kiota"), "text/plain")
		if err := adapter.SendNoContent(ctx, put, nil); err != nil {
			t.Fatal(err)
		}
		if text, err := content(ctx, adapter, path); err != nil || !bytes.Equal(text, []byte("from Kiota")) {
			t.Errorf("%q, error %v", text, err)
		}
	})
	for _, id := range []string{"contoso.sharepoint.com:/sites/hr", "contoso.sharepoint.com:/sites/hr:"} {
		found, err := adapter.Send(ctx, site(id, ""), newUser, nil)
		if err != nil || *found.(*user).displayName != "Team HR" {
			t.Errorf("site %s: error %v", id, err)
		}
	}
	for _, request := range []*abstractions.RequestInformation{
		drive("root:/Salaries/2026.csv:", "/content"), drive("root:/SALARIES/2026.csv:", ""),
		site("contoso.sharepoint.com:/sites/marketing", ""),
	} {
		_, err := adapter.Send(ctx, request, newItem, nil)
		if refused := new(abstractions.ApiError); !errors.As(err, &refused) ||
			refused.ResponseStatusCode != http.StatusForbidden {
			t.Errorf("error %v", err)
		}
	}
	t.Run("a batch answers what is allowed and refuses in its place what is not", func(t *testing.T) {
		batch := core.NewBatchRequest(adapter)
		for _, request := range []*abstractions.RequestInformation{
			drive("root:/Reports/2026:", "/children"), site("contoso.sharepoint.com:/sites/hr:", "/lists"),
			drive("root:/Salaries/2026.csv:", "/content"),
		} {
			if _, err := batch.AddBatchRequestStep(*request); err != nil {
				t.Fatal(err)
			}
		}
		answers, err := batch.Send(ctx, adapter)
		if err != nil {
			t.Fatal(err)
		}
		var statuses []int32
		for _, item := range batch.GetRequests() {
			statuses = append(statuses, *answers.GetResponseById(*item.GetId()).GetStatus())
		}
		if !slices.Equal(statuses, []int32{200, 200, 403}) {
			t.Errorf("%v", statuses)
		}
	})
	if watch.answers < 10 {
		t.Error("the client did not use the transport that looks at its answers")
	}
}

// drive is Drives().ByDriveId(...).Items().ByDriveItemId(path), and what is below it.
func drive(path, below string) *abstractions.RequestInformation {
	return abstractions.NewRequestInformationWithMethodAndUrlTemplateAndPathParameters(abstractions.GET,
		"{+baseurl}/drives/{drive%2Did}/items/{driveItem%2Did}"+below, map[string]string{
			"drive%2Did":     os.Getenv("GRAPH_DRIVE"),
			"driveItem%2Did": path,
		})
}

// site is Sites().BySiteId(id), and what is below it.
func site(id, below string) *abstractions.RequestInformation {
	return abstractions.NewRequestInformationWithMethodAndUrlTemplateAndPathParameters(abstractions.GET,
		"{+baseurl}/sites/{site%2Did}"+below, map[string]string{"site%2Did": id})
}

// content is the bytes of a file.
func content(ctx context.Context, adapter abstractions.RequestAdapter, path string) ([]byte, error) {
	answer, err := adapter.SendPrimitive(ctx, drive(path, "/content"), "[]byte", nil)
	if err != nil {
		return nil, err
	}
	return answer.([]byte), nil
}
