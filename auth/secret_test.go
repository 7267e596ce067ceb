package auth_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"graphproxy/auth"
)

const canary = "s3cr3t-c4n4ry-9f1e"

// leaks reports whether out contains the value in any encoding in which fmt could have leaked it.
func leaks(out string) bool {
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprintf("% x", canary),
		strings.Trim(fmt.Sprintf("%d", []byte(canary)), "[]"), fmt.Sprintf("%v", []byte(canary[:6]))} {
		if strings.Contains(out, strings.Trim(form, "[]")) {
			return true
		}
	}
	return false
}

type exported struct{ V any }

type unexportedSecret struct{ v auth.Secret }
type unexportedToken struct{ v auth.Token }

func TestHiddenValues(t *testing.T) {
	secret, token := auth.NewSecret(canary), auth.NewToken(canary)
	source, err := auth.NewSourceFunc(auth.App{TenantID: "contoso.com", ClientID: "app", Secret: secret}, auth.Options{},
		func(context.Context, auth.ClaimsChallenge) (auth.Acquired, *auth.Error) {
			return auth.Acquired{Access: canary, Expires: time.Now().Add(time.Hour)}, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	values := map[string]any{
		"a secret":                                    secret,
		"a pointer to a secret":                       &secret,
		"a token":                                     token,
		"a pointer to a token":                        &token,
		"an app":                                      auth.App{Secret: secret, CertificatePassword: secret},
		"a source with a token":                       source,
		"a source in an unexported field":             struct{ s *auth.Source }{source},
		"a source's status":                           source.Status(),
		"a secret in an exported field":               exported{secret},
		"a token in an exported field":                &exported{token},
		"a secret in an unexported field":             unexportedSecret{secret},
		"a pointer to an unexported field's struct":   &unexportedSecret{secret},
		"a token in an unexported field":              unexportedToken{token},
		"a pointer to a token's unexported field":     &unexportedToken{token},
		"secrets in a map":                            map[string]auth.Secret{"k": secret},
		"tokens in a slice":                           []auth.Token{token},
		"a secret as a map's key":                     map[auth.Secret]int{secret: 1},
		"secrets and tokens in a slice of anything":   []any{secret, &token, unexportedSecret{secret}},
		"a pointer to a pointer to a secret's struct": func() any { p := &unexportedSecret{secret}; return &p }(),
	}
	for name, v := range values {
		t.Run(name, func(t *testing.T) {
			for sink, out := range sinks(v) {
				if leaks(out) {
					t.Errorf("%s shows the value: %s", sink, out)
				}
			}
		})
	}
}

// sinks prints v in every way that a program is likely to.
func sinks(v any) map[string]string {
	out := map[string]string{}
	for _, verb := range strings.Split("v +v #v s q +q #q x X #x d o b c U e E f g G t T p w 08d -20s .3s", " ") {
		out["%"+verb] = fmt.Sprintf("%"+verb, v)
	}
	out["Sprint"] = fmt.Sprint(v)
	if s, ok := v.(fmt.Stringer); ok {
		out["String"] = s.String()
	}
	if s, ok := v.(fmt.GoStringer); ok {
		out["GoString"] = s.GoString()
	}
	out["Sprintln"] = fmt.Sprintln(v, v)
	out["Errorf"] = fmt.Errorf("wrapped: %v", v).Error()
	out["reflect"] = fmt.Sprint(reflect.ValueOf(v))
	b, err := json.Marshal(v)
	out["json"] = fmt.Sprint(string(b), err)
	b, err = xml.Marshal(v)
	out["xml"] = fmt.Sprint(string(b), err)
	b, err = marshalYAML(v)
	out["yaml"] = fmt.Sprint(string(b), err)
	var buf bytes.Buffer
	err = gob.NewEncoder(&buf).Encode(v)
	out["gob"] = fmt.Sprint(buf.String(), err)
	buf.Reset()
	slog.New(slog.NewTextHandler(&buf, nil)).Info("m", "k", v, slog.Group("g", "k", v))
	slog.New(slog.NewJSONHandler(&buf, nil)).Info("m", "k", v, slog.Group("g", "k", v))
	out["slog"] = buf.String()
	buf.Reset()
	err = template.Must(template.New("").Parse(`{{.}} {{printf "%v %q" . .}}`)).Execute(&buf, v)
	out["template"] = fmt.Sprint(buf.String(), err)
	return out
}

// marshalYAML turns the panic that yaml makes of some values into an error.
func marshalYAML(v any) (b []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return yaml.Marshal(v)
}

func TestSecret(t *testing.T) {
	t.Run("the zero value and empty text are no secret", func(t *testing.T) {
		var s auth.Secret
		if err := s.UnmarshalText(nil); err != nil {
			t.Fatal(err)
		}
		if s.IsSet() || auth.NewSecret("").IsSet() {
			t.Error("an empty secret counts as set")
		}
	})
	t.Run("text is a secret", func(t *testing.T) {
		var s auth.Secret
		if err := s.UnmarshalText([]byte(canary)); err != nil || !s.IsSet() {
			t.Errorf("IsSet %v, error %v", s.IsSet(), err)
		}
	})
}

func TestToken(t *testing.T) {
	t.Run("it replaces every Authorization that is there", func(t *testing.T) {
		h := http.Header{"Authorization": {"Basic x", "Basic y"}, "Accept": {"*/*"}}
		auth.NewToken("abc").SetAuthorization(h)
		want := http.Header{"Authorization": {"Bearer abc"}, "Accept": {"*/*"}}
		if diff := cmp.Diff(want, h); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the zero token changes nothing", func(t *testing.T) {
		h := http.Header{"Authorization": {"Basic x"}}
		auth.Token{}.SetAuthorization(h)
		if diff := cmp.Diff(http.Header{"Authorization": {"Basic x"}}, h); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a header added afterwards does not reach other requests", func(t *testing.T) {
		token := auth.NewToken("abc")
		one, two := http.Header{}, http.Header{}
		token.SetAuthorization(one)
		one.Add("Authorization", "Basic x")
		token.SetAuthorization(two)
		if diff := cmp.Diff(http.Header{"Authorization": {"Bearer abc"}}, two); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("setting it allocates nothing", func(t *testing.T) {
		h, token := http.Header{"Authorization": nil}, auth.NewToken("abc")
		if n := testing.AllocsPerRun(100, func() { token.SetAuthorization(h) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

func TestMargin(t *testing.T) {
	for life, want := range map[string]string{
		"1h30m": "30s", "5m1s": "30s", "5m": "15s", "2m": "6s", "20s": "1s", "3s": "1s", "1s": "500ms",
	} {
		if got := auth.Margin(duration(t, life)); got != duration(t, want) {
			t.Errorf("a life of %s: margin %s, want %s", life, got, want)
		}
	}
}
