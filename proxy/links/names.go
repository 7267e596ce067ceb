package links

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"graphproxy/policy/strictjson"
)

// maxNames is how many resources a body may name, because each is judged. Graph takes 20 members at once.
const maxNames = 100

// Named has the references in the body of a request.
type Named struct {
	// Addresses are the values that may name a resource, in the order of the text and without escapes, in the form
	// of Path: addresses at Graph and at the proxy without scheme, host and port, "/v1.0/users/1". All others are
	// unchanged: addresses at other hosts, addresses relative to the version, "users/1", and all unusual spellings.
	Addresses []string
	// Object reports whether the body is a JSON object.
	Object bool
	// Single reports whether the body is {"@odata.id":"..."} and nothing else, which is what Graph documents for .../$ref.
	Single bool
}

// Names returns the references in a body that BackBody has read. If uncertain it includes a string, because a
// string that it leaves out is not judged. It includes every string
//
//   - under the names that OData has for references, in any letter case, with or without "odata." or the @, and in
//     objects below them: "@odata.id", "members@odata.bind", "odata.id", "__metadata";
//   - under any name, that is an address at Graph, in whichever cloud, or at the proxy, however its host is spelled;
//   - under any name, that is a path with a version or to an object of the directory: "/v1.0/x", "/users/1";
//   - under "url", "uri", "href" and "link", unless it is an address at another host.
//
// It is an error if the body names more than 100, or a name contains U+FFFD or half of a surrogate pair.
func (r *Rewriter) Names(body []byte) (Named, error) {
	n := namer{r: r, text: body}
	switch err := r.walk(body, walker{visit: n.visit, enter: isNaming}); {
	case err != nil:
		return Named{}, err
	case n.many:
		return Named{}, fmt.Errorf("the body names more than %d resources; send several requests", maxNames)
	case n.unreadable:
		return Named{}, errors.New(
			"the body names a resource with half a surrogate pair or U+FFFD; write it in valid Unicode",
		)
	}
	n.named.Object = bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
	n.named.Single = n.named.Object && r.isSingle(body)
	return n.named, nil
}

// isSingle reports whether a body, which is an object, has one member, a string under "@odata.id".
func (r *Rewriter) isSingle(body []byte) bool {
	json := r.readers.Take()
	defer r.readers.Put(json)
	if json.Reset(body, reading) != nil || json.Enter() != nil {
		return false
	}
	key, _, more, err := json.Key()
	if err != nil || !more || string(keyOf(key)) != "@odata.id" {
		return false
	}
	if _, err := json.String(); err != nil {
		return false
	}
	_, _, more, err = json.Key()
	return err == nil && !more
}

// namer collects the references in a text.
type namer struct {
	r                *Rewriter
	text             []byte
	named            Named
	many, unreadable bool
}

func (n *namer) visit(key []byte, start, end int, names bool) {
	raw := n.text[start:end]
	if n.many || !names && !mayName(key, raw) {
		return
	}
	text := strictjson.Unquote(raw)
	if !names && !n.r.isResource(key, text) {
		return
	}
	n.unreadable = n.unreadable || strings.ContainsRune(text, utf8.RuneError)
	if n.many = len(n.named.Addresses) == maxNames; !n.many {
		n.named.Addresses = append(n.named.Addresses, n.r.Path(text))
	}
}

// Path removes scheme, host and port from an address at Graph or the proxy. An address at
// https://graph.microsoft.com counts as one at Graph in every cloud: Graph's documentation has it in bodies, and
// apps keep it when they call another cloud or the sandbox.
func (r *Rewriter) Path(address string) string {
	documented := origin{text: "https://graph.microsoft.com", port: ":443"}
	for _, o := range [...]*origin{&r.graph, &r.public, &documented} {
		if n, ok := o.match(address); ok {
			return address[n:]
		}
	}
	return address
}

// isNaming reports whether all strings under a key, and below it, name resources.
func isNaming(key []byte) bool {
	name := fold(string(key))
	_, control, marked := lastCut(name, "@")
	if !marked {
		control = name
	}
	if _, rest, found := lastCut(control, "odata."); found {
		control, marked = rest, true
	}
	switch control {
	case "__metadata", "__deferred", "$ref", "$id":
		return true
	case "id", "bind", "delta", "context", "metadata", "base", "entityid", "readlink", "editlink", "navigationlink",
		"associationlink",
		"mediareadlink", "mediaeditlink", "nextlink", "deltalink":
		return marked
	}
	return false
}

// lastCut is strings.Cut at the last separator.
func lastCut(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}

// fold returns a key or the beginning of an address in the form in which the most lenient reader might read it: in
// lower case, without spaces, control and format characters, and with compatible characters replaced.
func fold(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c), unicode.IsControl(c), unicode.Is(unicode.Cf, c):
			return -1
		case c == '。': // separates the labels of a host (RFC 3490 section 3.1)
			return '.'
		}
		return unicode.ToLower(c)
	}, norm.NFKC.String(s))
}

