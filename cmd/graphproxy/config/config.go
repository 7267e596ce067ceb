// Package config reads graphproxy's settings from environment variables.
//
// It decides which variables there are, which values they may have, and what a problem with one is called. What shows only
// in the files that variables name, it leaves to those who read the files.
package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"

	"graphproxy/auth"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/yamlfile"
	"graphproxy/proxy/redislimit"
)

// Config is what the environment says: one field a variable, in the order of docs/configuration.md, whose table a test holds
// against this struct. What is wrong with one variable by itself is told by the UnmarshalText of the field's type.
//
// It is plain data. Printing it shows no secret. No message shows a variable's value: a secret that was put into the wrong variable would be in it.
type Config struct {
	TenantID            string      `env:"AZURE_TENANT_ID"`
	ClientID            string      `env:"AZURE_CLIENT_ID"`
	ClientSecret        auth.Secret `env:"AZURE_CLIENT_SECRET"`
	ClientSecretFile    string      `env:"AZURE_CLIENT_SECRET_FILE"`
	CertificatePath     string      `env:"AZURE_CLIENT_CERTIFICATE_PATH"`
	CertificatePassword auth.Secret `env:"AZURE_CLIENT_CERTIFICATE_PASSWORD"`
	SendChain           Truth       `env:"AZURE_CLIENT_SEND_CERTIFICATE_CHAIN" envDefault:"false"`
	FederatedTokenFile  string      `env:"AZURE_FEDERATED_TOKEN_FILE"`
	ManagedIdentity     Truth       `env:"GRAPHPROXY_MANAGED_IDENTITY" envDefault:"false"`
	AuthorityHost       string      `env:"AZURE_AUTHORITY_HOST"`
	Cloud               Cloud       `env:"GRAPHPROXY_CLOUD" envDefault:"public"`
	GraphURL            Root        `env:"GRAPHPROXY_GRAPH_URL"`
	Scope               string      `env:"GRAPHPROXY_SCOPE"`
	InstanceDiscovery   Truth       `env:"GRAPHPROXY_INSTANCE_DISCOVERY" envDefault:"true"`

	Listen          Addresses `env:"GRAPHPROXY_LISTEN" envDefault:"127.0.0.1:8080"`
	UnixSocketMode  Mode      `env:"GRAPHPROXY_UNIX_SOCKET_MODE" envDefault:"0660"`
	AdminListen     Address   `env:"GRAPHPROXY_ADMIN_LISTEN" envDefault:"127.0.0.1:8081"`
	PublicURL       Origin    `env:"GRAPHPROXY_PUBLIC_URL"`
	Hosts           HostNames `env:"GRAPHPROXY_HOSTS"`
	TLSCertFile     string    `env:"GRAPHPROXY_TLS_CERT_FILE"`
	TLSKeyFile      string    `env:"GRAPHPROXY_TLS_KEY_FILE"`
	TLSClientCAFile string    `env:"GRAPHPROXY_TLS_CLIENT_CA_FILE"`
	TrustedProxies  Networks  `env:"GRAPHPROXY_TRUSTED_PROXIES"`

	RedisURL      redislimit.Address `env:"GRAPHPROXY_REDIS_URL"`
	RedisFailure  Failure            `env:"GRAPHPROXY_REDIS_FAILURE" envDefault:"local"`
	RedisTimeout  Duration           `env:"GRAPHPROXY_REDIS_TIMEOUT" envDefault:"100ms"`
	RedisReplicas Count              `env:"GRAPHPROXY_REDIS_REPLICAS" envDefault:"1"`

	Policy          string   `env:"GRAPHPROXY_POLICY" envDefault:"policy.yaml"`
	ForwardHeaders  List     `env:"GRAPHPROXY_FORWARD_HEADERS"`
	MaxInFlight     Count    `env:"GRAPHPROXY_MAX_IN_FLIGHT" envDefault:"1000"`
	Drain           Pause    `env:"GRAPHPROXY_DRAIN" envDefault:"0s"`
	ShutdownTimeout Duration `env:"GRAPHPROXY_SHUTDOWN_TIMEOUT" envDefault:"30s"`
	LogLevel        Level    `env:"GRAPHPROXY_LOG_LEVEL" envDefault:"info"`
	LogFormat       Format   `env:"GRAPHPROXY_LOG_FORMAT" envDefault:"json"`
	AuditLog        string   `env:"GRAPHPROXY_AUDIT_LOG" envDefault:"-"`
	AuditFailure    OnLoss   `env:"GRAPHPROXY_AUDIT_FAILURE" envDefault:"continue"`

	registrations []Registration
}

// Parse reads settings from environ, as os.Environ gives them, and tells every problem that shows without looking at a file.
// The Config is good for use only when there is none.
func Parse(environ []string) (*Config, []error) {
	set := settings(environ)
	var c Config
	problems := append(unknown(set), misread(env.ParseWithOptions(&c, env.Options{Environment: set}), reflect.TypeFor[Config](), "")...)
	registrations, misread := registrations(set)
	c.registrations, problems = registrations, append(problems, misread...)
	if c.GraphURL == "" {
		c.GraphURL = Root(c.Cloud.GraphURL)
	}
	if c.Scope == "" && c.GraphURL != "" {
		c.Scope = string(c.GraphURL) + "/.default"
	}
	if c.AuthorityHost == "" {
		c.AuthorityHost = c.Cloud.AuthorityHost
	}
	return &c, slices.Concat(problems, c.check(), c.checkApps())
}

