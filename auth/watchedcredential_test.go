package auth_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"graphproxy/auth"
)

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
	t.Run("a change is a request as soon as it has rested, and none is none", func(t *testing.T) {
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
			pass(2 * time.Second) // overwritten in place: the change counts once the file has stopped changing
			if f.count() != 1 {
				t.Errorf("%d requests before the file has rested", f.count())
			}
			pass(3 * time.Second)
			if f.count() != 2 {
				t.Errorf("%d requests after it", f.count())
			}
		})
	})
	t.Run("a mistake is reported while the old token is served, and put right", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			path, app := setup(t)
			f := &fakeEntra{life: time.Hour}
			s := fakeSource(t, app, f, nil)
			running(t, s)
			synctest.Wait()
			write(t, path, "")
			pass(5 * time.Second)
			if st := s.Status(); !strings.Contains(st.FileErr, "AZURE_CLIENT_SECRET_FILE") ||
				!strings.Contains(st.FileErr, "empty") || !st.Ready {
				t.Errorf("an empty file: %+v", st)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			pass(40 * time.Minute)
			if st := s.Status(); st.FileErr == "" || st.Err != nil || st.Acquisitions != 2 {
				t.Errorf("no file, and a renewal with the secret from before: %+v", st)
			}
			// Entra's Retry-After forbids other attempts: the next one is that of the new secret.
			f.set(func(f *fakeEntra) { f.err = &auth.Error{Cause: "wrong secret", RetryAfter: time.Minute} })
			write(t, path, "wrong")
			pass(5 * time.Second)
			st := s.Status()
			if st.FileErr != "" || st.Err == nil || !st.Ready {
				t.Errorf("a wrong secret: %+v", st)
			}
			f.set(func(f *fakeEntra) { f.err = nil })
			write(t, path, "right")
			pass(5 * time.Second)
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

// It is no reason not to start. Until its time comes there is no token, and no request for one.
func TestCertificateThatIsNotValidYet(t *testing.T) {
	key := testKeys()[0]
	synctest.Test(t, func(t *testing.T) {
		path := writeFile(t, pemFile(t, key, certificate(t, key, time.Hour, 48*time.Hour)))
		f := &fakeEntra{life: time.Hour}
		s := fakeSource(t, auth.App{TenantID: "contoso.com", ClientID: "app", CertificatePath: path}, f, nil)
		running(t, s)
		pass(50 * time.Minute)
		st := s.Status()
		if f.count() != 0 || st.Ready || st.FileErr != "" || st.Certificate == nil {
			t.Fatalf("%d requests, status %+v", f.count(), st)
		}
		wantError(t, st.Err, path, "valid only from 2000-01-01 01:00", "clock")
		pass(11 * time.Minute)
		if st := s.Status(); f.count() != 1 || !st.Ready || st.Err != nil {
			t.Errorf("when it is valid: %d requests, status %+v", f.count(), st)
		}
	})
}

// One that is put in the place of another before its time leaves the other in use until then.
func TestNextCertificateThatIsNotValidYet(t *testing.T) {
	key := testKeys()[0]
	synctest.Test(t, func(t *testing.T) {
		path := writeFile(t, pemFile(t, key, certificate(t, key, -time.Hour, 48*time.Hour)))
		f := &fakeEntra{life: time.Hour}
		s := fakeSource(t, auth.App{TenantID: "contoso.com", ClientID: "app", CertificatePath: path}, f, nil)
		running(t, s)
		pass(time.Minute)
		begins := s.Status().Certificate.NotBefore
		replace(t, path, pemFile(t, key, certificate(t, key, time.Hour, 90*time.Hour)))
		pass(time.Minute)
		st := s.Status()
		if !st.Ready || st.Err != nil || !st.Certificate.NotBefore.Equal(begins) ||
			!strings.Contains(st.FileErr, "valid only from 2000-01-01 01:01") {
			t.Errorf("before its time: %+v", st)
		}
		pass(time.Hour)
		if st := s.Status(); !st.Ready || st.FileErr != "" || st.Certificate.NotBefore.Equal(begins) {
			t.Errorf("when it is valid: %+v", st)
		}
	})
}

func TestCertificateThatEnds(t *testing.T) {
	key := testKeys()[0]
	synctest.Test(t, func(t *testing.T) {
		path := writeFile(t, pemFile(t, key, certificate(t, key, -time.Hour, 45*time.Minute)))
		f := &fakeEntra{life: time.Hour}
		s := fakeSource(t, auth.App{TenantID: "contoso.com", ClientID: "app", CertificatePath: path}, f, nil)
		running(t, s)
		pass(2 * time.Hour) // a renewal at half an hour or so, and one at an hour that must not be sent
		st := s.Status()
		if f.count() != 2 || st.Ready || st.Err == nil {
			t.Fatalf("%d requests, status %+v", f.count(), st)
		}
		wantError(t, st.Err, path, "expired on 2000-01-01 00:45", "Certificates & secrets")
		if !strings.Contains(st.FileErr, "AZURE_CLIENT_CERTIFICATE_PATH") {
			t.Errorf("file error %q", st.FileErr)
		}
		replace(t, path, pemFile(t, key, certificate(t, key, 0, time.Hour)))
		pass(3 * time.Second)
		if st := s.Status(); !st.Ready || st.Err != nil || st.FileErr != "" {
			t.Errorf("with a new one: %+v", st)
		}
	})
}
