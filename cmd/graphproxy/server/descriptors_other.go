//go:build !unix

package server

// descriptorLimit is not known where there is no RLIMIT_NOFILE.
func descriptorLimit() int { return mostDescriptors }
