package caller_test

import (
	"crypto/sha256"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"graphproxy/auth/caller"
)

func ExampleNew() {
	const key = "a-long-random-key-that-only-hr-sync-has"
	a, err := caller.New([]caller.Caller{
		{Name: "hr-sync", Identities: []caller.Identity{{Kind: "key", KeySHA256: sha256.Sum256([]byte(key))}}},
		{Name: "intranet",
			Identities: []caller.Identity{{Kind: "network", Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}},
	}, caller.Options{})
	if err != nil {
		log.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/v1.0/users", nil) // it comes from 192.0.2.1
	for _, presented := range []string{"", key, "a-key-of-no-caller"} {
		r.Header.Del("Authorization")
		if presented != "" {
			r.Header.Set("Authorization", "Bearer "+presented)
		}
		found, err := a.Authenticate(r)
		fmt.Printf("%q by %q, refused: %v\n", found.Name, found.Evidence, err != nil)
	}
	// Output:
	// "intranet" by "network", refused: false
	// "hr-sync" by "key", refused: false
	// "" by "", refused: true
}
