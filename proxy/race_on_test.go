//go:build race

package proxy_test

const raceDetector = true

// underRace returns less: the race detector makes each byte and each request many times slower, and finds a race
// with few of them. CI runs the full number without it.
func underRace(_, less int) int { return less }
