package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// signals records the second of two signals that end the process. The first one ends the context that run has made.
type signals struct {
	arrived chan os.Signal
	second  chan struct{} // closed when the second one has arrived
	got     os.Signal     // the second one, once second is closed
	done    chan struct{}
}

// watchSignals takes SIGINT and SIGTERM from now on, until end is called. SIGPIPE is ignored: when the program that
// reads a log ends, the writer of that log reports it, and the process goes on.
func watchSignals() *signals {
	signal.Ignore(syscall.SIGPIPE)
	s := &signals{arrived: make(chan os.Signal, 4), second: make(chan struct{}), done: make(chan struct{})}
	signal.Notify(s.arrived, os.Interrupt, syscall.SIGTERM)
	go func() {
		for n := 1; ; n++ {
			select {
			case got := <-s.arrived:
				if n == 2 {
					s.got = got
					close(s.second)
					return
				}
			case <-s.done:
				return
			}
		}
	}()
	return s
}

// end ends the process by the second signal, if that has arrived, so that its parent sees the cause. It is called
// when all logs are written.
func (s *signals) end() {
	close(s.done)
	signal.Stop(s.arrived)
	select {
	case <-s.second:
	default:
		return
	}
	signal.Reset(s.got)
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Signal(s.got) == nil {
		time.Sleep(time.Second) // the signal ends the process before that
	}
}
