package proxy

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the handler's. Labels hold only what the policy file or HTTP bounds: never a path, a key or a query.
type metrics struct {
	requests *prometheus.CounterVec
	items    *prometheus.CounterVec
	seconds  prometheus.Histogram
	graph    prometheus.Histogram
	resends  *prometheus.CounterVec
	inFlight prometheus.Gauge
}

// newMetrics registers them; with a nil registerer they count for nobody. Waiting and held are asked when somebody looks.
func newMetrics(r prometheus.Registerer, waiting, held func() float64) (*metrics, error) {
	buckets := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 100}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "graphproxy_requests_total", Help: "Requests answered, by caller (empty: unknown), decision (allow, deny, limit, refuse) and HTTP status."}, []string{"caller", "decision", "status"}),
		items:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "graphproxy_batch_items_total", Help: "Items of $batch requests answered, by caller, decision and HTTP status. The batches themselves count in graphproxy_requests_total."}, []string{"caller", "decision", "status"}),
		seconds:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "graphproxy_request_duration_seconds", Help: "From a request's header to the end of its answer's body.", Buckets: buckets}),
		graph:    prometheus.NewHistogram(prometheus.HistogramOpts{Name: "graphproxy_graph_duration_seconds", Help: "Until Microsoft Graph's response header.", Buckets: buckets}),
		resends:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "graphproxy_graph_resends_total", Help: "Requests sent to Microsoft Graph again, by reason: connect, unsent (none of it was sent before), reset (GET and HEAD) or token (Graph refused the one before)."}, []string{"reason"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "graphproxy_requests_in_flight", Help: "Requests in flight now."}),
	}
	for _, reason := range [...]string{resendConnect, resendUnsent, resendReset, resendToken} {
		m.resends.WithLabelValues(reason)
	}
	if r == nil {
		return m, nil
	}
	all := []prometheus.Collector{
		m.requests, m.items, m.seconds, m.graph, m.resends, m.inFlight,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "graphproxy_requests_waiting", Help: "Requests that wait for room in a limit now."}, waiting),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "graphproxy_held_bytes", Help: "Bytes of bodies that are held now."}, held),
	}
	for _, c := range all {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) observe(rec *Record, elapsed time.Duration) {
	m.requests.WithLabelValues(rec.Caller, rec.Decision, strconv.Itoa(rec.Status)).Inc()
	m.seconds.Observe(elapsed.Seconds())
}
