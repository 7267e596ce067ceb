package console_test

import (
	"bytes"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"graphproxy/auth/caller"
)

// processor returns the user and system time that this process has used.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkTenWatchers measures what ten watchers and the copying of records cost for each request, at 2,000 requests a
// second: an operation is a second, with 2,000 records and ten events that are written to sockets. docs/console.md has
// the figure.
func BenchmarkTenWatchers(b *testing.B) {
	const requests, watchers = 2000, 10
	line := append(bytes.Repeat([]byte("x"), 600), '\n')
	for _, watching := range []int{0, watchers} {
		b.Run(map[int]string{0: "none", watchers: "ten"}[watching], func(b *testing.B) {
			c, _, _ := newConsole(b, base(""), true, caller.Options{})
			var to []io.Writer
			for range watching {
				to = append(to, sink(b))
			}
			next := c.Streams(watching)
			before := processor(b)
			for range b.N {
				for range requests {
					_, _ = c.Records().Write(line)
				}
				for i, w := range to {
					_, _ = w.Write(next[i]())
				}
			}
			used := processor(b) - before
			b.ReportMetric(float64(used.Nanoseconds())/1000/float64(b.N*requests), "cpu-µs/request")
		})
	}
}

// sink is a connection over loopback whose other end reads everything.
func sink(b *testing.B) io.Writer {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, _ = io.Copy(io.Discard, c)
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	return c
}
