package main

import (
	"cmp"
	"compress/gzip"
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

var updateTraces = flag.Bool("update-traces", false, "write the traces of docs/tracing.md anew")

// collected is an OpenTelemetry collector in this process, over HTTP and over gRPC.
type collected struct {
	collector.UnimplementedTraceServiceServer
	http, grpc string // URLs

	mu      sync.Mutex
	spans   []*tracepb.Span
	service map[string]string
	headers []string // values of api-key
}

func newCollector(t *testing.T) *collected {
	t.Helper()
	c := new(collected)
	over := httptest.NewServer(c)
	t.Cleanup(over.Close)
	c.http = over.URL
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := grpc.NewServer()
	collector.RegisterTraceServiceServer(s, c)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	c.grpc = "http://" + l.Addr().String()
	return c
}

// Export implements the collector over gRPC.
func (c *collected) Export(ctx context.Context,
	r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	c.take(r, strings.Join(md.Get("api-key"), ","))
	return new(collector.ExportTraceServiceResponse), nil
}

// ServeHTTP is the collector over HTTP.
func (c *collected) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var from io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		from, _ = gzip.NewReader(r.Body)
	}
	text, err := io.ReadAll(from)
	var q collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(text, &q) != nil {
		http.Error(w, "no traces", http.StatusBadRequest)
		return
	}
	c.take(&q, r.Header.Get("api-key"))
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (c *collected) take(r *collector.ExportTraceServiceRequest, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headers = append(c.headers, key)
	for _, resource := range r.ResourceSpans {
		c.service = attributesOf(resource.Resource.Attributes)
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
}

func attributesOf(all []*commonpb.KeyValue) map[string]string {
	values := map[string]string{}
	for _, a := range all {
		values[a.Key] = a.Value.GetStringValue()
		if n, ok := a.Value.Value.(*commonpb.AnyValue_IntValue); ok {
			values[a.Key] = fmt.Sprint(n.IntValue)
		}
	}
	return values
}

// traces writes the spans as trees, those of each trace together: the name, the attributes and the events.
func (c *collected) traces() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortFunc(c.spans, func(a, b *tracepb.Span) int {
		return cmp.Or(cmp.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano),
			cmp.Compare(b.EndTimeUnixNano, a.EndTimeUnixNano))
	})
	var all []string
	for _, s := range c.spans {
		if s.Kind == tracepb.Span_SPAN_KIND_SERVER {
			var b strings.Builder
			c.tree(&b, s, "")
			all = append(all, b.String())
		}
	}
	return all
}

func (c *collected) tree(b *strings.Builder, s *tracepb.Span, indent string) {
	kind := map[tracepb.Span_SpanKind]string{
		tracepb.Span_SPAN_KIND_SERVER: " (server)",
		tracepb.Span_SPAN_KIND_CLIENT: " (client)",
	}[s.Kind]
	status := ""
	if s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
		status = " ERROR"
	}
	fmt.Fprintf(b, "%s%s%s%s\n", indent, s.Name, kind, status)
	writeAttributes(b, s.Attributes, indent+"    ")
	for _, e := range s.Events {
		fmt.Fprintf(b, "%s    event: %s\n", indent, e.Name)
		writeAttributes(b, e.Attributes, indent+"        ")
	}
	for _, child := range c.spans {
		if string(child.ParentSpanId) == string(s.SpanId) {
			c.tree(b, child, indent+"  ")
		}
	}
}

func writeAttributes(b *strings.Builder, all []*commonpb.KeyValue, indent string) {
	values := attributesOf(all)
	var names []string
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(b, "%s%s = %s\n", indent, name, values[name])
	}
}

// seen waits for n traces.
func (c *collected) seen(t *testing.T, n int) []string {
	t.Helper()
	until(t, fmt.Sprintf("%d traces", n), func() bool { return len(c.traces()) >= n })
	return c.traces()
}

const traceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// traceAll makes one request, one batch and one refusal, and stops the proxy.
func traceAll(t *testing.T, w *world, p *process) {
	t.Helper()
	p.send(t, http.MethodGet, "/v1.0/users/adele@contoso.com?$select=id", "", "Traceparent: "+traceParent,
		"Tracestate: vendor=1")
	p.send(t, http.MethodPost, "/v1.0/$batch",
		`{"requests":[{"id":"a","method":"GET","url":"/users"},{"id":"b","method":"GET","url":"/groups"}]}`,
		"Content-Type: application/json")
	p.send(t, http.MethodDelete, "/v1.0/users/adele@contoso.com", "", "Traceparent: nonsense", "Tracestate: x=y")
	p.stop(t)
}

func (p *process) send(t *testing.T, method, target, body string, header ...string) {
	t.Helper()
	r, err := http.NewRequest(method, p.callers+target, strings.NewReader(body))
	must(t, err)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	res, err := p.client.Do(r)
	must(t, err)
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
}

