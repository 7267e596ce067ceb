package auth

// OtherCodes stands for AADSTS codes that are not counted by themselves: those beyond mostCodes, and numbers that are
// none.
const OtherCodes = -1

// mostCodes bounds how many AADSTS codes are counted by themselves. What answers in Entra's place could make up many.
const mostCodes = 50

// countFailure counts an attempt that failed, and its AADSTS code; 0 is none. The lock is held.
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
