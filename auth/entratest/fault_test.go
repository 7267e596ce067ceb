package entratest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/auth/entratest"
)

func TestFaults(t *testing.T) {
	tests := []struct {
		name   string
		fault  entratest.Fault
		status int
		retry  string
		body   string // in it
	}{
		{"a status alone is not Entra's JSON", entratest.Fault{Status: 503, RetryAfter: "30"}, 503, "30", "<html>"},
		{"Retry-After alone is a 429", entratest.Fault{RetryAfter: "Sat, 21 Nov 2026 12:00:30 GMT"}, 429,
			"Sat, 21 Nov 2026 12:00:30 GMT", "Too Many Requests"},
		{"an AADSTS error has its own status", entratest.Fault{AADSTS: 7000222}, 401, "", `"invalid_client"`},
		{"an AADSTS error of overload", entratest.Fault{AADSTS: 90055, RetryAfter: "1.5"}, 429, "1.5",
			`"temporarily_unavailable"`},
		{"an AADSTS error with another status", entratest.Fault{AADSTS: 50196, Status: 503}, 503, "", "AADSTS50196"},
		{"an AADSTS error that is not known", entratest.Fault{AADSTS: 999999}, 400, "", `"invalid_request"`},
		{"a body as it is", entratest.Fault{Body: `{"access_token":"canary`}, 200, "", `{"access_token":"canary`},
		{"a body with a status", entratest.Fault{Body: "<p>captive portal", Status: 511}, 511, "", "<p>captive portal"},
		{"latency alone delays and changes nothing", entratest.Fault{Latency: time.Millisecond}, 200, "", `"access_token"`},
	}
	r := newRig(t, fixedClock())
	for _, discovery := range []bool{false, true} {
		for _, tt := range tests {
			name := tt.name + ", at the token endpoint"
			if discovery {
				name = tt.name + ", at discovery"
			}
			t.Run(name, func(t *testing.T) {
				tt.fault.Discovery = discovery
				r.Fail(tt.fault)
				hit, spared := r.token(t, form()), r.configuration(t)
				if discovery {
					hit, spared = spared, hit
				}
				body := tt.body
				if discovery && tt.status == 200 && tt.fault.Body == "" {
					body = "token_endpoint"
				}
				if hit.status != tt.status || hit.header.Get("Retry-After") != tt.retry || !strings.Contains(hit.text, body) {
					t.Errorf("%d, Retry-After %q: %s", hit.status, hit.header.Get("Retry-After"), hit.text)
				}
				if spared.status != http.StatusOK {
					t.Errorf("the other endpoint answers %d", spared.status)
				}
				r.Heal()
				r.wantToken(t, r.token(t, form()))
			})
		}
	}
}

func TestFaultsOneAfterAnother(t *testing.T) {
	t.Run("a fault hits as often as it says", func(t *testing.T) {
		r := newRig(t, fixedClock())
		r.Fail(entratest.Fault{Status: 500, Times: 2})
		r.Fail(entratest.Fault{Status: 502, Times: 1})
		if diff := cmp.Diff([]int{500, 500, 502, 200, 200}, r.statuses(t, 5)); diff != "" {
			t.Error(diff)
		}
		if n := r.TokenRequests(); n != 5 {
			t.Errorf("%d token requests", n)
		}
	})
	t.Run("a fault takes the place of one without end", func(t *testing.T) {
		r := newRig(t, fixedClock())
		r.Fail(entratest.Fault{Status: 500})
		r.Fail(entratest.Fault{Status: 502, Times: 1})
		if diff := cmp.Diff([]int{502, 200}, r.statuses(t, 2)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestReset(t *testing.T) {
	t.Run("a reset is a reset, over TLS too", func(t *testing.T) {
		r := newRig(t, fixedClock())
		r.Fail(entratest.Fault{Reset: true, Times: 1})
		req := request(t, http.MethodPost, r.URL()+tokenPath(tenantID), form().Encode(),
			"Content-Type: application/x-www-form-urlencoded")
		if _, err := r.client.Do(req); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("error %v", err)
		}
		r.wantToken(t, r.token(t, form()))
	})
}

func (r *rig) configuration(t *testing.T) answer {
	t.Helper()
	return r.get(t, "/"+tenantID+"/v2.0/.well-known/openid-configuration")
}

func (r *rig) statuses(t *testing.T, n int) (out []int) {
	t.Helper()
	for range n {
		out = append(out, r.token(t, form()).status)
	}
	return out
}

// held sends a token request that a fault delays, and returns when the server has it. The channel gets the
// error of the exchange.
func (r *rig) held(ctx context.Context, t *testing.T) <-chan error {
	t.Helper()
	before := r.TokenRequests()
	req := request(t, http.MethodPost, r.URL()+tokenPath(tenantID), form().Encode(),
		"Content-Type: application/x-www-form-urlencoded").WithContext(ctx)
	done := make(chan error, 1)
	go func() {
		res, err := r.client.Do(req)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				err = errors.New(res.Status)
			}
		}
		done <- err
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for r.TokenRequests() == before {
		select {
		case err := <-done: // the client's timeout at the latest
			t.Fatalf("the request was not held: %v", err)
		case <-tick.C:
		}
	}
	return done
}

func TestHang(t *testing.T) {
	t.Run("Heal answers what was held", func(t *testing.T) {
		r := newRig(t, fixedClock())
		r.Fail(entratest.Fault{Hang: true, Times: 1})
		done := r.held(t.Context(), t)
		r.wantToken(t, r.token(t, form())) // it affected one request only
		r.Heal()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Run("a client that goes away is let go", func(t *testing.T) {
		r := newRig(t, fixedClock())
		r.Fail(entratest.Fault{Hang: true})
		ctx, cancel := context.WithCancel(t.Context())
		done := r.held(ctx, t)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	for name, fault := range map[string]entratest.Fault{"Hang": {Hang: true}, "Latency": {Latency: time.Hour}} {
		t.Run("Close ends what "+name+" holds, without an answer", func(t *testing.T) {
			r := newRig(t, fixedClock())
			r.Fail(fault)
			done := r.held(t.Context(), t)
			r.Close()
			if err := <-done; err == nil {
				t.Error("the client got an answer")
			}
		})
	}
}

func TestClose(t *testing.T) {
	t.Run("it can be called twice, and nobody is served after it", func(t *testing.T) {
		r := newRig(t, fixedClock())
		r.Close()
		r.Close()
		if _, err := r.client.Do(request(t, http.MethodGet, r.URL()+"/", "")); err == nil {
			t.Error("somebody was served")
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	r := newRig(t, entratest.Options{})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 5 {
				r.token(t, form())
			}
		})
		all.Go(func() {
			r.SetRoles(clientID, "Mail.Read")
			r.SetLifetime(time.Minute, time.Second)
			r.Add(contoso())
			r.Fail(entratest.Fault{Status: 500, Times: 1})
			r.Fail(entratest.Fault{Latency: time.Microsecond, Discovery: true})
			_, _ = r.Verify("")
			r.configuration(t)
			r.LastForm()
			r.Revoke()
			r.RefuseConsent(true)
			r.Heal()
		})
	}
	all.Wait()
	if n := r.TokenRequests(); n != 40 {
		t.Errorf("%d token requests", n)
	}
	if n := r.DiscoveryRequests(); n != 8 {
		t.Errorf("%d discovery requests", n)
	}
}
