package caller_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"graphproxy/auth/caller"
)

func many(n int) []caller.Caller {
	callers := []caller.Caller{is("all", anyone)}
	for i := range n {
		callers = append(callers,
			is("app"+strconv.Itoa(i), key(hrKey+strconv.Itoa(i)), network(fmt.Sprintf("10.%d.%d.0/24", i/256, i%256))))
	}
	return callers
}

func BenchmarkAuthenticate(b *testing.B) {
	for _, n := range []int{1, 100, 2000} {
		a := mustNew(b, many(n)...)
		for name, r := range map[string]*http.Request{
			"key":     request("Authorization: Bearer " + hrKey + "0"),
			"network": from("10.0.0.9:443", request()),
			"anyone":  from("[::1]:443", request()),
		} {
			b.Run(fmt.Sprintf("%s/callers=%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := a.Authenticate(r); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
