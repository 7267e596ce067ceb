package curl_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"graphproxy/cmd/graphproxy/policycmd/curl"
)

func TestALineIsReadAsAShellAndCurlReadIt(t *testing.T) {
	for _, row := range []struct {
		name, line string
		want       curl.Request
	}{
		{"an address alone is a GET", `curl https://graph.microsoft.com/v1.0/users`, get("/v1.0/users")},
		{"quotes of both kinds", `curl 'https://x/v1.0/users?$top=5'"&a=1"`, get("/v1.0/users?$top=5&a=1")},
		{"letters together, and a value joined to its letter", `curl -sSLXPATCH https://x/v1.0/me`,
			curl.Request{Method: "PATCH", Target: "/v1.0/me"}},
		{"lines that go on", "curl \\\n  -X DELETE \\\n  https://x/v1.0/users/1", curl.Request{Method: "DELETE",
			Target: "/v1.0/users/1"}},
		{"lines that go on, of Windows", "curl \\\r\n  https://x/v1.0/users/1", get("/v1.0/users/1")},
		{"data make a POST", `curl https://x/v1.0/users -H 'Content-Type: application/json' -d '{"a":"b"}'`,
			curl.Request{Method: "POST", Target: "/v1.0/users", Body: []byte(`{"a":"b"}`)}},
		{"--json", `curl --json '{"a":1}' https://x/v1.0/users`,
			curl.Request{Method: "POST", Target: "/v1.0/users", Body: []byte(`{"a":1}`)}},
		{"data of a browser's copied line", `curl 'https://x/v1.0/users' --data-raw $'{"a":"it\'s"}' --compressed`,
			curl.Request{Method: "POST", Target: "/v1.0/users", Body: []byte(`{"a":"it's"}`)}},
		{"data several times", `curl https://x/v1.0/a -d a=1 -d b=2`,
			curl.Request{Method: "POST", Target: "/v1.0/a", Body: []byte("a=1&b=2")}},
		{"data in a file", `curl -X PUT https://x/v1.0/a --data-binary @body.json`,
			curl.Request{Method: "PUT", Target: "/v1.0/a", BodyFile: "body.json"}},
		{"data of standard input", `curl https://x/v1.0/a -d @-`, curl.Request{Method: "POST", Target: "/v1.0/a",
			BodyFile: "-"}},
		{"data that begin with @ all the same", `curl https://x/v1.0/a --data-raw @me`,
			curl.Request{Method: "POST", Target: "/v1.0/a", Body: []byte("@me")}},
		{"an upload", `curl -T photo.jpg 'https://x/v1.0/users/1/photo/$value'`,
			curl.Request{Method: "PUT", Target: "/v1.0/users/1/photo/$value", BodyFile: "photo.jpg"}},
		{"--get puts data into the query", `curl -G https://x/v1.0/users -d '$top=5' --data-urlencode '$filter=a eq 1'`,
			get("/v1.0/users?$top=5&$filter=a+eq+1")},
		{"--url-query", `curl --url-query '$top=5' --url 'https://x/v1.0/users?a=1'`, get("/v1.0/users?a=1&$top=5")},
		{"--head", `curl -I https://x/v1.0/users`, curl.Request{Method: "HEAD", Target: "/v1.0/users"}},
		{"a header that holds a variable", `curl -H "Authorization: Bearer $KEY" https://x/v1.0/users`, get("/v1.0/users")},
		{"a variable for scheme and host", `curl "$BASE/v1.0/users"`, get("/v1.0/users")},
		{"a variable in braces for scheme and host", `curl ${BASE}/v1.0/users`, get("/v1.0/users")},
		{"no scheme", `curl localhost:8080/v1.0/users`, get("/v1.0/users")},
		{"an address with a user and a port", `curl http://u:p@127.0.0.1:8080/v1.0/users`, get("/v1.0/users")},
		{"a fragment, which is not sent", `curl 'https://x/v1.0/users#here'`, get("/v1.0/users")},
		{"an address in a query", `curl 'https://x/v1.0/users?$id=https://y/v1.0/z'`,
			get("/v1.0/users?$id=https://y/v1.0/z")},
		{"what comes after --", `curl -s -- https://x/v1.0/users`, get("/v1.0/users")},
		{"an option with an equals sign", `curl --request=PATCH https://x/v1.0/me`, curl.Request{Method: "PATCH",
			Target: "/v1.0/me"}},
		{"options whose values are passed over", `curl -o out.json -u a:b -m 5 --unix-socket /run/g.sock http://x/v1.0/users`,
			get("/v1.0/users")},
		{"keys in braces", `curl 'https://x/v1.0/users/{id}'`, get("/v1.0/users/{id}")},
		{"an escape of the shell", `curl https://x/v1.0/users\?\$top=5`, get("/v1.0/users?$top=5")},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := curl.Parse(row.line)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func get(target string) curl.Request { return curl.Request{Method: "GET", Target: target} }

func TestALineThatHasNoOneRequestIsAnErrorWithItsCure(t *testing.T) {
	for _, row := range []struct{ name, line, want string }{
		{"no address", `curl -s`, "0 addresses"},
		{"two addresses", `curl https://x/v1.0/a https://x/v1.0/b`, "2 addresses"},
		{"two commands", `curl https://x/v1.0/a; rm x`, "more than one command"},
		{"a command in a command", "curl https://x/v1.0/$(whoami)", "cannot be split"},
		{"a quote that does not end", `curl 'https://x/v1.0/a`, "a quote does not end"},
		{"a variable in the path", `curl https://x/v1.0/users/$ID`, "$ID is a variable"},
		{"an option of OData that the shell takes", `curl "https://x/v1.0/users?$select=id"`, "$select is a variable"},
		{"a variable in the body", `curl https://x/v1.0/a -d "{\"a\":\"$NAME\"}"`, "$NAME is a variable"},
		{"an option that is not known", `curl --teleport https://x/v1.0/a`, "--teleport of curl is not known"},
		{"a letter that is not known", `curl -Z https://x/v1.0/a`, "-Z of curl is not known"},
		{"a form", `curl -F a=b https://x/v1.0/a`, "a form"},
		{"no path", `curl https://graph.microsoft.com`, "has no path"},
		{"an option without its value", `curl https://x/v1.0/a -X`, "-X has no value"},
		{"a body in two places", `curl https://x/v1.0/a -d @f -d b`, "join them"},
		{"a body in two files", `curl https://x/v1.0/a -d @f -d @g`, "join them"},
		{"a query in a file", `curl -G https://x/v1.0/a -d @f`, "write it into the address"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := curl.Parse(row.line); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v, want it to contain %q", err, row.want)
			}
		})
	}
}

func TestNoErrorRepeatsASecret(t *testing.T) {
	const secret = "eyJ0eXAi"
	for _, line := range []string{
		`curl -H 'Authorization: Bearer ` + secret + `' https://x`,
		`curl --oauth2-bearer ` + secret + ` https://x/v1.0/a https://x/v1.0/b`,
		`curl --header=` + secret + ` --nothing https://x/v1.0/a`,
		`curl --` + secret + secret + secret + secret + ` https://x/v1.0/a`,
		`curl -u a:` + secret + ` 'https://x/v1.0/a`,
		`curl -d ` + secret + ` -d @f https://x/v1.0/a`,
	} {
		if _, err := curl.Parse(line); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range []string{`curl https://x/v1.0/users`, `curl -XPOST "$A/b" -d $'a\'b'`, "curl \\\n x",
		`curl {a,b}`, "curl \x00/"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		r, err := curl.Parse(line)
		if err == nil && !strings.HasPrefix(r.Target, "/") {
			t.Errorf("%q is read as %+v", line, r)
		}
	})
}
