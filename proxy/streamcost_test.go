package proxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// mostStreamed is how many bytes may be allocated while a long body passes, whatever its length, by the caller,
// graphproxy and Graph together.
const mostStreamed = 8 << 20

func TestAStreamOfAGigabyteAllocatesNoMoreThanAShortOne(t *testing.T) {
	size := underRace(1<<30, 8<<20)
	r := newRig(t, everyone)
	bare := newBare(t, r)
	for _, way := range []struct {
		name string
		send func(t *testing.T, proxy string, size int)
	}{{"down", download}, {"up", upload}} {
		way.send(t, r.server.URL, 1<<20) // connections are made
		way.send(t, bare, 1<<20)
		before := usageOf()
		way.send(t, bare, size)
		floor := usageOf().since(before)
		before = usageOf()
		way.send(t, r.server.URL, size)
		ours := usageOf().since(before)
		t.Logf("%s: %d kB allocated; CPU of caller, proxy and Graph %v, and %v with a bare reverse proxy (%.2f)", way.name,
			ours.bytes>>10, ours.cpu, floor.cpu, float64(ours.cpu)/float64(floor.cpu))
		if ours.bytes > mostStreamed {
			t.Errorf("%s: %d bytes allocated while %d passed, want at most %d", way.name, ours.bytes, size, mostStreamed)
		}
	}
}

// newBare starts a bare reverse proxy in front of the rig's Graph, which adds a token and nothing else.
func newBare(t *testing.T, r *rig) string {
	t.Helper()
	root, err := url.Parse(r.graph.URL())
	must(t, err)
	token, err := r.source.Token(t.Context())
	must(t, err)
	s := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(pr *httputil.ProxyRequest) {
		pr.SetURL(root)
		token.SetAuthorization(pr.Out.Header)
	}})
	t.Cleanup(s.Close)
	return s.URL
}

func download(t *testing.T, proxy string, size int) {
	t.Helper()
	res, err := http.Get(proxy + "/v1.0/test/stream?bytes=" + strconv.Itoa(size))
	must(t, err)
	defer res.Body.Close()
	if n, err := io.Copy(io.Discard, res.Body); n != int64(size) || err != nil {
		t.Fatalf("%d bytes came, %v", n, err)
	}
}

func upload(t *testing.T, proxy string, size int) {
	t.Helper()
	res, err := http.Post(proxy+"/v1.0/test/echo", "application/octet-stream", &pattern{left: size})
	must(t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}
	_, err = io.Copy(io.Discard, res.Body)
	must(t, err)
}

// usage is what the process has used since its start.
type usage struct {
	bytes uint64        // allocated
	cpu   time.Duration // user and system
}

func usageOf() usage {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return usage{m.TotalAlloc, time.Duration(r.Utime.Nano() + r.Stime.Nano())}
}

func (u usage) since(before usage) usage { return usage{u.bytes - before.bytes, u.cpu - before.cpu} }
