package faults_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
)

// page answers with a page of 60 kB with links in it, as Graph does.
func page(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json;odata.metadata=minimal")
	_, _ = io.WriteString(w, whole())
}

// whole is a page of JSON.
func whole() string {
	return `{"@odata.nextLink":"https://graph.microsoft.com/v1.0/users?$skiptoken=x","value":["` +
		strings.Repeat("x", 60<<10) + `"]}`
}

// noise is text that gzip cannot make much shorter.
func noise() string {
	var b strings.Builder
	for r := rand.New(rand.NewPCG(1, 2)); b.Len() < 60<<10; {
		fmt.Fprintf(&b, "%016x", r.Uint64())
	}
	return b.String()
}

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, s)
	_ = z.Close()
	return b.String()
}

// How Graph ends a connection that it took over.
func closes(c net.Conn) { _ = c.Close() }

// resets closes it so that the other side gets RST, not FIN.
func resets(c net.Conn) {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// halfCloses says that nothing will follow, and reads on until the other side closes too.
func halfCloses(c net.Conn) {
	_ = c.(interface{ CloseWrite() error }).CloseWrite()
	_, _ = io.Copy(io.Discard, c)
	_ = c.Close()
}

// drops ends TLS without saying so: the connection is closed, but no close_notify was sent.
func drops(c net.Conn) {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	_ = c.Close()
}

// answers reads a request to its end, takes over its connection, writes text as it is, and ends the connection.
func answers(text string, end func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		takeOver(w, text, end)
	}
}

func takeOver(w http.ResponseWriter, text string, end func(net.Conn)) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(c, text)
	end(c)
}

const ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

// untilClose answers with a body whose end is the connection's.
func untilClose(body string) http.HandlerFunc {
	return answers(ok+"Connection: close\r\n\r\n"+body, closes)
}

func withLength(body string, n int) string {
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", ok, n, body)
}

// chunk is the chunked form of a piece.
func chunk(piece string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece) }

// httpFaults are those of a server: it read the request, and its answer is not what HTTP asks for.
func httpFaults() []fault {
	half := whole()[:30<<10]
	chunked := ok + "Transfer-Encoding: chunked\r\n\r\n"
	gzipped := zipped(`{"value":["` + noise() + `"]}`)
	inGzip := strings.Replace(ok, "\r\n", "\r\nContent-Encoding: gzip\r\n", 1)
	zip := fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", inGzip, len(gzipped), gzipped[:len(gzipped)/2])
	plain, secure := []string{"http"}, []string{"https"}
	text := strings.Replace(ok, "application/json", "text/plain", 1) + "Connection: close\r\n\r\n" + half
	return []fault{
		{name: "Graph closes without an answer", graph: answers("", closes), want: once()},
		{name: "Graph resets without an answer", graph: answers("", resets), want: once()},
		{name: "Graph half-closes without an answer", graph: answers("", halfCloses), want: once()},
		{name: "Graph half-closes after its answer", graph: answers(withLength(whole(), len(whole())), halfCloses),
			want: passed()},
		{name: "Graph half-closes in the body", graph: answers(withLength(half, len(whole())), halfCloses), want: brokeOff()},
		{name: "Graph cuts its header", graph: answers("HTTP/1.1 200 OK\r\nContent-Ty", closes), want: once()},
		{name: "Graph cuts its status line", graph: answers("HTTP/1.1 2", closes), want: once()},
		{name: "Graph answers what is not HTTP", graph: answers("220 mail.contoso.com ESMTP\r\n", closes), want: once()},
		{name: "Graph answers a header without an end",
			graph: answers(ok+"X-Filler: "+strings.Repeat("x", 300<<10)+"\r\n\r\n", closes), want: once()},
		{name: "Graph answers two lengths", graph: answers(ok+"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", closes),
			want: once()},
		{name: "Graph announces more than it sends", graph: answers(withLength(half, len(whole())), closes),
			want: brokeOff()},
		{name: "Graph resets in the body", graph: answers(withLength(half, len(whole())), resets), want: brokeOff()},
		{name: "Graph sends chunks without an end", graph: answers(chunked+chunk(half), closes), want: brokeOff()},
		{name: "Graph cuts a chunk", graph: answers(chunked+chunk(whole())[:30<<10], closes), want: brokeOff()},
		{name: "Graph sends a chunk that is none", graph: answers(chunked+chunk(half)+"zz\r\n", closes), want: brokeOff()},
		{name: "Graph cuts a body at the end of a JSON value", graph: answers(withLength(whole(), len(whole())+1), closes),
			want: brokeOff()},
		{name: "Graph cuts a gzip", graph: answers(zip, closes), want: brokeOff()},
		{name: "Graph cuts a gzip that the caller asked for", header: "Accept-Encoding: gzip", graph: answers(zip, closes),
			want: brokeOff()},
		{name: "Graph cuts a short body", graph: answers(withLength(`{"value":["x`, 100), closes), want: brokeOff()},
		{name: "Graph sends a body that ends with the connection", graph: untilClose(whole()), want: passed()},
		// It looks like a whole one: Go takes the end of the connection between two TLS records for the body's.
		{name: "Graph cuts such a body without the end of TLS", wires: secure, graph: answers(text, drops), want: passed()},
		{name: "Graph resets such a body", wires: plain, graph: answers(ok+"Connection: close\r\n\r\n"+half, resets),
			want: brokeOff()},
		{name: "Graph gives hints and then resets", graph: answers("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", resets),
			want: once()},
		{name: "Graph says continue and then closes", graph: answers("HTTP/1.1 100 Continue\r\n\r\n", closes), want: once()},
		{name: "Graph gives hints and then answers",
			graph: answers("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"+withLength("{}", 2), closes), want: passed()},
	}
}
