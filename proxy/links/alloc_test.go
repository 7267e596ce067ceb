package links_test

import (
	"bytes"
	"io"
	"testing"

	"graphproxy/proxy/links"
)

// most is how many allocations a page may have.
const most = 14

func TestAPageTenTimesAsLongAllocatesLittleMore(t *testing.T) {
	r, buffer := rewriter(t), make([]byte, 32<<10)
	allocations := func(text []byte) float64 {
		return testing.AllocsPerRun(20, func() {
			body := r.NewReader(io.NopCloser(bytes.NewReader(text)), links.Options{})
			for {
				if _, err := body.Read(buffer); err != nil {
					return
				}
			}
		})
	}
	short, long := allocations(page(60_000)), allocations(page(600_000))
	if short > most || long > short+6 {
		t.Errorf("%v allocations for 60 kB and %v for 600 kB, want at most %v, and 6 more", short, long, most)
	}
}
