package auth_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"graphproxy/auth"
)

// sumOf is what the first key of an app's links makes of a text; "" if it has none.
func sumOf(t *testing.T, a auth.App) string {
	t.Helper()
	a.TenantID, a.ClientID = tenantID, clientID
	keys := source(t, a, auth.Options{}).LinkKeys()
	if len(keys) == 0 {
		return ""
	}
	return fmt.Sprintf("%x", keys[0].Sum([]byte("text")))
}

func TestTheKeyOfLinksIsThatOfTheCredential(t *testing.T) {
	keys := testKeys()
	first := pemFile(t, keys[0], certificate(t, keys[0], -time.Hour, time.Hour))
	renewed := pemFile(t, keys[0], certificate(t, keys[0], -time.Hour, 2*time.Hour))
	other := pemFile(t, keys[1], certificate(t, keys[1], -time.Hour, time.Hour))
	secret := sumOf(t, auth.App{Secret: auth.NewSecret(canary)})
	cert := sumOf(t, auth.App{CertificatePath: writeFile(t, first)})
	for _, c := range []struct {
		name string
		app  auth.App
		want string
		same bool
	}{
		{"the same secret", auth.App{Secret: auth.NewSecret(canary)}, secret, true},
		{"the same secret in a file", auth.App{SecretFile: writeFile(t, canary+"\n")}, secret, true},
		{"another secret", auth.App{Secret: auth.NewSecret("another-" + canary)}, secret, false},
		{"a renewed certificate of the same key", auth.App{CertificatePath: writeFile(t, renewed)}, cert, true},
		{"a certificate of another key", auth.App{CertificatePath: writeFile(t, other)}, cert, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := sumOf(t, c.app)
			if got == "" || (got == c.want) != c.same {
				t.Errorf("%s", got)
			}
			if c.app.LacksLinkKey() {
				t.Error("it is said to have none")
			}
		})
	}
	for name, a := range map[string]auth.App{
		"a federated token":  {FederatedTokenFile: writeFile(t, federated(t, "a"))},
		"a managed identity": {ManagedIdentity: true},
	} {
		if sumOf(t, a) != "" || !a.LacksLinkKey() {
			t.Errorf("%s has a key", name)
		}
	}
	if (auth.App{}).LacksLinkKey() {
		t.Error("what is not configured is said to lack a key")
	}
}

func TestTheKeyOfLinksFromBeforeARotationStaysGood(t *testing.T) {
	path := writeFile(t, canary)
	s := source(t, auth.App{TenantID: tenantID, ClientID: clientID, SecretFile: path}, auth.Options{})
	before := s.LinkKeys()[0].Sum([]byte("text"))
	replace(t, path, "another-"+canary)
	s.Reload()
	keys := s.LinkKeys()
	if len(keys) != 2 || keys[0].Verify([]byte("text"), before) || !keys[1].Verify([]byte("text"), before) {
		t.Fatalf("%d keys", len(keys))
	}
	replace(t, path, "a-third-"+canary)
	s.Reload()
	if keys = s.LinkKeys(); len(keys) != 2 || keys[1].Verify([]byte("text"), before) {
		t.Errorf("%d keys, the first one is still good", len(keys))
	}
}

func TestAKeyOfLinksDoesNotPrint(t *testing.T) {
	key := auth.NewLinkKey([]byte(strings.Repeat("a", 32)))
	sum := fmt.Sprintf("%x", key.Sum(nil))
	for _, text := range []string{fmt.Sprint(key), fmt.Sprintf("%+v %#v %x %s", key, key, key, key),
		fmt.Sprintf("%v %+v %d", []auth.LinkKey{key}, struct{ K auth.LinkKey }{key}, &key)} {
		if !strings.Contains(text, "[secret]") || strings.ContainsAny(text, "0123456789") || strings.Contains(text, sum) {
			t.Error(text)
		}
	}
	if (auth.LinkKey{}).Verify(nil, nil) || (auth.LinkKey{}).IsSet() {
		t.Error("no key verifies")
	}
}
