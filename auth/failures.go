package auth

// OtherCodes stands for AADSTS codes that have no counter of their own: the codes after the first mostCodes,
// and numbers that are not AADSTS codes.
const OtherCodes = -1

// mostCodes bounds how many AADSTS codes have a counter. A false sign-in server could make up many.
const mostCodes = 50

// countFailure counts an attempt that failed, and its AADSTS code; 0 is none. The caller has the lock.
func (s *Source) countFailure(code int) {
	s.failed++
	if s.failedBy == nil {
		s.failedBy = make(map[int]uint64)
	}
	_, known := s.failedBy[code]
	if !known && len(s.failedBy) >= mostCodes || code != 0 && (code < 1000 || code > 999_999_999) {
		code = OtherCodes
	}
	s.failedBy[code]++
}
