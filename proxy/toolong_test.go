package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"graphproxy/proxy"
)

const longPolicy = `
version: 1
callers:
  app:
    identity: [anyone]
    allow:
      - POST /groups
      - POST /groups/{id}/members/$ref: {references: "/users/{id}"}
`

// headOf is the head of a request with a body of that length.
func headOf(target string, length int, headers ...string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "+
		"%d\r\n%s\r\n", target, length, strings.Join(headers, ""))
}

// A caller that writes its whole request before it reads gets the refusal, and not a broken pipe. The connections
// here have no buffers, so each byte that is written has been read.
func TestABodyThatIsTooLongIsReadToItsEnd(t *testing.T) {
	h := longHandler(t)
	for _, tt := range []struct{ name, head, body string }{
		{"one request", headOf("/v1.0/groups", 6<<20), strings.Repeat(" ", 6<<20)},
		{"a batch", headOf("/v1.0/$batch", 6<<20), strings.Repeat(" ", 6<<20)},
		{"a body whose references are judged", headOf("/v1.0/groups/1/members/$ref", 5<<20), strings.Repeat(" ", 5<<20)},
		{"chunks",
			"POST /v1.0/groups HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: " +
				"chunked\r\n\r\n",
			fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", 6<<20, strings.Repeat(" ", 6<<20))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			paced(t, h, func(c net.Conn) {
				if _, err := io.WriteString(c, tt.head+tt.body); err != nil {
					t.Fatalf("writing: %v", err)
				}
				readTooLong(t, c)
			})
		})
	}
}

func longHandler(t *testing.T) http.Handler {
	t.Helper()
	h, err := proxy.New(proxy.Config{
		Graph:         mustURL(t, "http://127.0.0.1:1"),
		Apps:          oneApp(fixed{}),
		Authorization: rules(t, longPolicy),
		Log:           slog.New(slog.DiscardHandler),
	})
	must(t, err)
	return h
}

// readTooLong reads the refusal, and returns when it came.
func readTooLong(t *testing.T, c net.Conn) (answered time.Time) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	must(t, err)
	if inner := read(t, res).refusal(t, 413, "invalidRequest"); inner != "bodyTooLarge" {
		t.Errorf("innerError.code %q", inner)
	}
	answered = time.Now()
	time.Sleep(time.Second) // of the test's own time: net/http closes such a connection half a second later
	return answered
}

// Reading a refused body is bounded by time and by bytes.
func TestABodyThatIsTooLongIsNotReadForEver(t *testing.T) {
	h := longHandler(t)
	t.Run("a caller that stops sending", func(t *testing.T) {
		paced(t, h, func(c net.Conn) {
			start := time.Now()
			_, err := io.WriteString(c, headOf("/v1.0/groups", 6<<20)+strings.Repeat(" ", 1<<20))
			must(t, err)
			if waited := readTooLong(t, c).Sub(start); waited < 9*time.Second || waited > 11*time.Second {
				t.Errorf("answered after %v of the test's time", waited)
			}
		})
	})
	t.Run("a caller that never stops", func(t *testing.T) {
		paced(t, h, func(c net.Conn) {
			written := make(chan int, 1)
			go func() {
				n, piece := 0, make([]byte, 1<<20)
				_, _ = io.WriteString(c, headOf("/v1.0/groups", 1<<40))
				for {
					k, err := c.Write(piece)
					if n += k; err != nil {
						break
					}
				}
				written <- n
			}()
			readTooLong(t, c)
			_ = c.Close()
			if n := <-written; n < 64<<20 || n > 66<<20 {
				t.Errorf("%d bytes were read", n)
			}
		})
	})
	t.Run("a caller that waits to be asked for the body", func(t *testing.T) {
		paced(t, h, func(c net.Conn) {
			start := time.Now()
			_, err := io.WriteString(c, headOf("/v1.0/groups", 6<<20, "Expect: 100-continue\r\n"))
			must(t, err)
			if waited := readTooLong(t, c).Sub(start); waited > time.Second { // and no 100 came before it
				t.Errorf("answered after %v of the test's time", waited)
			}
		})
	})
}
