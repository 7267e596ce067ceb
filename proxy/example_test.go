package proxy_test

import (
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"

	"graphproxy/auth/caller"
	"graphproxy/policy"
	"graphproxy/proxy"
)

func ExampleNew() {
	graph := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println("Graph receives", r.Method, r.URL.Path)
	}))
	defer graph.Close()
	root, err := url.Parse(graph.URL)
	if err != nil {
		log.Fatal(err)
	}
	p, err := policy.Parse("policy.yaml",
		[]byte("version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow: [GET /users]\n"))
	if err != nil {
		log.Fatal(err)
	}
	authorization, err := proxy.NewAuthorization(p, caller.Options{})
	if err != nil {
		log.Fatal(err)
	}
	h, err := proxy.New(proxy.Config{
		Graph:         root,
		Apps:          oneApp(fixed{}), // a stand-in for what package auth makes
		Authorization: authorization,
		Log:           slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()

	for _, path := range []string{"/v1.0/users", "/v1.0/groups"} {
		res, err := http.Get(server.URL + path)
		if err != nil {
			log.Fatal(err)
		}
		res.Body.Close()
		fmt.Println(path, res.StatusCode)
	}
	// Output:
	// Graph receives GET /v1.0/users
	// /v1.0/users 200
	// /v1.0/groups 403
}
