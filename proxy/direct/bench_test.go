//go:build unix

package direct_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"graphproxy/proxy/direct"
)

// fewer is how many allocations a request has less than with http.Transport.
const fewer = 20

func TestARequestAllocatesLessThanWithHTTPTransport(t *testing.T) {
	std := &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}
	defer std.CloseIdleConnections()
	d, url := overTCP(t, false, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "{}")
	}, direct.Options{Other: std})
	allocations := func(way http.RoundTripper) float64 {
		return testing.AllocsPerRun(200, func() {
			res, err := way.RoundTrip(newRequest(t, "GET", url, nil))
			must(t, err)
			_, _ = io.Copy(io.Discard, res.Body)
			must(t, res.Body.Close())
		})
	}
	ours, theirs := allocations(d), allocations(std)
	t.Logf("%v allocations, and %v with http.Transport, both with those of the server", ours, theirs)
	if ours > theirs-fewer {
		t.Errorf("%v allocations, want at most %v", ours, theirs-fewer)
	}
}

// BenchmarkRoundTrip measures one request over TLS and its answer, beside net/http's. Both ends are in this process.
func BenchmarkRoundTrip(b *testing.B) {
	for _, size := range []int{1 << 10, 56 << 10} {
		answer := strings.Repeat("x", size)
		for _, way := range []string{"direct", "std"} {
			b.Run(fmt.Sprintf("%s/%d", way, size), func(b *testing.B) {
				std := &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}
				d, url := overTCP(b, false, func(w http.ResponseWriter, _ *http.Request) {
					_, _ = io.WriteString(w, answer)
					_ = http.NewResponseController(w).Flush()
				}, direct.Options{Other: std})
				defer std.CloseIdleConnections()
				var way = map[string]http.RoundTripper{"direct": d, "std": std}[way]
				r := newRequest(b, "GET", url, nil)
				b.ReportAllocs()
				for b.Loop() {
					res, err := way.RoundTrip(r)
					must(b, err)
					_, err = io.Copy(io.Discard, res.Body)
					must(b, err)
					must(b, res.Body.Close())
				}
			})
		}
	}
}
