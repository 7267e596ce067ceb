package match

import "strings"

// Methods is a set of HTTP methods.
type Methods uint8

// The methods that Graph has, and all of them.
const (
	Get Methods = 1 << iota
	Post
	Put
	Patch
	Delete

	Any = Get | Post | Put | Patch | Delete
)

// ReadPost is a POST that only reads. Such a request has Post and ReadPost; a rule for POST needs only Post.
const ReadPost = Delete << 1

// Read is the set of methods of a rule with READ.
const Read = Get | ReadPost

// All returns the methods and the methods that they imply: POST includes the POSTs that only read.
func (m Methods) All() Methods {
	if m&Post != 0 {
		return m | ReadPost
	}
	return m
}

var methodNames = [...]string{"GET", "POST", "PUT", "PATCH", "DELETE"}

// MethodOf returns the method that a request is judged as: GET for HEAD, and no method for a method that Graph
// does not have.
func MethodOf(method string) Methods {
	switch method {
	case "GET", "HEAD":
		return Get
	case "POST":
		return Post
	case "PUT":
		return Put
	case "PATCH":
		return Patch
	case "DELETE":
		return Delete
	}
	return 0
}

// String returns the methods as a rule writes them: "GET,POST", "ANY".
func (m Methods) String() string {
	var names []string
	switch {
	case m&Any == Any:
		return "ANY"
	case m&ReadPost != 0 && m&Post == 0:
		names, m = append(names, "READ"), m&^Read
	}
	for i, name := range methodNames {
		if m&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}
