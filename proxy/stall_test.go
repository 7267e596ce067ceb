package proxy_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"graphproxy/proxy"
)

const mayTest = `
version: 1
callers:
  app:
    identity: [anyone]
    allow:
      - ANY /test/**
      - GET /users:
          app: other
`

// appAndOther are the default app and another one.
type appAndOther [2]*proxy.App

func (a appAndOther) App(name, _ string) *proxy.App {
	if name == "other" {
		return a[1]
	}
	return a[0]
}

// stalling runs graphproxy between a caller and a Graph that the function graph plays on each connection, in a time
// of its own. use gets the caller's connection. It returns the records.
func stalling(t *testing.T, graph func(c net.Conn, r *bufio.Reader), use func(c net.Conn)) []map[string]any {
	t.Helper()
	audit := new(lines)
	synctest.Test(t, func(t *testing.T) {
		h, err := proxy.New(proxy.Config{
			Graph:         mustURL(t, "http://127.0.0.1:1"),
			Apps:          appAndOther{{Tenant: tenant, Tokens: fixed{}}, {Tenant: tenant, Tokens: fixed{}}},
			Authorization: rules(t, mayTest),
			Audit:         audit,
			Log:           slog.New(slog.DiscardHandler),
		})
		must(t, err)
		var there []net.Conn
		proxy.OnDial(h, func() (net.Conn, error) {
			near, far := net.Pipe()
			there = append(there, far)
			go graph(far, bufio.NewReader(far))
			return near, nil
		})
		l := newPipes()
		server := proxy.NewServer(h, slog.New(slog.DiscardHandler))
		go func() { _ = server.Serve(l) }()
		c := l.dial()
		use(c)
		_ = c.Close()
		_ = server.Close()
		for _, c := range there {
			_ = c.Close()
		}
		time.Sleep(time.Second) // net/http lingers for half of one
		synctest.Wait()
	})
	var records []map[string]any
	for _, line := range audit.all() {
		var rec map[string]any
		must(t, json.Unmarshal([]byte(line), &rec))
		records = append(records, rec)
	}
	return records
}

// after is a Graph that reads a request whole, writes an answer, and does nothing more.
func after(answer string) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		_, _ = io.WriteString(c, answer)
	}
}

func TestAnAnswerThatStallsIsEnded(t *testing.T) {
	const get = "GET /v1.0/test/x HTTP/1.1\r\nHost: localhost\r\n\r\n"
	post := func(body string) string {
		return fmt.Sprintf("POST /v1.0/$batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
			"Content-Length: %d\r\n\r\n%s", len(body), body)
	}
	const item, other = `{"id":"1","method":"GET","url":"/test/x"}`, `{"id":"2","method":"GET","url":"/users"}`
	for _, tt := range []struct {
		name, request, answer string
		status                int
		body                  string // a part of it
		cut                   bool   // the answer does not end as it should
		graph                 float64
	}{
		{
			"behind its header",
			get,
			"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\nEtag: x\r\n\r\n",
			504,
			`"code":"graphStalled"`,
			false,
			200,
		},
		{
			"behind its header, in chunks",
			get,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n",
			504,
			`"code":"graphStalled"`,
			false,
			200,
		},
		{
			"behind the header of JSON, in chunks",
			get,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n",
			504,
			`"code":"graphStalled"`,
			false,
			200,
		},
		{
			"in the length of a chunk",
			get,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n5",
			504,
			`"code":"graphStalled"`,
			false,
			200,
		},
		{
			"of an error",
			get,
			"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\n",
			504,
			`"code":"graphStalled"`,
			false,
			503,
		},
		{
			"in the middle",
			get,
			"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nContent-Type: text/plain\r\n\r\nhello",
			200,
			"hello",
			true,
			200,
		},
		{
			"in the middle, in chunks",
			get,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n5\r\nhello\r\n",
			200,
			"hello",
			true,
			200,
		},
		{
			"before the end of the chunks",
			get,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n2\r\n{}\r\n",
			200,
			"{}",
			true,
			200,
		},
		{
			"a batch",
			post(`{"requests":[` + item + `]}`),
			"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nContent-Type: application/json\r\n\r\n{\"responses\":[",
			504,
			`"code":"graphStalled"`,
			false,
			200,
		},
		{
			"a batch, between answers",
			post(`{"requests":[` + item + `,{"id":"2","method":"GET","url":"/test/y"}]}`),
			"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nContent-Type: application/json\r\n\r\n" +
				"{\"responses\":[{\"id\":\"1\",\"status\":200,\"headers\":{},\"body\":{}},",
			504,
			`"code":"graphStalled"`,
			false,
			200,
		},
		{
			"a batch, as a whole",
			post(`{"requests":[` + item + `]}`),
			"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nContent-Length: 500\r\n\r\n",
			504,
			`"code":"graphStalled"`,
			false,
			429,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			records := stalling(t, after(tt.answer), func(c net.Conn) {
				start := time.Now()
				_, _ = io.WriteString(c, tt.request)
				res, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Error(err)
					return
				}
				text, err := io.ReadAll(res.Body)
				if took := time.Since(start); took < 100*time.Second || took > 101*time.Second {
					t.Errorf("it ended after %s", took)
				}
				if res.StatusCode != tt.status || !strings.Contains(string(text), tt.body) || (err != nil) != tt.cut {
					t.Errorf("the caller got %d %q, %v", res.StatusCode, text, err)
				}
				if res.StatusCode == 504 && (res.Header.Get("Etag") != "" || res.Header.Get("Proxy-Status") == "") {
					t.Errorf("header %v", res.Header)
				}
			})
			rec := records[0]
			if rec["reason"] != "graphStalled" || rec["status"] != float64(tt.status) || rec["graph_status"] != tt.graph {
				t.Errorf("record %v", rec)
			}
		})
	}
	t.Run("of a batch that is sent in two requests, each item is answered", func(t *testing.T) {
		for _, answer := range []string{
			"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nContent-Type: application/json\r\n\r\n{\"responses\":[",
			"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 500\r\n\r\n{",
		} {
			records := stalling(t, after(answer), func(c net.Conn) {
				_, _ = io.WriteString(c, post(`{"requests":[`+item+`,`+other+`]}`))
				res, err := http.ReadResponse(bufio.NewReader(c), nil)
				must(t, err)
				text, err := io.ReadAll(res.Body)
				if err != nil || res.StatusCode != 200 || strings.Count(string(text), `"code":"graphStalled"`) != 2 {
					t.Errorf("%d %s %v", res.StatusCode, text, err)
				}
			})
			for _, rec := range records[1:] {
				if rec["reason"] != "graphStalled" || rec["status"] != 504.0 {
					t.Errorf("record %v", rec)
				}
			}
			if len(records) != 3 || records[0]["status"] != 200.0 || records[0]["reason"] != nil {
				t.Errorf("records %v", records)
			}
		}
	})
}

