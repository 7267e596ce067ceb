// Package config reads graphproxy's settings from environment variables.
//
// It decides which variables exist, which values they may have, and the messages about problems. It does not check
// the content of files that variables name.
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

	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
	"graphproxy/policy/yamlfile"
	"graphproxy/proxy/redislimit"
)

// Config is the settings: one field a variable, in the order of docs/configuration.md. A test compares the table there
// with this struct. The UnmarshalText of a field's type returns what is wrong with the one variable.
//
// It is plain data. Printing it shows no secret. No message shows a variable's value, because a secret may stand in the
// wrong variable.
type Config struct {
	Registration `env:"-"` // the default app registration; Parse reads it by the names in its tag azure

	Cloud    Cloud `env:"GRAPHPROXY_CLOUD" envDefault:"public"`
	GraphURL Root  `env:"GRAPHPROXY_GRAPH_URL"`

	Listen          Addresses `env:"GRAPHPROXY_LISTEN" envDefault:"127.0.0.1:8080"`
	UnixSocketMode  Mode      `env:"GRAPHPROXY_UNIX_SOCKET_MODE" envDefault:"0660"`
	AdminListen     Address   `env:"GRAPHPROXY_ADMIN_LISTEN" envDefault:"127.0.0.1:8081"`
	ConsoleListen   Address   `env:"GRAPHPROXY_CONSOLE_LISTEN"`
	ConsoleRoles    string    `env:"GRAPHPROXY_CONSOLE_PERMISSIONS"`
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
	PolicyCandidate string   `env:"GRAPHPROXY_POLICY_CANDIDATE"`
	LinkKeyFile     string   `env:"GRAPHPROXY_LINK_KEY_FILE"`
	ForwardHeaders  List     `env:"GRAPHPROXY_FORWARD_HEADERS"`
	MaxInFlight     Count    `env:"GRAPHPROXY_MAX_IN_FLIGHT" envDefault:"1000"`
	MaxConnections  Count    `env:"GRAPHPROXY_MAX_CONNECTIONS"`
	Transport       Way      `env:"GRAPHPROXY_TRANSPORT" envDefault:"direct"`
	Drain           Pause    `env:"GRAPHPROXY_DRAIN" envDefault:"0s"`
	ShutdownTimeout Duration `env:"GRAPHPROXY_SHUTDOWN_TIMEOUT" envDefault:"30s"`
	LogLevel        Level    `env:"GRAPHPROXY_LOG_LEVEL" envDefault:"info"`
	LogFormat       Format   `env:"GRAPHPROXY_LOG_FORMAT" envDefault:"json"`
	AuditLog        string   `env:"GRAPHPROXY_AUDIT_LOG" envDefault:"-"`
	AuditFailure    OnLoss   `env:"GRAPHPROXY_AUDIT_FAILURE" envDefault:"continue"`

	Tracing // OpenTelemetry

	registrations []Registration // besides the default one
}

