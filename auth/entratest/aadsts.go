package entratest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// refusal is an error of Entra: an AADSTS number and its OAuth error, status and text.
type refusal struct {
	code   int
	status int
	err    string // OAuth 2.0's error: "invalid_client"
	text   string // the text after "AADSTS7000215: "
}

// refuseWith makes the refusal of a number. Pairs are alternately a placeholder of its text, such as "{app}",
// and the value; none may be a secret.
func refuseWith(code int, pairs ...string) *refusal {
	status, err, text := meaning(code)
	return &refusal{code: code, status: status, err: err, text: strings.NewReplacer(pairs...).Replace(text)}
}

// withStatus replaces the HTTP status; 0 leaves it.
func (f *refusal) withStatus(status int) *refusal {
	if status != 0 {
		f.status = status
	}
	return f
}

// Numbers that the server refuses with by itself.
const (
	badSignature      = 700027
	badChain          = 50012
	badAssertion      = 50013
	assertionTime     = 500133
	noFederatedRecord = 70021
	wrongSecret       = 7000215
	expiredSecret     = 7000222
	noCredential      = 7000218
	appNotFound       = 700016
	appDisabled       = 7000112
	tenantNotFound    = 90002
	badTenantName     = 900023
	noTenant          = 50059
	singleTenant      = 50194
	noSharedEndpoint  = 9001023
	notDefaultScope   = 1002012
	mixedScope        = 70011
	resourceNotFound  = 500011
	missingParameter  = 900144
	doubledParameter  = 9000411
	malformed         = 9002313
	unsupportedGrant  = 70003
	onlyPOST          = 900561
	unknownInstance   = 50049
	wrongRedirect     = 50011
	declined          = 65004
)

// meaning returns the HTTP status, OAuth error and text of an AADSTS number. Numbers that are not in the table
// are an invalid_request with status 400. The caller replaces words in braces.
//
// The numbers are those of https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
func meaning(code int) (status int, err, text string) {
	if text := credentialMeaning(code); text != "" {
		return http.StatusUnauthorized, "invalid_client", text
	}
	const bad, request, scope = http.StatusBadRequest, "invalid_request", "invalid_scope"
	switch code {
	case 650056, 65005:
		return bad, "invalid_client", "Misconfigured application. The client has not listed any permissions for " +
			"'Microsoft Graph' in the requested permissions in the client's application registration, or the admin has not " +
			"consented in the tenant."
	case appNotFound, 700011:
		return bad, "unauthorized_client", "Application with identifier '{app}' was not found in the directory " +
			"'{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or " +
			"consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."
	case appDisabled, 70001:
		return bad, "unauthorized_client", "Application '{app}'({name}) is disabled."
	case singleTenant:
		return bad, "unauthorized_client", "Application '{app}'({name}) is not configured as a multi-tenant application. " +
			"Usage of the /common endpoint is not supported for such apps created after '10/15/2018'. Use a tenant-specific " +
			"endpoint or configure the application to be multi-tenant."
	case tenantNotFound:
		return bad, request, "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are " +
			"signing into the correct cloud. Check with your subscription administrator, this may happen if there are no " +
			"active subscriptions for the tenant."
	case badTenantName:
		return bad, request, "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external " +
			"domain."
	case noTenant, 90019:
		return bad, request, "No tenant-identifying information found in either the request or implied by any provided " +
			"credentials."
	case noSharedEndpoint, 90010, 90124, 90130:
		return bad, request, "The grant type is not supported over the /common or /consumers endpoints. Please use the " +
			"/organizations or tenant-specific endpoint."
	case 90038, 900382, 900432:
		return bad, request, "Confidential Client is not supported in Cross Cloud request."
	case notDefaultScope:
		return bad, scope, "The provided value for scope {scope} is not valid. Client credential flows must have a scope " +
			"value with /.default suffixed to the resource identifier (application ID URI)."
	case mixedScope:
		return bad, scope, "The provided request must include a 'scope' input parameter. The provided value for the input " +
			"parameter 'scope' is not valid. The scope {scope} is not valid."
	case resourceNotFound:
		return bad, "invalid_resource", "The resource principal named {resource} was not found in the tenant named " +
			"{tenant}. This can happen if the application has not been installed by the administrator of the tenant or " +
			"consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant."
	case missingParameter:
		return bad, request, "The request body must contain the following parameter: '{parameter}'."
	case doubledParameter:
		return bad, request, "The request is not properly formatted. The parameter '{parameter}' is duplicated."
	case malformed:
		return bad, request, "Invalid request. Request is malformed or invalid."
	case unsupportedGrant:
		return bad, "unsupported_grant_type", "The app requested an unsupported grant type '{grant}'."
	case onlyPOST:
		return bad, request, "The endpoint only accepts POST requests. Received a {method} request."
	case unknownInstance:
		return bad, "invalid_instance", "Unknown or invalid instance."
	case wrongRedirect:
		return bad, request, "The redirect URI '{redirect}' specified in the request does not match the redirect URIs " +
			"configured for the application '{app}'."
	case declined:
		return bad, "consent_required", "The resource owner or authorization server denied the request."
	case 65001:
		return bad, "consent_required", "The user or administrator has not consented to use the application with ID '{app}'."
	case 53003, 530032, 530035:
		return bad, "access_denied", "Access has been blocked by Conditional Access policies. The access policy does not " +
			"allow token issuance."
	case 50196:
		return bad, "invalid_grant", "The server terminated an operation because it encountered a loop while processing a " +
			"request."
	case 90055:
		return http.StatusTooManyRequests, "temporarily_unavailable", "The server terminated an operation because it " +
			"encountered too many requests for the tenant."
	case 90033, 90024, 90006, 50033:
		return http.StatusServiceUnavailable, "temporarily_unavailable", "A transient error has occurred. Please try again."
	}
	return bad, request, "The request could not be completed."
}

