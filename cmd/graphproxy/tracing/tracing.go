// Package tracing sends the spans of requests to an OpenTelemetry collector.
//
// It decides where they are sent and which are sampled. While the collector is unreachable, spans wait in a bounded
// queue and are dropped when it is full. No request waits for it. Package graphproxy/proxy makes the spans.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"graphproxy/cmd/graphproxy/config"
	"graphproxy/proxy"
)

// Provider sends spans. A nil one sends none. Close must be called.
type Provider struct {
	provider   *sdk.TracerProvider
	propagates bool
}

// patience is how long sending the last spans may take at the end.
const patience = 3 * time.Second

// Start returns a provider with these settings; nil if requests are not traced. It opens no connection: one is
// opened when there is a span to send.
func Start(c *config.Tracing, version string, log *slog.Logger) (*Provider, error) {
	if !c.Traces() {
		return nil, nil
	}
	otel.SetLogger(logr.Discard()) // the SDK would write its messages, and its settings, to stderr
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
	exporter, err := newExporter(c)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: the exporter cannot be made: %w", err)
	}
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(&reporting{SpanExporter: exporter, log: log, endpoint: c.Target()}),
		sdk.WithSampler(sampler(c)),
		sdk.WithResource(describe(c, version)),
	)
	return &Provider{provider: provider, propagates: c.Propagators.TraceContext()}, nil
}

// Proxy returns what a proxy.Handler needs; nil if requests are not traced.
func (p *Provider) Proxy() *proxy.Tracing {
	if p == nil {
		return nil
	}
	return &proxy.Tracing{Tracer: p.provider.Tracer("graphproxy/proxy"), Propagates: p.propagates}
}

// Close sends the last spans, for a few seconds at most.
func (p *Provider) Close() {
	if p == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = p.provider.Shutdown(ctx) // reporting has logged it
}

func newExporter(c *config.Tracing) (sdk.SpanExporter, error) {
	if c.OverGRPC() {
		return otlptracegrpc.New(context.Background(),
			otlptracegrpc.WithEndpointURL(c.Target()),
			otlptracegrpc.WithHeaders(c.Header()),
			otlptracegrpc.WithTimeout(time.Duration(c.OTLPTimeout)))
	}
	return otlptracehttp.New(context.Background(),
		otlptracehttp.WithEndpointURL(c.Target()),
		otlptracehttp.WithHeaders(c.Header()),
		otlptracehttp.WithTimeout(time.Duration(c.OTLPTimeout)))
}

func sampler(c *config.Tracing) sdk.Sampler {
	switch c.Sampler {
	case "always_on":
		return sdk.AlwaysSample()
	case "always_off":
		return sdk.NeverSample()
	case "traceidratio":
		return sdk.TraceIDRatioBased(float64(c.SamplerArg))
	case "parentbased_always_off":
		return sdk.ParentBased(sdk.NeverSample())
	case "parentbased_traceidratio":
		return sdk.ParentBased(sdk.TraceIDRatioBased(float64(c.SamplerArg)))
	}
	return sdk.ParentBased(sdk.AlwaysSample())
}

// describe returns the description of this process in each export. A service.name in the attributes is used unless
// OTEL_SERVICE_NAME is set.
func describe(c *config.Tracing, version string) *resource.Resource {
	all := map[string]string{"service.name": c.ServiceName, "service.version": version}
	for name, value := range c.ResourceAttributes {
		if name != "service.name" || c.ServiceName == "graphproxy" {
			all[name] = value
		}
	}
	attributes := make([]attribute.KeyValue, 0, len(all))
	for name, value := range all {
		attributes = append(attributes, attribute.String(name, value))
	}
	return resource.NewSchemaless(attributes...)
}

// reporting logs when spans cannot be exported, once until exports work again.
type reporting struct {
	sdk.SpanExporter
	log      *slog.Logger
	endpoint string
	failing  atomic.Bool
}

// ExportSpans implements sdk.SpanExporter.
func (r *reporting) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := r.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err != nil && !r.failing.Swap(true):
		r.log.Warn("traces cannot be sent; requests go on without: check OTEL_EXPORTER_OTLP_ENDPOINT and the collector",
			"endpoint", r.endpoint, "error", err)
	case err == nil && r.failing.Swap(false):
		r.log.Info("traces are sent again", "endpoint", r.endpoint)
	}
	return nil
}