// settings are the variables that are set. An empty one is not set.
func settings(environ []string) map[string]string {
	set := make(map[string]string)
	for _, line := range environ {
		if name, value, ok := strings.Cut(line, "="); ok && value != "" {
			set[name] = value
		}
	}
	return set
}

// launcher is left alone: GRAPHPROXY_BIN is how scripts that start graphproxy name the binary to themselves, and an export
// carries it into the process.
const launcher = "BIN"

// unknown tells of variables in graphproxy's name space that it does not know: a setting that is misspelt must not be
// taken for one that is not set.
func unknown(set map[string]string) []error {
	const prefix = "GRAPHPROXY_"
	known := make([]string, 0, 32)
	for _, name := range variables(new(Config)) {
		if own, ok := strings.CutPrefix(name, prefix); ok {
			known = append(known, own)
		}
	}
	var problems []error
	for name, value := range set {
		own, ours := strings.CutPrefix(name, prefix)
		if !ours || slices.Contains(known, own) || own == launcher || isServiceLink(own, value) || isAppVariable(name) {
			continue
		}
		cure := "remove it, or see docs/configuration.md for the variables that there are"
		if near := nearApp(name); near != "" {
			cure = "did you mean " + near + "?"
		} else if near := yamlfile.Nearest(own, known); near != "" {
			cure = "did you mean " + prefix + near + "?"
		}
		problems = append(problems, fmt.Errorf("%s is not a variable that this version knows; %s", name, cure))
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return problems
}

// variables are the names that a struct of settings knows.
func variables(settings any) []string {
	params, err := env.GetFieldParams(settings)
	if err != nil { // only a tag that is wrong, which every test would meet
		return nil
	}
	names := make([]string, 0, len(params))
	for _, p := range params {
		names = append(names, p.Key)
	}
	return names
}

var (
	linkName = regexp.MustCompile(`(?:^|_)(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)_(?:PROTO|PORT|ADDR))$`)
	linkURL  = regexp.MustCompile(`(?:^|_)PORT(?:_[0-9]+_(?:TCP|UDP|SCTP))?=(?:tcp|udp|sctp)://`)
)

// isServiceLink reports whether a variable is one of those that Kubernetes adds to every container for a Service called
// graphproxy or graphproxy-…, such as GRAPHPROXY_PORT=tcp://10.0.0.7:8080. Nobody has set them, so nobody can cure them.
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
func isServiceLink(own, value string) bool {
	return linkName.MatchString(own) || linkURL.MatchString(own+"="+value)
}

// misread turns what env says of a struct of settings into one problem a variable. Its own text holds the name of our field, not
// of the variable.
func misread(err error, settings reflect.Type, prefix string) []error {
	if err == nil {
		return nil
	}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return []error{errors.New("the environment cannot be read")}
	}
	var problems []error
	for _, one := range all.Errors {
		var p env.ParseError
		if !errors.As(one, &p) {
			problems = append(problems, errors.New("a variable cannot be read"))
			continue
		}
		field, _ := settings.FieldByName(p.Name)
		problems = append(problems, fmt.Errorf("%s%s %w", prefix, field.Tag.Get("env"), p.Err))
	}
	return problems
}

// check tells what is wrong with variables that are right by themselves.
func (c *Config) check() []error {
	var problems []error
	switch {
	case c.TLSCertFile != "" && c.TLSKeyFile == "":
		problems = append(problems, errors.New("GRAPHPROXY_TLS_CERT_FILE is set without GRAPHPROXY_TLS_KEY_FILE: set both for TLS, or none for plain HTTP"))
	case c.TLSCertFile == "" && c.TLSKeyFile == "" && c.TLSClientCAFile != "":
		problems = append(problems, errors.New("GRAPHPROXY_TLS_CLIENT_CA_FILE is set without GRAPHPROXY_TLS_CERT_FILE and GRAPHPROXY_TLS_KEY_FILE: client certificates come with TLS; set all three"))
	case c.TLSCertFile == "" && c.TLSKeyFile != "":
		problems = append(problems, errors.New("GRAPHPROXY_TLS_KEY_FILE is set without GRAPHPROXY_TLS_CERT_FILE: set both for TLS, or none for plain HTTP"))
	}
	if slices.Contains(c.Listen, c.AdminListen) && !strings.HasSuffix(string(c.AdminListen), ":0") {
		problems = append(problems, errors.New("GRAPHPROXY_ADMIN_LISTEN is also in GRAPHPROXY_LISTEN: health and metrics are not for callers; give them an address of their own"))
	}
	return problems
}

// Public reports whether other machines can connect to a listener for callers.
func (c *Config) Public() bool {
	return slices.ContainsFunc(c.Listen, func(a Address) bool { return !a.loopback() })
}

// Unix reports whether a listener for callers is a unix socket.
func (c *Config) Unix() bool { return slices.ContainsFunc(c.Listen, Address.isSocket) }

// readable writes durations as 1.5s, where slog would write nanoseconds.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, a.Value.Duration().String())
	}
	return a
}

// Log is a logger to w, in the form and from the level that are set.
func (c *Config) Log(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel.Level, ReplaceAttr: readable}
	if c.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(visibleWriter{w}, options))
}

// visibleWriter escapes what is not displayed as itself in lines of JSON, as the handler for text does by itself.
type visibleWriter struct{ w io.Writer }

func (v visibleWriter) Write(line []byte) (int, error) {
	if _, err := v.w.Write(odata.VisibleJSON(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}