// Parse reads settings from environ, in the form of os.Environ, and returns every problem that is visible without
// reading a file. The Config may be used only when there is none.
func Parse(environ []string) (*Config, []error) {
	set := settings(environ)
	var c Config
	azure := env.ParseWithOptions(&c.Registration, env.Options{Environment: set, TagName: defaultTag})
	others := env.ParseWithOptions(&c, env.Options{Environment: set})
	registrations, bad := registrations(set)
	problems := slices.Concat(
		unknown(set),
		misread(azure, reflect.TypeFor[Registration](), defaultTag, ""),
		misread(others, reflect.TypeFor[Config](), "env", ""),
		bad,
	)
	c.Name, c.registrations = policy.DefaultApp, registrations
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

// settings returns the variables that are set. An empty variable counts as not set.
func settings(environ []string) map[string]string {
	set := make(map[string]string)
	for _, line := range environ {
		if name, value, ok := strings.Cut(line, "="); ok && value != "" {
			set[name] = value
		}
	}
	return set
}

// launcher is not reported as unknown: scripts that start graphproxy put the path of the binary into
// GRAPHPROXY_BIN, and export it.
const launcher = "BIN"

// callerKey is not reported as unknown, either: GRAPHPROXY_KEY is the key of a caller for the command whoami.
const callerKey = "KEY"

// unknown returns the unknown variables that begin with GRAPHPROXY_: a misspelt setting must not be treated as not
// set.
func unknown(set map[string]string) []error {
	const prefix = "GRAPHPROXY_"
	known := make([]string, 0, 32)
	for _, name := range names(variables()) {
		if own, ok := strings.CutPrefix(name, prefix); ok {
			known = append(known, own)
		}
	}
	var problems []error
	for name, value := range set {
		own, ours := strings.CutPrefix(name, prefix)
		if !ours || slices.Contains(known, own) || own == launcher || own == callerKey || isServiceLink(own, value) ||
			isAppVariable(name) {
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

var (
	linkName = regexp.MustCompile(
		`(?:^|_)(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)_(?:PROTO|PORT|ADDR))$`,
	)
	linkURL = regexp.MustCompile(`(?:^|_)PORT(?:_[0-9]+_(?:TCP|UDP|SCTP))?=(?:tcp|udp|sctp)://`)
)

// isServiceLink reports whether a variable is one that Kubernetes adds to every container for a Service called
// graphproxy or graphproxy-…, such as GRAPHPROXY_PORT=tcp://10.0.0.7:8080. The operator has not set them and cannot
// remove them.
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
func isServiceLink(own, value string) bool {
	return linkName.MatchString(own) || linkURL.MatchString(own+"="+value)
}

// misread splits an error of env about a struct of settings into one problem for each variable. Env's own text has
// the name of our field; the variable's name is prefix and the field's tag.
func misread(err error, settings reflect.Type, tag, prefix string) []error {
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
		problems = append(problems, fmt.Errorf("%s%s %w", prefix, field.Tag.Get(tag), p.Err))
	}
	return problems
}

// check returns the problems of combinations of variables.
func (c *Config) check() []error {
	var problems []error
	switch {
	case c.TLSCertFile != "" && c.TLSKeyFile == "":
		problems = append(problems, errors.New("GRAPHPROXY_TLS_CERT_FILE is set without GRAPHPROXY_TLS_KEY_FILE: "+
			"set both for TLS, or none for plain HTTP"))
	case c.TLSCertFile == "" && c.TLSKeyFile == "" && c.TLSClientCAFile != "":
		problems = append(problems, errors.New("GRAPHPROXY_TLS_CLIENT_CA_FILE is set without "+
			"GRAPHPROXY_TLS_CERT_FILE and "+
			"GRAPHPROXY_TLS_KEY_FILE: client certificates come with TLS; set all three"))
	case c.TLSCertFile == "" && c.TLSKeyFile != "":
		problems = append(problems, errors.New("GRAPHPROXY_TLS_KEY_FILE is set without GRAPHPROXY_TLS_CERT_FILE: "+
			"set both for TLS, or none for plain HTTP"))
	}
	if slices.Contains(c.Listen, c.AdminListen) && !strings.HasSuffix(string(c.AdminListen), ":0") {
		problems = append(problems, errors.New("GRAPHPROXY_ADMIN_LISTEN is also in GRAPHPROXY_LISTEN: "+
			"health and metrics are not for callers; give them an address of their own"))
	}
	return append(problems, c.checkConsole()...)
}

// checkConsole returns the problems of the console's address.
func (c *Config) checkConsole() []error {
	var problems []error
	if c.ConsoleListen == "" {
		return nil
	}
	if (c.ConsoleListen == c.AdminListen || slices.Contains(c.Listen, c.ConsoleListen)) &&
		!strings.HasSuffix(string(c.ConsoleListen), ":0") {
		problems = append(problems, errors.New("GRAPHPROXY_CONSOLE_LISTEN is also in GRAPHPROXY_LISTEN or "+
			"GRAPHPROXY_ADMIN_LISTEN: give the console an address of its own"))
	}
	if !c.ConsoleOpen() && (c.TLSCertFile == "" || c.TLSKeyFile == "") {
		problems = append(problems, errors.New("GRAPHPROXY_CONSOLE_LISTEN is not on loopback, and there is no TLS: set "+
			"GRAPHPROXY_TLS_CERT_FILE and GRAPHPROXY_TLS_KEY_FILE, or listen on loopback, such as 127.0.0.1:8082"))
	}
	return problems
}

// ConsoleOpen reports whether only this machine can connect to the console, which then needs no sign-in.
func (c *Config) ConsoleOpen() bool { return c.ConsoleListen.loopback() }

// Public reports whether other machines can connect to a listener for callers.
func (c *Config) Public() bool {
	return slices.ContainsFunc(c.Listen, func(a Address) bool { return !a.loopback() })
}

// IsPublic reports whether other machines can connect to a listener at one of the addresses, in the form of
// GRAPHPROXY_LISTEN.
func IsPublic(addresses []string) (bool, error) {
	var all Addresses
	if err := all.UnmarshalText([]byte(strings.Join(addresses, ","))); err != nil {
		return false, err
	}
	return (&Config{Listen: all}).Public(), nil
}

// Unix reports whether a listener for callers is a unix socket.
func (c *Config) Unix() bool { return slices.ContainsFunc(c.Listen, Address.isSocket) }

// readable writes durations as 1.5s; slog would write nanoseconds.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, a.Value.Duration().String())
	}
	return a
}

// Log returns a logger to w, with the configured format and level.
func (c *Config) Log(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel.Level, ReplaceAttr: readable}
	if c.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(visibleWriter{w}, options))
}

// visibleWriter escapes invisible characters in lines of JSON, as the handler for text does by itself.
type visibleWriter struct{ w io.Writer }

func (v visibleWriter) Write(line []byte) (int, error) {
	if _, err := v.w.Write(odata.VisibleJSON(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}
