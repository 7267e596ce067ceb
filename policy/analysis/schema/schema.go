// Package schema has the JSON Schema of the policy file. With it, editors complete the file, explain its keys and
// mark mistakes.
//
// The schema is of draft-07: the YAML language server, which most editors use, reads that draft and older ones.
// patternErrorMessage is no keyword of the draft: that server shows it in place of a regular expression, others
// ignore it.
//
// It accepts every file that package policy loads, and refuses as many of the other files as a schema can. (One
// exception: 5.0 as a value of a query option is a text to policy, and the number 5 to JSON.) A schema cannot check
// one part of the file against another, such as unused names or a failing test. Only package policy decides whether
// a file loads.
package schema

import _ "embed"

//go:embed schema.json
var text string

// JSON returns the schema: UTF-8, indented by two spaces, with a newline at its end. The caller may change the
// bytes.
func JSON() []byte { return []byte(text) }
