package edit

import (
	"bytes"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// Patch returns the difference of two texts of one file as a unified patch, which git apply and patch -p1 accept where
// the name begins; nil if they are the same.
func Patch(name string, old, changed []byte) []byte {
	patch := diff.Diff("old", old, "new", changed)
	if patch == nil {
		return nil
	}
	hunks := patch[bytes.Index(patch, []byte("\n@@ "))+1:]
	return append([]byte("--- "+header("a/"+name)+"\n+++ "+header("b/"+name)+"\n"), hunks...)
}

// header returns a name as the first lines of a patch have it. A name with a blank ends in a tab, as git writes it. A
// name with a line break, which would begin another line, is quoted.
func header(name string) string {
	if strings.ContainsAny(name, "\n\r\t\"\\") {
		return quote(name)
	}
	if strings.Contains(name, " ") {
		return name + "\t"
	}
	return name
}

// quote quotes a name as git does.
func quote(name string) string {
	return `"` + strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`, `"`, `\"`, `\`, `\\`).Replace(name) + `"`
}
