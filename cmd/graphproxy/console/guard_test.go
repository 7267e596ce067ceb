package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestEveryAnswerHasTheHeadersThatProtectIt(t *testing.T) {
	for name, s := range map[string]*site{"open": open(t), "guarded": guarded(t, keyItem(lookKey))} {
		for _, path := range []string{"/", "/policy", "/nothing", "/assets/console.css", "/assets/nothing",
			"/decisions?status=x"} {
			a := s.get(path)
			for header, want := range map[string]string{
				"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
					"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
				"X-Frame-Options":              "DENY",
				"X-Content-Type-Options":       "nosniff",
				"Referrer-Policy":              "same-origin",
				"Cross-Origin-Resource-Policy": "same-origin",
				"Cross-Origin-Opener-Policy":   "same-origin",
				"Access-Control-Allow-Origin":  "",
			} {
				if got := a.Header.Get(header); got != want {
					t.Errorf("%s %s: %s is %q", name, path, header, got)
				}
			}
			if cached := a.Header.Get("Cache-Control"); cached != "no-store" && !strings.HasPrefix(path, "/assets/console.css") {
				t.Errorf("%s %s: Cache-Control is %q", name, path, cached)
			}
		}
	}
}

func TestNamesThatTheConsoleIsNotKnownBy(t *testing.T) {
	s := open(t)
	for host, status := range map[string]int{
		"127.0.0.1:8082":               200,
		"[::1]:8082":                   200,
		"localhost":                    200,
		"localhost.:8082":              200,
		"console.contoso.example":      200,
		"CONSOLE.contoso.example:8082": 200,
		"attacker.example":             421,
		"attacker.example:8082":        421,
		"localhost.attacker.example":   421,
		"127.0.0.1.attacker.example":   421,
		"127.0.0.1.nip.io:8082":        421,
		"localhost@attacker.example":   421,
	} {
		for _, path := range []string{"/", "/events", "/assets/console.js", "/sign-in"} {
			if path == "/events" && status == 200 {
				continue
			}
			a := s.get(path, "Host", host)
			isKnown := a.StatusCode != 421
			if isKnown != (status == 200) && a.StatusCode != 400 {
				t.Errorf("%s at %s is %s", path, host, a.Status)
			}
			if status == 421 && strings.Contains(a.text, s.source.Authorization().Policy().Hash()) {
				t.Errorf("%s at %s shows the policy", path, host)
			}
		}
	}
}

func TestRequestsThatAPageOfAnotherSiteMadeABrowserSend(t *testing.T) {
	s := open(t)
	own := s.server.URL
	for _, test := range []struct {
		name, method, path string
		fields             []string
		refused            bool
	}{
		{"a program", "GET", "/", nil, false},
		{"an address that was typed", "GET", "/", []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate",
			"Sec-Fetch-Dest", "document"}, false},
		{"a link of its own", "GET", "/policy", []string{"Sec-Fetch-Site", "same-origin"}, false},
		{"a script of its own", "GET", "/", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors",
			"Origin", own}, false},
		{"a link of another site", "GET", "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate",
			"Sec-Fetch-Dest", "document"}, false},
		{"a frame of another site", "GET", "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate",
			"Sec-Fetch-Dest", "iframe"}, true},
		{"a script of another site", "GET", "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors",
			"Sec-Fetch-Dest", "script"}, true},
		{"an image of another site", "GET", "/assets/icon.svg", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode",
			"no-cors", "Sec-Fetch-Dest", "image"}, true},
		{"a stream of another site", "GET", "/events", []string{"Origin", "https://attacker.example"}, true},
		{"a stream of another port", "GET", "/events", []string{"Origin", "http://127.0.0.1:1"}, true},
		{"a page of the same site", "GET", "/events", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode",
			"cors"}, true},
		{"no origin that is known", "GET", "/", []string{"Origin", "null"}, true},
		{"its own address over TLS", "GET", "/", []string{"Origin", strings.Replace(own, "http:", "https:", 1)}, true},
		{"two origins", "GET", "/", []string{"Origin", own, "Origin", "https://attacker.example"}, true},
		{"a form of another site", "POST", "/sign-out", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode",
			"navigate", "Sec-Fetch-Dest", "document"}, true},
		{"a form of another site in an old browser", "POST", "/sign-in", []string{"Origin",
			"https://attacker.example"}, true},
		{"a form without an origin that is known", "POST", "/sign-in", []string{"Origin", "null"}, true},
		{"a question before a request", "OPTIONS", "/", []string{"Origin", "https://attacker.example",
			"Access-Control-Request-Method", "GET"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := s.do(test.method, test.path, nil, test.fields...)
			if refused := a.StatusCode == http.StatusForbidden; refused != test.refused {
				t.Errorf("%s: %.300s", a.Status, a.text)
			}
			if test.refused && strings.Contains(a.text, s.source.Authorization().Policy().Hash()) {
				t.Error("it shows the policy")
			}
		})
	}
}

func TestASignInByAPageOfAnotherSite(t *testing.T) {
	s := guarded(t, keyItem(lookKey))
	for _, fields := range [][]string{
		{"Origin", "https://attacker.example"},
		{"Origin", "null"},
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Origin", strings.Replace(s.server.URL, "https:", "http:", 1)},
	} {
		a := s.post("/sign-in", url.Values{"key": {lookKey}}, fields...)
		if a.StatusCode != 403 || len(a.Cookies()) > 0 {
			t.Errorf("%v: %s", fields, a.Status)
		}
	}
	cookie := s.signIn(lookKey)
	s.post("/sign-out", nil, "Cookie", cookie, "Origin", "https://attacker.example")
	if a := s.get("/", "Cookie", cookie); a.StatusCode != 200 {
		t.Errorf("another site signed the visitor out: %s", a.Status)
	}
}

func TestNothingIsChanged(t *testing.T) {
	s := open(t)
	for _, path := range []string{"/", "/decisions", "/policy", "/events", "/assets/console.css"} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "TRACE"} {
			form := strings.NewReader("x=y")
			a := s.do(method, path, form, "Content-Type", "application/x-www-form-urlencoded")
			if a.StatusCode != 405 {
				t.Errorf("%s %s is %s", method, path, a.Status)
			}
		}
	}
}
