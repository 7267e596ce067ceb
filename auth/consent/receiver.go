package consent

import (
	"html"
	"io"
	"net/http"
	"sync"
)

// Receiver is the http.Handler of a redirect URI. It takes one answer to one question, and answers the browser
// with a small page that shows nothing of the request. Any other request does not end the wait: another path
// gets 404, another method 405, a missing or wrong state 400. It is safe for concurrent use. Make it with
// NewReceiver.
type Receiver struct {
	question Question
	once     sync.Once
	answers  chan Answer
}

// NewReceiver makes the handler for a question's redirect URI.
func NewReceiver(q Question) *Receiver {
	return &Receiver{question: q, answers: make(chan Answer, 1)}
}

// Answers delivers the one answer, as soon as it has come.
func (r *Receiver) Answers() <-chan Answer { return r.answers }

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.URL.Path != r.question.redirect.path {
		page(w, http.StatusNotFound, "Not found", "Nothing is here.")
		return
	}
	if req.Method != http.MethodGet { // also no HEAD: a program that prefetches must not use up the answer
		w.Header().Set("Allow", http.MethodGet)
		page(w, http.StatusMethodNotAllowed, "Not allowed", "The answer comes with GET.")
		return
	}
	answer, err := r.question.Read(req.URL.RawQuery)
	if err != nil {
		page(w, http.StatusBadRequest, "Not the answer", "This is not the answer that graphproxy waits for, "+
			"and it goes on waiting. Open the address that it prints.")
		return
	}
	taken := false
	r.once.Do(func() { r.answers <- answer; taken = true })
	if !taken {
		page(w, http.StatusBadRequest, "Answered", "The question has been answered already. Run graphproxy consent "+
			"to ask again.")
		return
	}
	r.show(w, answer)
}

// show answers the administrator's browser with the result. The command reports it too.
func (r *Receiver) show(w http.ResponseWriter, a Answer) {
	switch {
	case a.Refusal != nil:
		page(w, http.StatusOK, "Consent was not granted", a.Refusal.Error()+".")
	case !a.Granted:
		page(w, http.StatusOK, "No answer", "Entra ID said neither yes nor no.")
	case r.question.OtherTenant(a):
		page(w, http.StatusOK, "Consent was granted in another tenant", "graphproxy is configured for another "+
			"tenant than the one that you signed in to.")
	default:
		page(w, http.StatusOK, "Consent was granted", "graphproxy has the answer. You can close this window.")
	}
}

// page writes a page without anything that a browser could run, load, keep or send on.
func page(w http.ResponseWriter, status int, title, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the page's address holds the state
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	title, text = html.EscapeString(title), html.EscapeString(text)
	_, _ = io.WriteString(w, "<!doctype html>\n<html "+
		"lang=\"en\">\n<title>graphproxy: "+title+"</title>\n<h1>"+title+"</h1>\n<p>"+text+"</p>\n</html>\n")
}
