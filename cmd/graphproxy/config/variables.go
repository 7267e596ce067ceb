package config

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// Variable is an environment variable that Config reads.
type Variable struct {
	Name    string
	Default string // "": none, or one that depends on other variables
	Meaning string // in Markdown, on one line; includes a default that depends on others
}

// variables returns the variables of Config, except those of further app registrations.
func variables() []env.FieldParams {
	return append(params(new(Registration), defaultTag), params(new(Config), "env")...)
}

// suffixes returns the variables of a further app registration, without their prefix.
func suffixes() []env.FieldParams { return params(new(Registration), "env") }

// params returns the variables that the fields of a struct of settings name in a tag.
func params(settings any, tag string) []env.FieldParams {
	all, err := env.GetFieldParamsWithOptions(settings, env.Options{TagName: tag})
	if err != nil { // only for a wrong tag, with which every test fails
		return nil
	}
	return all
}

// names returns the variables' names.
func names(params []env.FieldParams) []string {
	all := make([]string, 0, len(params))
	for _, p := range params {
		all = append(all, p.Key)
	}
	return all
}

// Variables returns the variables of Config in the order of its fields. docs/configuration.md has the same table.
func Variables() []Variable {
	about := meanings()
	all := []Variable{}
	for _, p := range variables() {
		all = append(all, Variable{Name: p.Key, Default: p.DefaultValue, Meaning: about[p.Key]})
	}
	return all
}

// WriteVariables writes the variables for a terminal of width columns: each name with its default, and its meaning
// below.
func WriteVariables(w io.Writer, width int) error {
	var b strings.Builder
	for _, v := range Variables() {
		b.WriteString("  " + v.Name)
		if v.Default != "" {
			b.WriteString(" (default " + v.Default + ")")
		}
		b.WriteByte('\n')
		for _, line := range wrap(plain(v.Meaning), width-6) {
			b.WriteString("      " + line + "\n")
		}
	}
	_, err := fmt.Fprint(w, b.String())
	return err
}

var markdownLink = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

// plain removes the Markdown from a text.
func plain(text string) string {
	return strings.ReplaceAll(markdownLink.ReplaceAllString(text, "$1"), "`", "")
}

