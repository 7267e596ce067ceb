package auth

import "time"

const (
	attemptTimeout = 8 * time.Second // one acquisition, discovery included
	firstPause     = time.Second     // after the first failure
	shortPause     = 5 * time.Second // the longest while requests are refused for want of a token
	longPause      = time.Minute     // the longest while a token is served
	lastMinute     = time.Minute     // of a token's time: the short pause applies in it
	longestWish    = 5 * time.Minute // the longest Retry-After of Entra's that is granted
)

// pause returns the time from the failure of an attempt to the next attempt. failures counts the failures in a
// row, from 1; left is how long the current token is still served; wish is Entra's Retry-After; fraction in [0,
// 1) is the jitter, so that replicas do not ask at the same moments.
//
// Without a token the pause is at most 5 s: together with an attempt that hangs for 8 s, requests flow again within
// 15 s of Entra's return.
func pause(failures int, left, wish time.Duration, fraction float64) time.Duration {
	longest := shortPause
	if left > lastMinute {
		// The next attempt must not come later than the beginning of the last minute.
		longest = min(longPause, max(shortPause, left-lastMinute))
	}
	p := longest
	if n := failures - 1; n < 6 { // 1 s doubled six times is beyond every cap
		p = min(longest, firstPause<<n)
	}
	p -= time.Duration(float64(p/4) * fraction)
	if wish = min(wish, longestWish); wish > p {
		p = min(longestWish, wish+time.Duration(float64(wish/10)*fraction))
	}
	return p
}
