package odata

// ParseReadable reads the result of Target.Path, the decoded path of an audit line, into a Target without
// tenant and query: "/v1.0/users/adele@contoso.com", "/v1.0/drives/b1/root:/Reports/q1 100%.xlsx:/children".
// Every slash and colon of a decoded path is a separator, so escaping the other characters gives the one target
// that is written so. Any other text is refused, with an *Error: it is never read as another resource. Do not
// use it for text of callers.
func ParseReadable(path string) (*Target, error) {
	t, err := Parse(string(appendEscaped(nil, path, inDrivePath)), "")
	if err != nil {
		return nil, err
	}
	if written := t.Path(); written != path {
		return nil, refuse(codeAmbiguous, "the path %s is not as an audit line has it, which would be %s", quote(path),
			quote(written))
	}
	return t, nil
}