// docs/tracing.md shows the real traces of a collector, over HTTP and over gRPC. With -update-traces they are
// written anew.
func TestACollectorSeesEachRequest(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			c := newCollector(t)
			endpoint := c.http
			if protocol == "grpc" {
				endpoint = c.grpc
			}
			w := newWorld(t)
			w.registerSecret("secret")
			p := w.serve(t, "AZURE_CLIENT_SECRET=secret", "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint,
				"OTEL_EXPORTER_OTLP_PROTOCOL="+protocol,
				"OTEL_EXPORTER_OTLP_HEADERS=api-key=canary%20key", "OTEL_RESOURCE_ATTRIBUTES=deployment.environment=test",
				"GRAPHPROXY_LOG_LEVEL=debug")
			until(t, "a token", func() bool { status, _ := p.ready(t); return status == 200 })
			traceAll(t, w, p)
			got := c.seen(t, 3)
			checkDocumentedTraces(t, got)
			c.checkParents(t, w)
			if c.headers[0] != "canary key" || c.service["service.name"] != "graphproxy" ||
				c.service["deployment.environment"] != "test" {
				t.Errorf("headers %q, resource %v", c.headers, c.service)
			}
			for _, text := range append(got, p.stderr.String(), p.stdout.String()) {
				if strings.Contains(text, "canary") {
					t.Errorf("a header of the exporter is printed: %s", text)
				}
			}
			for _, text := range got {
				if strings.Contains(text, "adele") || strings.Contains(text, "$select") {
					t.Errorf("a key or a query is in a trace: %s", text)
				}
			}
			p.checkTraceIDs(t)
		})
	}
}

// checkParents checks that Graph gets the caller's trace, with our spans as parents.
func (c *collected) checkParents(t *testing.T, w *world) {
	t.Helper()
	byID := map[string]*tracepb.Span{}
	for _, s := range c.spans {
		byID[hex.EncodeToString(s.SpanId)] = s
	}
	for i, r := range w.graph.Requests() {
		if r.Header.Get("Authorization") == "" {
			continue // an item of the batch
		}
		parent := strings.Split(r.Header.Get("Traceparent"), "-")
		if len(parent) != 4 || byID[parent[2]] == nil || byID[parent[2]].Kind != tracepb.Span_SPAN_KIND_CLIENT {
			t.Errorf("Graph got the parent %v", parent)
			continue
		}
		if state := r.Header.Get("Tracestate"); i == 0 && (parent[1] != traceParent[3:35] || state != "vendor=1") ||
			i > 0 && state != "" {
			t.Errorf("request %d at Graph has the trace %v and the state %q", i, parent, state)
		}
	}
	for _, s := range c.spans {
		if s.Kind == tracepb.Span_SPAN_KIND_SERVER && hex.EncodeToString(s.TraceId) == traceParent[3:35] &&
			hex.EncodeToString(s.ParentSpanId) != traceParent[36:52] {
			t.Errorf("the caller's span is not the parent: %x", s.ParentSpanId)
		}
	}
}

// checkTraceIDs checks that each audit line and each line of the debug log about a request has its trace.
func (p *process) checkTraceIDs(t *testing.T) {
	t.Helper()
	for i, rec := range p.audited(t) {
		id, _ := rec["trace_id"].(string)
		if len(id) != 32 || i == 0 && id != traceParent[3:35] ||
			!strings.Contains(p.stderr.String(), `"trace_id":"`+id+`","span_id":"`) {
			t.Errorf("line %d has the trace %q", i, id)
		}
	}
}

func checkDocumentedTraces(t *testing.T, got []string) {
	t.Helper()
	const path = "../../docs/tracing.md"
	text, err := os.ReadFile(path)
	must(t, err)
	before, rest, _ := strings.Cut(string(text), "<!-- traces: begin -->\n")
	documented, behind, _ := strings.Cut(rest, "<!-- traces: end -->")
	var b strings.Builder
	for i, title := range []string{"One request", "One batch", "One refusal"} {
		fmt.Fprintf(&b, "\n### %s\n\n```text\n%s```\n", title, got[i])
	}
	b.WriteByte('\n')
	if *updateTraces {
		must(t, os.WriteFile(path, []byte(before+"<!-- traces: begin -->\n"+b.String()+"<!-- traces: end -->"+behind), 0o644))
		return
	}
	if diff := gocmp.Diff(documented, b.String()); diff != "" {
		t.Errorf("docs/tracing.md (-docs +collector):\n%s", diff)
	}
}

func TestACollectorThatIsAwayStopsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerSecret("secret")
	p := w.serve(t, "AZURE_CLIENT_SECRET=secret", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1",
		"OTEL_EXPORTER_OTLP_TIMEOUT=100",
		"OTEL_BSP_SCHEDULE_DELAY=50")
	for range 3 {
		p.expect(t, 200)
	}
	until(t, "a word in the log", func() bool { return strings.Contains(p.stderr.String(), "traces cannot be sent") })
	for range 3 {
		p.expect(t, 200)
	}
	p.stop(t)
	if n := strings.Count(p.stderr.String(), "traces cannot be sent"); n != 1 {
		t.Errorf("it is logged %d times: %s", n, p.stderr)
	}
	if recs := p.audited(t); len(recs) != 6 {
		t.Errorf("%d audit lines", len(recs))
	}
}

func TestWithoutAnEndpointTheCallersTraceGoesOn(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string][]string{
		"nothing is set": nil,
		"disabled":       {"OTEL_SDK_DISABLED=true", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1"},
		"no exporter":    {"OTEL_TRACES_EXPORTER=none", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1"},
		"no propagator": {"OTEL_PROPAGATORS=none", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1",
			"OTEL_EXPORTER_OTLP_TIMEOUT=1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.registerSecret("secret")
			p := w.serve(t, append(settings, "AZURE_CLIENT_SECRET=secret")...)
			p.expect(t, 200)
			p.send(t, http.MethodGet, "/v1.0/users", "", "Traceparent: "+traceParent, "Tracestate: vendor=1")
			got := w.graph.Requests()[1].Header
			if got.Get("Traceparent") != traceParent || got.Get("Tracestate") != "vendor=1" {
				t.Errorf("Graph got %q, %q", got.Get("Traceparent"), got.Get("Tracestate"))
			}
			p.stop(t)
		})
	}
}
