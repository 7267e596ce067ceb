package proxy_test

import (
	"net"
	"sync"
	"testing"

	"graphproxy/proxy"
)

// A connection that is refused once is tried again: Graph receives the request once.
func TestAConnectionThatIsRefusedIsTriedOnceMore(t *testing.T) {
	for _, tt := range []struct{ name, method, target, body string }{
		{"without a body", "GET", "/v1.0/users/adele@contoso.com", ""},
		{"with a small body", "PATCH", "/v1.0/users/adele@contoso.com", `{"jobTitle":"x"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var gate sync.Once
			r := newRig(t, everyone)
			proxy.OnDial(r.handler, func() (net.Conn, error) {
				refused := false
				gate.Do(func() { refused = true })
				if refused {
					return nil, &net.OpError{Op: "dial", Err: net.ErrClosed}
				}
				return net.Dial("tcp", mustURL(t, r.graph.URL()).Host)
			})
			if a := r.do(t, tt.method, tt.target, tt.body, asJSON); a.status >= 300 {
				t.Errorf("%d %s", a.status, a.body)
			}
			if n := r.graph.Count(); n != 1 {
				t.Errorf("Graph received %d requests", n)
			}
		})
	}
}
