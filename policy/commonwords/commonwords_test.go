package commonwords_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"graphproxy/policy/commonwords"
)

func TestHashesOfWordsAreFound(t *testing.T) {
	for _, word := range []string{
		"password", "PASSWORD", "Password", "letmein\n", "hunter2", "Welcome2025!", "Summer2026", "elephant", "the",
		"princess", "abc", "abc123", "hello-world", "my-secret-key", "graphproxy-key", "correct horse battery staple",
		"correcthorsebatterystaple", "dev", "a", " ", "\n", "12", "19999", "1234567890\r\n", "aaaaaaaa", "Bearer secret",
		`"changeme"`, "$KEY", "hr-sync", "hr-sync-key", "HR-SYNC123", "Michael", "Football1",
	} {
		if found, err := commonwords.Has(sha256.Sum256([]byte(word)), "hr-sync"); err != nil || !found {
			t.Errorf("%q is not found: %v", word, err)
		}
	}
}

func TestOtherHashesAreNotFound(t *testing.T) {
	for n := range 1000 {
		key := fmt.Sprintf("gpk_%032x", n*n*n+77777777)
		if found, err := commonwords.Has(sha256.Sum256([]byte(key)), "hr-sync"); err != nil || found {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// The first call computes the hashes, and the others look them up.
func BenchmarkHas(b *testing.B) {
	for b.Loop() {
		if _, err := commonwords.Has([32]byte{1}); err != nil {
			b.Fatal(err)
		}
	}
}