// credentialMeaning returns the text of a number for a client that has not proved its identity, and "" for
// other numbers.
func credentialMeaning(code int) string {
	switch code {
	case wrongSecret:
		return "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, " +
			"not the client secret ID, for a secret added to app '{app}'."
	case expiredSecret:
		return "The provided client secret keys for app '{app}' are expired. Visit the Azure portal to create new keys " +
			"for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: " +
			"https://aka.ms/certCreds."
	case noCredential:
		return "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
	case badSignature:
		return "Client assertion contains an invalid signature. [Reason - {reason}] Please visit the Azure Portal, Graph " +
			"Explorer or directly use MS Graph to see configured keys for app Id '{app}'."
	case badChain:
		return "Client assertion failed certificate chain validation. The certificates sent in x5c cannot be read."
	case badAssertion:
		return "The client assertion is not valid. [Reason - {reason}]"
	case assertionTime, 700024:
		return "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {from}, " +
			"expiry time of assertion {until}. Review the documentation at " +
			"https://learn.microsoft.com/entra/identity-platform/certificate-credentials ."
	case 700021:
		return "Client assertion application identifier doesn't match 'client_id' parameter."
	case 700023:
		return "Client assertion audience claim does not match Realm issuer."
	case noFederatedRecord:
		return "No matching federated identity record found for presented assertion. Assertion Issuer: '{issuer}'. " +
			"Assertion Subject: '{subject}'. Assertion Audience: '{audience}'. " +
			"https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
	case 700211, 700212, 700213:
		return "No matching federated identity record found for presented assertion. Check your federated identity " +
			"credential Subject, Audience and Issuer against the presented assertion. " +
			"https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
	case 700030:
		return "Invalid certificate - subject name in certificate is not authorized."
	case 7000229:
		return "The client application '{app}' is missing service principal in the tenant '{tenant}'. See instructions " +
			"here: https://go.microsoft.com/fwlink/?linkid=2225119"
	case 700025:
		return "Client is public so neither 'client_assertion' nor 'client_secret' should be presented."
	}
	return ""
}

// message is the text of a refusal with its number and the ids, as error_description has it.
func (f *refusal) message(trace, correlation string, now time.Time) string {
	return "AADSTS" + strconv.Itoa(f.code) + ": " + f.text +
		"\r\nTrace ID: " + trace + "\r\nCorrelation ID: " + correlation + "\r\nTimestamp: " + timestamp(now)
}

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// errorBody is the body of an error.
type errorBody struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
	URI           string `json:"error_uri"`
}

// refuse answers f in Entra's shape.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, f *refusal) {
	trace, correlation, now := uuid.NewString(), correlationID(r), s.now()
	w.Header().Set("x-ms-request-id", trace)
	writeJSON(w, f.status, errorBody{
		Error:         f.err,
		Description:   f.message(trace, correlation, now),
		Codes:         []int{f.code},
		Timestamp:     timestamp(now),
		TraceID:       trace,
		CorrelationID: correlation,
		URI:           base(r) + "/error?code=" + strconv.Itoa(f.code),
	})
}

// correlationID is the client-request-id that the client sent, or a new one.
func correlationID(r *http.Request) string {
	if id, err := uuid.Parse(r.Header.Get("client-request-id")); err == nil {
		return id.String()
	}
	return uuid.NewString()
}

// base is the address that the client uses for this server.
func base(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// writeJSON answers v and forbids keeping it.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "the answer cannot be written as JSON", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.Header().Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
