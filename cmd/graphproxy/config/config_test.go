package config_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"graphproxy/cmd/graphproxy/config"
)

// The table in docs/configuration.md has the code's text for each variable. A default that depends on other
// variables stands in the second column there, and at the end of the meaning in the code.
func TestTheDocumentedVariablesAreTheOnesThatAreRead(t *testing.T) {
	text, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := regexpCut(string(text), `<!-- variables: begin.*-->`)
	table, _, _ = regexpCut(table, `<!-- variables: end -->`)
	want := []string{"| variable | default | meaning |", "|---|---|---|"}
	for _, v := range config.Variables() {
		if v.Meaning == "" {
			t.Errorf("%s: the code does not say what it is for", v.Name)
		}
		meaning, usual, _ := strings.Cut(v.Meaning, ". Default: ")
		if v.Default != "" {
			usual = "`" + v.Default + "`"
		}
		want = append(want, strings.ReplaceAll("| `"+v.Name+"` | "+usual+" | "+meaning+" |", "|  |", "| |"))
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(table), "\n")); diff != "" {
		t.Errorf("docs/configuration.md (-code +docs):\n%s", diff)
	}
}

func TestVariablesAreWrittenForATerminal(t *testing.T) {
	var b strings.Builder
	if err := config.WriteVariables(&b, 80); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if len(line) > 81 || strings.Contains(line, "`") || strings.Contains(line, "](") {
			t.Errorf("line %q", line)
		}
	}
	if !strings.Contains(b.String(), "  GRAPHPROXY_LISTEN (default 127.0.0.1:8080)\n      where callers connect:") {
		t.Errorf("%s", b.String())
	}
}

func regexpCut(s, sep string) (before, after string, found bool) {
	at := regexp.MustCompile(sep).FindStringIndex(s)
	if at == nil {
		return s, "", false
	}
	return s[:at[0]], s[at[1]:], true
}

