package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// A caller sees what Graph sent before a pause, for every kind of answer.
func TestWhatGraphSentBeforeAPauseReachesTheCaller(t *testing.T) {
	tests := []struct{ name, contentType, before, after string }{
		{"JSON", "application/json", `{"value":["a"`, `]}`},
		{
			"JSON with a link before the pause", "application/json",
			`{"@odata.nextLink":"https://graph.microsoft.com/v1.0/users?$skiptoken=x",`, `"value":[]}`,
		},
		{"text", "text/plain", "before", "after"},
		{"events", "text/event-stream", "data: 1\n\n", "data: 2\n\n"},
		{"a file", "application/octet-stream", "before", "after"},
		{"a long text", "text/plain", strings.Repeat("before ", 1500), strings.Repeat("after ", 1500)},
		{"a long file", "application/octet-stream", strings.Repeat("before ", 30000), "after"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, everyone)
			seen := make(chan struct{})
			r.graph.Handle("/v1.0/test/pause", func(w http.ResponseWriter, q *http.Request) {
				w.Header().Set("Content-Type", tt.contentType)
				_, _ = io.WriteString(w, tt.before)
				_ = http.NewResponseController(w).Flush()
				select {
				case <-seen:
				case <-q.Context().Done():
				}
				_, _ = io.WriteString(w, tt.after)
			})
			q, err := http.NewRequestWithContext(t.Context(), "GET", r.server.URL+"/v1.0/test/pause", nil)
			must(t, err)
			res, err := r.server.Client().Do(q)
			must(t, err)
			defer res.Body.Close()
			before := make([]byte, len(tt.before))
			if n, err := io.ReadFull(res.Body, before[:len(before)-1]); err != nil { // the last byte may begin a link
				t.Fatalf("read %q before the pause: %v", before[:n], err)
			}
			close(seen)
			if _, err := io.ReadAll(res.Body); err != nil {
				t.Error(err)
			}
		})
	}
}
