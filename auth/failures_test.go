package auth_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"graphproxy/auth"
)

// sourceFailing returns a source whose attempts fail with these AADSTS codes, one after the other.
func sourceFailing(t *testing.T, codes ...int) *auth.Source {
	t.Helper()
	attempts := 0
	app := auth.App{TenantID: "contoso.com", ClientID: "app", Secret: auth.NewSecret("secret")}
	acquire := func(context.Context, auth.ClaimsChallenge) (auth.Acquired, *auth.Error) {
		code := codes[attempts%len(codes)]
		attempts++
		return auth.Acquired{}, &auth.Error{Code: code, Cause: "a test"}
	}
	s, err := auth.NewSourceFunc(app, auth.Options{}, acquire)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fail makes n attempts fail. The clock is that of synctest.
func fail(t *testing.T, s *auth.Source, n int) {
	t.Helper()
	for range n {
		if _, err := s.Token(t.Context()); err == nil {
			t.Fatal("there is a token")
		}
		time.Sleep(time.Hour)
	}
}

func TestFailuresAreCountedByTheirAADSTSCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sourceFailing(t, 7000215, 7000215, 0, 90002, 12, 4_000_000_000)
		fail(t, s, 6)
		st := s.Status()
		want := map[int]uint64{7000215: 2, 0: 1, 90002: 1, auth.OtherCodes: 2}
		if len(st.FailuresByCode) != len(want) || st.Failures != 6 {
			t.Errorf("%d failures, %v", st.Failures, st.FailuresByCode)
		}
		for code, n := range want {
			if st.FailuresByCode[code] != n {
				t.Errorf("%d is counted %d times, want %d", code, st.FailuresByCode[code], n)
			}
		}
	})
}

// A false sign-in server can make up as many codes as it likes.
func TestCodesThatAreCountedByThemselvesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var codes []int
		for i := range 500 {
			codes = append(codes, 50_000+i)
		}
		s := sourceFailing(t, codes...)
		fail(t, s, 500)
		st, sum := s.Status(), uint64(0)
		for _, n := range st.FailuresByCode {
			sum += n
		}
		if len(st.FailuresByCode) > 51 || sum != 500 {
			t.Errorf("%d codes, %d failures of 500", len(st.FailuresByCode), sum)
		}
	})
}
