package proxy_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Whatever the handler lets through, what arrives at Graph reads there as what was asked for, is covered by the rule that the
// record names, and by no deny rule: by a reading (graphtest.Read) and a matching (plainRule) that share nothing with the
// proxy's own. Each check makes 20 requests; -rapid.checks makes more checks.
func TestWhatIsAllowedIsCoveredAsGraphReadsIt(t *testing.T) {
	file := readFile(t, "testdata/bypass/policy.yaml")
	policy := readRules(t, file)
	r := newRig(t, file)
	outcomes := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		for range 20 {
			method, target := drawMethod(rt), drawTarget(rt)
			outcome, problem := r.outcome(t, policy, method, target)
			if outcomes[outcome]++; problem != "" {
				rt.Fatalf("%s %s: %s", method, target, problem)
			}
		}
	})
	total := 0
	for _, n := range outcomes {
		total += n
	}
	t.Logf("%d requests: %v", total, outcomes)
	for _, outcome := range []string{"allow", "deny", "refuse"} {
		if outcomes[outcome]*100 < total*3 && !t.Failed() {
			t.Errorf("only %d of %d requests came to %q: the grammar has lost its balance", outcomes[outcome], total, outcome)
		}
	}
}

// outcome takes one request through the handler. Outcome is the decision of its record, or "broken" for what net/http does not
// take; problem says what must not be.
func (r *rig) outcome(t *testing.T, policy []plainRule, method, target string) (outcome, problem string) {
	t.Helper()
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: graphproxy\r\n\r\n")))
	if err != nil {
		return "broken", ""
	}
	req.RemoteAddr = "127.0.0.1:50000"
	r.audit.reset()
	r.graph.Reset()
	r.handler.ServeHTTP(httptest.NewRecorder(), req)
	records, got := auditLines(t, r.audit.all()), r.graph.Requests()
	if len(records) != 1 {
		return "", fmt.Sprintf("%d records", len(records))
	}
	rec := records[0]
	switch allowed := rec.Decision == "allow"; {
	case !allowed && len(got) == 0:
		return rec.Decision, ""
	case !allowed || len(got) != 1:
		return "", fmt.Sprintf("%s, and Graph received %d requests", rec.Decision, len(got))
	case got[0].Method != method:
		return "", "Graph received the method " + got[0].Method
	}
	if diff := cmp.Diff(readingOf(target), readingOf(got[0].Target)); diff != "" {
		return "", fmt.Sprintf("Graph reads %s otherwise: %s", got[0].Target, diff)
	}
	return rec.Decision, uncovered(policy, rec, got[0].Method, got[0].Target)
}

func drawMethod(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"GET", "GET", "GET", "GET", "GET", "HEAD", "DELETE", "POST", "PATCH", "PUT"}).Draw(rt, "method")
}

// drawTarget spells one of the skeletons: "@" stands for a key, "~" for a path in a drive.
func drawTarget(rt *rapid.T) string {
	skeletons := []string{
		"users", "users/@", "users/@", "users/@/messages", "users/@/manager", "users/@/photo/$value", "users/@/mailFolders/inbox/messages/@",
		"users/@/mailFolders/inbox/messages/@/attachments", "users/@/mailFolders/@/messages", "users/@/sendMail", "users/delta", "users/$count",
		"groups", "groups/@", "groups/@/members/@", "groups/@/members/@/$ref", "groups/@/members/$ref", "groups/@/members/microsoft.graph.user",
		"applications@", "directoryObjects/getByIds", "reports/getEmailActivityUserDetail@", "devices/@",
		"teams/@", "teams/@/channels/@", "teams/@/channels/@/messages", "teams/@/channels/@/messages/@", "teams/@/archive", "teams/@/unarchive",
		"drives/@/root:/~", "drives/@/root:/~:/children", "drives/@/root:/~:/content", "sites/contoso.sharepoint.com:/~:/lists", "users/@/profile",
	}
	var b strings.Builder
	b.WriteString(rapid.SampledFrom(versions()).Draw(rt, "version"))
	for i, part := range strings.Split(rapid.SampledFrom(skeletons).Draw(rt, "skeleton"), "/") {
		name, isKeyed := strings.CutSuffix(part, "@")
		switch {
		case part == "@":
			b.WriteString(drawKey(rt, "/"))
			continue
		case strings.HasPrefix(part, "~"):
			b.WriteString("/" + drawPath(rt) + part[1:])
			continue
		case i > 0:
			b.WriteString(rapid.SampledFrom(separators()).Draw(rt, "separator"))
		}
		b.WriteString(drawSpelling(rt, name))
		if isKeyed {
			b.WriteString(drawKey(rt, ""))
		}
	}
	b.WriteString(rapid.SampledFrom([]string{"", "", "", "", "", "", "/", "//", "%20", ".", "()", ";x", "#", "%00", ":"}).Draw(rt, "end"))
	return b.String() + drawQuery(rt)
}

