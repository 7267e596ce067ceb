package caller

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

const maxKey = 4096 // bytes; a key is some 40, and hashing must stay cheap for those who have none

// secret returns whose key the headers present, "" when they present none. Anything presented that fails is an error.
func (a *Authenticator) secret(h http.Header) (string, *Error) {
	bearer, viaBearer, err := bearer(h["Authorization"])
	if err != nil {
		return "", err
	}
	key, viaHeader, err := apiKey(h["X-Api-Key"])
	if err != nil {
		return "", err
	}
	var name, other string
	if viaBearer {
		if strings.Count(bearer, ".") == 2 {
			return "", errToken()
		}
		if name, err = a.key(bearer); err != nil {
			return "", err
		}
	}
	if viaHeader {
		if other, err = a.key(key); err != nil {
			return "", err
		}
	}
	if viaBearer && viaHeader && name != other {
		return "", errAmbiguous("the Authorization and X-Api-Key headers hold keys of different callers: send one of them")
	}
	if !viaBearer {
		name = other
	}
	return name, nil
}

// bearer returns the credential of a bearer Authorization header; presented is false if there is none. The scheme is what
// stands before the first blank (RFC 9110 §11.6.2).
func bearer(values []string) (credential string, presented bool, err *Error) {
	if len(values) == 0 {
		return "", false, nil
	}
	if len(values) > 1 {
		return "", true, errAmbiguous("there is more than one Authorization header: send one")
	}
	// Some intermediaries join headers of the same name with a comma; other schemes have commas of their own.
	for part := range strings.SplitSeq(values[0], ",") {
		if isBearer(part) && len(part) < len(values[0]) {
			return "", true, errAmbiguous("the Authorization header holds a comma, as if it were several: " +
				"send one bearer credential and nothing else")
		}
	}
	if !isBearer(values[0]) {
		return "", false, nil
	}
	credential = blanks(blanks(values[0])[len("bearer"):])
	return credential, true, unambiguous(credential, "the Authorization header")
}

// apiKey returns the credential of an X-Api-Key header.
func apiKey(values []string) (credential string, presented bool, err *Error) {
	if len(values) == 0 {
		return "", false, nil
	}
	if len(values) > 1 {
		return "", true, errAmbiguous("there is more than one X-Api-Key header: send one")
	}
	credential = blanks(values[0])
	return credential, true, unambiguous(credential, "the X-Api-Key header")
}

func isBearer(value string) bool {
	value = blanks(value)
	end := strings.IndexAny(value, " \t")
	if end < 0 {
		end = len(value)
	}
	return strings.EqualFold(value[:end], "bearer")
}

// blanks returns s without the blanks around it that HTTP gives no meaning to.
func blanks(s string) string { return strings.Trim(s, " \t") }

func unambiguous(credential, where string) *Error {
	if strings.ContainsAny(credential, ", \t") {
		return errAmbiguous(where + " holds more than one word: send the credential alone, without blanks and commas")
	}
	return nil
}

// key returns whose key it is. Every configured hash is compared, each in constant time, so how long it takes tells nothing
// of how near a guess was, nor of whose key it is. At 15 ns a hash that is cheap up to some thousands.
func (a *Authenticator) key(key string) (string, *Error) {
	if key == "" || len(key) > maxKey {
		return "", errKey()
	}
	var buf [128]byte // a key of usual length stays off the heap
	sum := sha256.Sum256(append(buf[:0], key...))
	found := -1
	for i := range a.keys {
		same := subtle.ConstantTimeCompare(a.keys[i].hash[:], sum[:])
		found = subtle.ConstantTimeSelect(same, i, found)
	}
	if found < 0 {
		return "", errKey()
	}
	return a.keys[found].name, nil
}

// What a caller cannot find out is for the policy's owner to say; naming what is configured would help others more.
const ask = "or ask the policy's owner "

func errCaller() *Error {
	return &Error{"callerUnknown", "nothing in this request says which caller of the proxy sends it: " +
		`send the key that you were given as "Authorization: Bearer KEY" or as X-Api-Key, ` +
		ask + "to add your network to your caller's identity"}
}

func errKey() *Error {
	return &Error{"keyUnknown", "the key is not one of any caller: check that it is whole and still the current one, " +
		ask + "to add its SHA-256 to your caller's identity"}
}

func errToken() *Error {
	return &Error{"tokenInvalid", "the bearer token does not verify as any caller's: send the key that you were given instead, " +
		ask + "which evidence your caller's identity takes"}
}

func errCertificate() *Error {
	return &Error{"certificateUnknown", "the client certificate does not verify as any caller's: " +
		"connect without one and send the key that you were given, " +
		ask + "which evidence your caller's identity takes"}
}

func errUnix() *Error {
	return &Error{"unixUnknown", "the user at the other end of the unix socket does not verify as any caller: " +
		"send the key that you were given, " +
		ask + "which evidence your caller's identity takes"}
}

func errAmbiguous(message string) *Error { return &Error{"evidenceAmbiguous", message} }
