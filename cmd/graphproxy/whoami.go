package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"graphproxy/auth/loopback"
	"graphproxy/cmd/graphproxy/policycmd"
	"graphproxy/policy/graph/odata"
	"graphproxy/proxy"
)

const (
	whoamiTimeout = 30 * time.Second // the request may wait for a limit
	maxWhoami     = 16 << 20         // bytes of an answer
	maxKeyFile    = 16 << 10
)

// whoami is the options of the command whoami.
type whoami struct {
	address, keyFile, cert, certKey, ca string
	json                                bool
}

func newWhoami(environ []string) *cobra.Command {
	var o whoami
	cmd := &cobra.Command{
		Use:   "whoami --address URL",
		Short: "Ask a graphproxy who one is to it, and what one may do",
		Long: "whoami asks a graphproxy, as a caller, for what the policy and the limits have about that caller: rules,\n" +
			"limits and the last refusals. The key comes from GRAPHPROXY_KEY or --key-file, or a client certificate from\n" +
			"--cert and --key. Status 0: it is known. 1: it is no caller (401). 2: nothing answers, or what answers is\n" +
			"no graphproxy.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.run(cmd, environ); err != nil {
				if errors.Is(err, policycmd.ErrNo) {
					return err
				}
				return fmt.Errorf("graphproxy whoami: %w", err)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.address, "address", "",
		"where callers connect: a `URL` such as https://graph.contoso.com, or unix:/path")
	f.StringVar(&o.keyFile, "key-file", "", "the `FILE` with the caller's key")
	f.StringVar(&o.cert, "cert", "", "the `FILE` with the client certificate, PEM")
	f.StringVar(&o.certKey, "key", "", "the `FILE` with the certificate's private key, PEM")
	f.StringVar(&o.ca, "cacert", "", "the `FILE` with the CAs that the server's certificate is checked against, PEM")
	f.BoolVar(&o.json, "json", false, "print the answer as JSON")
	return cmd
}

func (o *whoami) run(cmd *cobra.Command, environ []string) error {
	key, err := o.readKey(environ)
	if err != nil {
		return err
	}
	client, address, err := o.client(key != "")
	if err != nil {
		return err
	}
	text, err := ask(cmd.Context(), client, address, key)
	if err != nil {
		var unknown *unknownCaller
		if errors.As(err, &unknown) {
			fmt.Fprintf(cmd.ErrOrStderr(), "graphproxy whoami: %s\n", unknown.message)
			return policycmd.ErrNo
		}
		return err
	}
	if o.json {
		_, err := cmd.OutOrStdout().Write(text)
		return err
	}
	return writeWhoami(cmd.OutOrStdout(), text)
}

// readKey returns the key of the caller; "" if none is given.
func (o *whoami) readKey(environ []string) (string, error) {
	key := ""
	for _, line := range environ {
		if value, found := strings.CutPrefix(line, "GRAPHPROXY_KEY="); found {
			key = value
		}
	}
	if o.keyFile == "" {
		return key, checkKey(key, "GRAPHPROXY_KEY")
	}
	f, err := os.Open(o.keyFile)
	if err != nil {
		return "", fmt.Errorf("--key-file: the file cannot be opened: %w", errors.Unwrap(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return "", fmt.Errorf("--key-file: the file cannot be read: %w", errors.Unwrap(err))
	}
	key = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if key == "" {
		return "", errors.New("--key-file: the file is empty; put the key into it")
	}
	return key, checkKey(key, "--key-file")
}

// checkKey refuses what cannot stand in a header, and never shows it.
func checkKey(key, where string) error {
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("%s: it is no key: it holds blanks or other characters; put the key alone there", where)
	}
	return nil
}

// client returns how to ask, and the URL to ask.
func (o *whoami) client(hasKey bool) (*http.Client, string, error) {
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       whoamiTimeout,
	}
	if path, isUnix := strings.CutPrefix(o.address, "unix:"); isUnix {
		if path == "" || o.cert != "" || o.certKey != "" || o.ca != "" {
			return nil, "", errors.New("--address: write unix:/path without certificates: a unix socket has no TLS")
		}
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
		return client, "http://localhost" + proxy.MePath, nil
	}
	u, err := url.Parse(o.address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" ||
		u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return nil, "", errors.New("--address: write the scheme and host where callers connect, such as " +
			"https://graph.contoso.com, or unix:/path")
	}
	if u.Scheme == "http" && (o.cert != "" || o.certKey != "" || o.ca != "") {
		return nil, "", errors.New("--address: a certificate needs https://, and the address has http://")
	}
	if u.Scheme == "http" && hasKey && !loopback.Host(u.Hostname()) {
		return nil, "", errors.New("--address: the key is not sent over http:// to another machine, where others could " +
			"read it; use https://, or run the command on the machine of graphproxy")
	}
	return client, u.Scheme + "://" + u.Host + proxy.MePath, o.setTLS(transport.TLSClientConfig)
}

