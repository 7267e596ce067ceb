//go:build unix

package direct_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"graphproxy/proxy/direct"
)

// FuzzAnswer compares what a Transport and net/http read of an answer. What both read must be the same, and a
// Transport must read nothing that net/http does not.
func FuzzAnswer(f *testing.F) {
	for i, a := range answers() {
		f.Add(a.text, uint16(i*7), a.method == "HEAD")
	}
	f.Fuzz(func(t *testing.T, text string, split uint16, head bool) {
		method := "GET"
		if head {
			method = "HEAD"
		}
		at := int(split) % (len(text) + 1)
		dial := func(context.Context, string, string) (net.Conn, error) {
			client, far, err := socketPair()
			if err == nil {
				go give(far, text[:at], text[at:])
			}
			return client, err
		}
		d := direct.New(direct.Options{Dial: dial, Other: noTransport{}, MaxHeaderBytes: 64 << 10})
		defer d.CloseIdleConnections()
		got, err := d.RoundTrip(request(t, method, ""))
		if err != nil {
			return // it may refuse more
		}
		std := &http.Transport{DialContext: dial, DisableCompression: true, MaxResponseHeaderBytes: 1 << 20}
		defer std.CloseIdleConnections()
		want, err := std.RoundTrip(request(t, method, ""))
		if err != nil {
			t.Fatalf("net/http refuses what was read as %v: %v", got, err)
		}
		g, gotBody, isCut := described(got)
		w, wantBody, isWantCut := described(want)
		if isCut { // it may break off earlier
			gotBody, isWantCut = gotBody[:min(len(gotBody), len(wantBody))], true
			wantBody = wantBody[:len(gotBody)]
		}
		if g != w || gotBody != wantBody || isCut != isWantCut {
			t.Errorf("%s %q %t\nnet/http read %s %q %t", g, gotBody, isCut, w, wantBody, isWantCut)
		}
	})
}

// give reads a request, writes an answer in two pieces and closes the connection.
func give(c net.Conn, pieces ...string) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	for _, piece := range pieces {
		_, _ = io.WriteString(c, piece)
	}
}

// described is an answer as text: its status and header, what can be read of its body, and whether that breaks off.
func described(res *http.Response) (text, body string, isCut bool) {
	defer res.Body.Close()
	var b strings.Builder
	fmt.Fprintf(&b, "%d %q", res.StatusCode, res.Status)
	for _, name := range slices.Sorted(maps.Keys(res.Header)) {
		fmt.Fprintf(&b, " %s: %q", name, res.Header[name])
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		return b.String(), "", false
	}
	all, err := io.ReadAll(res.Body)
	return b.String(), string(all), err != nil
}
