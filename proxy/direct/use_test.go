//go:build unix

package direct_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"graphproxy/proxy/direct"
)

// overTCP is a transport to a real server, by TLS or not.
func overTCP(t testing.TB, secure bool, h http.HandlerFunc, o direct.Options) (*direct.Transport, string) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	if secure {
		s.StartTLS()
		o.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
		o.TLS.RootCAs.AddCert(s.Certificate())
	} else {
		s.Start()
	}
	if o.Other == nil {
		o.Other = noTransport{}
	}
	d := direct.New(o)
	t.Cleanup(func() { d.CloseIdleConnections(); s.Close() })
	return d, s.URL
}

func send(t testing.TB, d http.RoundTripper, r *http.Request) string {
	t.Helper()
	res, err := d.RoundTrip(r)
	must(t, err)
	body, err := io.ReadAll(res.Body)
	must(t, err)
	must(t, res.Body.Close())
	return string(body)
}

func newRequest(t testing.TB, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	must(t, err)
	return r
}

func TestRequestsArriveAsTheyAreMade(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("over TLS %t", secure), func(t *testing.T) {
			d, url := overTCP(t, secure, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				fmt.Fprintf(w, "%s %s %q %q %d %v %v", r.Method, r.RequestURI, r.Header["X-A"], body,
					r.ContentLength, r.TransferEncoding, r.Header["User-Agent"])
			}, direct.Options{})
			long := strings.Repeat("y", 64<<10)
			tests := []struct{ method, target, body, want string }{
				{"GET", "/v1.0/users('a%2Fb')?$select=id", "", `GET /v1.0/users('a%2Fb')?$select=id ["1" "2"] "" 0 [] []`},
				{"DELETE", "/", "", `DELETE / ["1" "2"] "" 0 [] []`},
				{"POST", "/x", "", `POST /x ["1" "2"] "" 0 [] []`},
				{"POST", "/x", "{}", `POST /x ["1" "2"] "{}" 2 [] []`},
				{"PATCH", "/x", long, `PATCH /x ["1" "2"] "` + long + `" 65536 [] []`},
			}
			for _, tt := range tests {
				var body io.Reader
				if tt.body != "" {
					body = strings.NewReader(tt.body)
				}
				r := newRequest(t, tt.method, url+tt.target, body)
				r.Header = http.Header{
					"X-A":               {"1", " 2 "},
					"User-Agent":        {""},
					"Content-Length":    {"7"},
					"transfer-encoding": {"chunked"},
					"Connection":        {"close"},
				}
				if got := send(t, d, r); got != tt.want {
					t.Errorf("%.300s\nwant %.300s", got, tt.want)
				}
			}
			if s := d.Stats(); s.Dialled != 1 || s.Reused != 4 || s.Idle != 1 || s.Active != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestARequestThatHasTwoReadingsIsNotSent(t *testing.T) {
	arrived := func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") }
	d, url := overTCP(t, false, arrived, direct.Options{})
	for name, change := range map[string]func(*http.Request){
		"a line break in a header":            func(r *http.Request) { r.Header["X-A"] = []string{"1\r\nX-B: 2"} },
		"a line feed in a header":             func(r *http.Request) { r.Header["X-A"] = []string{"1\nX-B: 2"} },
		"a null byte in a header":             func(r *http.Request) { r.Header["X-A"] = []string{"1\x00"} },
		"a space in a header's name":          func(r *http.Request) { r.Header["X A"] = []string{"1"} },
		"a line break in a header's name":     func(r *http.Request) { r.Header["X\r\nA"] = []string{"1"} },
		"an empty header name":                func(r *http.Request) { r.Header[""] = []string{"1"} },
		"a space in the method":               func(r *http.Request) { r.Method = "GET /x HTTP/1.1" },
		"a line break in the host":            func(r *http.Request) { r.Host = "a\r\nX-B: 2" },
		"a path in the host":                  func(r *http.Request) { r.Host = "a/b" },
		"a body that is shorter than it says": func(r *http.Request) { hold(r, "{}", 3) },
		"a body that is longer than it says":  func(r *http.Request) { hold(r, "{}", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRequest(t, "POST", url, nil)
			change(r)
			var failed *direct.Error
			if res, err := d.RoundTrip(r); !errors.As(err, &failed) || failed.Begun {
				t.Errorf("%v, %v", res, err)
			}
		})
	}
	if s := d.Stats(); s.Dialled != 0 {
		t.Errorf("%+v", s)
	}
}

// hold makes text the body of r, with this announced length.
func hold(r *http.Request, text string, length int64) {
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	r.Body, _ = r.GetBody()
	r.ContentLength = length
}

// taken replaces http.Transport and counts.
type taken struct{ n atomic.Int32 }

func (o *taken) RoundTrip(*http.Request) (*http.Response, error) {
	o.n.Add(1)
	return nil, errors.New("taken")
}

func TestWhatTakesTwoGoroutinesGoesAnotherWay(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"a streamed body":            func(r *http.Request) { hold(r, "x", 1); r.GetBody = nil },
		"a body of unknown length":   func(r *http.Request) { hold(r, "x", -1) },
		"a long body":                func(r *http.Request) { hold(r, strings.Repeat("x", 64<<10+1), 64<<10+1) },
		"Expect":                     func(r *http.Request) { r.Header.Set("Expect", "100-continue") },
		"Upgrade":                    func(r *http.Request) { r.Header.Set("Upgrade", "websocket") },
		"a transfer encoding":        func(r *http.Request) { r.TransferEncoding = []string{"chunked"} },
		"trailers":                   func(r *http.Request) { r.Trailer = http.Header{"X-A": {"1"}} },
		"CONNECT":                    func(r *http.Request) { r.Method = "CONNECT" },
		"another scheme":             func(r *http.Request) { r.URL.Scheme = "ftp" },
		"a host in another alphabet": func(r *http.Request) { r.URL.Host = "bücher.example" },
	} {
		t.Run(name, func(t *testing.T) {
			var other taken
			d := direct.New(direct.Options{Other: &other})
			r := newRequest(t, "POST", "http://graph.test/", nil)
			change(r)
			if _, err := d.RoundTrip(r); err == nil || other.n.Load() != 1 {
				t.Errorf("%v; given on %d times", err, other.n.Load())
			}
		})
	}
}

