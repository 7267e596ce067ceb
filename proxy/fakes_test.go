package proxy_test

import (
	"context"
	"io"

	"graphproxy/auth"
	"graphproxy/proxy"
)

// one is the only app registration, for every name in the policy.
type one struct{ app *proxy.App }

func (o one) App(string, string) *proxy.App { return o.app }

func oneApp(tokens proxy.TokenSource) proxy.Apps {
	app := &proxy.App{Tenant: tenant, Tokens: tokens}
	if source, ok := tokens.(*auth.Source); ok {
		app.LinkKeys = source.LinkKeys
	}
	return one{app}
}

// panicking is a token source with a fault.
type panicking struct{}

func (panicking) Token(context.Context) (auth.Token, error)     { panic("canary") }
func (panicking) Refused(auth.Token, auth.Refusal) auth.Renewal { return auth.Renewal{} }

// pattern is a body of a given length.
type pattern struct{ left int }

func (p *pattern) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n := min(len(b), p.left)
	for i := range b[:n] {
		b[i] = byte(p.left - i)
	}
	p.left -= n
	return n, nil
}

// fixed is a token source that has one, and takes no time.
type fixed struct{}

func (fixed) Token(context.Context) (auth.Token, error)     { return auth.Token{}, nil }
func (fixed) Refused(auth.Token, auth.Refusal) auth.Renewal { return auth.Renewal{} }

// tokenless never has a token.
type tokenless struct{}

func (tokenless) Token(context.Context) (auth.Token, error) {
	return auth.Token{}, &auth.Error{Cause: "Entra ID is down", Cure: "wait"}
}

func (tokenless) Refused(auth.Token, auth.Refusal) auth.Renewal { return auth.Renewal{} }
