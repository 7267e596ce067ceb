package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	msal "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"
)

// Error explains why there is no token and what to do about it. It is for operators: a caller of the proxy sees
// only that there is no token. It contains nothing of a credential, and only numbers and identifiers of Entra's
// answers. It is immutable; do not change an Error that was returned.
type Error struct {
	Code   int    // number of the AADSTS error, such as 7000215; 0 if there was none
	Cause  string // what is wrong, without full stop
	Cure   string // what to do, without full stop
	Status int    // HTTP status of the answer; 0 if there was none
	// from Source.Token: until the next attempt begins; in Status: what Entra asked for, 0 if nothing
	RetryAfter    time.Duration
	TraceID       string // Entra's, for Microsoft's support
	CorrelationID string // Entra's, for Microsoft's support
	Err           error  // what lies below, safe to log; nil if nothing is known
}

// Error returns cause and cure, separated by a semicolon.
func (e *Error) Error() string {
	s := e.Cause
	if e.Code != 0 {
		s += " (AADSTS" + strconv.Itoa(e.Code) + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Cure != "" {
		s += "; " + e.Cure
	}
	return s
}

// Unwrap returns Err, so that errors.Is(err, context.Canceled) finds a caller who went away.
func (e *Error) Unwrap() error { return e.Err }

// LogValue implements slog.LogValuer: a group of the fields that are set.
func (e *Error) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("cause", e.Cause), slog.String("cure", e.Cure)}
	if e.Code != 0 {
		attrs = append(attrs, slog.Int("aadsts", e.Code))
	}
	if e.Status != 0 {
		attrs = append(attrs, slog.Int("status", e.Status))
	}
	if e.RetryAfter > 0 {
		attrs = append(attrs, slog.Duration("retry_after", e.RetryAfter))
	}
	if e.TraceID != "" {
		attrs = append(attrs, slog.String("trace_id", e.TraceID))
	}
	if e.CorrelationID != "" {
		attrs = append(attrs, slog.String("correlation_id", e.CorrelationID))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("err", e.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}

// explain turns an error of MSAL into one of ours. MSAL's error is dropped: its CallErr carries the request,
// whose body is the form with the secret, and its InvalidJsonErr prints the whole answer, which may contain a
// token.
func (a App) explain(ctx context.Context, err error) *Error {
	var ours *Error
	if errors.As(err, &ours) { // from our own callback
		return ours
	}
	var call msal.CallErr
	if errors.As(err, &call) && call.Resp != nil {
		return a.refusal(call.Resp)
	}
	e := &Error{}
	var garbled msal.InvalidJsonErr
	switch {
	case errors.As(err, &garbled):
		e.Cause, e.Cure = "the answer was not an answer of Entra ID", "check $AUTHORITY_HOST, "+
			"and whether a proxy or a captive portal answers in its place"
	default:
		e.Cause, e.Cure, e.Err = network(ctx, err)
		if a.ManagedIdentity && ctx.Err() != context.Canceled {
			e.Cause, e.Cure = "the managed identity endpoint was not reached", "run the proxy on an Azure resource "+
				"that has a managed identity, or configure another credential"
		}
	}
	return a.named(e)
}

// named replaces the placeholders in the cure with the names of the environment variables.
func (a App) named(e *Error) *Error {
	e.Cure = os.Expand(e.Cure, a.env)
	return e
}

// refusal reads an answer with an error status.
func (a App) refusal(res *http.Response) *Error {
	e := &Error{Status: res.StatusCode, RetryAfter: retryAfter(res.Header, time.Now())}
	var body struct {
		Error         string          `json:"error"`
		Description   string          `json:"error_description"`
		Codes         []int           `json:"error_codes"`
		TraceID       json.RawMessage `json:"trace_id"`
		CorrelationID json.RawMessage `json:"correlation_id"`
	}
	if data, err := io.ReadAll(io.LimitReader(res.Body, maxBody)); err == nil {
		_ = json.Unmarshal(data, &body) // if it is not JSON, the status alone explains the refusal
	}
	e.Code = code(body.Codes, body.Description)
	e.TraceID, e.CorrelationID = guid(body.TraceID), guid(body.CorrelationID)
	var known bool
	e.Cause, e.Cure, known = aadsts(e.Code)
	switch {
	case known:
	case a.ManagedIdentity:
		e.Cause, e.Cure = managedByStatus(res.StatusCode)
	default:
		e.Cause, e.Cure = byStatus(res.StatusCode, e.Code, body.Error)
	}
	return a.named(e)
}

var aadstsPattern = regexp.MustCompile(`\bAADSTS([0-9]{4,9})\b`)

// code returns the number of the AADSTS error.
func code(codes []int, description string) int {
	if len(codes) > 0 && codes[0] > 0 {
		return codes[0]
	}
	if m := aadstsPattern.FindStringSubmatch(description); m != nil {
		n, _ := strconv.Atoi(m[1]) // at most nine digits
		return n
	}
	return 0
}

var guidPattern = regexp.MustCompile(`^"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"$`)

// guid returns a JSON string that is a GUID, and "" for any other, because the text goes to logs.
func guid(raw json.RawMessage) string {
	if !guidPattern.Match(raw) {
		return ""
	}
	return strings.Trim(string(raw), `"`)
}

// retryAfter reads Retry-After (RFC 9110, section 10.2.3): seconds or a date, and also the decimal seconds that
// Microsoft's services have been observed to send. It is 0 when the header is missing or cannot be read.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if s, err := strconv.ParseFloat(v, 64); err == nil && s > 0 {
		return time.Duration(min(s, (24*time.Hour).Seconds()) * float64(time.Second))
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(t.Sub(now), 0), 24*time.Hour)
	}
	return 0
}

