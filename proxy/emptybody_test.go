package proxy_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const anyoneMayPost = `
version: 1
callers:
  local:
    identity: [anyone]
    allow: ["POST /users/{id}/revokeSignInSessions"]
`

// Some clients send an action without a body over HTTP/2 as content-length: 0 and an empty DATA frame. That is no
// body: it needs no media type, and is not broken JSON.
func TestABodyOfNoBytesOverHTTP2IsNone(t *testing.T) {
	for _, contentType := range []string{"", "application/json"} {
		t.Run("with the type "+contentType, func(t *testing.T) {
			r := newRig(t, anyoneMayPost)
			r.graph.Handle("POST /v1.0/users/a/revokeSignInSessions", func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNoContent)
			})
			server := httptest.NewUnstartedServer(r.handler) // with HTTP/2, which the rig's own server does not support
			server.EnableHTTP2 = true
			server.StartTLS()
			defer server.Close()
			if status := postNothing(t, server, "/v1.0/users/a/revokeSignInSessions", contentType); status != "204" {
				t.Errorf("status %s", status)
			}
		})
	}
}

// postNothing sends HEADERS with content-length: 0, and then an empty DATA frame that ends the stream. It returns the
// status.
func postNothing(t *testing.T, server *httptest.Server, path, contentType string) string {
	t.Helper()
	tlsConn, err := tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{
		RootCAs:    server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
		ServerName: "example.com",
		NextProtos: []string{"h2"},
	})
	must(t, err)
	defer tlsConn.Close()
	_, err = io.WriteString(tlsConn, http2.ClientPreface)
	must(t, err)
	conn := http2.NewFramer(tlsConn, tlsConn)
	must(t, conn.WriteSettings())
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	fields := [][2]string{
		{":method", "POST"},
		{":scheme", "https"},
		{":authority", "localhost"},
		{":path", path},
		{"content-length", "0"},
	}
	if contentType != "" {
		fields = append(fields, [2]string{"content-type", contentType})
	}
	for _, f := range fields {
		must(t, enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	must(t, conn.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true}))
	must(t, conn.WriteData(1, true, nil))
	for {
		frame, err := conn.ReadFrame()
		must(t, err)
		if headers, ok := frame.(*http2.HeadersFrame); ok {
			status := ""
			dec := hpack.NewDecoder(4096, func(f hpack.HeaderField) {
				if f.Name == ":status" {
					status = f.Value
				}
			})
			_, err := dec.Write(headers.HeaderBlockFragment())
			must(t, err)
			return status
		}
	}
}
