// Package schema holds the JSON Schema of the policy file, so that editors complete the file, explain its keys and mark
// what is wrong while it is written.
//
// The schema is of draft-07: the YAML language server, which most editors use, reads that draft and those before it.
// patternErrorMessage is no word of the draft: that server shows it in place of a regular expression, others pass over
// it.
//
// It accepts every file that package policy loads, and refuses as much as a schema can see of what policy refuses. (One
// exception: 5.0 as a value of a query option is a text to policy, and the number 5 to JSON.) What takes knowledge of
// the rest of the file, such as names that nothing has or a test that fails, it leaves to package policy, whose word
// alone counts.
package schema

import _ "embed"

//go:embed schema.json
var text string

// JSON returns the schema: UTF-8, indented by two spaces, with a newline at its end. The bytes are the caller's own.
func JSON() []byte { return []byte(text) }
