package auth_test

import (
	"testing"
	"time"

	"graphproxy/auth"
)

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestPause(t *testing.T) {
	tests := []struct {
		name             string
		failures         int
		left, wish, want string
	}{
		{"the first is a second", 1, "0s", "0s", "1s"},
		{"it doubles", 3, "0s", "0s", "4s"},
		{"without a token it is at most five seconds", 4, "0s", "0s", "5s"},
		{"after very many failures too", 1000, "0s", "0s", "5s"},
		{"with a token it goes on doubling", 5, "30m", "0s", "16s"},
		{"with a token it is at most a minute", 50, "30m", "0s", "1m"},
		{"it ends when the token's last minute begins", 50, "1m30s", "0s", "30s"},
		{"but is never shorter than the short one", 50, "1m1s", "0s", "5s"},
		{"in the token's last minute it is short", 50, "59s", "0s", "5s"},
		{"Entra's wish is granted", 1, "0s", "20s", "20s"},
		{"up to five minutes", 1, "0s", "1h", "5m"},
		{"a wish shorter than the pause does not shorten it", 4, "0s", "1s", "5s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			left, wish, want := duration(t, tt.left), duration(t, tt.wish), duration(t, tt.want)
			if got := auth.Pause(tt.failures, left, wish, 0); got != want {
				t.Errorf("without jitter %s, want %s", got, want)
			}
			got := auth.Pause(tt.failures, left, wish, 0.999)
			if low, high := want*3/4, want; wish < want && (got < low || got > high) {
				t.Errorf("with jitter %s, want %s to %s", got, low, high)
			}
			if wish >= want && (got < min(wish, 5*time.Minute) || got > want*11/10) {
				t.Errorf("with jitter %s is outside Entra's wish of %s and a tenth more", got, wish)
			}
		})
	}
}
