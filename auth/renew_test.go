package auth_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/auth"
)

func TestRenewal(t *testing.T) {
	t.Run("comes at half of life or a little later, for hours", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour}
			running(t, fakeSource(t, secretApp, f, nil))
			start := time.Now()
			pass(24 * time.Hour)
			at := f.since(start)
			if len(at) < 40 || len(at) > 49 {
				t.Errorf("%d requests in a day", len(at))
			}
			for i := 1; i < len(at); i++ {
				if gap := at[i] - at[i-1]; gap < 30*time.Minute || gap > 36*time.Minute {
					t.Errorf("gap %s", gap)
				}
			}
		})
	})
	t.Run("comes when Entra says", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: 24 * time.Hour, refresh: 50 * time.Minute}
			running(t, fakeSource(t, secretApp, f, nil))
			start := time.Now()
			pass(2 * time.Hour)
			if diff := cmp.Diff([]time.Duration{0, 50 * time.Minute, 100 * time.Minute}, f.since(start)); diff != "" {
				t.Error(diff)
			}
		})
	})
	t.Run("comes after an hour or a little later, whatever Entra says, for a token of a day", func(t *testing.T) {
		for _, refresh := range []time.Duration{0, 12 * time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeEntra{life: 24 * time.Hour, refresh: refresh}
				running(t, fakeSource(t, secretApp, f, nil))
				start := time.Now()
				pass(24 * time.Hour)
				at := f.since(start)
				for i := 1; i < len(at); i++ {
					if gap := at[i] - at[i-1]; gap < time.Hour || gap > 72*time.Minute {
						t.Errorf("gap %s", gap)
					}
				}
				if len(at) < 20 {
					t.Errorf("%d requests in a day", len(at))
				}
			})
		}
	})
	t.Run("at once for ever is once a second", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour, refresh: time.Nanosecond}
			running(t, fakeSource(t, secretApp, f, nil))
			pass(10*time.Second + 500*time.Millisecond)
			if f.count() != 11 {
				t.Errorf("%d requests in 10 s", f.count())
			}
		})
	})
	t.Run("is not seen by callers, whatever becomes of it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour}
			s := fakeSource(t, secretApp, f, nil)
			running(t, s)
			synctest.Wait()
			f.set(func(f *fakeEntra) { f.hang = true })
			start := time.Now()
			for time.Since(start) < time.Hour-41*time.Second {
				wantBearer(t, s, "t1")
				time.Sleep(10 * time.Second)
			}
			st := s.Status()
			if !st.Ready || st.Err == nil || st.Failures == 0 {
				t.Errorf("status %+v", st)
			}
			pass(40 * time.Second) // past 30 s before the end
			if _, err := bearer(t.Context(), s); err == nil {
				t.Error("the token was served to its very end")
			}
		})
	})
	t.Run("is tried again less and less often while the token lives, and often at its end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour}
			running(t, fakeSource(t, secretApp, f, nil))
			synctest.Wait()
			start := time.Now()
			f.set(func(f *fakeEntra) { f.err = &auth.Error{Cause: "down"} })
			pass(2 * time.Hour)
			at := f.since(start)[1:]
			for i := 1; i < len(at); i++ {
				gap, longest := at[i]-at[i-1], 5*time.Second
				if at[i-1] < time.Hour-90*time.Second {
					longest = time.Minute
				}
				if gap > longest || gap < 700*time.Millisecond {
					t.Errorf("gap %s at %s", gap, at[i-1])
				}
			}
			if n := len(slices.DeleteFunc(slices.Clone(at), func(d time.Duration) bool { return d > 58*time.Minute })); n > 45 {
				t.Errorf("%d attempts while the token lived", n)
			}
		})
	})
}

