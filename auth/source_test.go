package auth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

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
}

func (f *fakeEntra) set(change func(*fakeEntra)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fakeEntra) acquire(ctx context.Context) (auth.Acquired, *auth.Error) {
	f.mu.Lock()
	f.attempts = append(f.attempts, time.Now())
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

var secretApp = auth.App{TenantID: "contoso.onmicrosoft.com", ClientID: "app", Secret: auth.NewSecret(canary)}

func fakeSource(t *testing.T, a auth.App, f *fakeEntra, log *slog.Logger) *auth.Source {
	t.Helper()
	s, err := auth.NewSourceFunc(a, auth.Options{Log: log}, f.acquire)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bearer returns the access token in hand, or the error.
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

// pass lets d go by and everything that is due in it happen.
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
			f := &fakeEntra{life: 24 * time.Hour, refresh: 10 * time.Hour}
			running(t, fakeSource(t, secretApp, f, nil))
			start := time.Now()
			pass(21 * time.Hour)
			if diff := cmp.Diff([]time.Duration{0, 10 * time.Hour, 20 * time.Hour}, f.since(start)); diff != "" {
				t.Error(diff)
			}
		})
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
			if _, err := s.Token(t.Context()); !errors.As(err, &e) || e.RetryAfter < time.Second || e.RetryAfter > 13*time.Second {
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

func TestRefused(t *testing.T) {
	t.Run("the token is served no more and a new one is asked for at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour, takes: time.Second}
			s := fakeSource(t, secretApp, f, nil)
			old, err := s.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for range 100 {
				s.Refused(old)
			}
			synctest.Wait()
			if f.count() != 2 || s.Status().Ready {
				t.Errorf("%d requests, ready %v", f.count(), s.Status().Ready)
			}
			wantBearer(t, s, "t2")
			s.Refused(old)
			wantBearer(t, s, "t2")
		})
	})
	t.Run("refusals of every token ask less and less often", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour}
			s := fakeSource(t, secretApp, f, nil)
			start := time.Now()
			for time.Since(start) < 10*time.Minute {
				token, err := s.Token(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				s.Refused(token)
				pass(50 * time.Millisecond)
			}
			at := f.since(start)
			if len(at) < 10 || len(at) > 20 {
				t.Errorf("requests at %v", at)
			}
			for i := 2; i < len(at); i++ {
				if at[i]-at[i-1] < time.Second {
					t.Errorf("requests at %v", at)
				}
			}
		})
	})
	t.Run("Entra's Retry-After holds", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour}
			s := fakeSource(t, secretApp, f, nil)
			running(t, s)
			synctest.Wait()
			f.set(func(f *fakeEntra) { f.err = &auth.Error{Cause: "throttled", RetryAfter: 4 * time.Minute} })
			pass(37 * time.Minute) // a renewal has been refused
			n := f.count()
			token, err := s.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			s.Refused(token)
			pass(time.Second)
			if _, err := s.Token(t.Context()); err == nil || f.count() != n {
				t.Errorf("error %v, %d requests more", err, f.count()-n)
			}
		})
	})
	t.Run("a zero token is none", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeEntra{life: time.Hour}
			s := fakeSource(t, secretApp, f, nil)
			s.Refused(auth.Token{})
			synctest.Wait()
			if f.count() != 0 {
				t.Errorf("%d requests", f.count())
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

func unsigned(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func TestRoles(t *testing.T) {
	tests := []struct {
		name, token string
		app         auth.App
		roles       []string
		log         []string // in the one warning; none: no warning
	}{
		{"are those in the token", unsigned(`{"roles":["User.Read.All","Mail.Send"]}`), secretApp, []string{"User.Read.All", "Mail.Send"}, nil},
		{"missing are told with the place of consent", unsigned(`{"aud":"x"}`), secretApp, nil,
			[]string{"https://login.microsoftonline.com/contoso.onmicrosoft.com/adminconsent?client_id=app", "after each change"}},
		{"none are told too", unsigned(`{"roles":[]}`), secretApp, []string{}, []string{"/adminconsent?client_id=app"}},
		{"of a managed identity are assigned and not consented to", unsigned(`{}`), auth.App{ManagedIdentity: true}, nil, []string{"appRoleAssignments"}},
		{"of an opaque token are not known", "opaque", secretApp, nil, nil},
		{"of three parts that are no token are not known", "a.b.c", secretApp, nil, nil},
		{"of another shape are not known", unsigned(`{"roles":"all"}`), secretApp, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				s := fakeSource(t, tt.app, &fakeEntra{life: time.Hour, token: tt.token}, slog.New(slog.NewTextHandler(&log, nil)))
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { defer close(done); s.Run(ctx) }()
				pass(5 * time.Hour) // ten tokens
				cancel()
				<-done
				if diff := cmp.Diff(tt.roles, s.Status().Roles); diff != "" {
					t.Error(diff)
				}
				want := min(len(tt.log), 1)
				if n := strings.Count(log.String(), "level=WARN"); n != want {
					t.Errorf("%d warnings, want %d:\n%s", n, want, &log)
				}
				for _, w := range tt.log {
					if !strings.Contains(log.String(), w) {
						t.Errorf("the log does not say %q:\n%s", w, &log)
					}
				}
			})
		})
	}
}

