package config_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/cmd/graphproxy/config"
)

func TestTracesAreSentToTheConfiguredCollector(t *testing.T) {
	for _, tt := range []struct {
		name    string
		environ []string
		want    string // "" is off
	}{
		{"nothing is set", nil, ""},
		{"an endpoint", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318"}, "http http://c:4318/v1/traces"},
		{"an endpoint with a path", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=https://c/otlp/"}, "http https://c/otlp/v1/traces"},
		{"an endpoint for traces", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:4318/x"}, "http http://c:4318/x"},
		{"both", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://a", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://b/y"},
			"http http://b/y"},
		{"gRPC", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"},
			"grpc http://c:4317"},
		{"gRPC for traces only", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317",
			"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc"}, "grpc http://c:4317"},
		{"HTTP for traces only", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:1", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
			"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf"}, "http http://c:1/v1/traces"},
		{"an exporter alone", []string{"OTEL_TRACES_EXPORTER=otlp"}, "http http://localhost:4318/v1/traces"},
		{"an exporter alone, over gRPC", []string{"OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"},
			"grpc http://localhost:4317"},
		{"no exporter", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", "OTEL_TRACES_EXPORTER=none"}, ""},
		{"disabled", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", "OTEL_SDK_DISABLED=true"}, ""},
		{"an empty endpoint is none", []string{"OTEL_EXPORTER_OTLP_ENDPOINT="}, ""},
		{"a name alone", []string{"OTEL_SERVICE_NAME=x", "OTEL_TRACES_SAMPLER=always_on"}, ""},
	} {
		c, problems := config.Parse(tt.environ)
		got := ""
		if c.Traces() {
			got = map[bool]string{true: "grpc ", false: "http "}[c.OverGRPC()] + c.Target()
		}
		if got != tt.want || mentions(problems, "OTEL_") {
			t.Errorf("%s: %q, want %q; %v", tt.name, got, tt.want, problems)
		}
	}
}

func mentions(problems []error, what string) bool {
	for _, p := range problems {
		if p != nil && strings.Contains(p.Error(), what) {
			return true
		}
	}
	return false
}

func TestWrongSettingsOfTracingAreProblemsWithTheirCure(t *testing.T) {
	for _, tt := range []struct{ variable, want string }{
		{"OTEL_EXPORTER_OTLP_PROTOCOL=http/json", "neither grpc nor http/protobuf"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL=canary", "neither grpc nor http/protobuf"},
		{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=canary", "neither grpc nor http/protobuf"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=canary:4317", "is not a URL"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://user:canary@c", "OTEL_EXPORTER_OTLP_HEADERS"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c?canary=1", "has a query"},
		{"OTEL_TRACES_EXPORTER=canary", "neither otlp nor none"},
		{"OTEL_TRACES_SAMPLER=canary", "is not a sampler"},
		{"OTEL_TRACES_SAMPLER_ARG=2", "from 0 to 1"},
		{"OTEL_TRACES_SAMPLER_ARG=NaN", "from 0 to 1"},
		{"OTEL_EXPORTER_OTLP_HEADERS=canary", "(item 1) is not name=value"},
		{"OTEL_EXPORTER_OTLP_HEADERS=a=b,canary%zz=c", "(item 2) is not name=value"},
		{"OTEL_EXPORTER_OTLP_HEADERS=a=canary%0d%0ax", "(item 1) is not name=value"},
		{"OTEL_EXPORTER_OTLP_TIMEOUT=10s", "number of milliseconds"},
		{"OTEL_PROPAGATORS=tracecontext,b3", "propagator that is not there"},
		{"OTEL_RESOURCE_ATTRIBUTES=canary", "(item 1) is not name=value"},
		{"OTEL_SDK_DISABLED=canary", "neither true nor false"},
	} {
		name, _, _ := strings.Cut(tt.variable, "=")
		_, problems := config.Parse([]string{tt.variable})
		found := false
		for _, p := range problems {
			if p != nil && strings.HasPrefix(p.Error(), name+" ") && strings.Contains(p.Error(), tt.want) {
				found = true
			}
			if p != nil && strings.Contains(p.Error(), "canary") {
				t.Errorf("%s: the value is shown: %v", tt.variable, p)
			}
		}
		if !found {
			t.Errorf("%s: %v", tt.variable, problems)
		}
	}
}

func TestHeadersOfTheExporterAreNeverPrinted(t *testing.T) {
	c, _ := config.Parse([]string{"OTEL_EXPORTER_OTLP_HEADERS=Api-Key=canary%20key,other=x", "OTEL_TRACES_EXPORTER=otlp"})
	if diff := cmp.Diff(map[string]string{"api-key": "canary key", "other": "x"}, c.Header()); diff != "" {
		t.Error(diff)
	}
	own, _ := config.Parse([]string{"OTEL_EXPORTER_OTLP_HEADERS=a=b", "OTEL_EXPORTER_OTLP_TRACES_HEADERS=c=d"})
	if diff := cmp.Diff(map[string]string{"c": "d"}, own.Header()); diff != "" {
		t.Error(diff)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "c", c.OTLPHeaders, "all", c.Tracing)
	text, err := json.Marshal(c.Tracing)
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{log.String(), string(text), fmt.Sprintf("%v %+v %#v", c, c, c)} {
		if strings.Contains(printed, "canary") || strings.Contains(printed, fmt.Sprintf("%x", "canary")) {
			t.Errorf("printed: %s", printed)
		}
	}
}
