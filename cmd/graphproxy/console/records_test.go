package console_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"graphproxy/auth/caller"
	"graphproxy/cmd/graphproxy/console"
)

func line(n int) string { return fmt.Sprintf(`{"n":%d}`, n) }

func TestRecordsKeepTheNewestLines(t *testing.T) {
	r := console.NewRecords()
	if r.Newest() != 0 || r.After(0) != nil || r.Before(0) != nil {
		t.Error("new records are not empty")
	}
	const most = console.MostRecords
	for n := 1; n <= most+10; n += 2 {
		lines := line(n) + "\n" + line(n+1) + "\n"
		if written, err := r.Write([]byte(lines)); written != len(lines) || err != nil {
			t.Fatal(written, err)
		}
	}
	if r.Newest() != most+10 {
		t.Errorf("the newest is %d", r.Newest())
	}
	first := r.After(0)[0]
	if first.Number != 11 || string(first.Line) != line(11) {
		t.Errorf("the oldest is %d: %s", first.Number, first.Line)
	}
	last := r.Before(0)
	if l := last[len(last)-1]; l.Number != most+10 || string(l.Line) != line(most+10) {
		t.Errorf("the newest is %d: %s", l.Number, l.Line)
	}
	if part := r.Before(100); part[len(part)-1].Number != 99 {
		t.Errorf("before 100 is %d", part[len(part)-1].Number)
	}
}

func TestRecordsAreBoundedInBytes(t *testing.T) {
	r := console.NewRecords()
	long := bytes.Repeat([]byte("x"), 4000)
	for range 3 * console.MostBytes / len(long) {
		_, _ = r.Write(append(long, '\n'))
	}
	text, err := io.ReadAll(r.Reader())
	if err != nil || len(text) > console.MostBytes+console.MostRecords || len(text) < console.MostBytes*15/16 {
		t.Errorf("%d bytes are kept, %v", len(text), err)
	}
	for l := range bytes.Lines(text) {
		if !bytes.Equal(bytes.TrimSuffix(l, []byte("\n")), long) {
			t.Fatalf("a line is %.40q", l)
		}
	}
	if allocated := testing.AllocsPerRun(1000, func() { _, _ = r.Write(long) }); allocated != 0 {
		t.Errorf("a line allocates %v times", allocated)
	}
}

func TestRecordsTakeTheMemoryThatTheirLinesNeed(t *testing.T) {
	before := inUse()
	r := console.NewRecords()
	const size = 500
	text := append(bytes.Repeat([]byte("x"), size), '\n')
	for range 4 * console.MostBytes / size { // each byte of a ring of MostBytes would be written
		_, _ = r.Write(text)
	}
	if used, most := inUse()-before, console.MostRecords*size*3/2; used > most {
		t.Errorf("%d bytes are in use, want at most %d", used, most)
	}
	if n := len(r.Before(0)); n == 0 {
		t.Error("no line is kept")
	}
}

// inUse returns the bytes of the heap that are in use.
func inUse() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestAWatcherOfFewRecordsCopiesNoOthersForLong(t *testing.T) {
	c, _, _ := newConsole(t, base(""), true, caller.Options{})
	for range console.MostRecords {
		record(t, c, nil)
	}
	before := allocated()
	c.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://127.0.0.1/decisions?path=secret", nil))
	if used := allocated() - before; used > 2<<20 {
		t.Errorf("%d bytes are allocated to find nothing in %d lines", used, console.MostRecords)
	}
}

// allocated returns the bytes that were allocated since the start.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestLinesOfAnyLengthComeBackWhole(t *testing.T) {
	r := console.NewRecords()
	of := func(n int) string { return strings.Repeat(string(rune('a'+n%26)), 1+n*n%4093) }
	for n := range 30_000 {
		_, _ = r.Write([]byte(of(n) + "\n"))
	}
	after, count := uint64(0), 0
	for part := r.After(after); len(part) > 0; part = r.After(after) {
		for _, one := range part {
			if string(one.Line) != of(int(one.Number)-1) {
				t.Fatalf("line %d is %.20q", one.Number, one.Line)
			}
			count++
			after = one.Number
		}
	}
	if after != 30_000 || count < 4000 || count > console.MostRecords {
		t.Errorf("%d lines, up to %d", count, after)
	}
}

func TestRecordsAreReadWhileTheyAreWritten(t *testing.T) {
	r := console.NewRecords()
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for n := range 5000 {
				_, _ = fmt.Fprintf(r, "{\"w\":%d,\"n\":%d}\n", w, n)
			}
		})
	}
	for range 20 {
		text, err := io.ReadAll(r.Reader())
		if err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(string(text)) {
			if !strings.HasPrefix(l, `{"w":`) || !strings.HasSuffix(l, "}\n") {
				t.Fatalf("%q", l)
			}
		}
	}
	writers.Wait()
}
