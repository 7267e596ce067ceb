package links_test

import (
	"strings"
	"testing"

	"graphproxy/proxy/links"
)

func TestTwoAddressesMakeARewriterIfNothingStandsBehindTheHost(t *testing.T) {
	for _, good := range []string{
		"https://graph.microsoft.com", "HTTPS://Graph.Microsoft.com", "https://graph.microsoft.com:443",
		"http://localhost:8080",
		"http://127.0.0.1:1", "http://[::1]:8080", "https://dod-graph.microsoft.us", "https://graph_proxy",
	} {
		if _, err := links.New(good, good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "graph.microsoft.com", "https://", "https:///", "https://graph.microsoft.com/",
		"https://graph.microsoft.com/v1.0",
		"https://graph.microsoft.com?a", "https://graph.microsoft.com#a", "ftp://graph.microsoft.com",
		"https://a@graph.microsoft.com",
		`https://graph"x`, `https://graph\x`, "https://graph x", "https://graph\r\nx: y", "https://gräph", "https://%67raph",
		"https://graph:x", "https://:443", "https://[::1", "https://graph,fabrikam",
	} {
		if _, err := links.New(graph, bad); err == nil || !strings.HasPrefix(err.Error(), "the address of the proxy: ") {
			t.Errorf("%q as the proxy's: %v", bad, err)
		}
		if _, err := links.New(bad, public); err == nil || !strings.HasPrefix(err.Error(), "the address of Graph: ") {
			t.Errorf("%q as Graph's: %v", bad, err)
		}
	}
}

func TestALocationAtGraphBecomesOneAtTheProxy(t *testing.T) {
	r := rewriter(t)
	for _, c := range []struct{ name, from, to string }{
		{"a whole address", graph + "/v1.0/users/1", public + "/v1.0/users/1"},
		{"one in the other version", graph + "/beta/users/1", public + "/beta/users/1"},
		{"one of the directory's own", graph + "/v2/7a1c/directoryObjects/9/Microsoft.DirectoryServices.User",
			public + "/v2/7a1c/directoryObjects/9/Microsoft.DirectoryServices.User"},
		{"one with the port that is the scheme's own", graph + ":443/v1.0/users", public + "/v1.0/users"},
		{"one in capitals", "HTTPS://GRAPH.Microsoft.com/v1.0/Users", public + "/v1.0/Users"},
		{"one without a path", graph, public},
		{"one with a query and no path", graph + "?a=b", public + "?a=b"},
		{"a delta link to begin anew", graph + "/v1.0/drives/1/root/delta?token='x'&$top=2",
			public + "/v1.0/drives/1/root/delta?token='x'&$top=2"},
		{"a path without a version", "/teams('1')/operations('2')", public + "/v1.0/teams('1')/operations('2')"},
		{"a path with a version", "/v1.0/teams('1')", public + "/v1.0/teams('1')"},
		{"a path with the other version", "/beta/teams('1')", public + "/beta/teams('1')"},
		{"a path of the directory's own", "/v2/7a1c/directoryObjects/9", public + "/v2/7a1c/directoryObjects/9"},
		{"a path that begins as a version does", "/v1.0x/a", public + "/v1.0/v1.0x/a"},
		{"a version alone", "/beta?a", public + "/beta?a"},
		{"a slash", "/", public + "/v1.0/"},
	} {
		t.Run(c.name, func(t *testing.T) { equal(t, r.Location(c.from, "v1.0"), c.to) })
	}
	t.Run("the version of the request is used", func(t *testing.T) {
		equal(t, r.Location("/teams('1')", "beta"), public+"/beta/teams('1')")
	})
	t.Run("without a version a path stays as it is", func(t *testing.T) {
		equal(t, r.Location("/teams('1')", ""), "/teams('1')")
	})
}

// foreign are addresses that look like Graph's but are not.
var foreign = []string{
	"https://graph.microsoft.com.fabrikam.example/v1.0/users", "https://graph.microsoft.com@fabrikam.example/v1.0",
	"https://graph.microsoft.com:443@fabrikam.example/", "https://graph.microsoft.com:8443/v1.0",
	"https://graph.microsoft.com:4430/v1.0",
	"https://graph.microsoft.com:/v1.0", "https://graph.microsoft.co", "https://graph.microsoft.comx",
	"http://graph.microsoft.com/v1.0",
	"https://xgraph.microsoft.com/v1.0", "https://graph.microsoft.com\\v1.0", "https://graph.microsoft.com%2Fv1.0",
	"https://graph.microsoft.com ",
	" https://graph.microsoft.com/v1.0", "https:/graph.microsoft.com/v1.0",
	"https://fabrikam.example/?u=https://graph.microsoft.com/v1.0",
	"https://contoso.sharepoint.com/_api/v2.0/monitor/1?tempauth=x", "https://api.onedrive.com/monitor/1",
	"https://sn3302.up.1drv.com/up/1",
	"https://outlook.office.com/api/v2.0/Users('1')/Messages('2')/AttachmentSessions('3')?authtoken=x",
	"https://reports.office.com/data/download/1", "https://print.print.microsoft.com/downloads/1?tempauthtoken=x",
	"//graph.microsoft.com/v1.0", "//fabrikam.example/v1.0", `/\fabrikam.example/`, "", "users/1", "?a=b", "#a",
	"mailto:adele@contoso.com",
}

func TestAnAddressThatIsNotGraphsIsNotTouched(t *testing.T) {
	r := rewriter(t)
	for _, value := range foreign {
		equal(t, r.Location(value, "v1.0"), value)
		equal(t, rewrite(t, `{"@odata.nextLink":`+quoted(value)+`}`, links.Options{}),
			`{"@odata.nextLink":`+quoted(value)+`}`)
		answer := `{"responses":[{"id":"1","headers":{"Location":` + quoted(value) + `}}]}`
		equal(t, rewrite(t, answer, links.Options{}), answer)
	}
}

func TestAnAddressAtTheProxyBecomesGraphs(t *testing.T) {
	r := rewriter(t)
	for _, c := range []struct {
		from, to string
		changed  bool
	}{
		{public + "/v1.0/users/1", graph + "/v1.0/users/1", true},
		{"https://Graph.Contoso.com:443/v1.0/users('a/b')?x#y", graph + "/v1.0/users('a/b')?x#y", true},
		{public, graph, true},
		{graph + "/v1.0/users/1", graph + "/v1.0/users/1", false},
		{public + ".fabrikam.example/v1.0", public + ".fabrikam.example/v1.0", false},
		{"http://graph.contoso.com/v1.0", "http://graph.contoso.com/v1.0", false},
		{"/v1.0/users/1", "/v1.0/users/1", false},
		{"", "", false},
	} {
		got, changed := r.Back(c.from)
		if equal(t, got, c.to); changed != c.changed {
			t.Errorf("%s: changed is %v", c.from, changed)
		}
	}
}

func TestAnAddressWithAPortIsOnlyThatPort(t *testing.T) {
	r, err := links.New("http://localhost:9000", "http://[::1]:8080")
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		"http://localhost:9000/v1.0":      "http://[::1]:8080/v1.0",
		"http://LOCALHOST:9000":           "http://[::1]:8080",
		"http://localhost:90000/v1.0":     "http://localhost:90000/v1.0",
		"http://localhost/v1.0":           "http://localhost/v1.0",
		"http://localhost:9000:80/v1.0":   "http://localhost:9000:80/v1.0",
		"https://localhost:9000/v1.0":     "https://localhost:9000/v1.0",
		"http://localhost:9000@fabrikam/": "http://localhost:9000@fabrikam/",
	} {
		equal(t, r.Location(from, "v1.0"), to)
	}
}
