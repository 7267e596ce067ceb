package links

import "bytes"

// kind is the kind of a value, by its key.
type kind int

const (
	other  kind = iota
	link        // a string is an address
	follow      // a string is an address if it is one at Graph's API root
	bare        // a string is an address, and so are the strings of an array
)

// field returns the kind of value that Graph puts under a key. A link is:
//
//   - an annotation of OData JSON Format 4.0 that is an address
//     (https://docs.oasis-open.org/odata/odata-json-format/v4.0/, sections 4.5 and 8), before which there may be the
//     name of a property, as in "sessions@odata.nextLink" or "bannerLogo@odata.mediaReadLink". Letter case counts;
//   - a property of Graph's own under which the examples in its documentation have addresses at Graph without a
//     version, such as those of education.
//
// Under a name of an address, such as "contentUrl", "pagesUrl" and "self" of OneNote or "recordingContentUrl" of
// online meetings, a value is a link if it begins with Graph's API root, https://graph.microsoft.com/v1.0/ or
// /beta/. Under all other names a string is text, even if it is an address: a message, a description or a name
// stays as a person wrote it.
func field(key []byte) kind {
	if at := bytes.LastIndexByte(key, '@'); at >= 0 && annotation(key[at:]) == link {
		return link
	}
	switch string(key) {
	case "resourcesFolderUrl", "fileUrl", "assignmentResourceUrl", "principalLink", "parentUrl", "resourceLocation",
		"sectionsUrl", "sectionGroupsUrl", "messageUri", "notificationChannelUrl":
		return link
	}
	if namesAddress(key) {
		return follow
	}
	return other
}

// namesAddress reports whether a key is the name of an address, in any letter case.
func namesAddress(key []byte) bool {
	for _, suffix := range [...]string{"url", "uri", "link", "location", "href"} {
		if n := len(key) - len(suffix); n >= 0 && equalFold(key[n:], suffix) {
			return true
		}
	}
	return equalFold(key, "self") || equalFold(key, "@id") || equalFold(key, "@context")
}

// equalFold reports whether a text is a word in any letter case of ASCII. The word is in lower case.
func equalFold(text []byte, word string) bool {
	if len(text) != len(word) {
		return false
	}
	for i, c := range text {
		if lower(c) != word[i] {
			return false
		}
	}
	return true
}

func annotation(name []byte) kind {
	switch string(name) {
	case "@odata.context", "@odata.id", "@odata.nextLink", "@odata.deltaLink", "@odata.readLink", "@odata.editLink",
		"@odata.mediaReadLink", "@odata.mediaEditLink", "@odata.associationLink", "@odata.navigationLink":
		return link
	}
	return other
}

// char reads one character of a JSON string, whose first byte is not a closing quote, and returns the number of its
// bytes: 0 if raw ends within it. A character beyond ASCII, or an invalid escape, is 0xff, which equals no searched
// character.
func char(raw []byte) (c byte, n int) {
	switch {
	case len(raw) == 0:
		return 0, 0
	case raw[0] != '\\':
		return raw[0], 1
	case len(raw) == 1:
		return 0, 0
	}
	switch raw[1] {
	case '"', '\\', '/':
		return raw[1], 2
	case 'b', 'f', 'n', 'r', 't':
		return 0x1f, 2 // a control character: which one does not matter
	case 'u':
		return hexChar(raw)
	}
	return 0xff, 2
}

func hexChar(raw []byte) (c byte, n int) {
	const size = len(`\u0000`)
	if len(raw) < size {
		return 0, 0
	}
	code := 0
	for _, h := range raw[2:size] {
		h = lower(h)
		switch {
		case '0' <= h && h <= '9':
			code = code<<4 | int(h-'0')
		case 'a' <= h && h <= 'f':
			code = code<<4 | int(h-'a'+10)
		default:
			return 0xff, size
		}
	}
	if code > 0x7f {
		return 0xff, size
	}
	return byte(code), size
}

// plain returns a string of JSON without its escapes, up to the first character beyond ASCII: enough to compare it.
// Without escapes it is raw itself.
func plain(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	text := make([]byte, 0, len(raw))
	for len(raw) > 0 {
		c, n := char(raw)
		if n == 0 {
			return append(text, 0xff)
		}
		text, raw = append(text, c), raw[n:]
	}
	return text
}
