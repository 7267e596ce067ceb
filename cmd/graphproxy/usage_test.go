package main

import (
	"strconv"
	"strings"
	"testing"
)

// usage is what a process uses, in bytes and numbers.
type usage struct{ heap, resident, goroutines, descriptors, toGraph, tokens int }

func (p *process) measure(t *testing.T) usage {
	t.Helper()
	shown := map[string]int{}
	for line := range strings.Lines(p.get(t, p.admin+"/metrics").body) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			shown[name] = int(n)
		}
	}
	return usage{
		heap:        shown["go_memstats_heap_alloc_bytes"],
		resident:    shown["process_resident_memory_bytes"],
		goroutines:  shown["go_goroutines"],
		descriptors: shown["process_open_fds"],
		toGraph:     shown["graphproxy_graph_connections_open"],
		tokens:      shown[`graphproxy_token_acquisitions_total{app="default",tenant="`+tenantID+`"}`],
	}
}
