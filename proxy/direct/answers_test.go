//go:build unix

package direct_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"graphproxy/proxy/direct"
)

// answer is the text that a server writes, and the expected response.
type answer struct {
	name   string
	method string // "": GET
	text   string
	closes bool // the server closes the connection after it

	fails  bool // there is no response
	status int
	body   string
	cut    bool // the body ends with an error
	kept   bool // the next request goes out on the same connection
}

const (
	head    = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	chunked = head + "Transfer-Encoding: chunked\r\n\r\n"
	early   = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
)

func answers() []answer {
	return []answer{
		{
			name:   "a body with its length",
			text:   head + "Content-Length: 2\r\n\r\n{}",
			status: 200,
			body:   "{}",
			kept:   true,
		},
		{name: "no body", text: head + "Content-Length: 0\r\n\r\n", status: 200, kept: true},
		{name: "a body in a chunk", text: chunked + "2\r\n{}\r\n0\r\n\r\n", status: 200, body: "{}", kept: true},
		{
			name:   "a body in chunks",
			text:   chunked + "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
			status: 200,
			body:   "{}",
			kept:   true,
		},
		{name: "no chunk but the last", text: chunked + "0\r\n\r\n", status: 200, kept: true},
		{
			name:   "chunks with capital digits",
			text:   chunked + "A\r\n0123456789\r\n0\r\n\r\n",
			status: 200,
			body:   "0123456789",
			kept:   true,
		},
		{
			name:   "a chunk with an extension",
			text:   chunked + "2;a=b\r\n{}\r\n0;c\r\n\r\n",
			status: 200,
			body:   "{}",
			kept:   true,
		},
		{
			name:   "a chunk size with spaces behind",
			text:   chunked + "2 \t\r\n{}\r\n0\r\n\r\n",
			status: 200,
			body:   "{}",
			kept:   true,
		},
		{
			name:   "a chunk size with zeros before",
			text:   chunked + "0002\r\n{}\r\n00\r\n\r\n",
			status: 200,
			body:   "{}",
			kept:   true,
		},
		{
			name:   "trailers",
			text:   chunked + "2\r\n{}\r\n0\r\nX-Evil: 1\r\nContent-Length: 5\r\n\r\n",
			status: 200,
			body:   "{}",
			kept:   true,
		},
		{
			name:   "a trailer without a colon",
			text:   chunked + "2\r\n{}\r\n0\r\n0\r\n\r\n",
			status: 200,
			body:   "{}",
			cut:    true,
		},
		{
			name:   "a trailer with a space before the colon",
			text:   chunked + "2\r\n{}\r\n0\r\nX-A : 1\r\n\r\n",
			status: 200,
			body:   "{}",
			cut:    true,
		},
		{
			name:   "a trailer in two lines",
			text:   chunked + "2\r\n{}\r\n0\r\nX-A: 1\r\n 2\r\n\r\n",
			status: 200,
			body:   "{}",
			cut:    true,
		},
		{name: "a body until the end", text: head + "\r\n{}", closes: true, status: 200, body: "{}"},
		{
			name:   "Connection: close",
			text:   head + "Connection: close\r\nContent-Length: 2\r\n\r\n{}",
			status: 200,
			body:   "{}",
		},
		{
			name:   "Connection: close with chunks",
			text:   head + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
			status: 200,
			body:   "{}",
		},
		{name: "HTTP/1.0", text: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", status: 200, body: "{}"},
		{
			name:   "HTTP/1.0 with keep-alive",
			text:   "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}",
			status: 200,
			body:   "{}",
			kept:   true,
		},
		{name: "204", text: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, kept: true},
		{
			name:   "304 with a length",
			text:   "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n",
			status: 304,
			kept:   true,
		},
		{
			name:   "HEAD with a length",
			method: "HEAD",
			text:   head + "Content-Length: 100\r\n\r\n",
			status: 200,
			kept:   true,
		},
		{name: "HEAD with chunks announced", method: "HEAD", text: chunked, status: 200, kept: true},
		{
			name:   "no reason beside the status",
			text:   "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}",
			status: 200,
			body:   "{}",
			kept:   true,
		},
		{
			name:   "lines that end with LF alone",
			text:   "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
			status: 200,
			body:   "{}",
			kept:   true,
		},
		{
			name:   "a header in two lines",
			text:   head + "X-A: 1\r\n 2\r\nContent-Length: 2\r\n\r\n{}",
			status: 200,
			body:   "{}",
			kept:   true,
		},
		{
			name:   "the same length twice",
			text:   head + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
			status: 200,
			body:   "{}",
			kept:   true,
		},
		{
			name:   "a header without a value",
			text:   head + "X-A:\r\nContent-Length: 2\r\n\r\n{}",
			status: 200,
			body:   "{}",
			kept:   true,
		},
		{
			name:   "hints before",
			text:   early + head + "Content-Length: 2\r\n\r\n{}",
			status: 200,
			body:   "{}",
			kept:   true,
		},
		{
			name:   "continue before",
			text:   "HTTP/1.1 100 Continue\r\n\r\n" + head + "Content-Length: 2\r\n\r\n{}",
			status: 200,
			body:   "{}",
			kept:   true,
		},
		{
			name:   "ten informational answers",
			text:   strings.Repeat(early, 10) + head + "Content-Length: 2\r\n\r\n{}",
			status: 200,
			body:   "{}",
			kept:   true,
		},

		{
			name:  "eleven informational answers",
			text:  strings.Repeat(early, 11) + head + "Content-Length: 2\r\n\r\n{}",
			fails: true,
		},
		{name: "hints and then the end", text: early, closes: true, fails: true},
		{
			name:   "switching protocols, which was not asked for",
			text:   "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello",
			status: 101,
		},
		{name: "nothing", closes: true, fails: true},
		{name: "half a status line", text: "HTTP/1.1 2", closes: true, fails: true},
		{name: "half a header", text: "HTTP/1.1 200 OK\r\nContent-Le", closes: true, fails: true},
		{name: "what is not HTTP", text: "220 mail.contoso.com ESMTP\r\n\r\n", fails: true},
		{name: "a status of two digits", text: "HTTP/1.1 20 OK\r\n\r\n", fails: true},
		{name: "a status that is no number", text: "HTTP/1.1 2x0 OK\r\n\r\n", fails: true},
		{name: "HTTP/2.0", text: "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", fails: true},
		{
			name:  "a length and chunks",
			text:  head + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
			fails: true,
		},
		{
			name:  "chunks and a length",
			text:  head + "Transfer-Encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
			fails: true,
		},
		{
			name:  "a length and chunks in another letter case",
			text:  head + "CONTENT-LENGTH: 2\r\ntransfer-encoding: CHUNKED\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
			fails: true,
		},
		{
			name:  "chunks in HTTP/1.0",
			text:  "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
			fails: true,
		},
		{name: "two lengths", text: head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", fails: true},
		{name: "two lengths in one line", text: head + "Content-Length: 2, 2\r\n\r\n{}", fails: true},
		{name: "a length with a sign", text: head + "Content-Length: +2\r\n\r\n{}", fails: true},
		{name: "a negative length", text: head + "Content-Length: -2\r\n\r\n{}", fails: true},
		{name: "a length in hexadecimal digits", text: head + "Content-Length: 0x2\r\n\r\n{}", fails: true},
		{
			name:  "a length that is too great",
			text:  head + "Content-Length: 99999999999999999999\r\n\r\n{}",
			fails: true,
		},
		{name: "an unknown transfer encoding", text: head + "Transfer-Encoding: gzip\r\n\r\n{}", fails: true},
		{
			name:  "two transfer encodings",
			text:  head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			fails: true,
		},
		{
			name:  "two transfer encodings in one line",
			text:  head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
			fails: true,
		},
		{name: "a space before the colon of a length", text: head + "Content-Length : 2\r\n\r\n{}", fails: true},
		{
			name:  "a tab before the colon of an encoding",
			text:  head + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
			fails: true,
		},
		{name: "a header line without a colon", text: head + "Content-Length 2\r\n\r\n{}", fails: true},
		{
			name:  "a carriage return in a header line",
			text:  head + "X-A: 1\rContent-Length: 9\r\nContent-Length: 2\r\n\r\n{}",
			fails: true,
		},
		{
			name:  "a header that is too long",
			text:  head + "X-A: " + strings.Repeat("x", 3000) + "\r\n\r\n",
			fails: true,
		},

		{
			name:   "a body that is shorter than its length",
			text:   head + "Content-Length: 5\r\n\r\n{}",
			closes: true,
			status: 200,
			body:   "{}",
			cut:    true,
		},
		{
			name:   "a chunk that is cut",
			text:   chunked + "5\r\n{}",
			closes: true,
			status: 200,
			body:   "{}",
			cut:    true,
		},
		{
			name:   "chunks without the last",
			text:   chunked + "2\r\n{}\r\n",
			closes: true,
			status: 200,
			body:   "{}",
			cut:    true,
		},
		{
			name:   "chunks without the end of the last",
			text:   chunked + "2\r\n{}\r\n0\r\n",
			closes: true,
			status: 200,
			body:   "{}",
			cut:    true,
		},
		{name: "a chunk size that is none", text: chunked + "zz\r\n{}\r\n0\r\n\r\n", status: 200, cut: true},
		{name: "an empty chunk size", text: chunked + "\r\n{}\r\n0\r\n\r\n", status: 200, cut: true},
		{name: "a chunk size with a sign", text: chunked + "+2\r\n{}\r\n0\r\n\r\n", status: 200, cut: true},
		{name: "a chunk size with a prefix", text: chunked + "0x2\r\n{}\r\n0\r\n\r\n", status: 200, cut: true},
		{
			name:   "a chunk size of 17 digits",
			text:   chunked + "00000000000000002\r\n{}\r\n0\r\n\r\n",
			status: 200,
			cut:    true,
		},
		{name: "a space before a chunk size", text: chunked + " 2\r\n{}\r\n0\r\n\r\n", status: 200, cut: true},
		{
			name:   "a chunk size that ends with LF alone",
			text:   chunked + "2\n{}\r\n0\r\n\r\n",
			status: 200,
			cut:    true,
		},
		{
			name:   "a carriage return in an extension",
			text:   chunked + "2;a\rb\r\n{}\r\n0\r\n\r\n",
			status: 200,
			cut:    true,
		},
		{
			name:   "a chunk longer than its size",
			text:   chunked + "2\r\n{}{}\r\n0\r\n\r\n",
			status: 200,
			body:   "{}",
			cut:    true,
		},
		{
			name:   "a chunk that ends with LF alone",
			text:   chunked + "2\r\n{}\n0\r\n\r\n",
			status: 200,
			body:   "{}",
			cut:    true,
		},

		{
			name:   "a second answer behind",
			text:   head + "Content-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
			status: 200,
			body:   "{}",
		},
		{
			name:   "a second answer behind chunks",
			text:   chunked + "2\r\n{}\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
			status: 200,
			body:   "{}",
		},
		{name: "one byte behind", text: head + "Content-Length: 2\r\n\r\n{}\n", status: 200, body: "{}"},
		{name: "a body with 204", text: "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}", status: 204},
		{name: "a body with 304", text: "HTTP/1.1 304 Not Modified\r\n\r\n{}", status: 304},
		{name: "a body for HEAD", method: "HEAD", text: head + "Content-Length: 2\r\n\r\n{}", status: 200},
		{name: "the end behind", text: head + "Content-Length: 2\r\n\r\n{}", closes: true, status: 200, body: "{}"},
	}
}

func TestAnAnswerIsReadOneWayOrRefused(t *testing.T) {
	for _, tt := range answers() {
		t.Run(tt.name, func(t *testing.T) {
			tt.run(t, tt.text)
			if step := 1 + len(tt.text)/200; !testing.Short() {
				for at := step; at < len(tt.text); at += step {
					tt.run(t, tt.text[:at], tt.text[at:])
				}
			}
			tt.run(t, strings.Split(tt.text, "")...)
		})
	}
}

// run answers one request with the pieces and sends another one.
func (tt answer) run(t *testing.T, pieces ...string) {
	t.Helper()
	s := newServer(tt.closes, pieces...)
	d := s.transport(t, direct.Options{MaxHeaderBytes: 200 + len(early)*11})
	method := tt.method
	if method == "" {
		method = "GET"
	}
	res, err := d.RoundTrip(request(t, method, ""))
	if err == nil {
		defer res.Body.Close()
	}
	switch {
	case tt.fails != (err != nil):
		t.Fatalf("in %d pieces: error %v, want one: %t", len(pieces), err, tt.fails)
	case err != nil:
		var e *direct.Error
		if !errors.As(err, &e) || !e.Begun || e.Reused || e.Answered != (tt.text != "") {
			t.Errorf("in %d pieces: error %#v", len(pieces), err)
		}
	default:
		tt.compare(t, res, len(pieces))
	}
	<-s.written
	next, err := d.RoundTrip(request(t, "GET", ""))
	if err != nil || next.StatusCode != 204 {
		t.Fatalf("in %d pieces: the next request: %v, %v", len(pieces), next, err)
	}
	if kept := s.dialled.Load() == 1; kept != tt.kept {
		t.Errorf("in %d pieces: connection kept: %t, want %t", len(pieces), kept, tt.kept)
	}
}

func (tt answer) compare(t *testing.T, res *http.Response, pieces int) {
	t.Helper()
	body, err := io.ReadAll(res.Body)
	must(t, res.Body.Close())
	got := fmt.Sprintf("%d %q cut off: %t", res.StatusCode, body, err != nil)
	want := fmt.Sprintf("%d %q cut off: %t", tt.status, tt.body, tt.cut)
	if got != want {
		t.Errorf("in %d pieces: %s (%v), want %s", pieces, got, err, want)
	}
}
