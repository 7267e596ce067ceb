package server_test

import (
	"fmt"
	"strings"
	"testing"

	"graphproxy/auth"
	"graphproxy/cmd/graphproxy/server"
	"graphproxy/proxy/redislimit"
)

func redisAt(t *testing.T, url string) (a redislimit.Address) {
	t.Helper()
	must(t, a.UnmarshalText([]byte(url)))
	return a
}

func TestDescriptorsAreSharedOut(t *testing.T) {
	apps := make([]auth.App, 2)
	redis := redisAt(t, "redis://127.0.0.1:6379")
	for _, tt := range []struct {
		name                           string
		limit                          int
		parts                          server.Parts
		callers, admin, inFlight, kept int
	}{
		{"ulimit -n 256 in a shell", 256, server.Parts{MaxInFlight: 1000}, 64, 32, 64, 32},
		{"1024, where Go could not raise it", 1024, server.Parts{MaxInFlight: 1000}, 371, 32, 371, 185},
		{"1024 and few requests in flight", 1024, server.Parts{MaxInFlight: 100}, 778, 32, 100, 50},
		{"20000", 20000, server.Parts{MaxInFlight: 1000}, 18404, 32, 1000, 500},
		{"20000 and many requests in flight", 20000, server.Parts{MaxInFlight: 5000}, 14392, 32, 5000, 512},
		{"apps take two each", 20000, server.Parts{MaxInFlight: 1000, Apps: apps}, 18400, 32, 1000, 500},
		{"Redis takes 64", 20000, server.Parts{MaxInFlight: 1000, Redis: redis}, 18340, 32, 1000, 500},
		{"systemd's 524288", 524288, server.Parts{MaxInFlight: 1000}, 522692, 32, 1000, 500},
		{"no limit", 1 << 31, server.Parts{MaxInFlight: 1000}, 1046980, 32, 1000, 500},
		{"next to nothing", 8, server.Parts{MaxInFlight: 1000}, 1, 1, 1, 1},
		{"nothing", 1, server.Parts{MaxInFlight: 1000}, 1, 1, 1, 1},
		{"a setting below it", 20000, server.Parts{MaxInFlight: 1000, MaxConnections: 400}, 400, 32, 1000, 500},
		{"a setting that is all of it", 20000, server.Parts{MaxInFlight: 1000, MaxConnections: 18404}, 18404, 32, 1000, 500},
		{"a request in flight", 20000, server.Parts{MaxInFlight: 1}, 19902, 32, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			callers, admin, inFlight, kept, _, err := server.ShareDescriptors(tt.limit, tt.parts)
			must(t, err)
			got, want := fmt.Sprint(callers, admin, inFlight, kept), fmt.Sprint(tt.callers, tt.admin, tt.inFlight, tt.kept)
			if got != want {
				t.Errorf("callers, admin, in flight, kept: %s, want %s", got, want)
			}
			if sum := callers + inFlight + kept + admin; tt.limit >= 16 && sum > tt.limit {
				t.Errorf("%d of %d", sum, tt.limit)
			}
		})
	}
}

// Whatever the limit is, a caller's connection that carries a request finds a place, and what the warning proposes
// allows all requests.
func TestDescriptorsSufficeForWhatTheyAllow(t *testing.T) {
	for limit := 16; limit < 8192; limit += 7 {
		for _, most := range []int{1, 2, 7, 64, 1000, 3000} {
			p := server.Parts{MaxInFlight: most}
			callers, _, inFlight, kept, enough, err := server.ShareDescriptors(limit, p)
			must(t, err)
			if callers+inFlight+kept > limit-min(96, limit/2) {
				t.Fatalf("%d: %d callers, %d in flight, %d kept", limit, callers, inFlight, kept)
			}
			if inFlight < most && callers != inFlight {
				t.Fatalf("%d: %d callers for %d requests in flight", limit, callers, inFlight)
			}
			if _, _, inFlight, _, _, _ := server.ShareDescriptors(enough, p); inFlight != most {
				t.Fatalf("%d are said to be enough for %d, and allow %d", enough, most, inFlight)
			}
		}
	}
}

func TestMoreConnectionsThanThereAreDescriptorsAreRefused(t *testing.T) {
	_, _, _, _, _, err := server.ShareDescriptors(256, server.Parts{MaxInFlight: 1000, MaxConnections: 65})
	if err == nil || !strings.HasPrefix(err.Error(), "GRAPHPROXY_MAX_CONNECTIONS is greater than the 64 that "+
		"RLIMIT_NOFILE, 256, leaves for callers") || !strings.HasSuffix(err.Error(), "or set at most 64") {
		t.Error(err)
	}
}
