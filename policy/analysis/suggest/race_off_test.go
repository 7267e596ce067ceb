//go:build !race

package suggest_test

// bigLog is how many lines TestABigLog reads.
const bigLog = 20_000