func TestLog(t *testing.T) {
	t.Run("an outage is told once a minute, and its end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			f := &fakeEntra{life: time.Hour, err: &auth.Error{Cause: "down", Cure: "wait", Status: 503}}
			s := fakeSource(t, secretApp, f, slog.New(slog.NewTextHandler(&log, nil)))
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); s.Run(ctx) }()
			pass(10*time.Minute + time.Second)
			f.set(func(f *fakeEntra) { f.err = nil })
			pass(time.Minute)
			cancel()
			<-done
			if n := strings.Count(log.String(), "level=ERROR"); n < 9 || n > 11 {
				t.Errorf("%d errors in ten minutes:\n%s", n, &log)
			}
			for _, want := range []string{"app=default", "error.cause=down", "error.cure=wait", "error.status=503", "token acquired"} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log does not say %q:\n%s", want, &log)
				}
			}
		})
	})
}

func TestSecretFile(t *testing.T) {
	write := func(t *testing.T, path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	setup := func(t *testing.T) (string, auth.App) {
		path := filepath.Join(t.TempDir(), "secret")
		write(t, path, "one\n")
		return path, auth.App{TenantID: "contoso.com", ClientID: "app", SecretFile: path}
	}
	t.Run("a change is a request at once, and none is none", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			path, app := setup(t)
			f := &fakeEntra{life: time.Hour}
			running(t, fakeSource(t, app, f, nil))
			pass(time.Minute)
			write(t, path, "one\n") // written again with the same content
			pass(time.Minute)
			if f.count() != 1 {
				t.Errorf("%d requests before the change", f.count())
			}
			write(t, path, "two\n")
			pass(2 * time.Second)
			if f.count() != 2 {
				t.Errorf("%d requests after it", f.count())
			}
		})
	})
	t.Run("a mistake is told while the old token is served, and put right", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			path, app := setup(t)
			f := &fakeEntra{life: time.Hour}
			s := fakeSource(t, app, f, nil)
			running(t, s)
			synctest.Wait()
			write(t, path, "")
			pass(2 * time.Second)
			if st := s.Status(); !strings.Contains(st.FileErr, "AZURE_CLIENT_SECRET_FILE") || !strings.Contains(st.FileErr, "empty") || !st.Ready {
				t.Errorf("an empty file: %+v", st)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			pass(40 * time.Minute)
			if st := s.Status(); st.FileErr == "" || st.Err != nil || st.Acquisitions != 2 {
				t.Errorf("no file, and a renewal with the secret from before: %+v", st)
			}
			f.set(func(f *fakeEntra) { f.err = &auth.Error{Cause: "wrong secret"} })
			write(t, path, "wrong")
			pass(3 * time.Second)
			st := s.Status()
			if st.FileErr != "" || st.Err == nil || !st.Ready {
				t.Errorf("a wrong secret: %+v", st)
			}
			f.set(func(f *fakeEntra) { f.err = nil })
			write(t, path, "right")
			pass(2 * time.Second)
			if st := s.Status(); st.Err != nil || st.Acquisitions != 3 {
				t.Errorf("the right one: %+v", st)
			}
		})
	})
	t.Run("a new secret does not wait for the end of a pause", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			path, app := setup(t)
			f := &fakeEntra{life: time.Hour, err: &auth.Error{Cause: "wrong secret", RetryAfter: time.Minute}}
			s := fakeSource(t, app, f, nil)
			running(t, s)
			synctest.Wait()
			f.set(func(f *fakeEntra) { f.err = nil })
			write(t, path, "right")
			s.Reload()
			wantBearer(t, s, "t2")
		})
	})
	t.Run("a new secret that comes during an attempt is a second attempt, and callers wait for it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			path, app := setup(t)
			f := &fakeEntra{life: time.Hour, takes: time.Second, err: &auth.Error{Cause: "wrong secret"}}
			s := fakeSource(t, app, f, nil)
			go func() {
				time.Sleep(500 * time.Millisecond)
				write(t, path, "right")
				s.Reload()
				time.Sleep(600 * time.Millisecond)
				f.set(func(f *fakeEntra) { f.err = nil })
			}()
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
