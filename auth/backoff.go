package auth

import "time"

const (
	attemptTimeout = 8 * time.Second // one acquisition, discovery included
	firstPause     = time.Second     // after the first failure
	shortPause     = 5 * time.Second // the longest while requests are refused for want of a token
	longPause      = time.Minute     // the longest while a token is served
	lastMinute     = time.Minute     // of a token's time, in which the short pause holds
	longestWish    = 5 * time.Minute // of Entra's Retry-After that is granted
)

// pause is the time from the failure of an attempt to the next one: failures counts those in a row, from 1; left is
// how long the token in hand is still served; wish is Entra's Retry-After; fraction in [0, 1) is the jitter, which
// keeps replicas from asking in step.
//
// Without a token the pause is at most 5 s: together with an attempt that hangs for 8 s, requests flow again within
// 15 s of Entra's return.
func pause(failures int, left, wish time.Duration, fraction float64) time.Duration {
	longest := shortPause
	if left > lastMinute {
		// Be awake when the last minute begins, not a pause later.
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
