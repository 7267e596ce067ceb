package entratest_test

import (
	"crypto/tls"
	"fmt"
	"log"
	"net/http"
	"net/url"

	"graphproxy/auth/entratest"
)

func ExampleNewServer() {
	ca, err := entratest.NewCA()
	if err != nil {
		log.Fatal(err)
	}
	entra, err := entratest.NewServer(entratest.Options{CA: ca})
	if err != nil {
		log.Fatal(err)
	}
	defer entra.Close()
	entra.Add(entratest.App{
		TenantID: "contoso.onmicrosoft.com",
		ClientID: "hr-sync",
		Secret:   "the secret",
		Roles:    []string{"User.Read.All"},
	})
	entra.Fail(entratest.Fault{Status: 503, RetryAfter: "1", Times: 1})

	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for range 2 {
		res, err := client.PostForm(entra.URL()+"/contoso.onmicrosoft.com/oauth2/v2.0/token", url.Values{
			"grant_type":    {"client_credentials"},
			"client_id":     {"hr-sync"},
			"client_secret": {"the secret"},
			"scope":         {"https://graph.microsoft.com/.default"},
		})
		if err != nil {
			log.Fatal(err)
		}
		res.Body.Close()
		fmt.Println(res.Status)
	}
	// Output:
	// 503 Service Unavailable
	// 200 OK
}
