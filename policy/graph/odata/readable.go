package odata

// ParseReadable reads what Target.Path wrote, the decoded path of an audit line, back into a Target without tenant and
// query: "/v1.0/users/adele@contoso.com", "/v1.0/drives/b1/root:/Reports/q1 100%.xlsx:/children". Slashes and colons
// are the only ones that a decoded path can hold, so escaping the rest gives back the one target that is written so.
// Any other text is refused, with an *Error: it is never read as some other resource. Do not use it for what callers
// send.
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
