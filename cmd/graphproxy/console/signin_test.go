package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// everyPath are the addresses of the pages, of streams and of what is not there.
func everyPath() []string {
	return []string{"/", "/decisions", "/decisions/7a7f2c3e-0000-4000-8000-000000000001", "/policy", "/events",
		"/events?after=0", "/denied", "/try", "/candidate", "/callers", "/nothing", "/sign-in", "/assets/../policy",
		"//policy", "/index.html", "/metrics", "/debug/pprof/"}
}

func TestWithoutEvidenceThereIsTheSignInPageOnly(t *testing.T) {
	s := guarded(t, keyItem(lookKey))
	s.record(nil)
	want := s.get("/").text
	if !strings.Contains(want, `action="/sign-in"`) {
		t.Fatal(want)
	}
	hash := s.source.Authorization().Policy().Hash()
	for _, path := range everyPath() {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"} {
			if method == "POST" && path == "/sign-in" {
				continue
			}
			a := s.do(method, path, nil)
			if a.StatusCode == http.StatusMovedPermanently || a.StatusCode == http.StatusTemporaryRedirect {
				t.Errorf("%s %s is sent elsewhere, %s", method, path, a.Header.Get("Location"))
			}
			if strings.Contains(a.text, hash) || strings.Contains(a.text, "adele") || strings.Contains(a.text, "contoso") {
				t.Errorf("%s %s shows %s", method, path, a.text)
			}
			if a.StatusCode != 401 && a.StatusCode != 404 && a.StatusCode != 405 {
				t.Errorf("%s %s is %s", method, path, a.Status)
			}
			if a.StatusCode == 401 && (a.text != want || a.Header.Get("Www-Authenticate") == "") {
				t.Errorf("%s %s is 401 without the page: %s", method, path, a.text)
			}
		}
	}
}

func TestWhatOpensTheConsole(t *testing.T) {
	s := guarded(t, keyItem(lookKey))
	cookie := s.signIn(lookKey)
	for _, test := range []struct {
		name   string
		fields []string
		opens  bool
	}{
		{"nothing", nil, false},
		{"the key as X-Api-Key", []string{"X-Api-Key", lookKey}, true},
		{"the key as a bearer", []string{"Authorization", "Bearer " + lookKey}, true},
		{"the cookie", []string{"Cookie", cookie}, true},
		{"a caller's key", []string{"X-Api-Key", callKey}, false},
		{"a caller's key as a bearer", []string{"Authorization", "Bearer " + callKey}, false},
		{"an empty key", []string{"X-Api-Key", ""}, false},
		{"another cookie", []string{"Cookie", "__Host-graphproxy-console=aaaa"}, false},
		{"an empty cookie", []string{"Cookie", "__Host-graphproxy-console="}, false},
		{"the cookie twice", []string{"Cookie", cookie + "; " + cookie}, false},
		{"the cookie under another name", []string{"Cookie", strings.TrimPrefix(cookie, "__Host-")}, false},
		{"the key as the cookie", []string{"Cookie", "__Host-graphproxy-console=" + lookKey}, false},
		{"the key's hash", []string{"X-Api-Key", "0123456789abcdef"}, false},
		{"a basic password", []string{"Authorization", "Basic YTpi"}, false},
		{"a wrong key beside the cookie", []string{"X-Api-Key", "wrong", "Cookie", cookie}, true},
		{"a forwarded name", []string{"X-Forwarded-User", "ann", "X-Forwarded-For", "127.0.0.1"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := s.get("/policy", test.fields...)
			if opens := a.StatusCode == 200 && strings.Contains(a.text, "GET /users"); opens != test.opens {
				t.Errorf("%s: %s", a.Status, a.text)
			}
		})
	}
}

func TestTheCookie(t *testing.T) {
	s := guarded(t, keyItem(lookKey))
	a := s.post("/sign-in", url.Values{"key": {lookKey}}, "Origin", s.server.URL)
	text := a.Header.Get("Set-Cookie")
	pattern := `^__Host-graphproxy-console=[A-Z2-7]{52}; Path=/; Max-Age=28800; HttpOnly; Secure; SameSite=Strict$`
	if !regexp.MustCompile(pattern).MatchString(text) {
		t.Error(text)
	}
	if other := s.signIn(lookKey); strings.HasPrefix(text, other) {
		t.Error("two sessions have one cookie")
	}
}

