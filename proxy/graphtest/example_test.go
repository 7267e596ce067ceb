package graphtest_test

import (
	"fmt"
	"io"
	"log"
	"net/http"

	"graphproxy/proxy/graphtest"
)

func ExampleNewServer() {
	graph, err := graphtest.NewServer(graphtest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer graph.Close()

	r, err := http.NewRequest(http.MethodGet, graph.URL()+"/v1.0/users/adele@contoso.com?$select=displayName", nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, token := range []string{"", "Bearer any"} {
		r.Header.Set("Authorization", token)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			log.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		fmt.Println(res.StatusCode)
	}
	fmt.Println(graph.Count(), "requests")
	// Output:
	// 401
	// 200
	// 2 requests
}
