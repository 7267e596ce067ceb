package consent_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"graphproxy/auth/consent"
)

// send sends one request to a receiver.
func send(r *consent.Receiver, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

// answered returns the answer, if there is one.
func answered(r *consent.Receiver) (consent.Answer, bool) {
	select {
	case a := <-r.Answers():
		return a, true
	default:
		return consent.Answer{}, false
	}
}

func TestWhatIsNoAnswerLeavesTheReceiverWaiting(t *testing.T) {
	q := ask(t)
	r := consent.NewReceiver(q)
	answer := "?state=" + state(t, q) + "&admin_consent=True&tenant=" + tenantID
	tests := []struct {
		name, method, target string
		status               int
	}{
		{"a browser asks for an icon", "GET", "/favicon.ico", 404},
		{"the answer comes to another path", "GET", "/" + answer, 404},
		{"the answer comes to a path below", "GET", "/back/" + answer, 404},
		{"the answer is posted", "POST", "/back" + answer, 405},
		{"a program looks ahead", "HEAD", "/back" + answer, 405},
		{"the path is opened by hand", "GET", "/back", 400},
		{"the state is wrong", "GET", "/back?state=" + canary + "&admin_consent=True&tenant=" + tenantID, 400},
		{"a refusal with a wrong state", "GET", "/back?state=" + canary + "&error=access_denied", 400},
		{"markup in every parameter", "GET",
			"/back?state=<script>" + canary + "</script>&error=<script>" + canary + "</script>", 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := send(r, tt.method, tt.target)
			if w.Code != tt.status {
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
			if tt.status == 405 && w.Header().Get("Allow") != "GET" {
				t.Errorf("Allow: %q", w.Header().Get("Allow"))
			}
			if a, ok := answered(r); ok {
				t.Errorf("it was taken for an answer: %+v", a)
			}
			harmless(t, w, state(t, q))
		})
	}
	t.Run("and then the answer is taken, once", func(t *testing.T) {
		if w := send(r, "GET", "/back"+answer); w.Code != http.StatusOK ||
			!strings.Contains(w.Body.String(), "Consent was granted<") {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
		if a, ok := answered(r); !ok || !a.Granted {
			t.Errorf("answer %+v, %t", a, ok)
		}
		w := send(r, "GET", "/back"+answer)
		if _, ok := answered(r); ok || w.Code != http.StatusBadRequest {
			t.Errorf("the state was good twice: %d %s", w.Code, w.Body)
		}
	})
}

func TestTheBrowserShowsTheAnswer(t *testing.T) {
	tests := []struct{ name, query, want string }{
		{"a grant", "&admin_consent=True&tenant=" + tenantID, "Consent was granted<"},
		{"a grant in another tenant", "&admin_consent=True&tenant=" + otherID, "in another tenant<"},
		{"a refusal", "&admin_consent=True&error=consent_required&error_description=AADSTS65004:" + canary,
			"an administrator declined to consent (AADSTS65004)"},
		{"a refusal with markup in it", "&error=" + canary + "<script>&error_description=<script>" + canary,
			"without a reason"},
		{"a refusal whose cure has quotes in it", "&error=x&error_description=AADSTS7000112",
			"&#34;Enabled for users to sign-in&#34;"},
		{"neither yes nor no", "&x=<script>" + canary, "neither yes nor no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := ask(t)
			r := consent.NewReceiver(q)
			w := send(r, "GET", "/back?state="+state(t, q)+tt.query)
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
			harmless(t, w, state(t, q))
		})
	}
}

// harmless fails if a page shows anything of the request, or lets a browser run or load anything.
func harmless(t *testing.T, w *httptest.ResponseRecorder, state string) {
	t.Helper()
	for _, part := range []string{canary, "<script", state} {
		if strings.Contains(w.Body.String(), part) {
			t.Errorf("%q is on the page: %s", part, w.Body)
		}
	}
	for name, want := range map[string]string{
		"Content-Type":            "text/html; charset=utf-8",
		"Cache-Control":           "no-store",
		"Referrer-Policy":         "no-referrer",
		"X-Content-Type-Options":  "nosniff",
		"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
