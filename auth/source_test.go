package auth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"graphproxy/auth"
)

// fakeEntra makes tokens in memory: "t1", "t2", … Times are those of the bubble that the test runs in.
type fakeEntra struct {
	mu       sync.Mutex
	life     time.Duration
	refresh  time.Duration // refresh_in; 0: none
	takes    time.Duration // an answer
	err      *auth.Error   // instead of a token
	hang     bool          // answer nothing until the attempt is given up
	token    string        // instead of "t<n>"
	attempts []time.Time
	claims   []auth.ClaimsChallenge // of the attempts
}

func (f *fakeEntra) set(change func(*fakeEntra)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fakeEntra) acquire(ctx context.Context, claims auth.ClaimsChallenge) (auth.Acquired, *auth.Error) {
	f.mu.Lock()
	f.attempts = append(f.attempts, time.Now())
	f.claims = append(f.claims, claims)
	n, takes, hang := len(f.attempts), f.takes, f.hang
	f.mu.Unlock()
	if hang {
		takes = 24 * time.Hour
	}
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return auth.Acquired{}, &auth.Error{Cause: "timed out", Err: ctx.Err()}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return auth.Acquired{}, f.err
	}
	got := auth.Acquired{Access: fmt.Sprintf("t%d", n), Expires: time.Now().Add(f.life)}
	if f.token != "" {
		got.Access = f.token
	}
	if f.refresh > 0 {
		got.Refresh = time.Now().Add(f.refresh)
	}
	return got, nil
}

// since returns the attempts so far as times since start.
func (f *fakeEntra) since(start time.Time) []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []time.Duration
	for _, at := range f.attempts {
		out = append(out, at.Sub(start))
	}
	return out
}

func (f *fakeEntra) count() int { return len(f.since(time.Time{})) }

var secretApp = auth.App{
	Name:     "default",
	TenantID: "contoso.onmicrosoft.com",
	ClientID: "app",
	Secret:   auth.NewSecret(canary),
}

func fakeSource(t *testing.T, a auth.App, f *fakeEntra, log *slog.Logger) *auth.Source {
	t.Helper()
	s, err := auth.NewSourceFunc(a, auth.Options{Log: log}, f.acquire)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bearer returns the current access token, or the error.
func bearer(ctx context.Context, s *auth.Source) (string, error) {
	token, err := s.Token(ctx)
	if err != nil {
		return "", err
	}
	h := http.Header{}
	token.SetAuthorization(h)
	return strings.TrimPrefix(h.Get("Authorization"), "Bearer "), nil
}

func wantBearer(t *testing.T, s *auth.Source, want string) {
	t.Helper()
	got, err := bearer(t.Context(), s)
	if err != nil || got != want {
		t.Errorf("token %q, error %v; want token %q", got, err, want)
	}
}

// running starts s.Run and stops it at the end of the test.
func running(t *testing.T, s *auth.Source) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// pass advances the time by d and waits until all work that is due then is done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestCallers(t *testing.T) {
	t.Run("a hundred that wait for the first token are one request", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour, takes: time.Second}
			s := fakeSource(t, secretApp, f, nil)
			var wg sync.WaitGroup
			var good atomic.Int32
			for range 100 {
				wg.Go(func() {
					if got, err := bearer(t.Context(), s); err == nil && got == "t1" {
						good.Add(1)
					}
				})
			}
			wg.Wait()
			if good.Load() != 100 || f.count() != 1 {
				t.Errorf("%d callers have the token after %d requests; want 100 after 1", good.Load(), f.count())
			}
		})
	})
	t.Run("one that goes away fails alone, the one that began the request too", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour, takes: 2 * time.Second}
			s := fakeSource(t, secretApp, f, nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var wg sync.WaitGroup
			wg.Go(func() {
				_, err := s.Token(ctx)
				var e *auth.Error
				if !errors.As(err, &e) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the leader's error is %v", err)
				}
			})
			synctest.Wait()
			for range 10 {
				wg.Go(func() { wantBearer(t, s, "t1") })
			}
			wg.Wait()
			if f.count() != 1 {
				t.Errorf("%d requests", f.count())
			}
		})
	})
	t.Run("a hit does not look at the caller's context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := fakeSource(t, secretApp, &fakeEntra{life: time.Hour}, nil)
			wantBearer(t, s, "t1")
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := s.Token(ctx); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("after a failure they are told at once, with the time of the next attempt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{err: &auth.Error{Cause: "refused", Code: 7000215}}
			s := fakeSource(t, secretApp, f, nil)
			_, _ = s.Token(t.Context())
			before := time.Now()
			for range 50 {
				_, err := s.Token(t.Context())
				var e *auth.Error
				if !errors.As(err, &e) || e.Code != 7000215 || e.RetryAfter <= 0 || e.RetryAfter > time.Second {
					t.Fatalf("error %#v", err)
				}
			}
			if f.count() != 1 || !time.Now().Equal(before) {
				t.Errorf("%d requests, %s waited", f.count(), time.Since(before))
			}
		})
	})
	t.Run("they wait for an attempt that is under way during an outage", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour, err: &auth.Error{Cause: "down"}}
			s := fakeSource(t, secretApp, f, nil)
			running(t, s)
			synctest.Wait()
			f.set(func(f *fakeEntra) { f.err, f.takes = nil, time.Second })
			pass(1500 * time.Millisecond) // the second attempt began after 0.75 to 1 s
			wantBearer(t, s, "t2")
		})
	})
}

func TestHit(t *testing.T) {
	s := fakeSource(t, secretApp, &fakeEntra{life: time.Hour}, nil)
	wantBearer(t, s, "t1")
	h, ctx := http.Header{"Authorization": nil}, t.Context()
	n := testing.AllocsPerRun(1000, func() {
		token, err := s.Token(ctx)
		if err != nil {
			t.Fatal(err)
		}
		token.SetAuthorization(h)
	})
	if n != 0 {
		t.Errorf("a hit allocates %v times", n)
	}
}

func BenchmarkHit(b *testing.B) {
	f := &fakeEntra{life: time.Hour}
	s, err := auth.NewSourceFunc(secretApp, auth.Options{}, f.acquire)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.Token(b.Context()); err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Token(ctx); err != nil {
				b.Error(err)
			}
		}
	})
}
