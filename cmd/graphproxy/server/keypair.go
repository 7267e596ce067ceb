package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"graphproxy/auth/filewatch"
)

// KeyPair is the certificate for callers. It is read again when its files change. Make it with LoadKeyPair. A nil
// KeyPair has no certificate. Any goroutine may use the certificate; only one may call reload.
type KeyPair struct {
	log     *slog.Logger
	current atomic.Pointer[tls.Certificate]

	files             *filewatch.Set
	certFile, keyFile string

	logged string      // the problem that was logged last
	stale  atomic.Bool // there is a problem: the older content is in use
}

// LoadKeyPair reads the files for the first time. Errors name the variable, the path and the cure, and quote
// nothing of the files.
func LoadKeyPair(certFile, keyFile string, now time.Time) (*KeyPair, error) {
	k := &KeyPair{files: filewatch.New(maxFile, certFile, keyFile), certFile: certFile, keyFile: keyFile}
	contents, err := k.files.Read()
	if err != nil {
		return nil, k.unreadable(err)
	}
	cert, err := k.parse(contents, now)
	if err != nil {
		return nil, err
	}
	k.current.Store(cert)
	return k, nil
}

// unreadable returns an error that names the file that cannot be read. Err is about one of the two: the
// certificate's file is read again to find out which.
func (k *KeyPair) unreadable(err error) error {
	if _, _, bad := filewatch.NewFile(k.certFile, maxFile).Read(); bad != nil {
		return fmt.Errorf("GRAPHPROXY_TLS_CERT_FILE: %s %w", theFile(k.certFile), bad)
	}
	return fmt.Errorf("GRAPHPROXY_TLS_KEY_FILE: %s %w", theFile(k.keyFile), err)
}

// parse reads PEM. The errors of crypto/tls describe the problem and quote nothing.
func (k *KeyPair) parse(contents [][]byte, now time.Time) (*tls.Certificate, error) {
	cert, err := tls.X509KeyPair(contents[0], contents[1])
	if err != nil {
		return nil, fmt.Errorf("GRAPHPROXY_TLS_CERT_FILE and GRAPHPROXY_TLS_KEY_FILE are not a certificate and its key: %w: "+
			"put the certificate (its chain after it) into %q and its unencrypted private key into %q, as PEM", err, k.certFile,
			k.keyFile)
	}
	if end := cert.Leaf.NotAfter; now.After(end) {
		return nil, fmt.Errorf("GRAPHPROXY_TLS_CERT_FILE: the certificate expired on %s, so callers refuse it: put a new "+
			"one into %q",
			end.UTC().Format("2006-01-02 15:04 UTC"), k.certFile)
	}
	return &cert, nil
}

// reload reads the files again if they have changed. If they do not load, the older certificate stays in use.
func (k *KeyPair) reload(ctx context.Context) {
	contents, err := k.files.Changed(ctx)
	if err == nil && contents == nil {
		return
	}
	if err != nil {
		k.report(k.unreadable(err))
		return
	}
	cert, err := k.parse(contents, time.Now())
	k.report(err)
	if err == nil {
		k.current.Store(cert)
		k.log.Info("the TLS certificate has changed, showing callers the new one", "expires", cert.Leaf.NotAfter.UTC())
	}
}

// report logs a problem once, not at each reload. Nil means that there is none.
func (k *KeyPair) report(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != k.logged {
		k.log.Error("the TLS certificate from before stays in use", "error", err)
	}
	k.logged = text
	k.stale.Store(text != "")
}

// timeOfChain returns the period in which the certificates for callers are all valid. It ignores what cannot be
// read.
func timeOfChain(cert *tls.Certificate) (begins, ends time.Time) {
	for _, der := range cert.Certificate {
		if c, err := x509.ParseCertificate(der); err == nil {
			begins, ends = overlap(begins, ends, c)
		}
	}
	return begins, ends
}

// Config returns the settings of listeners; nil if there is no certificate, which means plain HTTP. It offers
// HTTP/2, as Go's own servers do.
func (k *KeyPair) Config() *tls.Config {
	if k == nil {
		return nil
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.current.Load(), nil },
	}
}
