package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"graphproxy/auth"
	"graphproxy/policy"
	"graphproxy/proxy"
)

// appKey is the name of an app registration in a policy; the tenant is "" for the app's own.
type appKey struct{ name, tenant string }

// apps are the app registrations, each with a token source for each tenant that it is used in. A failure of one
// does not affect the others. Safe for concurrent use.
type apps struct {
	configured map[string]auth.App
	options    auth.Options
	linkKeys   *LinkKeyFile                          // nil: the credentials give the keys
	found      atomic.Pointer[map[appKey]*proxy.App] // read without a lock; replaced under mu

	mu      sync.Mutex
	sources []*auth.Source // in the order of configuration, then of need
	ctx     context.Context
	running *sync.WaitGroup
}

// newApps makes a source for each app. It reads the credentials and opens no connection.
func newApps(all []auth.App, o auth.Options, keys *LinkKeyFile) (*apps, error) {
	s := &apps{configured: make(map[string]auth.App), options: o, linkKeys: keys}
	s.found.Store(&map[appKey]*proxy.App{})
	var problems []error
	for _, a := range all {
		s.configured[a.Name] = a
		problems = append(problems, s.add(appKey{name: a.Name}, a))
	}
	return s, errors.Join(problems...)
}

// App implements proxy.Apps.
func (s *apps) App(name, tenant string) *proxy.App {
	return (*s.found.Load())[appKey{name, tenant}]
}

// use makes sources for the tenants that a policy names besides the apps' own. Sources of an older policy stay,
// because its requests may still be under way.
func (s *apps) use(p *policy.Policy) error {
	var problems []error
	for _, ref := range p.Apps() {
		if s.App(ref.Name, ref.Tenant) != nil {
			continue
		}
		a := s.configured[ref.Name]
		a.TenantID = ref.Tenant
		if err := s.add(appKey{ref.Name, ref.Tenant}, a); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", ref.Where, err))
		}
	}
	return errors.Join(problems...)
}

// add makes a source, which runs if the others do.
func (s *apps) add(key appKey, a auth.App) error {
	source, err := auth.NewSource(a, s.options)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make(map[appKey]*proxy.App)
	for k, app := range *s.found.Load() {
		found[k] = app
	}
	app := &proxy.App{Tenant: a.TenantID, Tokens: source, LinkKeys: source.LinkKeys}
	if s.linkKeys != nil {
		app.LinkKeys = s.linkKeys.keys
	}
	if found[key] = app; key.tenant == "" {
		found[appKey{key.name, strings.ToLower(a.TenantID)}] = app // its own tenant, named
	}
	s.found.Store(&found)
	s.sources = append(s.sources, source)
	if s.running != nil {
		s.running.Go(func() { source.Run(s.ctx) })
	}
	return nil
}

// run renews the tokens of all sources, present and future, until ctx ends.
func (s *apps) run(ctx context.Context, running *sync.WaitGroup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ctx, s.running = ctx, running
	for _, source := range s.sources {
		running.Go(func() { source.Run(ctx) })
	}
}

// all returns the present sources.
func (s *apps) all() []*auth.Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sources)
}

// reload makes all sources read their credentials again.
func (s *apps) reload() {
	for _, source := range s.all() {
		source.Reload()
	}
}

// anyToken returns when a source has a token; it reports false if ctx ended before.
func (s *apps) anyToken(ctx context.Context) bool {
	first := make(chan struct{}, 1)
	for _, source := range s.all() {
		go func() {
			if _, err := source.Token(ctx); err == nil {
				select {
				case first <- struct{}{}:
				default:
				}
			}
		}()
	}
	select {
	case <-first:
		return true
	case <-ctx.Done():
		return false
	}
}

// checkApps refuses a policy that names app registrations which are not configured: its requests would otherwise be
// sent with the permissions of another one.
func checkApps(p *policy.Policy, all []auth.App) error {
	known := make(map[string]auth.App)
	var names []string
	for _, a := range all {
		known[a.Name], names = a, append(names, a.Name)
	}
	var problems []error
	for _, ref := range p.Apps() {
		a, ok := known[ref.Name]
		switch {
		case !ok && ref.Name == policy.DefaultApp:
			problems = append(problems,
				fmt.Errorf("%s: no app registration is named, and there is no default one: write app: with one of %s, "+
					"or set AZURE_TENANT_ID, AZURE_CLIENT_ID and a credential", ref.Where, strings.Join(names, ", ")))
		case !ok:
			problems = append(problems, fmt.Errorf("%s: the app registration %q is not configured: write one of %s, "+
				"or set GRAPHPROXY_APPS_0_NAME=%s and the other variables of docs/configuration.md",
				ref.Where, ref.Name, strings.Join(names, ", "), ref.Name))
		case ref.Tenant != "" && a.ManagedIdentity && !strings.EqualFold(ref.Tenant, a.TenantID):
			problems = append(problems, fmt.Errorf("%s: the app registration %q is a managed identity, which is of one tenant: "+
				"take the tenant out", ref.Where, ref.Name))
		}
	}
	return errors.Join(problems...)
}
