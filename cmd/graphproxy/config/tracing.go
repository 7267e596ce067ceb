package config

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Tracing is the settings of OpenTelemetry, by its own variables
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). A wrong value is a problem, as
// with every other variable.
type Tracing struct {
	SDKDisabled        Truth        `env:"OTEL_SDK_DISABLED" envDefault:"false"`
	TracesExporter     Exporter     `env:"OTEL_TRACES_EXPORTER"`
	Endpoint           Collector    `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	TracesEndpoint     Collector    `env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"`
	Protocol           Protocol     `env:"OTEL_EXPORTER_OTLP_PROTOCOL" envDefault:"http/protobuf"`
	TracesProtocol     Protocol     `env:"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"`
	OTLPHeaders        OTLPHeaders  `env:"OTEL_EXPORTER_OTLP_HEADERS"`
	TracesHeaders      OTLPHeaders  `env:"OTEL_EXPORTER_OTLP_TRACES_HEADERS"`
	OTLPTimeout        Milliseconds `env:"OTEL_EXPORTER_OTLP_TIMEOUT" envDefault:"10000"`
	Sampler            Sampler      `env:"OTEL_TRACES_SAMPLER" envDefault:"parentbased_always_on"`
	SamplerArg         Ratio        `env:"OTEL_TRACES_SAMPLER_ARG" envDefault:"1.0"`
	ServiceName        string       `env:"OTEL_SERVICE_NAME" envDefault:"graphproxy"`
	ResourceAttributes Attributes   `env:"OTEL_RESOURCE_ATTRIBUTES"`
	Propagators        Propagators  `env:"OTEL_PROPAGATORS" envDefault:"tracecontext"`
}

// Traces reports whether requests are traced: an exporter or an endpoint is set, and no variable turns tracing off.
func (t *Tracing) Traces() bool {
	return !bool(t.SDKDisabled) && t.TracesExporter != "none" &&
		(t.TracesExporter != "" || t.Endpoint != "" || t.TracesEndpoint != "")
}

// OverGRPC reports whether traces are sent over gRPC.
func (t *Tracing) OverGRPC() bool {
	if t.TracesProtocol != "" {
		return t.TracesProtocol == "grpc"
	}
	return t.Protocol == "grpc"
}

// Target is the URL that traces are sent to.
func (t *Tracing) Target() string {
	switch {
	case t.TracesEndpoint != "":
		return string(t.TracesEndpoint)
	case t.OverGRPC() && t.Endpoint == "":
		return "http://localhost:4317"
	case t.OverGRPC():
		return string(t.Endpoint)
	case t.Endpoint == "":
		return "http://localhost:4318/v1/traces"
	}
	return strings.TrimSuffix(string(t.Endpoint), "/") + "/v1/traces"
}

// Header returns the additional headers of each export.
func (t *Tracing) Header() map[string]string {
	if t.TracesHeaders.p != nil {
		return t.TracesHeaders.reveal()
	}
	return t.OTLPHeaders.reveal()
}

// Exporter is the destination of traces.
type Exporter string

// UnmarshalText implements encoding.TextUnmarshaler.
func (e *Exporter) UnmarshalText(text []byte) error {
	if s := string(text); s == "otlp" || s == "none" {
		*e = Exporter(s)
		return nil
	}
	return errors.New("is neither otlp nor none: write one of them; this build has no other exporter")
}

// Collector is the URL of an OpenTelemetry collector.
type Collector string

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Collector) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("is not a URL such as http://collector:4318: write scheme, host and port")
	case u.User != nil:
		return errors.New("has a user name or password in it: put credentials into OTEL_EXPORTER_OTLP_HEADERS")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("has a query or a fragment: write scheme, host, port and path only")
	}
	*c = Collector(text)
	return nil
}

// Protocol is how traces are sent.
type Protocol string

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Protocol) UnmarshalText(text []byte) error {
	if s := string(text); s == "grpc" || s == "http/protobuf" {
		*p = Protocol(s)
		return nil
	}
	return errors.New("is neither grpc nor http/protobuf: write one of them")
}

// OTLPHeaders are headers with credentials. No way of printing shows them.
type OTLPHeaders struct{ p *map[string]string }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *OTLPHeaders) UnmarshalText(text []byte) error {
	all := make(map[string]string)
	for i, item := range strings.Split(string(text), ",") {
		name, value, found := strings.Cut(item, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		value, err := url.PathUnescape(strings.TrimSpace(value))
		isControl := func(c rune) bool { return c < ' ' || c == 0x7f }
		if !found || !headerName.MatchString(name) || err != nil || strings.ContainsFunc(value, isControl) {
			return fmt.Errorf("(item %d) is not name=value: write such as api-key=…, several with commas, "+
				"and a blank, a comma or a percent sign in a value as %%20, %%2C or %%25", i+1)
		}
		all[name] = value
	}
	h.p = &all
	return nil
}

var headerName = regexp.MustCompile(`^[a-z0-9!#$&'*+.^_|~-]+$`)

func (h OTLPHeaders) reveal() map[string]string {
	if h.p == nil {
		return nil
	}
	return maps.Clone(*h.p)
}

// Format implements fmt.Formatter.
func (h OTLPHeaders) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

// MarshalJSON implements json.Marshaler.
func (h OTLPHeaders) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// LogValue implements slog.LogValuer.
func (h OTLPHeaders) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// Milliseconds is a duration as OpenTelemetry writes it: a whole number.
type Milliseconds time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *Milliseconds) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil || n == 0 {
		return errors.New("is not a number of milliseconds: write such as 10000")
	}
	*m = Milliseconds(time.Duration(n) * time.Millisecond)
	return nil
}

// Sampler decides which requests are traced.
type Sampler string

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Sampler) UnmarshalText(text []byte) error {
	known := []string{
		"always_on", "always_off", "traceidratio",
		"parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
	}
	if !slices.Contains(known, string(text)) {
		return fmt.Errorf("is not a sampler: write %s", strings.Join(known, ", "))
	}
	*s = Sampler(text)
	return nil
}

// Ratio is a part of all, from 0 to 1.
type Ratio float64

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Ratio) UnmarshalText(text []byte) error {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return errors.New("is not a number from 0 to 1: write such as 0.1 for a tenth of the requests")
	}
	*r = Ratio(f)
	return nil
}

// Attributes are names with values that describe this process.
type Attributes map[string]string

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Attributes) UnmarshalText(text []byte) error {
	all := Attributes{}
	for i, item := range strings.Split(string(text), ",") {
		name, value, found := strings.Cut(item, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !found || name == "" || err != nil {
			return fmt.Errorf("(item %d) is not name=value: write such as deployment.environment=production, "+
				"several with commas", i+1)
		}
		all[name] = value
	}
	*a = all
	return nil
}

// Propagators are the formats in which processes pass on a trace.
type Propagators []string

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Propagators) UnmarshalText(text []byte) error {
	var all Propagators
	for item := range strings.SplitSeq(string(text), ",") {
		switch item = strings.TrimSpace(item); item {
		case "tracecontext", "none":
			all = append(all, item)
		case "baggage": // accepted because the default has it, and never sent to Graph
		default:
			return errors.New("names a propagator that is not there: write tracecontext, or none")
		}
	}
	*p = all
	return nil
}

// TraceContext reports whether a caller's traceparent is used, and Graph gets graphproxy's.
func (p Propagators) TraceContext() bool {
	return slices.Contains(p, "tracecontext") && !slices.Contains(p, "none")
}
