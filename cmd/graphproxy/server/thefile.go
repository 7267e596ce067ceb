package server

import (
	"fmt"
	"path/filepath"
	"strings"
)

// theFile names a file that cannot be read, for the operator: the file "/etc/graphproxy/tls.key". It leaves out the
// name if the value may be the content of the file, because people sometimes paste a key in place of its path. A
// path is named if it is absolute or has a dot in it, which PEM and base64 do not.
func theFile(path string) string {
	if strings.Contains(path, "-----BEGIN") || !filepath.IsAbs(path) && !strings.Contains(path, ".") {
		return "the file"
	}
	return fmt.Sprintf("the file %q", path)
}
