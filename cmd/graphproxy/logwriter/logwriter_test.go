package logwriter_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/cmd/graphproxy/logwriter"
)

// sink is a stream whose writes a test can fail, cut short or hold back.
type sink struct {
	mu     sync.Mutex
	text   bytes.Buffer
	writes int
	fail   error         // of every write
	short  int           // bytes that a failing write takes all the same
	gate   chan struct{} // not nil: a write waits until it is closed
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	gate := s.gate
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.fail != nil {
		n, _ := s.text.Write(p[:min(s.short, len(p))])
		s.short = 0
		return n, s.fail
	}
	return s.text.Write(p)
}

func (s *sink) set(change func(*sink)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func lost(n int) []byte { return fmt.Appendf(nil, "{\"lost\":%d}\n", n) }

func put(t *testing.T, w io.Writer, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if n, err := w.Write([]byte(line + "\n")); err != nil || n != len(line)+1 {
			t.Fatalf("Write: %d, %v", n, err)
		}
	}
}

func shut(t *testing.T, w *logwriter.Writer) {
	t.Helper()
	if err := w.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLinesThatGatherAreWrittenWithOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{gate: make(chan struct{})}
		w := logwriter.New(s, logwriter.Options{})
		put(t, w, "one")
		synctest.Wait() // its write waits at the gate
		put(t, w, "two", "three", "four")
		close(s.gate)
		shut(t, w)
		if got := s.String(); got != "one\ntwo\nthree\nfour\n" || s.writes != 2 {
			t.Errorf("%d writes of %q", s.writes, got)
		}
		if diff := cmp.Diff(logwriter.State{Written: 4}, w.State()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestLinesSoonAfterAWriteWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		w := logwriter.New(s, logwriter.Options{})
		wrote := func(want string, writes int) {
			t.Helper()
			synctest.Wait()
			if got := s.String(); got != want || s.writes != writes {
				t.Errorf("%d writes of %q, want %d of %q", s.writes, got, writes, want)
			}
		}
		put(t, w, "one")
		wrote("one\n", 1) // after a pause a line does not wait
		put(t, w, "two")
		wrote("one\n", 1)
		put(t, w, "three")
		time.Sleep(10 * time.Millisecond)
		wrote("one\ntwo\nthree\n", 2)
		put(t, w, "four")
		wrote("one\ntwo\nthree\nfour\n", 3)
		put(t, w, "five")
		synctest.Wait()
		begin := time.Now()
		shut(t, w) // the end of the process does not wait
		if time.Since(begin) > 0 {
			t.Errorf("Close took %v", time.Since(begin))
		}
		wrote("one\ntwo\nthree\nfour\nfive\n", 4)
	})
}

func TestAFailingTargetGetsEveryLineOnceWhenItWorksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reports []string
		s := &sink{fail: syscall.ENOSPC, short: 6}
		w := logwriter.New(s, logwriter.Options{
			Failed:  func(err error) { reports = append(reports, "failed: "+err.Error()) },
			Resumed: func(lost int64) { reports = append(reports, fmt.Sprintf("resumed: %d", lost)) },
		})
		put(t, w, "one", "two") // the disk takes "one\ntw"
		synctest.Wait()
		put(t, w, "three")
		synctest.Wait()
		if err := w.Err(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Err: %v", err)
		}
		if s.writes > 2 {
			t.Errorf("%d writes were tried without a pause between them", s.writes)
		}
		s.set(func(s *sink) { s.fail = nil })
		time.Sleep(time.Second)
		synctest.Wait()
		if got := s.String(); got != "one\ntwo\nthree\n" {
			t.Errorf("the target holds %q", got)
		}
		shut(t, w)
		if diff := cmp.Diff([]string{"failed: no space left on device", "resumed: 0"}, reports); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAReaderThatStallsCostsLinesAndNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failed error
		s := &sink{gate: make(chan struct{})}
		w := logwriter.New(s, logwriter.Options{MaxLines: 3, Lost: lost, Failed: func(err error) { failed = err }})
		put(t, w, "one")
		synctest.Wait()
		put(t, w, "two", "three", "four", "five")
		if diff := cmp.Diff(logwriter.State{Waiting: 3, Lost: 2}, w.State(), cmp.FilterPath(func(p cmp.Path) bool {
			return p.String() == "Err"
		}, cmp.Ignore())); diff != "" {
			t.Error(diff)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if w.Err() == nil || failed == nil {
			t.Errorf("Err: %v, reported: %v", w.Err(), failed)
		}
		close(s.gate)
		synctest.Wait()
		if err := w.Err(); err != nil {
			t.Errorf("Err when it reads again: %v", err)
		}
		put(t, w, "six")
		shut(t, w)
		if got, want := s.String(), "one\ntwo\nthree\n{\"lost\":2}\nsix\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestTheQueueIsBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{gate: make(chan struct{})}
		w := logwriter.New(s, logwriter.Options{MaxBytes: 100})
		put(t, w, strings.Repeat("a", 49))
		synctest.Wait()
		put(t, w, strings.Repeat("b", 49), "c")
		if state := w.State(); state.Waiting != 2 || state.Lost != 1 {
			t.Errorf("%+v", state)
		}
		close(s.gate)
		shut(t, w)
	})
}

func TestCloseReportsWhatCouldNotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		w := logwriter.New(&sink{gate: gate}, logwriter.Options{})
		put(t, w, "one", "two")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.Close(ctx); err == nil || !strings.HasPrefix(err.Error(), "2 lines were not written: ") {
			t.Errorf("Close: %v", err)
		}
		close(gate)
	})
}

// openLog opens a log at a new path.
func openLog(t *testing.T) (*logwriter.Writer, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "logs", "audit.log")
	must(t, os.Mkdir(filepath.Dir(path), 0o700))
	w, err := logwriter.Open(path, logwriter.Options{Lost: lost})
	must(t, err)
	t.Cleanup(func() { _ = w.Close(context.Background()) })
	return w, path
}

func TestARotatedFileIsOpenedAnew(t *testing.T) {
	w, path := openLog(t)
	put(t, w, "before")
	awaitText(t, path, "before\n")
	must(t, os.Rename(path, path+".1"))
	w.Reopen()
	await(t, "a new file", func() bool { _, err := os.Stat(path); return err == nil })
	put(t, w, "after")
	awaitText(t, path, "after\n")
	if got := read(t, path+".1"); got != "before\n" {
		t.Errorf("the old file holds %q", got)
	}
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestARemovedFileIsMadeAnewWithoutASignal(t *testing.T) {
	w, path := openLog(t)
	put(t, w, "before")
	awaitText(t, path, "before\n")
	must(t, os.Remove(path))
	await(t, "a new file", func() bool { _, err := os.Stat(path); return err == nil })
	put(t, w, "after")
	awaitText(t, path, "after\n")
}

// A line that is written right after the file was removed is not lost with it.
func TestNoLineGoesToAFileThatWasRemoved(t *testing.T) {
	w, path := openLog(t)
	for i := range 50 {
		line := fmt.Sprint("line ", i)
		put(t, w, line)
		awaitText(t, path, line+"\n")
		must(t, os.Remove(path))
	}
	must(t, os.RemoveAll(filepath.Dir(path)))
	put(t, w, "without a folder")
	await(t, "an error", func() bool { return w.Err() != nil })
	must(t, os.Mkdir(filepath.Dir(path), 0o700))
	awaitText(t, path, "without a folder\n")
	await(t, "51 lines that count as written", func() bool { return w.State().Written == 51 })
	if s := w.State(); s.Lost != 0 {
		t.Errorf("%+v", s)
	}
}

func TestLinesWaitWhileTheFolderIsGone(t *testing.T) {
	w, path := openLog(t)
	must(t, os.RemoveAll(filepath.Dir(path)))
	w.Reopen()
	await(t, "an error", func() bool { return w.Err() != nil })
	if err := w.Err(); !strings.Contains(err.Error(), "create the directory") {
		t.Errorf("Err: %v", err)
	}
	put(t, w, "meanwhile")
	must(t, os.Mkdir(filepath.Dir(path), 0o700))
	awaitText(t, path, "meanwhile\n")
	await(t, "no error", func() bool { return w.Err() == nil })
}

func TestATornLineIsNotContinued(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	must(t, os.WriteFile(path, []byte("whole\n{\"torn"), 0o600))
	w, err := logwriter.Open(path, logwriter.Options{})
	must(t, err)
	put(t, w, "next")
	shut(t, w)
	if got, want := read(t, path), "whole\n{\"torn\nnext\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAFullDiskFailsAndRefusesNoWrite(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skipf("this system has no /dev/full: %v", err)
	}
	w, err := logwriter.Open("/dev/full", logwriter.Options{})
	must(t, err)
	put(t, w, "one")
	await(t, "an error", func() bool { return errors.Is(w.Err(), syscall.ENOSPC) })
	if err := w.Close(t.Context()); err == nil {
		t.Error("Close reports no lost line")
	}
}

func TestPathsThatCannotBeALogAreRefused(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	must(t, syscall.Mkfifo(fifo, 0o600))
	for _, tt := range []struct{ name, path, cure string }{
		{"a directory", dir, "write the path of a file"},
		{"in no directory", filepath.Join(dir, "none", "audit.log"), "create the directory"},
		{"a pipe that no program reads", fifo, "start the program that reads this pipe first"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, err := logwriter.Open(tt.path, logwriter.Options{})
			if err == nil {
				_ = w.Close(t.Context())
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), tt.cure) || strings.Contains(err.Error(), dir) {
				t.Errorf("%v", err)
			}
		})
	}
}

func awaitText(t *testing.T, path, want string) {
	t.Helper()
	await(t, fmt.Sprintf("%q", want), func() bool { text, _ := os.ReadFile(path); return string(text) == want })
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	const patience = 2 * time.Minute
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within %v", what, patience)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func BenchmarkWrite(b *testing.B) {
	w := logwriter.New(io.Discard, logwriter.Options{})
	defer w.Close(context.Background())
	line := []byte(strings.Repeat("x", 599) + "\n")
	b.ReportAllocs()
	for b.Loop() {
		_, _ = w.Write(line)
	}
}
