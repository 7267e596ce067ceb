//go:build race

package diff_test

// mostPairs is how many pairs of policies TestWhatIsNoDifferenceDecidesAlike compares.
const mostPairs = 60
