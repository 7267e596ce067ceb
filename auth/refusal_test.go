package auth_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/auth"
)

// plain is a 401 of a service without details.
func plain(service string) auth.Refusal { return auth.Refusal{Service: service} }

// definite are the refusals of the token itself.
func definite() map[string]auth.Refusal {
	return map[string]auth.Refusal{
		"invalid_token": {Service: "files", Invalid: true},
		"claims":        {Service: "files", Claims: `{"access_token":{"nbf":{}}}`},
	}
}

func take(t *testing.T, s *auth.Source) auth.Token {
	t.Helper()
	token, err := s.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestATokenThatWasRefusedOnceIsOnlySuspect(t *testing.T) {
	t.Run("it is served to others until the new one is there, and the request that was refused waits "+
		"for that", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour, takes: time.Second}
			s := fakeSource(t, secretApp, f, nil)
			old := take(t, s)
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					if fresh, ok := s.Refused(old, plain("onenote")).Wait(t.Context()); !ok || fresh == old {
						t.Errorf("a new token: %t", ok)
					}
				})
			}
			synctest.Wait()
			if f.count() != 2 || !s.Status().Ready {
				t.Errorf("%d requests, ready %v", f.count(), s.Status().Ready)
			}
			wantBearer(t, s, "t1")
			wg.Wait()
			wantBearer(t, s, "t2")
			if fresh, ok := s.Refused(old, plain("outlook")).Wait(t.Context()); !ok || fresh == old || f.count() != 2 {
				t.Errorf("a late refusal: a new token %t, %d requests", ok, f.count())
			}
		})
	})
	for name, refusal := range definite() {
		t.Run(name+": it is served no more", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeEntra{life: time.Hour, takes: time.Second}
				s := fakeSource(t, secretApp, f, nil)
				old := take(t, s)
				for range 100 {
					s.Refused(old, refusal)
				}
				synctest.Wait()
				if f.count() != 2 || s.Status().Ready {
					t.Errorf("%d requests, ready %v", f.count(), s.Status().Ready)
				}
				wantBearer(t, s, "t2")
			})
		})
	}
	t.Run("a zero token is none", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour}
			s := fakeSource(t, secretApp, f, nil)
			if _, ok := s.Refused(auth.Token{}, plain("files")).Wait(t.Context()); ok || f.count() != 0 {
				t.Errorf("a token %t, %d requests", ok, f.count())
			}
		})
	})
	t.Run("one who leaves does not wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour}
			s := fakeSource(t, secretApp, f, nil)
			old := take(t, s)
			f.set(func(f *fakeEntra) { f.hang = true })
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, ok := s.Refused(old, plain("files")).Wait(ctx); ok {
				t.Error("a token came from nowhere")
			}
			time.Sleep(time.Minute) // the attempt ends
		})
	})
}

// While Entra ID cannot be reached, one resource's refusals change nothing for others.
func TestRefusalsWhileEntraIsAway(t *testing.T) {
	for name, away := range map[string]func(*fakeEntra){
		"refuses": func(f *fakeEntra) { f.err = &auth.Error{Cause: "down", Status: 503} },
		"hangs":   func(f *fakeEntra) { f.hang = true },
	} {
		t.Run("it "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeEntra{life: time.Hour}
				s := fakeSource(t, secretApp, f, nil)
				running(t, s)
				old := take(t, s)
				f.set(away)
				start, before := time.Now(), f.count()
				for time.Since(start) < 20*time.Minute {
					go s.Refused(old, plain("onenote")).Wait(t.Context())
					pass(500 * time.Millisecond)
					wantBearer(t, s, "t1")
					if !s.Status().Ready {
						t.Fatal("not ready while the token lives")
					}
				}
				if n := f.count() - before; n > 50 {
					t.Errorf("%d attempts in 20 minutes", n)
				}
			})
		})
	}
	t.Run("Entra's Retry-After holds, and a token that does not do is served no more", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour}
			s := fakeSource(t, secretApp, f, nil)
			running(t, s)
			synctest.Wait()
			f.set(func(f *fakeEntra) { f.err = &auth.Error{Cause: "throttled", RetryAfter: 4 * time.Minute} })
			n := f.count()
			for f.count() == n { // until a renewal has been refused: the next one is four minutes away
				pass(time.Second)
			}
			n = f.count()
			token := take(t, s)
			s.Refused(token, plain("files"))
			pass(time.Second)
			if take(t, s) != token || f.count() != n {
				t.Errorf("the suspect token is not served, or %d requests more", f.count()-n)
			}
			s.Refused(token, auth.Refusal{Service: "files", Invalid: true})
			pass(time.Second)
			if _, err := s.Token(t.Context()); err == nil || f.count() != n {
				t.Errorf("error %v, %d requests more", err, f.count()-n)
			}
		})
	})
	t.Run("our own pause gives way to a token that does not do", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour}
			s := fakeSource(t, secretApp, f, nil)
			running(t, s)
			synctest.Wait()
			f.set(func(f *fakeEntra) { f.err = &auth.Error{Cause: "down"} })
			pass(45 * time.Minute)
			f.set(func(f *fakeEntra) { f.err = nil })
			if _, ok := s.Refused(take(t, s), auth.Refusal{Invalid: true}).Wait(t.Context()); !ok {
				t.Error("no new token although Entra is back")
			}
		})
	})
}

