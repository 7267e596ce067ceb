package proxy

import (
	"context"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Tracing is the destination of requests' spans. The names of attributes are those of OpenTelemetry's semantic
// conventions (https://opentelemetry.io/docs/specs/semconv/http/http-spans/). No span contains a key, the value of
// a query option or evidence: http.route and url.template are the template of the rule that decided, and url.path,
// url.query and url.full are left out.
type Tracing struct {
	Tracer     trace.Tracer
	Propagates bool // a caller's traceparent is the parent, and Graph gets that of graphproxy's span
}

// traced is the span of a request. A nil traced does nothing: tracing is off.
type traced struct {
	of   *Tracing
	ctx  context.Context //nolint:containedctx // of the span; the request's own is in the exchange
	span trace.Span
}

// begin begins the span of a request. The record gets its trace.
func (t *Tracing) begin(r *http.Request, rec *Record) *traced {
	if t == nil {
		return nil
	}
	ctx := r.Context()
	if t.Propagates && rec.TraceID != "" { // else it is malformed
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	host, _ := splitHost(r.Host)
	ctx, span := t.Tracer.Start(ctx, spanName(rec), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", spanMethod(rec.Method)),
		attribute.String("url.scheme", scheme),
		attribute.String("server.address", host),
		attribute.String("client.address", rec.Client),
		attribute.String("network.protocol.version", protocolVersion(r.ProtoMajor, r.ProtoMinor)),
	))
	rec.TraceID = span.SpanContext().TraceID().String()
	return &traced{of: t, ctx: ctx, span: span}
}

// spanMethod returns the method of a request, or _OTHER for an unknown one.
func spanMethod(method string) string {
	if knownMethod(method) {
		return method
	}
	return "_OTHER"
}

// spanName returns a name with few different values: the method, and the template of the rule that decided.
func spanName(rec *Record) string {
	name := spanMethod(rec.Method)
	if name == "_OTHER" {
		name = "HTTP"
	}
	if route := rec.route(); route != "" {
		name += " " + route
	}
	return name
}

// route returns the template of a request: that of the rule that decided, or $batch, which needs no rule.
func (rec *Record) route() string {
	switch {
	case rec.Rule != "":
		return rec.Path
	case rec.Version != "" && rec.Target == "/"+rec.Version+"/$batch":
		return rec.Target
	}
	return ""
}

func protocolVersion(major, minor int) string {
	if major > 1 {
		return strconv.Itoa(major)
	}
	return strconv.Itoa(major) + "." + strconv.Itoa(minor)
}

// step is the span of a step of a request. The zero step does nothing.
type step struct{ span trace.Span }

func (t *traced) step(name string) step {
	if t == nil {
		return step{}
	}
	_, span := t.of.Tracer.Start(t.ctx, name)
	return step{span}
}

func (s step) end() {
	if s.span != nil {
		s.span.End()
	}
}

// spanID is the id of the request's span; "" without tracing.
func (t *traced) spanID() string {
	if t == nil {
		return ""
	}
	return t.span.SpanContext().SpanID().String()
}

// outgoing begins the span of a request to Graph, and makes it the parent of Graph's own spans.
func (t *traced) outgoing(r *http.Request, rec *Record) step {
	if t == nil {
		return step{}
	}
	attributes := []attribute.KeyValue{
		attribute.String("http.request.method", r.Method),
		attribute.String("url.scheme", r.URL.Scheme),
		attribute.String("server.address", r.URL.Hostname()),
	}
	if route := rec.route(); route != "" {
		attributes = append(attributes, attribute.String("url.template", route))
	}
	ctx, span := t.of.Tracer.Start(t.ctx, spanName(rec),
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
	if t.of.Propagates {
		delete(r.Header, "Traceparent")
		delete(r.Header, "Tracestate")
		propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
	}
	return step{span}
}

// answered ends the span of a request to Graph, when the header of the answer has come.
func (s step) answered(res *http.Response, err error, resends int) {
	if s.span == nil {
		return
	}
	if resends > 0 {
		s.span.SetAttributes(attribute.Int("http.request.resend_count", resends))
	}
	switch {
	case err != nil:
		s.failed(asError(err).Inner)
	default:
		s.span.SetAttributes(
			attribute.Int("http.response.status_code", res.StatusCode),
			attribute.String("network.protocol.version", protocolVersion(res.ProtoMajor, res.ProtoMinor)),
		)
		if res.StatusCode >= http.StatusBadRequest {
			s.failed(strconv.Itoa(res.StatusCode))
		}
	}
	s.span.End()
}

func (s step) failed(kind string) {
	s.span.SetAttributes(attribute.String("error.type", kind))
	s.span.SetStatus(codes.Error, "")
}

// end ends the span of a request with the fields of its record.
func (t *traced) end(rec *Record, items []Record) {
	if t == nil {
		return
	}
	t.span.SetName(spanName(rec))
	t.span.SetAttributes(rec.attributes()...)
	for i := range items {
		attributes := append(items[i].attributes(),
			attribute.Int("graphproxy.item", i),
			attribute.String("http.request.method", spanMethod(items[i].Method)),
		)
		t.span.AddEvent("item", trace.WithAttributes(attributes...))
	}
	if rec.Status >= http.StatusInternalServerError {
		kind := rec.Reason
		if kind == "" {
			kind = strconv.Itoa(rec.Status)
		}
		step{t.span}.failed(kind)
	}
	t.span.End()
}

// attributes are the fields of a record that a span has.
func (rec *Record) attributes() []attribute.KeyValue {
	all := []attribute.KeyValue{
		attribute.Int("http.response.status_code", rec.Status),
		attribute.String("graphproxy.decision", rec.Decision),
	}
	for _, a := range [...]struct{ name, value string }{
		{"http.route", rec.route()},
		{"graphproxy.caller", rec.Caller},
		{"graphproxy.rule", rec.Rule},
		{"graphproxy.reason", rec.Reason},
	} {
		if a.value != "" {
			all = append(all, attribute.String(a.name, a.value))
		}
	}
	return all
}