func versions() []string {
	v := []string{"/beta/", "/V1.0/", "/v1.0//", "//v1.0/", "/v1.0/../v1.0/", "/v2.0/", "/", "/v1.0/myOrganization/", "/v1.0/" + tenant + "/", "/v1.0/fabrikam.com/"}
	return append(v, strings.Split(strings.Repeat("/v1.0/ ", 60), " ")[:60]...)
}

func separators() []string {
	s := []string{"//", "/./", "/x/../", "%2F", "%252F", `\`, "%5C", "/graph.user/", "/microsoft.graph.team/", "/%2e/", ";/", "/;/", "%00/"}
	return append(s, strings.Split(strings.Repeat("/ ", 100), " ")[:100]...)
}

// drawSpelling spells a name, mostly as one that Graph takes for the same.
func drawSpelling(rt *rapid.T, name string) string {
	switch rapid.IntRange(0, 40).Draw(rt, "spelling") {
	case 0, 1:
		return strings.ToUpper(name)
	case 2:
		return strings.ToLower(name)
	case 3, 4:
		return escapeAt(name, rapid.IntRange(0, max(0, len(name)-1)).Draw(rt, "at"))
	case 5:
		return escapeAt(escapeAt(name, 0), 0)
	case 6:
		return "graph." + name
	case 7:
		return "microsoft.graph." + name
	case 8:
		return name + "()"
	case 9:
		return name + rapid.SampledFrom([]string{"%20", ".", ";v=1", "%00", "%E2%80%8B", "%C0%AF", "%23", "%3F", "x", "(x='y')", "('y')"}).Draw(rt, "junk")
	case 10:
		return rapid.SampledFrom([]string{"%20", ".", "..", "%2e%2e", "delta", "$ref", "%24count", "getByIds", "*"}).Draw(rt, "instead")
	}
	return name
}

// escapeAt escapes one byte, and the "%" of what is escaped already.
func escapeAt(s string, i int) string {
	if s == "" {
		return s
	}
	return fmt.Sprintf("%s%%%02x%s", s[:i], s[i], s[i+1:])
}

// drawKey spells a key behind slash, which is empty where the key must stand in parentheses.
func drawKey(rt *rapid.T, slash string) string {
	key := rapid.SampledFrom([]string{
		"adele@contoso.com", "adele@contoso.com", "no-reply@contoso.com", "7", "1f0a", "aaaa1", "D7", "inbox", "b!contoso",
		"ceo@contoso.com", "CEO@contoso.com", "0f8fad5b-d9cb-469f-a165-70867728950e", "adele_fabrikam.com#EXT#@contoso.com", "adele@fabrikam.com",
		"delta", "getAllMessages", "$ref", "$count", "microsoft.graph.user", "graph.delta", "o'neill", "a b", "..", "x/messages", "é", "%2e%2e",
	}).Draw(rt, "key")
	quoted := "('" + strings.ReplaceAll(url.PathEscape(key), "'", "''") + "')"
	form := rapid.IntRange(0, 16).Draw(rt, "form")
	if slash == "" {
		form = 10 + form%7
	}
	switch form {
	case 8, 9, 16:
		return quoted
	case 10:
		return "(userPrincipalName=" + quoted[1:]
	case 11, 12:
		return "(appId=" + quoted[1:]
	case 13:
		return "(" + key + ")"
	case 14, 15:
		return "(Period=" + quoted[1:]
	}
	key = drawEscapes(rt, key)
	if form == 7 {
		key += "@" + tenant
	}
	return slash + key
}

// drawEscapes escapes what must be, what need not, or nothing.
func drawEscapes(rt *rapid.T, key string) string {
	switch rapid.IntRange(0, 6).Draw(rt, "escapes") {
	case 0:
		return key
	case 1:
		return url.QueryEscape(key)
	case 2:
		return escapeAt(key, rapid.IntRange(0, len(key)-1).Draw(rt, "at"))
	case 3:
		return url.PathEscape(url.PathEscape(key))
	}
	return url.PathEscape(key)
}

func drawPath(rt *rapid.T) string {
	part := rapid.SampledFrom([]string{"Reports", "Reports", "Reports", "REPORTS", "%52eports", "Salaries", "salaries", "Salarie%73", "Public", "teams", "a.txt", "q1", "..", ".", "", "%2e%2e",
		"x%2F..", "Salaries.", "Salaries%20", "a%20b", "$ref", "a%23b", "100%25", "%2553alaries", "a;b", "a:b", "é", "delta()", `a\b`})
	return strings.Join(rapid.SliceOfN(part, 1, 4).Draw(rt, "path"), "/")
}

// drawQuery spells up to three query options.
func drawQuery(rt *rapid.T) string {
	n := rapid.SampledFrom([]int{0, 0, 0, 0, 1, 1, 2, 3}).Draw(rt, "options")
	query := ""
	for i := range n {
		separator := "?"
		if i > 0 {
			separator = rapid.SampledFrom([]string{"&", "&", "&", "&", "&", "&", "&&", ";", "%26", "&amp;", "?", "&#"}).Draw(rt, "and")
		}
		name := rapid.SampledFrom([]string{"select", "select", "expand", "expand", "top", "filter", "orderby", "search", "x"}).Draw(rt, "option")
		query += separator + drawOptionName(rt, name)
		if value := rapid.SampledFrom(optionValues(name)).Draw(rt, "value"); value != "" {
			query += "=" + value
		}
	}
	return query
}

func drawOptionName(rt *rapid.T, name string) string {
	return rapid.SampledFrom([]string{
		"$" + name, "$" + name, "$" + name, "$" + name, "$" + name, "$" + name, name, "%24" + name, "$" + strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:],
		"$" + escapeAt(name, 0), "%2524" + name, "$$" + name, "%20$" + name, "$" + name + "%20", "+$" + name, "@" + name, "$" + name + "[]", "$" + name + "%00",
	}).Draw(rt, "name")
}

func optionValues(name string) []string {
	switch name {
	case "select":
		return []string{"id", "id", "id,displayName", "ID", "id%2CdisplayName", "", "*", "mail", "id,mail", "deviceId", "id;mail", "id,%20displayName", "%69d", "id%00", "id,*"}
	case "expand":
		return []string{
			"manager", "manager", "manager($select=id)", "memberOf($select=id)", "members($select=id)", "members($select=id;$expand=manager)", "manager($levels=max;$select=id)",
			"*", "", "owners", "manager,extensions", "manager($expand=directReports)", "manager%28$expand%3Dextensions%29", "members($expand=owners)", "members($select=id;$expand=*)",
			"manager/directReports", "graph.user/manager", "manager($filter=a%20eq%20'x';$expand=extensions)", "manager($select=id,$expand=owners)", "m%61nager", "m%2561nager",
		}
	case "top":
		return []string{"5", "50", "51", "0", "-1", "", "5%30", "%35", "50;x", "1e9", "999"}
	case "filter", "search":
		return []string{"displayName%20eq%20'x'", "displayName+eq+'x'", "displayName%20eq%20'x'%20or%20true", "displayName%20eq%20'secret'", "a%26$expand=owners", "displayName%20eq%20'x;y'", "'"}
	case "orderby":
		return []string{"displayName", "displayName%20desc", "mail"}
	}
	return []string{"", "y", "a?$expand=owners", "%23", "%zz"}
}