// Wherever the server pauses, the data that came before the pause is returned.
func TestWhatCameBeforeAPauseIsReturned(t *testing.T) {
	tests := map[string][]string{
		"between chunks":                   {chunked + "2\r\nab\r\n", "2\r\ncd\r\n0\r\n\r\n"},
		"in a chunk":                       {chunked + "4\r\nab", "cd\r\n0\r\n\r\n"},
		"before the end of a chunk":        {chunked + "2\r\nab", "\r\n2\r\ncd\r\n0\r\n\r\n"},
		"in the end of a chunk":            {chunked + "2\r\nab\r", "\n2\r\ncd\r\n0\r\n\r\n"},
		"in a chunk's size":                {chunked + "2\r\nab\r\n0", "2\r\ncd\r\n0\r\n\r\n"},
		"in an extension":                  {chunked + "2\r\nab\r\n2;x", "y\r\ncd\r\n0\r\n\r\n"},
		"in a body with its length":        {head + "Content-Length: 4\r\n\r\nab", "cd"},
		"in a body that ends with the end": {head + "\r\nab", "cd"},
	}
	for name, pieces := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(true, pieces[:1]...)
			more := make(chan struct{})
			s.between = func(c net.Conn) { <-more; _, _ = io.WriteString(c, pieces[1]) }
			res, err := s.transport(t, direct.Options{}).RoundTrip(request(t, "GET", ""))
			must(t, err)
			var seen []string
			room := make([]byte, 32<<10)
			var once sync.Once
			res.Body.(direct.Pauser).OnPause(func() { once.Do(func() { seen = append(seen, "pause"); close(more) }) })
			for err == nil {
				var n int
				if n, err = res.Body.Read(room); n > 0 {
					seen = append(seen, string(room[:n]))
				}
			}
			if want := []string{"ab", "pause", "cd"}; !slices.Equal(seen, want) || err != io.EOF {
				t.Errorf("%q, %v; want %q", seen, err, want)
			}
			must(t, res.Body.Close())
		})
	}
}

func TestARequestEndsWithItsContext(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, when := range []string{"before the header", "in the body"} {
			t.Run(fmt.Sprintf("%s over TLS %t", when, secure), func(t *testing.T) {
				arrived, left := make(chan struct{}), make(chan struct{})
				d, url := overTCP(t, secure, func(w http.ResponseWriter, r *http.Request) {
					if when == "in the body" {
						_, _ = io.WriteString(w, "begun")
						_ = http.NewResponseController(w).Flush()
					}
					close(arrived)
					<-r.Context().Done()
					close(left)
				}, direct.Options{})
				ctx, cancel := context.WithCancel(t.Context())
				go func() { <-arrived; cancel() }()
				res, err := d.RoundTrip(newRequest(t, "GET", url, nil).WithContext(ctx))
				if err == nil {
					_, err = io.ReadAll(res.Body)
					must(t, res.Body.Close())
				}
				if !errors.Is(err, context.Canceled) {
					t.Errorf("error %v", err)
				}
				<-left
				if s := d.Stats(); s.Active != 0 || s.Idle != 0 {
					t.Errorf("%+v", s)
				}
			})
		}
	}
}

