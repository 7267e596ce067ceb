package curl

// kind is what an option does with the words after it.
type kind int

const (
	flag    kind = iota // has no value
	word                // has a value that counts
	data                // has a value that is the body
	ignored             // has a value that changes neither the request's line nor its body, or proves who calls
	form                // has a value that is a part of a form
)

// kindOf returns the kind of an option. It knows those of https://curl.se/docs/manpage.html that people use against
// Graph.
func kindOf(name string) (k kind, known bool) {
	switch name {
	case "--request", "--url", "--url-query", "--upload-file":
		return word, true
	case "--data", "--data-ascii", "--data-binary", "--data-raw", "--data-urlencode", "--json":
		return data, true
	case "--form", "--form-string":
		return form, true
	case "--get", "--head", "--basic", "--compressed", "--fail", "--fail-with-body", "--globoff", "--http1.0",
		"--http1.1", "--http2", "--http2-prior-knowledge", "--include", "--insecure", "--ipv4", "--ipv6",
		"--location", "--location-trusted", "--no-buffer", "--no-progress-meter", "--path-as-is",
		"--progress-bar", "--remote-name", "--remote-header-name", "--show-error", "--silent",
		"--show-headers", "--ssl-no-revoke", "--tlsv1.2", "--tlsv1.3", "--verbose":
		return flag, true
	case "--cacert", "--cert", "--cert-type", "--connect-timeout", "--connect-to", "--continue-at", "--cookie",
		"--cookie-jar", "--dump-header", "--header", "--key", "--limit-rate", "--max-redirs", "--max-time",
		"--noproxy", "--oauth2-bearer", "--output", "--pass", "--proxy", "--proxy-user", "--range",
		"--referer", "--resolve", "--retry", "--retry-delay", "--retry-max-time", "--unix-socket", "--user",
		"--user-agent", "--write-out", "--abstract-unix-socket":
		return ignored, true
	}
	return 0, false
}

// nameOf returns the name of an option that is written as one letter; "" if it is not known.
func nameOf(letter rune) string {
	switch letter {
	case 'X':
		return "--request"
	case 'T':
		return "--upload-file"
	case 'd':
		return "--data"
	case 'F':
		return "--form"
	case 'G':
		return "--get"
	case 'I':
		return "--head"
	case '#':
		return "--progress-bar"
	case '4':
		return "--ipv4"
	case '6':
		return "--ipv6"
	case 'J':
		return "--remote-header-name"
	case 'L':
		return "--location"
	case 'N':
		return "--no-buffer"
	case 'O':
		return "--remote-name"
	case 'S':
		return "--show-error"
	case 'f':
		return "--fail"
	case 'g':
		return "--globoff"
	case 'i':
		return "--include"
	case 'k':
		return "--insecure"
	case 's':
		return "--silent"
	case 'v':
		return "--verbose"
	case 'A':
		return "--user-agent"
	case 'C':
		return "--continue-at"
	case 'D':
		return "--dump-header"
	case 'E':
		return "--cert"
	case 'H':
		return "--header"
	case 'U':
		return "--proxy-user"
	case 'b':
		return "--cookie"
	case 'c':
		return "--cookie-jar"
	case 'e':
		return "--referer"
	case 'm':
		return "--max-time"
	case 'o':
		return "--output"
	case 'r':
		return "--range"
	case 'u':
		return "--user"
	case 'w':
		return "--write-out"
	case 'x':
		return "--proxy"
	}
	return ""
}
