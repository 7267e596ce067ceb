package policycmd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"graphproxy/cmd/graphproxy/policycmd/curl"
	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/strictjson"
	"graphproxy/policy/yamlfile"
)

// circumstances are the facts about a request besides its first line.
type circumstances struct{ body, at string }

// read adds them to a request.
func (c circumstances) read(cmd *cobra.Command, r *policy.Request) (err error) {
	r.At = time.Now()
	if c.at != "" {
		if r.At, err = policy.ParseTime(c.at); err != nil {
			return fmt.Errorf("--at: %.80q is not a time with its zone or a date; write 2026-12-31T18:00:00Z", c.at)
		}
	}
	if c.body != "" {
		r.Body, err = readBody(cmd.InOrStdin(), c.body)
	}
	return err
}

// request reads the request of a caller, in one of the forms that people have it in.
func (c circumstances) request(cmd *cobra.Command, caller, text string) (policy.Request, error) {
	request, sent, err := requestOf(caller, text)
	if err != nil {
		return policy.Request{}, err
	}
	if c.body != "" && (sent.Body != nil || sent.BodyFile != "") {
		return policy.Request{}, errors.New("the line of curl has a body, and so has --body; leave one of them out")
	}
	if c.body == "" {
		c.body = sent.BodyFile
	}
	if err := c.read(cmd, &request); err != nil {
		return policy.Request{}, err
	}
	if sent.Body != nil {
		request.Body, err = bodyOf(sent.Body, "the line of curl")
	}
	return request, err
}

// requestOf reads a request without its body. Sent is the line of curl, if it is one.
func requestOf(caller, text string) (request policy.Request, sent curl.Request, err error) {
	text = strings.TrimSpace(text)
	switch {
	case curl.IsLine(text):
		if sent, err = curl.Parse(text); err != nil {
			return request, sent, err
		}
		text, err = ofAddress(sent.Method, sent.Target)
	case isAddress(text):
		text, err = readAddress(text)
	}
	if err != nil {
		return request, sent, err
	}
	request, err = policy.ParseRequest(caller, text)
	var bad *odata.Error
	if errors.As(err, &bad) {
		err = fmt.Errorf("the request is refused with 400 %s: %w", bad.Code, err)
	}
	return request, sent, err
}

// isAddress reports whether a request is an address, or a method and an address.
func isAddress(text string) bool {
	method, rest, found := strings.Cut(text, " ")
	if !found {
		method, rest = "", text
	}
	return strings.Contains(rest, "://") && !strings.HasPrefix(rest, "/") && !strings.Contains(method, "/")
}

func readAddress(text string) (string, error) {
	method, address, found := strings.Cut(text, " ")
	if !found {
		method, address = "GET", text
	}
	target, err := curl.TargetOf(strings.TrimSpace(address))
	if err != nil {
		return "", err
	}
	return ofAddress(method, target)
}

// ofAddress is a request as policy.ParseRequest takes it. An address is complete: no version is added to it.
func ofAddress(method, target string) (string, error) {
	if !policy.HasVersion(target) {
		return "", errors.New(
			"the request is refused with 400: its address has no version; write it with /v1.0 or /beta in " +
				"front, such as https://graph.microsoft.com/v1.0/users",
		)
	}
	return method + " " + target, nil
}

// readBody reads the body of a request as graphproxy does: it removes a byte order mark, and refuses an ambiguous
// body.
func readBody(stdin io.Reader, file string) (*policy.Body, error) {
	const most = 4 << 20
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("reading the body: %w", err)
		}
		defer f.Close()
		stdin = f
	}
	text, err := io.ReadAll(io.LimitReader(stdin, most+1))
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the body: %w", err)
	case len(text) > most:
		return nil, fmt.Errorf("the body in %s has more than %d MiB", file, most>>20)
	case len(text) == 0:
		return &policy.Body{State: policy.BodyAbsent}, nil
	}
	return bodyOf(text, file)
}

// bodyOf returns a body that stands in a file, or somewhere else of that name.
func bodyOf(text []byte, file string) (*policy.Body, error) {
	if err := strictjson.Check(text); err != nil {
		return nil, fmt.Errorf("the body in %s cannot be read as JSON with one reading: %w", file, err)
	}
	return &policy.Body{State: policy.BodyJSON, Text: text}, nil
}

func checkCaller(p *policy.Policy, name string) error {
	var names []string
	for _, c := range p.Callers() {
		if c.Name == name {
			return nil
		}
		names = append(names, c.Name)
	}
	return fmt.Errorf("%s: %s", p.File(), yamlfile.Unknown("caller", name, names))
}
