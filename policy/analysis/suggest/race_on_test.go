//go:build race

package suggest_test

// bigLog is how many lines TestABigLog reads: the race detector makes each many times as dear. CI runs the full number
// without it.
const bigLog = 4_000