// refuseAlways lets a service refuse every token, every 500 ms for the time given, like requests that are sent
// once more.
func refuseAlways(t *testing.T, s *auth.Source, r auth.Refusal, d time.Duration) (faults int) {
	t.Helper()
	for start := time.Now(); time.Since(start) < d; pass(500 * time.Millisecond) {
		n := s.Refused(take(t, s), r)
		if fresh, ok := n.Wait(t.Context()); ok {
			n = s.Refused(fresh, r)
		}
		if n.ResourceFault() {
			faults++
		}
	}
	return faults
}

func TestAServiceThatRefusesAFreshTokenIsAtFault(t *testing.T) {
	refusals := definite()
	refusals["a bare 401"] = plain("files")
	for name, r := range refusals {
		t.Run(name+": its refusals cost one token request in five minutes", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeEntra{life: 24 * time.Hour}
				s := fakeSource(t, secretApp, f, nil)
				faults := refuseAlways(t, s, r, 4*time.Minute)
				if f.count() != 2 || faults != 480 {
					t.Errorf("%d token requests, %d refusals found to be the resource's fault; want 2 and 480", f.count(), faults)
				}
				refuseAlways(t, s, r, 26*time.Minute)
				if f.count() > 7 {
					t.Errorf("%d token requests in half an hour, want at most 7", f.count())
				}
				if !s.Status().Ready {
					t.Error("not ready")
				}
			})
		})
	}
	t.Run("another service's refusal is heard meanwhile", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour}
			s := fakeSource(t, secretApp, f, nil)
			refuseAlways(t, s, plain("onenote"), 10*time.Second)
			before := take(t, s)
			if fresh, ok := s.Refused(before, plain("outlook")).Wait(t.Context()); !ok || fresh == before {
				t.Error("no new token for another service")
			}
		})
	})
	t.Run("its definite refusal is heard after bare ones", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour}
			s := fakeSource(t, secretApp, f, nil)
			refuseAlways(t, s, plain("files"), 10*time.Second)
			before := take(t, s)
			if fresh, ok := s.Refused(before, auth.Refusal{Service: "files", Invalid: true}).Wait(t.Context()); !ok ||
				fresh == before {
				t.Error("no new token")
			}
		})
	})
	t.Run("a token that it took is no longer compared with", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour}
			s := fakeSource(t, secretApp, f, nil)
			for range 5 { // revocations; a new token ends each
				n := s.Refused(take(t, s), plain("directory"))
				if _, ok := n.Wait(t.Context()); !ok {
					t.Fatal("no new token")
				}
				n.Taken()
				pass(time.Minute)
			}
			if f.count() != 6 {
				t.Errorf("%d token requests", f.count())
			}
		})
	})
	t.Run("twenty services that refuse everything ask less and less often", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour}
			s := fakeSource(t, secretApp, f, nil)
			for start := time.Now(); time.Since(start) < 10*time.Minute; pass(50 * time.Millisecond) {
				for i := range 20 {
					n := s.Refused(take(t, s), plain(fmt.Sprint("service-", i)))
					_, _ = n.Wait(t.Context())
				}
			}
			if n := f.count(); n > 60 {
				t.Errorf("%d token requests in ten minutes", n)
			}
		})
	})
}

func TestClaimsOfARefusal(t *testing.T) {
	t.Run("the next attempt asks for the claims of a challenge, and no later one does", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour}
			s := fakeSource(t, secretApp, f, nil)
			for i, claims := range []auth.ClaimsChallenge{`{"access_token":{"nbf":{}}}`, ""} {
				token := take(t, s)
				pass(2 * time.Minute)
				s.Refused(token, auth.Refusal{Service: fmt.Sprint(i), Claims: claims})
				s.Refused(token, auth.Refusal{Service: "late", Claims: `{"late":1}`})
				synctest.Wait()
			}
			if diff := cmp.Diff([]auth.ClaimsChallenge{"", `{"access_token":{"nbf":{}}}`, ""}, f.claims); diff != "" {
				t.Error(diff)
			}
		})
	})
	t.Run("claims that Entra does not take stand in the way of no token", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour}
			s := fakeSource(t, secretApp, f, nil)
			running(t, s)
			token := take(t, s)
			f.set(func(f *fakeEntra) { f.err = &auth.Error{Cause: "refused"} })
			s.Refused(token, auth.Refusal{Claims: `{"access_token":{"acrs":{}}}`})
			synctest.Wait()
			f.set(func(f *fakeEntra) { f.err = nil })
			pass(5 * time.Second)
			if !s.Status().Ready || f.claims[len(f.claims)-1] != "" {
				t.Errorf("ready %v after claims %q", s.Status().Ready, f.claims)
			}
		})
	})
}

// The acquisitions are counted where they arrive. The resource refuses every token.
func TestAResourceThatRefusesEveryTokenCostsEntraOneRequest(t *testing.T) {
	srv, options := entra(t, false)
	s := source(t, secretAt(srv), options)
	for range 200 {
		n := s.Refused(take(t, s), auth.RefusalOf("onenote", http.Header{}))
		if fresh, ok := n.Wait(t.Context()); ok {
			s.Refused(fresh, auth.RefusalOf("onenote", http.Header{}))
		}
	}
	if n := srv.TokenRequests(); n != 2 {
		t.Errorf("%d token requests, want the first and one more", n)
	}
}
