//go:build race

package suggest_test

// bigLog is how many lines TestABigLog reads. The race detector makes each many times slower; CI runs the full
// number without it.
const bigLog = 4_000
