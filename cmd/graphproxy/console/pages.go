package console

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"time"
)

// assets are the templates of the pages, the style sheet and the script.
//
//go:embed assets
var assets embed.FS

// page is an entry of the navigation.
type page struct {
	path  string // "/decisions"
	title string // in the navigation, and the heading
	file  string // of its template, in assets, which defines "main"
	posts bool   // it has a form that is sent with POST
	// data returns what the template shows. An *answer as error is shown as it says
	data func(c *Console, r *http.Request) (any, error)
}

// pages are the pages in the order of the navigation.
func pages() []page {
	return []page{
		{path: "/", title: "Now", file: "now.html", data: (*Console).nowPage},
		{path: "/decisions", title: "Decisions", file: "decisions.html", data: (*Console).decisionsPage},
		{path: "/policy", title: "Policy", file: "policy.html", data: (*Console).policyPage},
		{path: "/denied", title: "Denied → proposed", file: "denied.html", data: (*Console).deniedPage},
		{path: "/try", title: "Try", file: "try.html", posts: true, data: (*Console).tryPage},
		{path: "/candidate", title: "Candidate", file: "candidate.html", data: (*Console).candidatePage},
		{path: "/callers", title: "Callers", file: "callers.html", data: (*Console).callersPage},
	}
}

// route is a path that is not in the navigation. Pages that belong to another one, streams and downloads are such.
type route struct {
	pattern string // of http.ServeMux
	serve   func(c *Console, w http.ResponseWriter, r *http.Request)
}

// furtherRoutes are the routes besides the pages.
func furtherRoutes() []route {
	return []route{
		{"GET /decisions/{id}", (*Console).explainPage},
		{"GET /events", (*Console).serveEvents},
		{"GET /denied/patch", (*Console).servePatch},
	}
}

// answer is an error that a visitor sees: a status, and what is wrong with its cure.
type answer struct {
	status  int
	message string
}

// Error implements error.
func (a *answer) Error() string { return a.message }

// routes serves the pages to visitors who may see them.
func (c *Console) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, p := range pages() {
		pattern := p.path
		if pattern == "/" {
			pattern = "/{$}"
		}
		mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, r *http.Request) { c.servePage(w, r, p) })
		if p.posts {
			mux.HandleFunc("POST "+pattern, func(w http.ResponseWriter, r *http.Request) { c.servePage(w, r, p) })
		}
	}
	for _, f := range furtherRoutes() {
		mux.HandleFunc(f.pattern, func(w http.ResponseWriter, r *http.Request) { f.serve(c, w, r) })
	}
	return mux
}

// servePage answers with a page, or with what is wrong.
func (c *Console) servePage(w http.ResponseWriter, r *http.Request, p page) {
	data, err := p.data(c, r)
	if err != nil {
		c.serveError(w, r, err)
		return
	}
	c.render(w, r, http.StatusOK, p.file, p.title, data)
}

// serveError shows an error in the layout of the pages.
func (c *Console) serveError(w http.ResponseWriter, r *http.Request, err error) {
	a := &answer{http.StatusInternalServerError, "This page cannot be made. The log of the proxy has the reason."}
	if !errors.As(err, &a) {
		c.log.Error("a page of the console cannot be made", "path", r.URL.Path, "error", err)
	}
	c.render(w, r, a.status, "error.html", http.StatusText(a.status), a.message)
}

// shell is what the layout shows around a page.
type shell struct {
	Title   string
	Pages   []shellPage
	Hash    string
	Visitor string // who looks; "": the console is open to this machine
	MayEnd  bool   // the visitor signed in with a key, and may sign out
	Main    any    // the page's data
}

type shellPage struct {
	Path, Title string
	Current     bool
}

// render writes a page. It is made whole before its first byte is sent, so that an error can still be answered.
func (c *Console) render(w http.ResponseWriter, r *http.Request, status int, file, title string, data any) {
	v := visitorOf(r)
	state := shell{
		Title:   title,
		Hash:    c.source.Authorization().Policy().Hash(),
		Visitor: v.Name,
		MayEnd:  v.Signed,
		Main:    data,
	}
	for _, p := range pages() {
		state.Pages = append(state.Pages, shellPage{p.path, p.title, p.path == r.URL.Path})
	}
	var b bytes.Buffer
	if err := c.views[file].ExecuteTemplate(&b, "layout", state); err != nil {
		c.log.Error("a page of the console cannot be made", "file", file, "error", err)
		http.Error(w, "this page cannot be made; the log of the proxy has the reason", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// parseViews reads the templates: each page with the layout.
func parseViews() (map[string]*template.Template, error) {
	files := []string{"error.html", "explanation.html", "signin.html"}
	for _, p := range pages() {
		files = append(files, p.file)
	}
	views := map[string]*template.Template{}
	for _, file := range files {
		t, err := template.New(file).Funcs(functions()).ParseFS(assets, "assets/layout.html", "assets/parts.html",
			"assets/"+file)
		if err != nil {
			return nil, fmt.Errorf("the console's page %s: %w", file, err)
		}
		views[file] = t
	}
	return views, nil
}

// functions are what the templates may call.
func functions() template.FuncMap {
	return template.FuncMap{
		"clock":   func(t time.Time) string { return t.UTC().Format("15:04:05") },
		"moment":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"percent": func(part float64) string { return fmt.Sprintf("%.0f %%", part*100) },
		"millis":  func(ms float64) string { return figure(ms) + " ms" },
		"count":   func(n uint64) string { return strconv.FormatUint(n, 10) },
		"period":  period,
	}
}

// period writes a duration in the two units that matter: "3 h 12 min".
func period(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < 0:
		return "0 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}
