//go:build !race

package proxy_test

const raceDetector = false

// underRace returns all: the race detector is off.
func underRace(all, _ int) int { return all }
