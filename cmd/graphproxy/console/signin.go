package console

import (
	"bytes"
	"errors"
	"net/http"
	"sync"
	"time"

	"graphproxy/auth/caller"
)

// mostForm bounds the sign-in form, in bytes. A key has at most 4096.
const mostForm = 8 << 10

// admit serves next to visitors who may look, and the sign-in page to all others.
func (c *Console) admit(next *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.open && r.Method == http.MethodPost {
			switch r.URL.Path {
			case "/sign-in":
				c.signIn(w, r)
				return
			case "/sign-out":
				c.signOut(w, r)
				return
			}
		}
		v, err := c.identify(r)
		if err != nil {
			c.refuse(w, r, err, "")
			return
		}
		_, pattern := next.Handler(r)
		c.looks.log(c, v, pattern)
		next.ServeHTTP(w, withVisitor(r, v))
	})
}

// signIn takes the key that a visitor typed, and begins a session if the policy in force accepts it.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, mostForm)
	if err := r.ParseForm(); err != nil {
		c.refuse(w, r, err, "The form cannot be read. Type the key again.")
		return
	}
	visitors := c.source.Authorization().Visitors()
	if visitors == nil {
		c.refuse(w, r, errClosed, "")
		return
	}
	key := r.PostForm.Get("key")
	found, err := byKey(visitors, r, key)
	client := visitors.Origin(r).Client
	if err != nil || key == "" {
		c.looks.refused(c, client, err)
		c.refuse(w, r, err, "This key opens nothing here. A caller's key is no key of the console.")
		return
	}
	c.log.Info("signed in to the console", "visitor", nameOf(r, found), "evidence", found.Evidence, "client", client)
	http.SetCookie(w, c.sessions.start(key, c.now()))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// signOut ends the session, if there is one.
func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	if v, err := c.identify(r); err == nil && v.Signed {
		c.log.Info("signed out of the console", "visitor", v.Name, "client", v.client)
	}
	http.SetCookie(w, c.sessions.end(r))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// signInData is what signin.html shows.
type signInData struct {
	Closed  bool
	Message string
}

// refuse shows the sign-in page, and nothing of the proxy.
func (c *Console) refuse(w http.ResponseWriter, r *http.Request, err error, message string) {
	status, data := http.StatusUnauthorized, signInData{Message: message}
	var known *caller.Error
	switch {
	case errors.Is(err, errClosed):
		status, data.Closed = http.StatusForbidden, true
	case message == "" && errors.As(err, &known) && known.Code != "callerUnknown":
		data.Message = "The evidence that your browser sent is not that of a visitor (" + known.Code + ")."
	}
	if known != nil && known.Reconnect {
		w.Header().Set("Connection", "close")
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="graphproxy console"`)
	}
	var b bytes.Buffer
	if err := c.views["signin.html"].ExecuteTemplate(&b, "page", data); err != nil {
		http.Error(w, "sign in", status)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes())
	}
}

// What looks keeps: the same visitor with the same page, or refused from the same address, is logged once in this time.
const (
	looksEvery = 10 * time.Minute
	mostLooks  = 4096
)

// looks logs who looked. It is safe for concurrent use.
type looks struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

// isNew reports whether something is to be logged now.
func (l *looks) isNew(what string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last, found := l.seen[what]; found && now.Sub(last) < looksEvery {
		return false
	}
	if l.seen == nil || len(l.seen) >= mostLooks {
		l.seen = map[string]time.Time{}
	}
	l.seen[what] = now
	return true
}

// log logs that a visitor looks at a page. The page is a pattern: an address has ids of requests.
func (l *looks) log(c *Console, v visitor, page string) {
	if l.isNew(v.Name+"\x00"+v.client+"\x00"+page, c.now()) {
		c.log.Info("the console is looked at", "visitor", v.Name, "evidence", v.Evidence, "client", v.client, "page", page)
	}
}

// refused logs that a key was refused.
func (l *looks) refused(c *Console, client string, err error) {
	code := "keyUnknown"
	var known *caller.Error
	if errors.As(err, &known) {
		code = known.Code
	}
	if l.isNew("\x00"+client+"\x00"+code, c.now()) {
		c.log.Warn("a sign-in to the console was refused", "client", client, "reason", code)
	}
}
