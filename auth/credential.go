package auth

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"graphproxy/auth/filewatch"
)

// kind is a kind of credential.
type kind uint8

const (
	secretKind kind = iota + 1
	certificateKind
	federatedKind
	managedKind
)

// credential is what the app proves itself with to Entra ID, as it was read. It is immutable.
type credential struct {
	kind      kind
	app       App
	file      string            // path of the file that it was read from; "" if there is none
	digest    [sha256.Size]byte // of the file's bytes
	secret    Secret
	chain     []*x509.Certificate // the certificate of key first
	key       *rsa.PrivateKey
	tokenFile *filewatch.File // of a federated token; read by one attempt at a time
}

// credentialFile returns the path of the file of the given kind of credential, or "", and the suffix of the
// variable that names the file.
func (a App) credentialFile(k kind) (path, suffix string) {
	switch k {
	case secretKind:
		return a.SecretFile, "CLIENT_SECRET_FILE"
	case certificateKind:
		return a.CertificatePath, "CLIENT_CERTIFICATE_PATH"
	case federatedKind:
		return a.FederatedTokenFile, "FEDERATED_TOKEN_FILE"
	}
	return "", ""
}

// load reads the credential of the given kind.
func (a App) load(k kind) (*credential, error) {
	path, suffix := a.credentialFile(k)
	if path == "" {
		return &credential{kind: k, app: a, secret: a.Secret}, a.checkSecret("CLIENT_SECRET", a.Secret)
	}
	data, _, err := filewatch.NewFile(path, maxFile).Read()
	if err != nil {
		return nil, fmt.Errorf("%s: the file %w", a.env(suffix), err)
	}
	return a.parse(k, data)
}

// parse makes a credential of the bytes of its file.
func (a App) parse(k kind, data []byte) (*credential, error) {
	path, suffix := a.credentialFile(k)
	c := &credential{kind: k, app: a, file: path, digest: sha256.Sum256(data)}
	switch k {
	case secretKind:
		if c.secret = NewSecret(string(trimNewline(data))); !c.secret.IsSet() {
			return nil, fmt.Errorf("%s: the file is empty: write the client secret's value into it", a.env(suffix))
		}
		if err := a.checkSecret(suffix, c.secret); err != nil {
			return nil, err
		}
	case federatedKind:
		if len(bytes.TrimSpace(data)) == 0 {
			return nil, fmt.Errorf("%s: the file is empty: the issuer of the federated token has not written it "+
				"yet", a.env(suffix))
		}
		c.tokenFile = filewatch.NewFile(path, maxFile)
	case certificateKind:
		var err error
		if c.key, c.chain, err = a.parseCertificate(data); err != nil {
			return nil, fmt.Errorf("%s: the file %w", a.env(suffix), err)
		}
	}
	return c, nil
}

// valid returns an error if the credential could be read but cannot be used at now, because a certificate has
// expired. It is called before each use, because a certificate can expire while the proxy runs, and MSAL would
// send it.
func (c *credential) valid(now time.Time) *Error {
	if c.kind != certificateKind {
		return nil
	}
	problem, cure := within(c.chain[0], now)
	if problem == "" {
		return nil
	}
	return &Error{Cause: fmt.Sprintf("the certificate in %q %s", c.file, problem), Cure: cure}
}

// early reports whether the credential is a certificate that is not valid yet. That is no reason not to start: its time
// comes, or the clock of this machine is set right. Until then valid returns an error.
func (c *credential) early(now time.Time) bool {
	return c.kind == certificateKind && now.Before(c.chain[0].NotBefore)
}

// usable is valid with an error in the form of Check's errors.
func (c *credential) usable(now time.Time) error {
	if e := c.valid(now); e != nil {
		_, suffix := c.app.credentialFile(c.kind)
		return fmt.Errorf("%s: %s: %s", c.app.env(suffix), e.Cause, e.Cure)
	}
	return nil
}

// msal returns the credential as MSAL takes it.
func (c *credential) msal() (confidential.Credential, error) {
	switch c.kind {
	case secretKind:
		return confidential.NewCredFromSecret(c.secret.reveal())
	case certificateKind:
		return confidential.NewCredFromCert(c.chain, c.key)
	case federatedKind:
		return confidential.NewCredFromAssertionCallback(c.assertion), nil
	}
	return confidential.Credential{}, errors.New("a managed identity has no credential of its own")
}

// assertion reads the federated token. It reads the file at each use, because the token is valid for an hour or so.
// It removes white space around the token: a newline at its end would make it another token.
func (c *credential) assertion(context.Context, confidential.AssertionRequestOptions) (string, error) {
	data, _, err := c.tokenFile.Read()
	if err == nil {
		if token := string(bytes.TrimSpace(data)); token != "" {
			return token, nil
		}
		err = errors.New("is empty")
	}
	return "", &Error{
		Cause: "the federated token could not be read",
		Cure:  "see to it that the file in " + c.app.env("FEDERATED_TOKEN_FILE") + " is there and readable",
		Err:   fmt.Errorf("the file %w", err),
	}
}

// maxFile bounds a credential's file in bytes: the largest are PFX files with a chain, of some 10 kB.
const maxFile = 1 << 20

// trimNewline removes one newline at the end. Editors and echo add it.
func trimNewline(b []byte) []byte {
	if line, ok := bytes.CutSuffix(b, []byte("\n")); ok {
		return bytes.TrimSuffix(line, []byte("\r"))
	}
	return b
}