// byStatus explains a refusal whose code is not in the table.
func byStatus(status, code int, oauth string) (cause, cure string) {
	switch {
	case status == http.StatusTooManyRequests:
		return "Entra ID holds this app's token requests back",
			"wait; if it goes on, look for another program that asks for tokens of the same app without keeping them"
	case status >= 500:
		return fmt.Sprintf("Entra ID is failing (HTTP %d)", status),
			"wait: the proxy goes on trying; see https://azure.status.microsoft if it lasts"
	case status == http.StatusProxyAuthRequired:
		return "the HTTPS proxy asks for a user name and a password (HTTP 407)", "put them into HTTPS_PROXY"
	case status >= 300 && status < 400:
		return fmt.Sprintf("the answer was a redirect (HTTP %d), "+
				"and a credential is not sent to another address", status),
			"check $AUTHORITY_HOST, and whether a proxy or a captive portal answers in Entra's place"
	case code != 0:
		return fmt.Sprintf("Entra ID refused the token request (HTTP %d)", status),
			"look the code up at https://login.microsoftonline.com/error?code=" + strconv.Itoa(code)
	case oauth == "invalid_client":
		return fmt.Sprintf("Entra ID refused the credential (HTTP %d)", status),
			"check $CLIENT_ID and the credential that is configured with it"
	case oauth == "unauthorized_client":
		return fmt.Sprintf("Entra ID does not know the app, or does not allow it this kind of sign-in (HTTP "+
				"%d)", status),
			"check $CLIENT_ID and $TENANT_ID"
	case oauth == "invalid_scope":
		return fmt.Sprintf("Entra ID does not know the scope (HTTP %d)", status), "check $SCOPE and the cloud"
	case status == http.StatusNotFound:
		return "there is no such tenant at this address (HTTP 404)", "check $AUTHORITY_HOST and $TENANT_ID"
	}
	return fmt.Sprintf("the token request was refused without a reason (HTTP %d)", status),
		"check $AUTHORITY_HOST, and whether a proxy answers in Entra's place"
}

// managedByStatus explains a refusal of a managed identity endpoint. Its answers have no reliable AADSTS codes.
func managedByStatus(status int) (cause, cure string) {
	switch {
	case status == http.StatusTooManyRequests:
		return "the managed identity endpoint holds requests back", "wait: the proxy goes on trying"
	case status >= 500:
		return fmt.Sprintf("the managed identity endpoint is failing (HTTP %d)", status),
			"wait: the proxy goes on trying"
	}
	return fmt.Sprintf("the managed identity endpoint refused the request (HTTP %d)", status),
		"assign a managed identity to this resource; a user-assigned one needs its client ID in $CLIENT_ID"
}

// network explains an error without an answer. It returns an error as safe only if its type is known to quote
// nothing that was sent or received.
func network(ctx context.Context, err error) (cause, cure string, safe error) {
	var dns *net.DNSError
	var op *net.OpError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var proxy *proxyError
	switch {
	case errors.Is(err, errForeignHost):
		return errForeignHost.Error() + ", and the credential was not sent there", "check $AUTHORITY_HOST and what " +
			"answers at that address", nil
	case errors.As(err, &proxy):
		return "the HTTPS proxy does not let the request through",
			"check HTTPS_PROXY and NO_PROXY, and what the proxy allows", proxy
	case errors.As(err, &unknown):
		return "the certificate of the sign-in server is signed by an authority that this machine does not know",
			"if a proxy on the way inspects TLS, put its CA certificate into a file and name it in SSL_CERT_FILE", nil
	case errors.As(err, &host):
		return "the certificate of the sign-in server is for another host",
			"check $AUTHORITY_HOST and what answers at that address", nil
	case errors.As(err, &invalid):
		return "the certificate of the sign-in server is not valid",
			"check the clock of this machine, and what answers at the address in $AUTHORITY_HOST", nil
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		return "what answered does not speak TLS", "check $AUTHORITY_HOST and HTTPS_PROXY", nil
	case errors.As(err, &dns):
		return "the name of the sign-in server was not found",
			"check DNS, $AUTHORITY_HOST and " +
				"HTTPS_PROXY", &net.DNSError{
				Err:        dnsReason(dns),
				Name:       dns.Name,
				IsNotFound: dns.IsNotFound,
				IsTimeout:  dns.IsTimeout,
			}
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "the HTTPS proxy was not reached", "check HTTPS_PROXY", errno(err)
	case ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "the token request was given up because the proxy is stopping", "", ctx.Err()
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), op != nil &&
		op.Timeout():
		return "the sign-in server did not answer in time",
			"check the network and firewall to $AUTHORITY_HOST (port 443), and HTTPS_PROXY", nil
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the sign-in server refused the connection",
			"check $AUTHORITY_HOST, the firewall and HTTPS_PROXY", errno(err)
	}
	return "the token request failed on its way",
		"check the network to $AUTHORITY_HOST; the proxy goes on trying", errno(err)
}

func dnsReason(e *net.DNSError) string {
	switch {
	case e.IsNotFound:
		return "no such host"
	case e.IsTimeout:
		return "timeout"
	}
	return "lookup failed"
}

// errno returns the operating system's error below err, or nil.
func errno(err error) error {
	var n syscall.Errno
	switch {
	case errors.As(err, &n):
		return n
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return nil
}