// wrap breaks a text into lines of at most width characters, where its words allow it.
func wrap(text string, width int) []string {
	var lines []string
	for word := range strings.FieldsSeq(text) {
		if last := len(lines) - 1; last >= 0 && len(lines[last])+1+len(word) <= max(width, 20) {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return slices.Clip(lines)
}

// meanings returns what each variable is for, by its name.
func meanings() map[string]string {
	return map[string]string{
		"AZURE_TENANT_ID": "the tenant of the app registration: a GUID or a domain. `common`, `organizations` and " +
			"`consumers` are refused",
		"AZURE_CLIENT_ID": "the application (client) ID; with a managed identity the user-assigned " +
			"one, if any",
		"AZURE_CLIENT_SECRET":               "client secret",
		"AZURE_CLIENT_SECRET_FILE":          "file that holds the client secret; one newline at its end does not count",
		"AZURE_CLIENT_CERTIFICATE_PATH":     "PEM or PFX file with the certificate and its RSA key",
		"AZURE_CLIENT_CERTIFICATE_PASSWORD": "password of the PFX file",
		"AZURE_CLIENT_SEND_CERTIFICATE_CHAIN": "send the certificate's chain with token requests (subject name and " +
			"issuer " +
			"authentication)",
		"AZURE_FEDERATED_TOKEN_FILE": "file with a token of another issuer (workload identity federation); read at every " +
			"renewal",
		"GRAPHPROXY_MANAGED_IDENTITY": "use the managed identity of the Azure resource that graphproxy runs on",
		"AZURE_AUTHORITY_HOST":        "Entra ID's address. Default: of the cloud",
		"GRAPHPROXY_CLOUD": "`public`, `usgov`, `usgov-dod` or `china`: sets Entra ID's address, Graph's and the scope " +
			"together",
		"GRAPHPROXY_GRAPH_URL": "Graph's scheme and host, such as `https://graph.microsoft.com`; `http` on loopback " +
			"only. " +
			"Default: of the cloud",
		"GRAPHPROXY_SCOPE":              "what tokens are asked for. Default: Graph's URL and `/.default`",
		"GRAPHPROXY_INSTANCE_DISCOVERY": "`false` for an authority that Microsoft does not know: a private cloud, a test",
		"GRAPHPROXY_LISTEN": "where callers connect: `host:port`, or `unix:/path` for a [unix socket](#unix-sockets); " +
			"several with commas",
		"GRAPHPROXY_UNIX_SOCKET_MODE": "who may connect to a unix socket, as octal permissions",
		"GRAPHPROXY_ADMIN_LISTEN":     "where `/healthz`, `/readyz` and `/metrics` are; plain HTTP, one address",
		"GRAPHPROXY_CONSOLE_LISTEN": "where the [console](console.md) is, one address; without it there is none. On " +
			"loopback it needs no sign-in; anywhere else it needs TLS and `console:` in the policy",
		"GRAPHPROXY_CONSOLE_PERMISSIONS": "file with [Microsoft's list of permissions](permissions.md), from which the " +
			"console names the app roles that a proposed rule needs; read at start. Default: frequent operations only",
		"GRAPHPROXY_PUBLIC_URL": "scheme and host that links in answers carry, such as `https://graph.contoso.com`: " +
			"for a load " +
			"balancer that ends TLS or changes the host. Default: that of the request",
		"GRAPHPROXY_HOSTS": "further [names](#names-of-the-proxy) that graphproxy is known by, such as " +
			"`graphproxy,graphproxy.infra.svc`; each counts with any port",
		"GRAPHPROXY_TLS_CERT_FILE": "certificate that callers are shown, PEM, its chain after it",
		"GRAPHPROXY_TLS_KEY_FILE":  "its private key, PEM, not encrypted",
		"GRAPHPROXY_TLS_CLIENT_CA_FILE": "certificates of the CAs whose [client certificates](#client-certificates) " +
			"count, PEM, one " +
			"after the other",
		"GRAPHPROXY_TRUSTED_PROXIES": "networks and addresses of the [proxies](#proxies-in-front) whose " +
			"`X-Forwarded-For` and PROXY " +
			"protocol are believed, such as `10.20.0.0/16,10.0.0.7`",
		"GRAPHPROXY_REDIS_URL": "[Redis](redis.md) in which replicas share limits: `rediss://user:password@host:6379/0`",
		"GRAPHPROXY_REDIS_FAILURE": "while Redis is gone: `local`, each replica enforces its share by itself, or " +
			"`deny`, requests " +
			"that a limit covers are refused",
		"GRAPHPROXY_REDIS_TIMEOUT": "how long a request waits for Redis' answer, from when the question is written. " +
			"Set it to at least " +
			"twice the round trip",
		"GRAPHPROXY_REDIS_REPLICAS": "how many replicas there are at least: without Redis, the share of one is no " +
			"greater than its part " +
			"of so many, even if it has never seen the others",
		"GRAPHPROXY_POLICY": "the policy: its main file, or a [directory](policy.md#several-files)",
		"GRAPHPROXY_POLICY_CANDIDATE": "a policy that is judged " +
			"[beside the one in force](operations.md#a-candidate-policy), and changes nothing: " +
			"a file or a directory as in `GRAPHPROXY_POLICY`. Differences are in the audit lines",
		"GRAPHPROXY_LINK_KEY_FILE": "a file with the keys that mark the links of delta queries whose options the policy " +
			"[bounds](policy.md#delta-queries-and-their-links), one a line, the first for new links; read again when it " +
			"changes. Without it they come from the app's secret or certificate; a managed identity and a federated token " +
			"give none",
		"GRAPHPROXY_FORWARD_HEADERS": "request headers that reach Graph besides those in [security.md](security.md)",
		"GRAPHPROXY_MAX_IN_FLIGHT": "requests in flight, and 256 KiB of held bodies for each; one more is answered " +
			"503 at once. Each caller " +
			"has a [share](policy.md#in_flight-a-callers-share) of them; as many again may wait for a limit",
		"GRAPHPROXY_MAX_CONNECTIONS": "connections of callers open at once; beyond it, the one that has been idle for " +
			"longest is closed for each new one, and while none is idle, new ones wait. Default: what RLIMIT_NOFILE " +
			"[leaves for them](operations.md#connections), which is also the most",
		"GRAPHPROXY_TRANSPORT": "how requests go to Graph: `direct`, which costs less CPU, or `std`, Go's own " +
			"`http.Transport`; see [operations.md](operations.md#the-way-to-graph)",
		"GRAPHPROXY_DRAIN":            "how long callers are still served after SIGTERM, while the replica is not ready",
		"GRAPHPROXY_SHUTDOWN_TIMEOUT": "how long requests in flight may go on after that",
		"GRAPHPROXY_LOG_LEVEL":        "`debug`, `info`, `warn` or `error`",
		"GRAPHPROXY_LOG_FORMAT":       "`json` or `text`; on stderr",
		"GRAPHPROXY_AUDIT_LOG":        "where audit lines go: `-` is stdout, a path, or `off`",
		"GRAPHPROXY_AUDIT_FAILURE": "while audit lines cannot be written: `continue`, requests are served and lost " +
			"lines are " +
			"counted, or `refuse`, requests are answered 503",
		"OTEL_SDK_DISABLED":    "`true` turns [tracing](tracing.md) off",
		"OTEL_TRACES_EXPORTER": "`otlp` or `none`. Default: `otlp` when an endpoint is set, else requests are not traced",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "URL of the collector, such as `http://collector:4318`; over HTTP, traces go " +
			"to `/v1/traces` " +
			"below it",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "URL that traces are sent to, as it is",
		"OTEL_EXPORTER_OTLP_PROTOCOL":        "`http/protobuf` or `grpc`",
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "the same, for traces. Default: that of `OTEL_EXPORTER_OTLP_PROTOCOL`",
		"OTEL_EXPORTER_OTLP_HEADERS": "headers of every export, such as `api-key=…`; several with commas. " +
			"Never printed",
		"OTEL_EXPORTER_OTLP_TRACES_HEADERS": "the same, for traces. Default: those of `OTEL_EXPORTER_OTLP_HEADERS`",
		"OTEL_EXPORTER_OTLP_TIMEOUT":        "how long an export may take, in milliseconds",
		"OTEL_TRACES_SAMPLER": "which requests are traced: `always_on`, `always_off`, `traceidratio`, or as the " +
			"caller's trace says, " +
			"`parentbased_always_on`, `parentbased_always_off`, `parentbased_traceidratio`",
		"OTEL_TRACES_SAMPLER_ARG": "the part of the requests, for `traceidratio` and `parentbased_traceidratio`",
		"OTEL_SERVICE_NAME":       "the service's name in traces",
		"OTEL_RESOURCE_ATTRIBUTES": "what describes this replica in traces, such as " +
			"`deployment.environment=production`; several with commas",
		"OTEL_PROPAGATORS": "`tracecontext`, or `none`: a caller's trace does not count, and Graph gets the " +
			"caller's as it is",
	}
}
