//go:build !linux

package main

// releaseStartPages does nothing: only Linux has /proc/self/smaps.
func releaseStartPages() {}
