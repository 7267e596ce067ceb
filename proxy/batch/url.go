package batch

import (
	"net/http"
	"strings"

	"graphproxy/policy/graph/odata"
)

const (
	codeForeign     = "foreignURL"
	codeVersion     = "unknownVersion"
	codeUnsupported = "unsupportedTarget"
	codeAmbiguous   = "ambiguousTarget"
	codeUnknownKey  = "unknownKey"
)

func badURL(code, message string) *ItemError {
	return &ItemError{Status: http.StatusBadRequest, Code: code, Message: message}
}

// readURL reads the URL of an item in each form that clients write: "/users/1" and "users/1", which Graph
// documents, "/v1.0/users/1" (the SDK for JavaScript), and whole, with the proxy's own address (the SDK for
// Python). The text is parsed unchanged: raw spaces in a query, which Graph's own examples have, are escaped when
// the URL is written again.
func readURL(url string, o Options) (*odata.Target, *ItemError) {
	if strings.IndexByte(url, '#') >= 0 {
		return nil, badURL(codeAmbiguous, "the item's URL holds a raw \"#\", which ends a URL; write %23")
	}
	url, whole, err := cutHost(url, o.Hosts)
	if err != nil {
		return nil, err
	}
	path, query, _ := strings.Cut(url, "?")
	if path == "" {
		return nil, badURL(codeUnsupported, "the item's URL has no path; write one relative to the version, such as /users")
	}
	if path[0] != '/' {
		path = "/" + path
	}
	path, cut := cutVersion(path, o.Version)
	if whole && !cut {
		return nil, badURL(codeVersion, "the item's URL is whole and not of the batch's version "+o.Version+
			"; send it relative to the version, or to a batch of its own version")
	}
	t, parseErr := odata.Parse("/"+o.Version+path, query)
	if parseErr != nil {
		return nil, unreadable(parseErr)
	}
	if err := checkFirst(t, o.Version); err != nil {
		return nil, err
	}
	return t, nil
}

func unreadable(err error) *ItemError {
	if known, ok := err.(*odata.Error); ok {
		return badURL(known.Code, known.Message)
	}
	return badURL(codeAmbiguous, "the item's URL cannot be read")
}

// cutHost removes the proxy's own address. Whole reports that there was one.
func cutHost(url string, hosts []string) (rest string, whole bool, err *ItemError) {
	scheme, after, found := strings.Cut(url, ":")
	switch {
	case strings.HasPrefix(url, "//"):
		return "", false, badURL(codeForeign, "the item's URL names a host; write it relative to the version: /users")
	case !found || !isScheme(scheme):
		return url, false, nil
	}
	authority, ok := strings.CutPrefix(after, "//")
	if end := strings.IndexAny(authority, "/?"); end >= 0 {
		authority, rest = authority[:end], authority[end:]
	}
	if address := foldHost(scheme + "://" + authority); ok {
		for _, h := range hosts {
			if foldHost(h) == address {
				return rest, true, nil
			}
		}
	}
	return "", false, badURL(codeForeign,
		"the item's URL is whole and not at this proxy's address; write it relative to the version: /users")
}

// isScheme reports whether s, the text before the first colon of a URL, can be a scheme.
func isScheme(s string) bool {
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && strings.IndexByte("+-.", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// foldHost returns a scheme and host in the form for comparing: lower case, without the scheme's own port.
func foldHost(address string) string {
	address = strings.ToLower(strings.TrimSuffix(address, "/"))
	if strings.HasPrefix(address, "https://") {
		return strings.TrimSuffix(address, ":443")
	}
	return strings.TrimSuffix(address, ":80")
}

// cutVersion removes the batch's version from the path, once.
func cutVersion(path, version string) (rest string, cut bool) {
	rest, cut = strings.CutPrefix(path, "/"+version)
	switch {
	case !cut || rest != "" && rest[0] != '/':
		return path, false
	case rest == "":
		return "/", true
	}
	return rest, true
}

// checkFirst refuses targets whose first segment Graph, or a server before it, could read as something other than a
// name. Graph puts the version before the URL, so a second version would be a segment, and a tenant is not sent on,
// so the segment after one becomes the first.
func checkFirst(t *odata.Target, version string) *ItemError {
	if len(t.Segments) == 0 {
		return nil
	}
	first := &t.Segments[0]
	switch {
	case first.Fold == "$batch":
		return badURL(codeUnsupported, "the item is a batch itself; put its items into this batch")
	case strings.HasPrefix(first.Fold, "$"):
		return badURL(codeUnsupported,
			"the item's URL begins with \"$\", as a reference to another item does, which is not supported; write the "+
				"resource's own URL")
	case isVersion(first.Fold):
		return badURL(codeVersion, "the item's URL names the version "+quote(first.Text)+" and the batch is of "+version+
			"; send it to a batch of its own version")
	case strings.Contains(first.Fold, ":") || len(t.Segments) > 1 && t.Segments[1].Kind == odata.Path:
		return badURL(codeForeign,
			"the item's URL has a colon in its first segment, as a whole URL has; no resource of Graph's has one there")
	}
	return nil
}

// isVersion reports whether s has the form of a version: beta, v1.0, v2.
func isVersion(s string) bool {
	number, found := strings.CutPrefix(s, "v")
	return s == "beta" || found && number != "" && strings.Trim(number, "0123456789.") == ""
}
