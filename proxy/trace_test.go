package proxy_test

import (
	"testing"

	"graphproxy/proxy"
)

func TestWithoutTracingSpansCostNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, proxy.Untraced); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}
