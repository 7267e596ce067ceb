package logwriter_test

import (
	"bytes"
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"graphproxy/cmd/graphproxy/logwriter"
)

// slowTarget takes its time for each write. Lines gather meanwhile.
type slowTarget struct{}

func (slowTarget) Write(p []byte) (int, error) {
	time.Sleep(600 * time.Microsecond)
	return len(p), nil
}

func TestLinesThatComeDuringAWriteAllocateLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := logwriter.New(slowTarget{}, logwriter.Options{})
		defer w.Close(context.Background())
		line := append(bytes.Repeat([]byte("x"), 10_000), '\n')
		write := func(rounds int) {
			for range rounds {
				_, _ = w.Write(line)
				time.Sleep(700 * time.Microsecond)
			}
		}
		write(100) // both queues have grown
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		write(2_000)
		runtime.ReadMemStats(&after)
		// what the timers take; the lines have 20 MB
		if got := after.TotalAlloc - before.TotalAlloc; got > 2<<20 {
			t.Errorf("2,000 lines of 10 kB allocated %d bytes", got)
		}
	})
}