func TestACloudSetsThreeThingsTogetherAndWhatIsSetByItselfWins(t *testing.T) {
	type three struct{ Authority, Graph, Scope string }
	for _, test := range []struct {
		name    string
		environ []string
		want    three
	}{
		{"nothing set is the public cloud", nil,
			three{"https://login.microsoftonline.com", "https://graph.microsoft.com", "https://graph.microsoft.com/.default"}},
		{"a cloud sets all three", []string{"GRAPHPROXY_CLOUD=USGov-DoD"},
			three{"https://login.microsoftonline.us", "https://dod-graph.microsoft.us",
				"https://dod-graph.microsoft.us/.default"}},
		{"the scope follows Graph's address", []string{"GRAPHPROXY_GRAPH_URL=https://graph.fabrikam.example/"},
			three{"https://login.microsoftonline.com", "https://graph.fabrikam.example",
				"https://graph.fabrikam.example/.default"}},
		{"each can be set by itself",
			[]string{"GRAPHPROXY_CLOUD=china", "AZURE_AUTHORITY_HOST=https://login.fabrikam.example",
				"GRAPHPROXY_SCOPE=api://x/.default"}, three{"https://login.fabrikam.example",
				"https://microsoftgraph.chinacloudapi.cn", "api://x/.default"}},
		{"an empty variable is not set", []string{"GRAPHPROXY_CLOUD=", "GRAPHPROXY_SCOPE="},
			three{"https://login.microsoftonline.com", "https://graph.microsoft.com", "https://graph.microsoft.com/.default"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, problems := config.Parse(test.environ)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if diff := cmp.Diff(test.want, three{c.AuthorityHost, string(c.GraphURL), c.Scope}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSettingsAreReadAsTheyAreMeant(t *testing.T) {
	c, problems := config.Parse([]string{
		"GRAPHPROXY_LISTEN= 127.0.0.1:1 , [::1]:2,:3", "GRAPHPROXY_FORWARD_HEADERS=X-Contoso, X-Fabrikam",
		"GRAPHPROXY_SHUTDOWN_TIMEOUT=1m30s", "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN=1", "GRAPHPROXY_MAX_IN_FLIGHT=7",
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if diff := cmp.Diff(config.Addresses{"127.0.0.1:1", "[::1]:2", ":3"}, c.Listen); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(config.List{"X-Contoso", "X-Fabrikam"}, c.ForwardHeaders); diff != "" {
		t.Error(diff)
	}
	if time.Duration(c.ShutdownTimeout) != 90*time.Second || !bool(c.SendChain) || c.MaxInFlight != 7 || !c.Public() {
		t.Errorf("%+v", c)
	}
}

func TestNamesOfTheProxyAreReadWithoutTheirPorts(t *testing.T) {
	c, problems := config.Parse(
		[]string{"GRAPHPROXY_HOSTS=graphproxy, graphproxy.infra.svc:8080,Graph_1.Contoso.com.,10.0.0.7"},
	)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if diff := cmp.Diff(config.HostNames{"graphproxy", "graphproxy.infra.svc", "Graph_1.Contoso.com", "10.0.0.7"},
		c.Hosts); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{
		"https://graph.contoso.com", "*.contoso.com", "*", "a,,b", "a b", "graph.contoso.com/x", "gr\u00e4ph.contoso.com",
		"user@graph.contoso.com", "graph.contoso.com:x", ":8080", ".",
		"-a", "[::1]", "canary-secret!",
	} {
		_, problems := config.Parse([]string{"GRAPHPROXY_HOSTS=" + bad})
		if len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), "GRAPHPROXY_HOSTS ") ||
			strings.Contains(problems[0].Error(), "canary") {
			t.Errorf("%q: %v", bad, problems)
		}
	}
}

func TestWhereCallersComeFrom(t *testing.T) {
	for _, test := range []struct {
		name         string
		listen       string
		public, unix bool
	}{
		{"this machine", "127.0.0.1:8080,[::1]:8080,localhost:8082", false, false},
		{"a unix socket is of this machine", "unix:/run/graphproxy.sock", false, true},
		{"other machines, and a unix socket", "unix:/run/graphproxy.sock,:8080", true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, problems := config.Parse([]string{"GRAPHPROXY_LISTEN=" + test.listen})
			if len(problems) > 0 || c.Public() != test.public || c.Unix() != test.unix {
				t.Errorf("%v, public %v, unix %v", problems, c.Public(), c.Unix())
			}
		})
	}
	c, problems := config.Parse([]string{"GRAPHPROXY_TRUSTED_PROXIES=10.20.0.0/16, 10.0.0.7,2001:db8::1,2001:db8:1::/48",
		"GRAPHPROXY_UNIX_SOCKET_MODE=666"})
	want := []string{"10.20.0.0/16", "10.0.0.7/32", "2001:db8::1/128", "2001:db8:1::/48"}
	var got []string
	for _, p := range c.TrustedProxies {
		got = append(got, p.String())
	}
	if diff := cmp.Diff(want, got); diff != "" || len(problems) > 0 || c.UnixSocketMode != 0o666 {
		t.Errorf("%v, mode %o, networks (-want +got):\n%s", problems, c.UnixSocketMode, diff)
	}
}

func TestVariablesThatTheOperatorDidNotSetAreNoErrors(t *testing.T) {
	// What Kubernetes adds for Services called graphproxy and graphproxy-admin.
	_, problems := config.Parse([]string{
		"GRAPHPROXY_BIN=/usr/local/bin/graphproxy", "GRAPHPROXY_SERVICE_HOST=10.0.0.7", "GRAPHPROXY_SERVICE_PORT=8080",
		"GRAPHPROXY_SERVICE_PORT_HTTP=8080", "GRAPHPROXY_PORT=tcp://10.0.0.7:8080",
		"GRAPHPROXY_PORT_8080_TCP=tcp://10.0.0.7:8080", "GRAPHPROXY_PORT_8080_TCP_PROTO=tcp",
		"GRAPHPROXY_PORT_8080_TCP_PORT=8080", "GRAPHPROXY_PORT_8080_TCP_ADDR=10.0.0.7",
		"GRAPHPROXY_ADMIN_SERVICE_HOST=10.0.0.8", "GRAPHPROXY_ADMIN_PORT=tcp://10.0.0.8:8081",
		"GRAPHPROXY_ADMIN_PORT_8081_TCP=tcp://10.0.0.8:8081",
		"GRAPHPROXY_UNKNOWN=", "AZURE_SUBSCRIPTION_ID=x", "PATH=/bin",
	})
	if len(problems) > 0 {
		t.Errorf("%v", problems)
	}
}

func TestAMisspeltVariableIsAnError(t *testing.T) {
	for set, want := range map[string]string{
		"GRAPHPROXY_LISTN=x": "GRAPHPROXY_LISTN is not a variable that this version knows; did you mean " +
			"GRAPHPROXY_LISTEN?",
		"GRAPHPROXY_PORT=8080": "GRAPHPROXY_PORT is not a variable that this version knows; remove it, or see " +
			"docs/configuration.md for the variables that there are",
		"GRAPHPROXY_APPS_0_CLIENT_SECRT=x": "GRAPHPROXY_APPS_0_CLIENT_SECRT is not a variable that this version knows; " +
			"did you mean GRAPHPROXY_APPS_0_CLIENT_SECRET?",
		"GRAPHPROXY_APPS_00_NAME=x": "GRAPHPROXY_APPS_00_NAME is not a variable that this version knows; remove it, or " +
			"see docs/configuration.md for the variables that there are",
		"GRAPHPROXY_APP_0_NAME=x": "GRAPHPROXY_APP_0_NAME is not a variable that this version knows; remove it, or see " +
			"docs/configuration.md for the variables that there are",
		"GRAPHPROXY_LOG_LEVLE=debug": "GRAPHPROXY_LOG_LEVLE is not a variable that this version knows; did you mean " +
			"GRAPHPROXY_LOG_LEVEL?",
	} {
		t.Run(set, func(t *testing.T) {
			_, problems := config.Parse([]string{set})
			if len(problems) == 0 || problems[0].Error() != want {
				t.Errorf("%v\nwant %s", problems, want)
			}
		})
	}
}

func TestTheDocumentedSuffixesAreTheOnesThatAreRead(t *testing.T) {
	text, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := regexpCut(string(text), `<!-- suffixes: begin -->`)
	list, _, _ = regexpCut(list, `<!-- suffixes: end -->`)
	var documented, read []string
	for _, m := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(list, -1) {
		documented = append(documented, m[1])
	}
	params, err := env.GetFieldParams(new(config.Registration))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range params {
		read = append(read, p.Key)
	}
	if diff := cmp.Diff(read, documented); diff != "" {
		t.Errorf("docs/configuration.md (-code +docs):\n%s", diff)
	}
}

func TestSeveralAppRegistrations(t *testing.T) {
	one := []string{"GRAPHPROXY_APPS_7_NAME=hr", "GRAPHPROXY_APPS_7_TENANT_ID=t", "GRAPHPROXY_APPS_7_CLIENT_ID=c",
		"GRAPHPROXY_APPS_7_CLIENT_SECRET=s"}
	azure := []string{"AZURE_TENANT_ID=t", "AZURE_CLIENT_ID=c", "AZURE_CLIENT_SECRET=s"}
	for _, tt := range []struct {
		name     string
		environ  []string
		apps     []string
		problems string
	}{
		{"none is the default one", nil, []string{"default"}, ""},
		{"one instead of the default one, with a gap before it", one, []string{"hr"}, ""},
		{"one beside it", append(azure, one...), []string{"default", "hr"}, ""},
		{"one called default", []string{"GRAPHPROXY_APPS_0_NAME=default"}, []string{"default"}, ""},
		{"two called default", append(azure, "GRAPHPROXY_APPS_0_NAME=default"), []string{"default", "default"},
			"GRAPHPROXY_APPS_0_NAME is the name of another app registration, too, that of AZURE_*, which is called default: " +
				"give each its own"},
		{"two of a name", append(one, "GRAPHPROXY_APPS_1_NAME=hr"), []string{"hr", "hr"},
			"GRAPHPROXY_APPS_7_NAME is the name of another app registration, too, that of GRAPHPROXY_APPS_1: give each its own"},
		{"no name", []string{"GRAPHPROXY_APPS_0_CLIENT_ID=c"}, []string{""},
			"GRAPHPROXY_APPS_0_NAME is not set: set it to the name that the policy's app: has for this app registration"},
		{"no such name", []string{"GRAPHPROXY_APPS_0_NAME=a b"}, []string{"a b"},
			`GRAPHPROXY_APPS_0_NAME is not made of letters, digits, "-", "_" and ".": write a name that the policy's app: ` +
				`can have`},
		{"a value that cannot be", append(one, "GRAPHPROXY_APPS_7_MANAGED_IDENTITY=maybe"), []string{"hr"},
			"GRAPHPROXY_APPS_7_MANAGED_IDENTITY is neither true nor false: write one of them"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, problems := config.Parse(tt.environ)
			text := ""
			for _, p := range problems {
				text += p.Error()
			}
			var names []string
			for _, a := range c.Apps() {
				names = append(names, a.Name)
			}
			if diff := cmp.Diff(tt.apps, names); diff != "" || text != tt.problems {
				t.Errorf("%s%s", diff, text)
			}
		})
	}
}