func TestAHeaderThatDoesNotComeIsATimeout(t *testing.T) {
	release := make(chan struct{})
	wait := func(http.ResponseWriter, *http.Request) { <-release }
	d, url := overTCP(t, false, wait, direct.Options{HeaderTimeout: time.Millisecond})
	defer close(release)
	_, err := d.RoundTrip(newRequest(t, "GET", url, nil))
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("error %v", err)
	}
	var failed *direct.Error
	if !errors.As(err, &failed) || !failed.Begun || failed.Answered {
		t.Errorf("error %#v", err)
	}
}

func TestAnIdleConnectionIsClosedInTime(t *testing.T) {
	closed := make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(closed)
		}
	}
	s.Start()
	defer s.Close()
	d := direct.New(direct.Options{Other: noTransport{}, IdleTimeout: time.Millisecond})
	send(t, d, newRequest(t, "GET", s.URL, nil))
	<-closed
}

func TestNoMoreConnectionsAreKeptThanMayBe(t *testing.T) {
	var arrived sync.WaitGroup
	arrived.Add(5)
	together := func(http.ResponseWriter, *http.Request) { arrived.Done(); arrived.Wait() }
	d, url := overTCP(t, false, together, direct.Options{MaxIdlePerHost: 2})
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() { send(t, d, newRequest(t, "GET", url, nil)) })
	}
	all.Wait()
	if s := d.Stats(); s.Dialled != 5 || s.Idle != 2 || s.Active != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAFreshRequestHasAConnectionOfItsOwn(t *testing.T) {
	d, url := overTCP(t, true, func(http.ResponseWriter, *http.Request) {}, direct.Options{})
	send(t, d, newRequest(t, "GET", url, nil))
	for range 3 {
		send(t, d.Fresh(), newRequest(t, "GET", url, nil))
	}
	if s := d.Stats(); s.Dialled != 4 || s.Reused != 0 || s.Idle != 1 {
		t.Errorf("%+v", s)
	}
}

func TestTLSSessionsAreResumedInHTTP11(t *testing.T) {
	var resumed, other atomic.Int32
	d, url := overTCP(t, true, func(_ http.ResponseWriter, r *http.Request) {
		if r.TLS.DidResume {
			resumed.Add(1)
		}
		if r.TLS.NegotiatedProtocol != "http/1.1" || r.ProtoMajor != 1 {
			other.Add(1)
		}
	}, direct.Options{})
	for range 3 {
		send(t, d.Fresh(), newRequest(t, "GET", url, nil))
	}
	if resumed.Load() != 2 || other.Load() != 0 {
		t.Errorf("%d of 3 resumed, %d not in HTTP/1.1", resumed.Load(), other.Load())
	}
}

func TestABodyThatIsNotReadToItsEnd(t *testing.T) {
	for _, tt := range []struct {
		name   string
		length int
		kept   int64
	}{
		{"the rest is short and there already: it is read", 3 << 10, 1},
		{"the rest is long: the connection is closed", 8 << 20, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, url := overTCP(t, false, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write(bytes.Repeat([]byte{'x'}, tt.length))
			}, direct.Options{})
			res, err := d.RoundTrip(newRequest(t, "GET", url, nil))
			must(t, err)
			_, err = io.ReadFull(res.Body, make([]byte, 10))
			must(t, err)
			must(t, res.Body.Close())
			must(t, res.Body.Close())
			if n, err := res.Body.Read(make([]byte, 1)); n != 0 || !errors.Is(err, http.ErrBodyReadAfterClose) {
				t.Errorf("after Close: %d, %v", n, err)
			}
			if s := d.Stats(); s.Idle != tt.kept || s.Active != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestCloseEndsAReadInAnotherGoroutine(t *testing.T) {
	d, url := overTCP(t, false, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begun")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, direct.Options{})
	res, err := d.RoundTrip(newRequest(t, "GET", url, nil))
	must(t, err)
	waits := make(chan struct{})
	var once sync.Once
	res.Body.(direct.Pauser).OnPause(func() { once.Do(func() { close(waits) }) })
	go func() { <-waits; _ = res.Body.Close() }()
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("the body has an end")
	}
}

func TestManyRequestsAtOnce(t *testing.T) {
	d, url := overTCP(t, true, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Path+strings.Repeat("x", 20<<10))
	}, direct.Options{})
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 20 {
				ctx, cancel := context.WithCancel(t.Context())
				path := fmt.Sprintf("/%d/%d", i, j)
				if j%5 == 4 {
					cancel()
				}
				res, err := d.RoundTrip(newRequest(t, "GET", url+path, nil).WithContext(ctx))
				if err == nil {
					var body []byte
					body, err = io.ReadAll(res.Body)
					if err == nil && string(body) != path+strings.Repeat("x", 20<<10) {
						t.Errorf("%s got %d bytes of another answer", path, len(body))
					}
				}
				if err != nil && j%5 != 4 {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	all.Wait()
}