// mayName reports whether a string needs a closer check. Most do not.
func mayName(key, raw []byte) bool {
	return bytes.IndexByte(raw, '/') >= 0 || bytes.IndexByte(raw, '\\') >= 0 || bytes.IndexByte(raw, '%') >= 0 ||
		bytes.IndexFunc(raw, func(c rune) bool { return c >= utf8.RuneSelf }) >= 0 || isPlace(key)
}

// isPlace reports whether a key is a general name of an address.
func isPlace(key []byte) bool {
	const most = 32 // with characters that a lenient reader skips
	if len(key) > most {
		return false
	}
	switch fold(string(key)) {
	case "url", "uri", "href", "link":
		return true
	}
	return false
}

// isResource reports whether a string may name a resource at Graph although its key does not.
func (r *Rewriter) isResource(key []byte, text string) bool {
	const most = 512 // more than any scheme and host has
	s := fold(unescape(text[:min(len(text), most)]))
	s = strings.ReplaceAll(s, `\`, "/")
	if isPath(s) {
		return true
	}
	host, foreign := hostOf(s)
	if isPlace(key) && !foreign {
		return true
	}
	return host != "" && (host == hostname(r.graph.host) || host == hostname(r.public.host) || isGraph(host))
}

// isPath reports whether s is the path of a resource at Graph: it begins with a version, or with a collection of
// the directory.
func isPath(s string) bool {
	path, rooted := strings.CutPrefix(s, "/")
	if strings.HasPrefix(path, "/") {
		return false
	}
	for _, version := range [...]string{"v1.0/", "beta/"} {
		if rest, found := strings.CutPrefix(path, version); found {
			if rooted {
				return true
			}
			path, rooted = rest, true
		}
	}
	end := strings.IndexAny(path, "/(")
	if !rooted || end < 0 {
		return false
	}
	switch path[:end] {
	case "users", "groups", "directoryobjects", "devices", "serviceprincipals", "applications", "contacts",
		"administrativeunits",
		"directoryroles", "teams", "chats", "me":
		return true
	}
	return false
}

// hostOf returns the host of an address, which may lack its scheme or slashes; "" if there is none. Foreign reports
// whether s is a whole address, so that a host that is not Graph's belongs to another service.
func hostOf(s string) (host string, foreign bool) {
	rest, foreign := s, strings.HasPrefix(s, "//")
	for _, scheme := range [...]string{"https:", "http:"} {
		if after, found := strings.CutPrefix(s, scheme); found {
			rest, foreign = after, true
		}
	}
	if scheme, _, found := strings.Cut(s, ":"); found && !foreign &&
		strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz") == "" {
		return "", true // mailto: and other schemes that Graph does not use
	}
	authority := strings.TrimLeft(rest, "/")
	if !foreign && authority != rest {
		return "", false // a path
	}
	end := strings.IndexAny(authority, "/?#")
	if end < 0 {
		end = len(authority)
	}
	if !foreign && (end == len(authority) || strings.Contains(authority[:end], "@")) {
		return "", false // text, or an address of mail
	}
	_, host, found := lastCut(authority[:end], "@")
	if !found {
		host = authority[:end]
	}
	return hostname([]byte(host)), foreign
}

// hostname removes the port, and the dot at the end, from a host.
func hostname(host []byte) string {
	name := string(host)
	if before, port, found := lastCut(name, ":"); found && strings.Trim(port, "0123456789") == "" {
		name = before
	}
	return strings.TrimRight(name, ".")
}

// isGraph reports whether a host is Microsoft Graph's in one of Microsoft's clouds, or Azure AD Graph's, whose
// addresses of directory objects are still in use.
func isGraph(host string) bool {
	switch host {
	case "graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us", "graph.microsoft.de",
		"microsoftgraph.chinacloudapi.cn",
		"graph.windows.net", "graph.microsoftazure.us", "graph.chinacloudapi.cn":
		return true
	}
	return strings.HasSuffix(host, ".graph.microsoft.com")
}

// unescape decodes percent escapes, in as many layers as a chain of readers may decode.
func unescape(s string) string {
	for range 3 {
		if strings.IndexByte(s, '%') < 0 {
			return s
		}
		var out []byte
		for i := 0; i < len(s); i++ {
			c, ok := unhexPair(s[i:])
			if !ok {
				c = s[i]
			} else {
				i += 2
			}
			out = append(out, c)
		}
		s = string(out)
	}
	return s
}

// unhexPair reads a percent escape.
func unhexPair(s string) (c byte, ok bool) {
	if len(s) < len("%00") || s[0] != '%' {
		return 0, false
	}
	for _, h := range []byte(s[1:3]) {
		switch h = lower(h); {
		case '0' <= h && h <= '9':
			c = c<<4 | (h - '0')
		case 'a' <= h && h <= 'f':
			c = c<<4 | (h - 'a' + 10)
		default:
			return 0, false
		}
	}
	return c, true
}
