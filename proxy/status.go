package proxy

import (
	"errors"
	"net/http"
	"strings"
)

// checkStatus refuses an answer of Graph's with a status line that a server may not write (RFC 9110 section 15, RFC 9112 section 4). What it
// would become for the caller is not to be guessed: net/http would write 200 in the place of 099.
func checkStatus(res *http.Response) error {
	isControl := func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }
	switch {
	case res.StatusCode < 200 || res.StatusCode > 599:
		return badStatus(errors.New("the status is not from 200 to 599"))
	case strings.ContainsFunc(res.Status, isControl):
		return badStatus(errors.New("the reason beside the status holds control characters"))
	}
	return nil
}

func badStatus(err error) error {
	return &Error{
		Status: http.StatusBadGateway, Code: codeUnavailable, Inner: "badAnswer",
		Message: "Microsoft Graph's answer has a status that no server may give; what was sent may have been carried out", Err: err,
	}
}
