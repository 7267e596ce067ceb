package server

import (
	"crypto/x509"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// certificate is a certificate that expires, and that an operator must replace.
type certificate struct {
	use         string // credential, tls or client_ca
	app, tenant string // of a credential
	begins      time.Time
	ends        time.Time
	inForce     bool // the file's present content is in use
}

// key distinguishes certificates, of the same use too.
func (c certificate) key() string {
	return c.use + "\x00" + c.app + "\x00" + c.tenant + "\x00" + c.begins.String() + "\x00" + c.ends.String()
}

// certificates returns those in use now.
func (s *Server) certificates() []certificate {
	var all []certificate
	for _, source := range s.apps.all() {
		if st := source.Status(); st.Certificate != nil {
			all = append(all, certificate{
				use:     "credential",
				app:     st.App,
				tenant:  st.Tenant,
				begins:  st.Certificate.NotBefore,
				ends:    st.Certificate.NotAfter,
				inForce: st.FileErr == "",
			})
		}
	}
	if k := s.parts.Keys; k != nil {
		begins, ends := timeOfChain(k.current.Load())
		all = append(all, certificate{use: "tls", begins: begins, ends: ends, inForce: !k.stale.Load()})
	}
	if c := s.parts.ClientCA; c != nil {
		begins, ends := timeOfCAs(*c.cas.Load())
		all = append(all, certificate{use: "client_ca", begins: begins, ends: ends, inForce: !c.stale.Load()})
	}
	return all
}

// timeOfCAs returns the period in which the CAs are all valid. Of CAs with one name, which replace each other, the
// one that ends last counts.
func timeOfCAs(cas []*x509.Certificate) (begins, ends time.Time) {
	last := map[string]*x509.Certificate{}
	for _, ca := range cas {
		if before := last[string(ca.RawSubject)]; before == nil || ca.NotAfter.After(before.NotAfter) {
			last[string(ca.RawSubject)] = ca
		}
	}
	for _, ca := range last {
		begins, ends = overlap(begins, ends, ca)
	}
	return begins, ends
}

// overlap narrows a time to that of a certificate. The zero times are no bound.
func overlap(begins, ends time.Time, c *x509.Certificate) (time.Time, time.Time) {
	if c.NotBefore.After(begins) {
		begins = c.NotBefore
	}
	if ends.IsZero() || c.NotAfter.Before(ends) {
		ends = c.NotAfter
	}
	return begins, ends
}

// LogCertificates logs the certificates that have expired, expire soon, or are not valid yet.
func (s *Server) LogCertificates(now time.Time) {
	l := certificateLog{log: s.parts.Log}
	l.check(s.certificates(), now)
}

const (
	warnBefore = 30 * 24 * time.Hour // the end of a certificate
	warnEvery  = 24 * time.Hour
)

// certificateLog logs certificates that expire soon, or are not valid yet. It is for one goroutine.
type certificateLog struct {
	log  *slog.Logger
	said map[string]time.Time // by certificate.key
}

// check logs the warnings at now: each certificate once a day.
func (l *certificateLog) check(all []certificate, now time.Time) {
	said := map[string]time.Time{}
	for _, c := range all {
		message := c.warning(now)
		if message == "" {
			continue
		}
		before, found := l.said[c.key()]
		if found && now.Sub(before) < warnEvery {
			said[c.key()] = before
			continue
		}
		said[c.key()] = now
		l.log.Warn(message, c.attrs(now)...)
	}
	l.said = said
}

// warning returns the warning about a certificate; "" if there is none.
func (c certificate) warning(now time.Time) string {
	switch {
	case now.Before(c.begins):
		return "a certificate is not valid yet"
	case now.After(c.ends):
		return "a certificate has expired"
	case c.ends.Sub(now) <= warnBefore:
		return "a certificate expires soon"
	}
	return ""
}

func (c certificate) attrs(now time.Time) []any {
	attrs := []any{"certificate", c.use}
	if c.app != "" {
		attrs = append(attrs, "app", c.app, "tenant", c.tenant)
	}
	attrs = append(attrs, "valid_from", c.begins.UTC(), "expires", c.ends.UTC())
	if left := c.ends.Sub(now); left > 0 {
		attrs = append(attrs, "days_left", int(left/(24*time.Hour)))
	}
	return append(attrs, "cure", c.cure())
}

// cure returns what an operator must do about an expired certificate.
func (c certificate) cure() string {
	switch c.use {
	case "credential":
		return "make a new certificate, add it to the app registration (Certificates & secrets), and then put it into the " +
			"file of AZURE_CLIENT_CERTIFICATE_PATH or GRAPHPROXY_APPS_n_CLIENT_CERTIFICATE_PATH; it is read again"
	case "tls":
		return "put a new certificate and its key into the files of GRAPHPROXY_TLS_CERT_FILE and GRAPHPROXY_TLS_KEY_FILE; " +
			"they are read again"
	}
	return "put the certificates of the CAs that sign those of clients now into the file of " +
		"GRAPHPROXY_TLS_CLIENT_CA_FILE; " +
		"it is read again"
}

// certificateCollector shows certificates as metrics.
type certificateCollector struct {
	list                 func() []certificate
	expiry, begin, inUse *prometheus.Desc
}

func newCertificateCollector(list func() []certificate) certificateCollector {
	describe := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("graphproxy_certificate_"+name, help, []string{"use", "app", "tenant"}, nil)
	}
	return certificateCollector{
		list: list,
		expiry: describe("expiry_timestamp_seconds", "When the certificate expires, in seconds since 1970, by use: "+
			"credential (of an app registration), tls (that callers are shown, with its chain), client_ca."),
		begin: describe("not_before_timestamp_seconds", "When the certificate begins to be valid, in seconds since 1970."),
		inUse: describe("file_in_force", "1 while the certificate is the one in its file as it is now, else 0."),
	}
}

// Describe implements prometheus.Collector.
func (c certificateCollector) Describe(to chan<- *prometheus.Desc) {
	to <- c.expiry
	to <- c.begin
	to <- c.inUse
}

// Collect implements prometheus.Collector.
func (c certificateCollector) Collect(to chan<- prometheus.Metric) {
	for _, one := range c.list() {
		gauge := func(d *prometheus.Desc, value float64) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, one.use, one.app, one.tenant)
		}
		gauge(c.expiry, float64(one.ends.Unix()))
		gauge(c.begin, float64(one.begins.Unix()))
		gauge(c.inUse, number(one.inForce))
	}
}