func TestKeysThatDoNotSignIn(t *testing.T) {
	s := guarded(t, keyItem(lookKey))
	for name, key := range map[string]string{
		"a caller's": callKey,
		"none":       "",
		"a space":    " ",
		"longer":     lookKey + "x",
		"shorter":    lookKey[:len(lookKey)-1],
		"two":        lookKey + " " + lookKey,
		"a list":     lookKey + "," + callKey,
		"a line":     lookKey + "\r\nX-Other: 1",
		"huge":       strings.Repeat("k", 5000),
		"as a JWT":   "a.b.c",
	} {
		t.Run(name, func(t *testing.T) {
			a := s.post("/sign-in", url.Values{"key": {key}}, "Origin", s.server.URL)
			if a.StatusCode != 401 || len(a.Cookies()) > 0 || !strings.Contains(a.text, "opens nothing here") {
				t.Errorf("%s %v: %s", a.Status, a.Cookies(), a.text)
			}
			if key != "" && key != " " && strings.Contains(a.text, key) {
				t.Error("the page has what was typed")
			}
		})
	}
	a := s.post("/sign-in", url.Values{"key": {strings.Repeat("k", 10_000)}}, "Origin", s.server.URL)
	if a.StatusCode != 401 || len(a.Cookies()) > 0 {
		t.Errorf("a form that is too long is %s", a.Status)
	}
	if a := s.get("/sign-in?key=" + lookKey); a.StatusCode != 401 || len(a.Cookies()) > 0 {
		t.Errorf("a key in an address is %s", a.Status)
	}
}

func TestSigningOut(t *testing.T) {
	s := guarded(t, keyItem(lookKey))
	cookie, other := s.signIn(lookKey), s.signIn(lookKey)
	if a := s.get("/", "Cookie", cookie); !strings.Contains(a.text, "Signed in as <strong>ann</strong>") ||
		!strings.Contains(a.text, "Sign out") {
		t.Error(a.text)
	}
	a := s.post("/sign-out", nil, "Cookie", cookie, "Origin", s.server.URL)
	if a.StatusCode != 303 || !strings.Contains(a.Header.Get("Set-Cookie"), "Max-Age=0") {
		t.Error(a.Status, a.Header)
	}
	if a := s.get("/", "Cookie", cookie); a.StatusCode != 401 {
		t.Errorf("the session goes on: %s", a.Status)
	}
	if a := s.get("/", "Cookie", other); a.StatusCode != 200 {
		t.Errorf("another session ended, too: %s", a.Status)
	}
}

func TestAReloadThatTakesTheEvidenceAwayEndsSessions(t *testing.T) {
	s := guarded(t, keyItem(lookKey))
	cookie := s.signIn(lookKey)
	for _, test := range []struct {
		name, items string
		status      int
	}{
		{"console: is taken away", "", 403},
		{"the key is another one", keyItem("another-key-of-the-console"), 401},
		{"only a certificate is accepted", "  - certificate: {dns: ann.contoso.example}\n", 401},
		{"the key is accepted again", keyItem(lookKey), 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.source.load(base(test.items))
			for _, fields := range [][]string{{"Cookie", cookie}, {"X-Api-Key", lookKey}} {
				for _, path := range []string{"/", "/policy", "/decisions", "/events"} {
					if path == "/events" && test.status == 200 {
						continue
					}
					a := s.get(path, fields...)
					if a.StatusCode != test.status || test.status != 200 && strings.Contains(a.text, "adele") {
						t.Errorf("%s is %s: %s", path, a.Status, a.text)
					}
				}
			}
			if test.items == "" {
				if a := s.post("/sign-in", url.Values{"key": {lookKey}}, "Origin", s.server.URL); a.StatusCode != 403 ||
					len(a.Cookies()) > 0 {
					t.Errorf("sign-in is %s", a.Status)
				}
			}
		})
	}
}

func TestWhoLookedIsLogged(t *testing.T) {
	s := guarded(t, keyItem(lookKey))
	cookie := s.signIn(lookKey)
	s.record(nil)
	for range 3 {
		s.get("/policy", "Cookie", cookie)
		s.get("/decisions/7a7f2c3e-0000-4000-8000-000000000001", "Cookie", cookie)
		s.post("/sign-in", url.Values{"key": {callKey}}, "Origin", s.server.URL)
	}
	text := s.log.String()
	for _, want := range []string{
		`msg="signed in to the console" visitor=ann evidence=key client=127.0.0.1`,
		`msg="the console is looked at" visitor=ann evidence=key client=127.0.0.1 page="GET /policy"`,
		`page="GET /decisions/{id}"`,
		`msg="a sign-in to the console was refused" client=127.0.0.1 reason=keyUnknown`,
	} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q is there %d times in\n%s", want, strings.Count(text, want), text)
		}
	}
	for _, secret := range []string{lookKey, callKey, strings.SplitN(cookie, "=", 2)[1], "7a7f2c3e"} {
		if strings.Contains(text, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

func TestSessionsAreBounded(t *testing.T) {
	s := guarded(t, keyItem(lookKey))
	first := s.signIn(lookKey)
	var last string
	for range 256 {
		last = s.signIn(lookKey)
	}
	if a := s.get("/", "Cookie", first); a.StatusCode != 401 {
		t.Errorf("the first of 257 sessions is %s", a.Status)
	}
	if a := s.get("/", "Cookie", last); a.StatusCode != 200 {
		t.Errorf("the last session is %s", a.Status)
	}
}