func TestAnAnswerThatMovesMayTakeAsLongAsItTakes(t *testing.T) {
	const pieces = 5
	steady := func(c net.Conn, r *bufio.Reader) {
		_, _ = http.ReadRequest(r)
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n", pieces)
		for range pieces {
			time.Sleep(99 * time.Second)
			_, _ = io.WriteString(c, "x")
		}
	}
	records := stalling(t, steady, func(c net.Conn) {
		_, _ = io.WriteString(c, "GET /v1.0/test/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		must(t, err)
		if text, err := io.ReadAll(res.Body); err != nil || len(text) != pieces {
			t.Errorf("%q, %v", text, err)
		}
	})
	if records[0]["reason"] != nil || records[0]["status"] != 200.0 {
		t.Errorf("record %v", records)
	}
}

func TestTheTimeThatACallerTakesIsNotGraphs(t *testing.T) {
	const size = 4 << 20
	ready := func(c net.Conn, r *bufio.Reader) {
		_, _ = http.ReadRequest(r)
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n", size)
		_, _ = io.Copy(c, &pattern{left: size})
	}
	records := stalling(t, ready, func(c net.Conn) {
		_, _ = io.WriteString(c, "GET /v1.0/test/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		must(t, err)
		n, buf := 0, make([]byte, 64<<10)
		for err == nil {
			time.Sleep(55 * time.Second) // two of these pass while one buffer of the proxy waits
			var m int
			m, err = io.ReadFull(res.Body, buf)
			n += m
		}
		if n != size || !errors.Is(err, io.EOF) {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
	if records[0]["reason"] != nil {
		t.Errorf("record %v", records)
	}
}

// uploading writes a request with a body of size bytes, piece by piece.
func uploading(c net.Conn, size int, pause time.Duration) {
	_, _ = fmt.Fprintf(c,
		"PUT /v1.0/test/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: "+
			"%d\r\n\r\n", size)
	for sent := 0; sent < size; sent += 32 << 10 {
		time.Sleep(pause)
		if _, err := c.Write(make([]byte, 32<<10)); err != nil {
			return
		}
	}
}

func TestAnUploadThatGraphStopsReadingIsEnded(t *testing.T) {
	for _, tt := range []struct {
		name  string
		size  int
		taken int64
	}{
		{"in the middle", 1 << 20, 100 << 10},
		{"at once", 1 << 20, 0},
		{"of a body that is held", 64 << 10, 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			deaf := func(_ net.Conn, r *bufio.Reader) {
				if req, err := http.ReadRequest(r); err == nil {
					_, _ = io.CopyN(io.Discard, req.Body, tt.taken)
				}
			}
			records := stalling(t, deaf, func(c net.Conn) {
				start := time.Now()
				go uploading(c, tt.size, 0)
				res, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Error(err)
					return
				}
				text, _ := io.ReadAll(res.Body)
				if took := time.Since(start); took < 100*time.Second || took > 102*time.Second {
					t.Errorf("it ended after %s", took)
				}
				if res.StatusCode != 504 || !strings.Contains(string(text), `"code":"graphStalled"`) {
					t.Errorf("the caller got %d %q", res.StatusCode, text)
				}
			})
			if rec := records[0]; len(records) != 1 || rec["reason"] != "graphStalled" || rec["status"] != 504.0 {
				t.Errorf("records %v", records)
			}
		})
	}
}

func TestAnUploadOfASlowCallerIsNoStall(t *testing.T) {
	records := stalling(t, after("HTTP/1.1 204 No Content\r\n\r\n"), func(c net.Conn) {
		go uploading(c, 1<<20, 50*time.Second)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || res.StatusCode != 204 {
			t.Errorf("%v, %v", res, err)
		}
	})
	if records[0]["reason"] != nil {
		t.Errorf("record %v", records)
	}
}

func TestAnAnswerThatDoesNotBeginIsATimeout(t *testing.T) {
	for _, send := range []func(net.Conn){
		func(c net.Conn) { uploading(c, 32<<10, 0) },
		func(c net.Conn) { uploading(c, 256<<10, 0) },
		func(c net.Conn) { _, _ = io.WriteString(c, "GET /v1.0/test/x HTTP/1.1\r\nHost: localhost\r\n\r\n") },
	} {
		records := stalling(t, after(""), func(c net.Conn) {
			go send(c)
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || res.StatusCode != 504 {
				t.Errorf("%v, %v", res, err)
			}
		})
		if records[0]["reason"] != "graphTimeout" {
			t.Errorf("record %v", records)
		}
	}
}
