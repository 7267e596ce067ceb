package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// rawGraph returns the address of a server that gives the same answer to every request. It is not net/http's, so that
// a test that counts allocations counts those of the proxy alone.
func rawGraph(t testing.TB, body string) *url.URL {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		len(body), body)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answerAll(c, answer)
		}
	}()
	return &url.URL{Scheme: "http", Host: l.Addr().String()}
}

// answerAll answers the requests of a connection until it ends.
func answerAll(c net.Conn, answer []byte) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		length := 0
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				return
			}
			if line = bytes.TrimSpace(line); len(line) == 0 {
				break
			}
			if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
				length, _ = strconv.Atoi(string(value))
			}
		}
		if _, err := in.Discard(length); err != nil {
			return
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

// readsOf returns a $batch of n reads, and Graph's answer to it.
func readsOf(n int) (request, answer string) {
	var items, answers []string
	for i := 1; i <= n; i++ {
		items = append(items, fmt.Sprintf(
			`{"id":"%d","method":"GET","url":"/users/user%d@contoso.example?$select=id,displayName"}`, i, i))
		answers = append(answers, fmt.Sprintf(`{"id":"%d","status":200,"headers":{"Cache-Control":"no-cache",`+
			`"x-ms-resource-unit":"1","OData-Version":"4.0","Content-Type":"application/json;odata.metadata=minimal;`+
			`odata.streaming=true;IEEE754Compatible=false;charset=utf-8"},"body":{"@odata.context":"https://graph.microsoft.com`+
			`/v1.0/$metadata#users(id,displayName)/$entity","id":"87d349ed-44d7-43e1-9a83-%012d","displayName":"Adele %d"}}`,
			i, i, i))
	}
	return `{"requests":[` + strings.Join(items, ",") + `]}`, `{"responses":[` + strings.Join(answers, ",") + `]}`
}
