package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"graphproxy/auth/caller"
	"graphproxy/auth/filewatch"
)

// ClientCA is the CAs that may sign client certificates. They are read again when their file changes. Make it with
// LoadClientCA. A nil ClientCA has no CAs. Any goroutine may use the CAs; only one may call reload.
type ClientCA struct {
	log     *slog.Logger
	current caller.Authorities
	cas     atomic.Pointer[[]*x509.Certificate] // that current has

	file   string
	files  *filewatch.Set
	logged string      // the problem that was logged last
	stale  atomic.Bool // there is a problem: the older content is in use
}

// LoadClientCA reads the file for the first time. Errors name the variable, the path and the cure, and quote
// nothing of the file.
func LoadClientCA(file string, now time.Time) (*ClientCA, error) {
	c := &ClientCA{file: file, files: filewatch.New(maxFile, file)}
	contents, err := c.files.Read()
	if err != nil {
		return nil, c.unreadable(err)
	}
	cas, err := c.parse(contents[0], now)
	if err != nil {
		return nil, err
	}
	c.use(cas)
	return c, nil
}

func (c *ClientCA) unreadable(err error) error {
	return fmt.Errorf("GRAPHPROXY_TLS_CLIENT_CA_FILE: %s %w", theFile(c.file), err)
}

// parse reads the file's content. Its errors name the file.
func (c *ClientCA) parse(data []byte, now time.Time) ([]*x509.Certificate, error) {
	cas, err := parseCAs(data, now)
	if err != nil {
		return nil, fmt.Errorf("GRAPHPROXY_TLS_CLIENT_CA_FILE: %w (%q)", err, c.file)
	}
	return cas, nil
}

// parseCAs reads a bundle of PEM certificates. A certificate that is not a CA's is refused and not ignored, because
// the operator who put it there believes that it is used.
func parseCAs(data []byte, now time.Time) ([]*x509.Certificate, error) {
	var cas []*x509.Certificate
	var end time.Time
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("block %d is no certificate: put only certificates of CAs there, as PEM", len(cas)+1)
		}
		ca, err := x509.ParseCertificate(block.Bytes)
		switch {
		case err != nil:
			return nil, fmt.Errorf("certificate %d cannot be read: put certificates of CAs there, as PEM", len(cas)+1)
		case !ca.BasicConstraintsValid || !ca.IsCA:
			return nil, fmt.Errorf(
				"certificate %d is not a CA's: put the certificate of the CA there that signs those of clients", len(cas)+1,
			)
		}
		if cas = append(cas, ca); ca.NotAfter.After(end) {
			end = ca.NotAfter
		}
	}
	switch {
	case len(cas) == 0:
		return nil, errors.New(
			"there is no certificate in the file: put those of the CAs there that sign those of clients, as PEM",
		)
	case now.After(end):
		return nil, fmt.Errorf("the last of the certificates expired on %s, so no client's counts: put new ones there",
			end.UTC().Format("2006-01-02 15:04 UTC"))
	}
	return cas, nil
}

// Authorities returns the CAs, for a caller.Authenticator; nil for a nil ClientCA.
func (c *ClientCA) Authorities() *caller.Authorities {
	if c == nil {
		return nil
	}
	return &c.current
}

// reload reads the file again if it has changed. If it does not load, the older CAs stay in use.
func (c *ClientCA) reload(ctx context.Context) {
	contents, err := c.files.Changed(ctx)
	if err == nil && contents == nil {
		return
	}
	if err != nil {
		c.report(c.unreadable(err))
		return
	}
	cas, err := c.parse(contents[0], time.Now())
	if err != nil {
		c.report(err)
		return
	}
	c.report(nil)
	c.use(cas)
	c.log.Info("the CAs of client certificates have changed, the new ones count", "certificates", len(cas))
}

func (c *ClientCA) use(cas []*x509.Certificate) {
	c.current.Use(cas)
	c.cas.Store(&cas)
}

// report logs a problem once, not at each reload. Nil means that there is none.
func (c *ClientCA) report(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != c.logged {
		c.log.Error("the CAs of client certificates from before stay in use", "error", err)
	}
	c.logged = text
	c.stale.Store(text != "")
}

// TLS returns the settings of listeners: the certificate for callers and the CAs of clients, each in its state at
// the beginning of a connection, so that a change drops no connection. It is nil without a certificate, which means
// plain HTTP. A client without a certificate is accepted; one with a wrong certificate is not. ca may be nil.
func TLS(keys *KeyPair, ca *ClientCA) *tls.Config {
	config := keys.Config()
	if config == nil || ca == nil {
		return config
	}
	config.ClientAuth = tls.VerifyClientCertIfGiven
	config.ClientCAs = ca.current.Pool()
	// A resumed session would have the certificate of its beginning. The client may have a new one by now, and the
	// CA of the old one may have been removed.
	config.SessionTicketsDisabled = true
	now := config.Clone()
	now.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		current := config.Clone()
		current.ClientCAs = ca.current.Pool()
		return current, nil
	}
	return now
}