func TestRecovery(t *testing.T) {
	outages := map[string]func(*fakeEntra){
		"refuses": func(f *fakeEntra) { f.err = &auth.Error{Cause: "down", Status: 503} },
		"hangs":   func(f *fakeEntra) { f.hang = true },
	}
	for name, outage := range outages {
		t.Run("comes within 15 s when Entra "+name+" no more, without callers too", func(t *testing.T) {
			// Entra returns at another moment of the pauses each time.
			for after := 50 * time.Minute; after < 80*time.Minute; after += 7*time.Minute + 1300*time.Millisecond {
				synctest.Test(t, func(t *testing.T) {
					f := &fakeEntra{life: time.Hour}
					s := fakeSource(t, secretApp, f, nil)
					running(t, s)
					synctest.Wait()
					f.set(outage)
					pass(after)
					f.set(func(f *fakeEntra) { f.err, f.hang = nil, false })
					if s.Status().Ready {
						pass(time.Minute + 10*time.Second)
					} else {
						pass(15 * time.Second)
					}
					st := s.Status()
					if !st.Ready || st.Err != nil {
						t.Errorf("after an outage of %s: %+v", after, st)
					}
				})
			}
		})
	}
	t.Run("a caller starts an attempt when Run does not", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour, err: &auth.Error{Cause: "down"}}
			s := fakeSource(t, secretApp, f, nil)
			_, _ = s.Token(t.Context())
			f.set(func(f *fakeEntra) { f.err = nil })
			pass(time.Second)
			wantBearer(t, s, "t2")
		})
	})
	t.Run("waits for what Entra's Retry-After says", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour, err: &auth.Error{Cause: "throttled", Status: 429, RetryAfter: 2 * time.Minute}}
			s := fakeSource(t, secretApp, f, nil)
			running(t, s)
			start := time.Now()
			pass(119 * time.Second)
			var e *auth.Error
			if _, err := s.Token(t.Context()); !errors.As(err, &e) || e.RetryAfter < time.Second ||
				e.RetryAfter > 13*time.Second {
				t.Errorf("a caller's error is %#v", err)
			}
			if got := s.Status().Err.RetryAfter; got != 2*time.Minute {
				t.Errorf("the status says %s", got)
			}
			f.set(func(f *fakeEntra) { f.err = nil })
			pass(15 * time.Second)
			if at := f.since(start); len(at) != 2 || at[1] < 2*time.Minute {
				t.Errorf("attempts at %v", at)
			}
		})
	})
}

func TestShortTokens(t *testing.T) {
	t.Run("are kept too", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: 2 * time.Minute}
			s := fakeSource(t, secretApp, f, nil)
			for range 11 {
				wantBearer(t, s, "t1")
				pass(10 * time.Second)
			}
		})
	})
	t.Run("are renewed at half of their life", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: 20 * time.Second}
			running(t, fakeSource(t, secretApp, f, nil))
			pass(time.Minute)
			if n := f.count(); n < 5 || n > 7 {
				t.Errorf("%d requests in a minute", n)
			}
		})
	})
	t.Run("of no length to speak of make no loop", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: 10 * time.Millisecond}
			running(t, fakeSource(t, secretApp, f, nil))
			pass(10*time.Second + 500*time.Millisecond)
			if f.count() != 11 {
				t.Errorf("%d requests in 10 s", f.count())
			}
		})
	})
	t.Run("that are over when they come are a failure", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := fakeSource(t, secretApp, &fakeEntra{life: -time.Second}, nil)
			if got, err := bearer(t.Context(), s); err == nil {
				t.Errorf("token %q", got)
			}
		})
	})
	t.Run("a token that cannot stand in a header is a failure", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := fakeSource(t, secretApp, &fakeEntra{life: time.Hour, token: "a\r\nX-Evil: 1"}, nil)
			if got, err := bearer(t.Context(), s); err == nil {
				t.Errorf("token %q", got)
			}
		})
	})
}

func TestRun(t *testing.T) {
	t.Run("asks for the first token by itself", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := fakeSource(t, secretApp, &fakeEntra{life: time.Hour}, nil)
			running(t, s)
			synctest.Wait()
			if st := s.Status(); !st.Ready || st.Acquisitions != 1 || !st.Expires.Equal(time.Now().Add(time.Hour)) {
				t.Errorf("status %+v", st)
			}
		})
	})
	t.Run("ends with its context and gives up the attempt under way", func(t *testing.T) {
		// The bubble fails if a goroutine is left.
		synctest.Test(t, func(t *testing.T) {
			s := fakeSource(t, secretApp, &fakeEntra{hang: true}, nil)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); s.Run(ctx) }()
			waited := make(chan error, 1)
			go func() { _, err := s.Token(t.Context()); waited <- err }()
			pass(time.Second)
			start := time.Now()
			cancel()
			<-done
			if err := <-waited; err == nil || !time.Now().Equal(start) {
				t.Errorf("error %v after %s", err, time.Since(start))
			}
			if st := s.Status(); st.Failures != 0 || st.Err != nil {
				t.Errorf("stopping counts as a failure: %+v", st)
			}
			if _, err := s.Token(t.Context()); err == nil {
				t.Error("a token from nowhere")
			}
		})
	})
	t.Run("leaves the token in hand to be served", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour}
			s := fakeSource(t, secretApp, f, nil)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); s.Run(ctx) }()
			synctest.Wait()
			cancel()
			<-done
			pass(59 * time.Minute)
			wantBearer(t, s, "t1")
		})
	})
}
