package meter

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Durations are how long requests take, and which part of it is graphproxy's own. Each is a histogram with classic
// buckets, and a native one for a server that asks for it (Accept: application/vnd.google.protobuf).
type Durations struct {
	Total   prometheus.Histogram // of a request
	Own     prometheus.Histogram // of a request: Total without the other parts
	Graph   prometheus.Histogram // of an answer: until its header
	Waiting prometheus.Histogram // of a request that waited
}

func newDurations() Durations {
	long := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 100}
	short := []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1}
	return Durations{
		Total: histogram("request_duration_seconds", "From a request's header to the end of its answer's body.", long),
		Own: histogram("own_duration_seconds", "What graphproxy itself took for a request: the whole time, less that in "+
			"which Microsoft Graph, the caller's connection, a limit or a token was waited for.", short),
		Graph: histogram("graph_duration_seconds", "From sending a request to Microsoft Graph, resends included, to the "+
			"header of its answer.", long),
		Waiting: histogram("waiting_duration_seconds", "How long requests waited, of those that did: for capacity of a "+
			"limit, near a limit of Microsoft Graph's, or for a token.", long),
	}
}

// histogram has native buckets that grow by at most a tenth, and at most 160 of them.
func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:                            "graphproxy_" + name,
		Help:                            help,
		Buckets:                         buckets,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  160,
		NativeHistogramMinResetDuration: time.Hour,
	})
}

func (d Durations) all() []prometheus.Collector {
	return []prometheus.Collector{d.Total, d.Own, d.Graph, d.Waiting}
}
