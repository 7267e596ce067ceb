package caller_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"testing"
	"time"

	"graphproxy/auth/caller"
	"graphproxy/auth/caller/pkitest"
)

// pki is a root, an intermediate that signs, and the Authorities that trust the root.
type pki struct {
	t            *testing.T
	root, signer *pkitest.Authority
	trusted      *caller.Authorities
}

func newPKI(t *testing.T) *pki {
	t.Helper()
	root, err := pkitest.New("contoso root")
	must(t, err)
	signer, err := root.Intermediate("contoso signer")
	must(t, err)
	p := &pki{t: t, root: root, signer: signer, trusted: new(caller.Authorities)}
	p.trusted.Use([]*x509.Certificate{root.Certificate()})
	return p
}

// shown is a request over a connection that began with a certificate, as crypto/tls leaves it after a handshake.
func (p *pki) shown(l pkitest.Leaf, headers ...string) *http.Request {
	p.t.Helper()
	cert, err := p.signer.Leaf(l)
	must(p.t, err)
	between := x509.NewCertPool()
	between.AddCert(p.signer.Certificate())
	chains, err := cert.Leaf.Verify(x509.VerifyOptions{
		Roots:         p.root.Pool(),
		Intermediates: between,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		CurrentTime:   cert.Leaf.NotBefore.Add(time.Second),
	})
	must(p.t, err)
	r := request(headers...)
	r.TLS = &tls.ConnectionState{
		PeerCertificates: []*x509.Certificate{cert.Leaf, p.signer.Certificate()},
		VerifiedChains:   chains,
	}
	return r
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func uri(text string) caller.Identity {
	return caller.Identity{Kind: caller.Certificate, URI: text}
}

func TestNamesInCertificates(t *testing.T) {
	p := newPKI(t)
	dns := caller.Identity{Kind: caller.Certificate, DNS: "Mail.contoso.example"}
	cn := caller.Identity{Kind: caller.Certificate, CommonName: "Payroll Sync"}
	a := mustNewWith(t, caller.Options{Authorities: p.trusted},
		is("hr", uri("spiffe://Contoso.example/ns/hr/*")), is("it", uri("spiffe://contoso.example/ns/it")), is("urn",
			uri("urn:contoso:batch")),
		is("mail", dns), is("payroll", cn), is("key", key(mailKey)), is("all", anyone))
	clientOnly := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	uris := func(all ...string) pkitest.Leaf { return pkitest.Leaf{URIs: all} }
	for _, tt := range []struct {
		name string
		leaf pkitest.Leaf
		want string
	}{
		{"a SPIFFE id", uris("spiffe://contoso.example/ns/it"), "it by certificate"},
		{"scheme and trust domain in another letter case", uris("SPIFFE://CONTOSO.example/ns/it"), "it by certificate"},
		{"for clients only", pkitest.Leaf{URIs: []string{"spiffe://contoso.example/ns/it"}, Usage: clientOnly},
			"it by certificate"},
		{"the path in another letter case", uris("spiffe://contoso.example/ns/IT"), "certificateUnknown"},
		{"below an exact id", uris("spiffe://contoso.example/ns/it/x"), "certificateUnknown"},
		{"an exact id and a slash", uris("spiffe://contoso.example/ns/it/"), "certificateUnknown"},
		{"another trust domain", uris("spiffe://fabrikam.example/ns/it"), "certificateUnknown"},
		{"a trust domain that ends so", uris("spiffe://evil-contoso.example/ns/it"), "certificateUnknown"},
		{"another scheme", uris("https://contoso.example/ns/it"), "certificateUnknown"},
		{"a query", uris("spiffe://contoso.example/ns/it?x"), "certificateUnknown"},
		{"a fragment", uris("spiffe://contoso.example/ns/it#x"), "certificateUnknown"},
		{"a user", uris("spiffe://hr@contoso.example/ns/it"), "certificateUnknown"},
		{"a port", uris("spiffe://contoso.example:1/ns/it"), "certificateUnknown"},
		{"an escape", uris("spiffe://contoso.example/ns/%69t"), "certificateUnknown"},

		{"one segment below", uris("spiffe://contoso.example/ns/hr/sync"), "hr by certificate"},
		{"several segments below", uris("spiffe://contoso.example/ns/hr/sa/sync"), "hr by certificate"},
		{"none below", uris("spiffe://contoso.example/ns/hr"), "certificateUnknown"},
		{"an empty one below", uris("spiffe://contoso.example/ns/hr/"), "certificateUnknown"},
		{"an empty one among those below", uris("spiffe://contoso.example/ns/hr//sync"), "certificateUnknown"},
		{"dots below", uris("spiffe://contoso.example/ns/hr/../it"), "certificateUnknown"},
		{"a dot below", uris("spiffe://contoso.example/ns/hr/."), "certificateUnknown"},
		{"an escaped slash below", uris("spiffe://contoso.example/ns/hr/..%2Fit"), "certificateUnknown"},
		{"a query below", uris("spiffe://contoso.example/ns/hr/sync?x"), "certificateUnknown"},
		{"a name that begins so", uris("spiffe://contoso.example/ns/hrx/sync"), "certificateUnknown"},
		{"a star itself", uris("spiffe://contoso.example/ns/hr/*"), "hr by certificate"},

		{"a URN", uris("URN:contoso:batch"), "urn by certificate"},
		{"a URN in another letter case", uris("urn:contoso:Batch"), "certificateUnknown"},
		{"two ids of different callers", uris("spiffe://contoso.example/ns/it", "spiffe://contoso.example/ns/hr/sync"),
			"evidenceAmbiguous"},
		{"two ids of one caller", uris("spiffe://contoso.example/ns/hr/a", "spiffe://contoso.example/ns/hr/b"),
			"evidenceAmbiguous"},
		{"a SPIFFE id beside another URI", uris("spiffe://contoso.example/ns/it", "https://contoso.example/it"),
			"evidenceAmbiguous"},
		{"several URIs, none a SPIFFE id", uris("https://contoso.example/it", "urn:contoso:batch"), "urn by certificate"},

		{"a DNS name", pkitest.Leaf{DNS: []string{"x.contoso.example", "MAIL.contoso.example"}}, "mail by certificate"},
		{"a wildcard", pkitest.Leaf{DNS: []string{"*.contoso.example"}}, "certificateUnknown"},
		{"a DNS name above", pkitest.Leaf{DNS: []string{"contoso.example"}}, "certificateUnknown"},
		{"a DNS name as common name", pkitest.Leaf{CommonNames: []string{"mail.contoso.example"}}, "certificateUnknown"},
		{"a common name", pkitest.Leaf{CommonNames: []string{"Payroll Sync"}}, "payroll by certificate"},
		{"a common name in another letter case", pkitest.Leaf{CommonNames: []string{"payroll sync"}}, "certificateUnknown"},
		{"a common name as DNS name", pkitest.Leaf{DNS: []string{"Payroll"}}, "certificateUnknown"},
		{"several common names", pkitest.Leaf{CommonNames: []string{"Payroll Sync", "other"}}, "evidenceAmbiguous"},
		{"the same common name twice", pkitest.Leaf{CommonNames: []string{"Payroll Sync", "Payroll Sync"}},
			"evidenceAmbiguous"},
		{"a URI of one caller and a DNS name of another",
			pkitest.Leaf{
				URIs: []string{"spiffe://contoso.example/ns/it"},
				DNS:  []string{"mail.contoso.example"},
			}, "evidenceAmbiguous"},
		{"no name at all", pkitest.Leaf{}, "certificateUnknown"},

		{"for servers only", pkitest.Leaf{
			URIs:  []string{"spiffe://contoso.example/ns/it"},
			Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}, "certificateUnknown"},
		{"for nothing in particular",
			pkitest.Leaf{URIs: []string{"spiffe://contoso.example/ns/it"}, Usage: []x509.ExtKeyUsage{}}, "certificateUnknown"},
		{"for anything", pkitest.Leaf{
			URIs:  []string{"spiffe://contoso.example/ns/it"},
			Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		}, "certificateUnknown"},
		{"a CA's own", pkitest.Leaf{URIs: []string{"spiffe://contoso.example/ns/it"}, CA: true}, "certificateUnknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := outcome(t, a, p.shown(tt.leaf)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCertificateBesideOtherEvidence(t *testing.T) {
	p := newPKI(t)
	it, stranger := pkitest.Leaf{
		URIs: []string{"spiffe://contoso.example/it"},
	}, pkitest.Leaf{URIs: []string{"spiffe://contoso.example/x"}}
	o := caller.Options{Authorities: p.trusted, Tokens: offline()}
	a := mustNewWith(t, o, is("it", uri("spiffe://contoso.example/it")), is("mail", key(mailKey)), is("all", anyone))
	ignores := mustNewWith(t, o, is("mail", key(mailKey)), is("all", anyone))
	for _, tt := range []struct {
		name string
		a    *caller.Authenticator
		r    *http.Request
		want string
	}{
		{"it is stronger than a good key", a, p.shown(it, "X-Api-Key: "+mailKey), "it by certificate"},
		{"a wrong key beside it is refused", a, p.shown(it, "X-Api-Key: "+wrongKey), "keyUnknown"},
		{"a token that is not verified beside it is refused", a, p.shown(it, "Authorization: Bearer "+jwt), "tokenInvalid"},
		{"one that is nobody's is refused beside a good key", a, p.shown(stranger, "X-Api-Key: "+mailKey),
			"certificateUnknown"},
		{"one that is nobody's is not just anyone's", a, p.shown(stranger), "certificateUnknown"},
		{"one that nobody has a use for is ignored", ignores, p.shown(stranger), "all by anyone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := outcome(t, tt.a, tt.r); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestConnectionsOutliveTheirCertificates(t *testing.T) {
	p, other := newPKI(t), newPKI(t)
	now := time.Now()
	a := mustNewWith(t, caller.Options{Authorities: p.trusted, Now: func() time.Time { return now }},
		is("it", uri("spiffe://contoso.example/it")), is("all", anyone))
	r := p.shown(pkitest.Leaf{URIs: []string{"spiffe://contoso.example/it"}, NotAfter: now.Add(time.Minute)})
	unverified := p.shown(pkitest.Leaf{URIs: []string{"spiffe://contoso.example/it"}})
	unverified.TLS.VerifiedChains = nil
	check := func(name string, r *http.Request, want string) {
		t.Helper()
		if got := outcome(t, a, r); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		_, err := a.Authenticate(r)
		if e, ok := err.(*caller.Error); ok && !e.Reconnect {
			t.Errorf("%s: the connection is to be kept", name)
		}
	}
	check("while it is valid", r, "it by certificate")
	check("one that was not verified", unverified, "certificateUnknown")
	now = now.Add(2 * time.Minute)
	check("after it has expired", r, "certificateUnknown")
	now = now.Add(-2 * time.Hour)
	check("before it is valid", r, "certificateUnknown")
	now = now.Add(2 * time.Hour)
	now = now.Add(-2 * time.Minute)
	p.trusted.Use([]*x509.Certificate{other.root.Certificate()})
	check("after its CA was taken away", r, "certificateUnknown")
	p.trusted.Use([]*x509.Certificate{other.root.Certificate(), p.root.Certificate()})
	check("after its CA came back", r, "it by certificate")
	p.trusted.Use(nil)
	check("without any CA", r, "certificateUnknown")
}

func TestWithoutAuthoritiesNoCertificateCounts(t *testing.T) {
	p := newPKI(t)
	r := p.shown(pkitest.Leaf{URIs: []string{"spiffe://contoso.example/it"}})
	for name, trusted := range map[string]*caller.Authorities{"nil": nil, "zero": {}} {
		a := mustNewWith(t, caller.Options{Authorities: trusted}, is("it", uri("spiffe://contoso.example/it")))
		if got := outcome(t, a, r); got != "certificateUnknown" {
			t.Errorf("%s Authorities: got %q", name, got)
		}
	}
	if pool := new(caller.Authorities).Pool(); pool == nil || !pool.Equal(x509.NewCertPool()) {
		t.Error("the pool of no Authorities is not an empty one: the system's would count")
	}
}

func TestCertificateNamesThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"spiffe://contoso.example/hr*": `callers.hr: certificate: uri: "spiffe://contoso.example/hr*": a star stands ` +
			`only at the end, after a slash: write such as spiffe://contoso.example/hr/*`,
		"spiffe://contoso.example/*/hr": `callers.hr: certificate: uri: "spiffe://contoso.example/*/hr": a star stands ` +
			`only at the end, after a slash: write such as spiffe://contoso.example/hr/*`,
		"spiffe://*/hr": `callers.hr: certificate: uri: "spiffe://*/hr": a star stands only at the end, ` +
			`after a slash: write such as spiffe://contoso.example/hr/*`,
		"contoso.example/hr": `callers.hr: certificate: uri: "contoso.example/hr": is no URI with a scheme: ` +
			`write such as spiffe://contoso.example/hr-sync`,
		"spiffe:///*": `callers.hr: certificate: uri: "spiffe:///*": is no URI with a scheme: write ` +
			`such as spiffe://contoso.example/hr-sync`,
		"spiffe://contoso.example/?a=/*": `callers.hr: certificate: uri: "spiffe://contoso.example/?a=/*": has more than ` +
			`a scheme, a host and a path: write such as spiffe://contoso.example/hr/*`,
		"spiffe://hr@contoso.example/a": `callers.hr: certificate: uri: "spiffe://hr@contoso.example/a": has more than a ` +
			`scheme, a host and a path: write such as spiffe://contoso.example/hr/*`,
	} {
		t.Run(text, func(t *testing.T) {
			if err := caller.Check([]caller.Caller{is("hr", uri(text))}); err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
	err := caller.Check([]caller.Caller{is("hr", caller.Identity{Kind: caller.Certificate, DNS: "*.contoso.example"})})
	if err == nil {
		t.Error("a wildcard is taken")
	}
}