// setTLS reads the certificates.
func (o *whoami) setTLS(c *tls.Config) error {
	if (o.cert == "") != (o.certKey == "") {
		return errors.New("--cert and --key belong together; give both files, or neither")
	}
	if o.cert != "" {
		pair, err := tls.LoadX509KeyPair(o.cert, o.certKey)
		if err != nil {
			return errors.New("--cert and --key: the files are not a certificate and its unencrypted private key as PEM")
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if o.ca != "" {
		data, err := os.ReadFile(o.ca)
		if c.RootCAs = x509.NewCertPool(); err != nil || !c.RootCAs.AppendCertsFromPEM(data) {
			return errors.New("--cacert: the file has no certificate as PEM; correct the path, or the file")
		}
	}
	return nil
}

// unknownCaller is the answer 401 of a graphproxy.
type unknownCaller struct{ message string }

// Error implements error.
func (e *unknownCaller) Error() string { return e.message }

// ask asks once, and returns the answer's JSON.
func ask(ctx context.Context, client *http.Client, address, key string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("--address: it is no address that can be asked")
	}
	if key != "" {
		r.Header.Set("X-Api-Key", key)
	}
	res, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("nothing answers: %w", errors.Unwrap(err))
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxWhoami+1))
	if err != nil || len(text) > maxWhoami {
		return nil, errors.New("the answer broke off, or is too long")
	}
	by, _, _ := strings.Cut(res.Header.Get("Proxy-Status"), ";")
	if by != "graphproxy" {
		return nil, fmt.Errorf("what answers (status %d) is not graphproxy; correct --address", res.StatusCode)
	}
	if res.StatusCode == http.StatusOK && json.Valid(text) {
		return odata.VisibleJSON(text), nil
	}
	var refusal struct{ Error struct{ Message string } }
	_ = json.Unmarshal(text, &refusal)
	message := odata.Visible(refusal.Error.Message)
	if res.StatusCode == http.StatusUnauthorized {
		return nil, &unknownCaller{message}
	}
	return nil, fmt.Errorf("graphproxy answered %d: %s", res.StatusCode, message)
}

// aboutMe is the answer, as far as people are shown it.
type aboutMe struct {
	Caller, Evidence, Credential, Mode, App, Tenant, Policy, Contact, Owner, Ticket, Description string
	Until                                                                                        *time.Time
	Allow, Deny                                                                                  []struct {
		Rule, Where, Ticket string
		Conditions          []string
	}
	Limits []struct {
		Name, Unit         string
		Rate               float64
		Burst, Concurrency int
		Left               *float64
		InFlight           *int `json:"in_flight"`
	}
	Refusals []struct {
		Time                                          time.Time
		Method, Target, Reason, Condition, Rule, Item string
		Status                                        int
		WouldDeny                                     bool `json:"would_deny"`
	}
}

// writeWhoami writes the answer for people.
func writeWhoami(w io.Writer, text []byte) error {
	var m aboutMe
	if err := json.Unmarshal(text, &m); err != nil || m.Caller == "" {
		return errors.New("the answer is not one that this version of the command reads; see it with --json")
	}
	var b bytes.Buffer
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-10s %s\n", name, odata.Visible(value))
		}
	}
	row("caller", m.Caller)
	row("evidence", strings.TrimSpace(m.Evidence+" "+m.Credential))
	row("mode", m.Mode)
	if m.Until != nil {
		row("until", m.Until.Format(time.RFC3339))
	}
	row("app", strings.TrimSpace(m.App+" "+m.Tenant))
	row("policy", m.Policy)
	row("about", m.Description)
	row("owner", m.Owner)
	row("ticket", m.Ticket)
	row("contact", m.Contact)
	for _, r := range m.Allow {
		row("allow", strings.Join(append([]string{r.Rule}, r.Conditions...), ", ")+"  "+r.Where)
	}
	for _, r := range m.Deny {
		row("deny", strings.Join(append([]string{r.Rule}, r.Conditions...), ", ")+"  "+r.Where)
	}
	for _, l := range m.Limits {
		text := l.Name
		if l.Rate > 0 {
			text += fmt.Sprintf(", %.4g %s/s, burst %d", l.Rate, l.Unit, l.Burst)
		}
		if l.Concurrency > 0 {
			text += fmt.Sprintf(", %d at once", l.Concurrency)
		}
		if l.Left != nil {
			text += fmt.Sprintf(", %.4g left", *l.Left)
		}
		row("limit", text)
	}
	for _, r := range m.Refusals {
		row("refused", strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %d %s %s %s", r.Time.Format(time.RFC3339),
			r.Method, r.Target, r.Status, r.Reason, r.Condition, r.Rule)), " "))
	}
	_, err := w.Write(b.Bytes())
	return err
}
