package proxy_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// What the handler lets through arrives at Graph with the same reading, is covered by the rule in the record, and
// by no deny rule. The test uses a reading (graphtest.Read) and a matching (plainRule) that share no code with the
// proxy's own. Each check makes 20 requests, fewer under the race detector; -rapid.checks makes more checks.
func TestWhatIsAllowedIsCoveredAsGraphReadsIt(t *testing.T) {
	t.Parallel()
	file := readFile(t, "testdata/bypass/policy.yaml")
	policy := readRules(t, file)
	r := newRig(t, file)
	outcomes := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		for range underRace(20, 4) {
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

// outcome sends one request through the handler. Outcome is the decision of its record, or "broken" for a request
// that net/http refuses; problem explains a wrong result.
func (r *rig) outcome(t *testing.T, policy []plainRule, method, target string) (outcome, problem string) {
	t.Helper()
	req, err := http.ReadRequest(
		bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: graphproxy\r\n\r\n")),
	)
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

// An item of a batch is let through when the same request alone is, and is covered in the same way.
func TestAnItemOfABatchIsAllowedAsTheRequestAloneIs(t *testing.T) {
	t.Parallel()
	file := readFile(t, "testdata/bypass/policy.yaml")
	policy := readRules(t, file)
	r := newRig(t, file)
	sent := 0
	rapid.Check(t, func(rt *rapid.T) {
		items := make([]batchItem, underRace(20, 4))
		for i := range items {
			items[i] = newBatchItem(i, drawMethod(rt), strings.ToValidUTF8(drawTarget(rt), "")) // JSON holds no other text
		}
		arrived, records := r.sendBatch(t, items)
		for _, item := range items {
			target, hasArrived := arrived[item.ID]
			if hasArrived {
				sent++
			}
			asked := "/v1.0" + relative("/v1.0", item.URL)
			if problem := differs(policy, item.Method, asked, target, records[item.ID]); problem != "" {
				rt.Fatalf("%s %s: %s", item.Method, item.URL, problem)
			}
			if alone, _ := r.outcome(t, policy, item.Method, asked); alone != "broken" && hasArrived != (alone == "allow") {
				rt.Fatalf("%s %s: alone %s, in a batch %s", item.Method, item.URL, alone, records[item.ID].Decision)
			}
		}
	})
	if t.Logf("%d items reached Graph", sent); sent == 0 {
		t.Error("no item reached Graph")
	}
}

type batchItem struct {
	ID      string            `json:"id"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    any               `json:"body,omitempty"`
}

func newBatchItem(i int, method, target string) batchItem {
	item := batchItem{ID: fmt.Sprint(i), Method: method, URL: target}
	if strings.HasPrefix(method, "P") {
		item.Headers, item.Body = map[string]string{"Content-Type": "application/json"}, struct{}{}
	}
	return item
}

// sendBatch sends items through the handler, and returns the targets that arrived at Graph and the records, by the
// items' ids.
func (r *rig) sendBatch(t *testing.T, items []batchItem) (arrived map[string]string, records map[string]auditLine) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"requests": items})
	must(t, err)
	req := httptest.NewRequest("POST", "/v1.0/$batch", bytes.NewReader(text))
	req.Host = "graphproxy"
	req.Header.Set("Content-Type", "application/json")
	req.RemoteAddr = "127.0.0.1:50000"
	r.audit.reset()
	r.graph.Reset()
	r.handler.ServeHTTP(httptest.NewRecorder(), req)
	arrived, records = map[string]string{}, map[string]auditLine{}
	if got := r.graph.Requests(); len(got) > 0 {
		var envelope struct{ Requests []batchItem }
		must(t, json.Unmarshal(got[0].Body, &envelope))
		for _, item := range envelope.Requests {
			arrived[item.ID] = "/v1.0" + item.URL
		}
	}
	for _, rec := range auditLines(t, r.audit.all()) {
		records[rec.Item] = rec
	}
	if len(records) != len(items)+1 {
		t.Fatalf("%d records of %d items", len(records), len(items))
	}
	return arrived, records
}

// differs explains a wrong result of an item that arrived as target, which is empty if it did not arrive; "" if the
// result is right.
func differs(policy []plainRule, method, asked, target string, rec auditLine) string {
	switch {
	case (target != "") != (rec.Decision == "allow"):
		return fmt.Sprintf("arrived as %q, decision %s", target, rec.Decision)
	case target == "":
		return ""
	}
	if diff := cmp.Diff(readingOf(asked), readingOf(target)); diff != "" {
		return fmt.Sprintf("Graph reads %s otherwise: %s", target, diff)
	}
	return uncovered(policy, rec, method, target)
}

func drawMethod(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"GET", "GET", "GET", "GET", "GET", "HEAD", "DELETE", "POST", "PATCH", "PUT"}).Draw(
		rt, "method",
	)
}

// drawTarget spells one of the skeletons: "@" stands for a key, "~" for a path in a drive.
func drawTarget(rt *rapid.T) string {
	skeletons := []string{
		"users", "users/@", "users/@", "users/@/messages", "users/@/manager", "users/@/photo/$value",
		"users/@/mailFolders/inbox/messages/@", "users/@/mailFolders/inbox/messages/@/attachments",
		"users/@/mailFolders/@/messages", "users/@/sendMail", "users/delta", "users/$count", "groups", "groups/@",
		"groups/@/members/@", "groups/@/members/@/$ref", "groups/@/members/$ref", "groups/@/members/microsoft.graph.user",
		"applications@", "directoryObjects/getByIds", "reports/getEmailActivityUserDetail@", "devices/@", "teams/@",
		"teams/@/channels/@", "teams/@/channels/@/messages", "teams/@/channels/@/messages/@", "teams/@/archive",
		"teams/@/unarchive", "drives/@/root:/~", "drives/@/root:/~:/children", "drives/@/root:/~:/content",
		"sites/contoso.sharepoint.com:/~:/lists", "users/@/profile", "sites/@/lists/@", "sites/@/lists/@/items",
		"drives/@/items/@/workbook/worksheets/@/charts", "drives/@/items/@/workbook/worksheets/@/range(address='A1')",
		"drives/@/items/@/workbook/worksheets/@/cell(row=1,column=2)",
		"users/@/calendar/allowedCalendarSharingRoles(User='x')", "drives/@/items/root:/~:/workbook/tables/$/add",
		"sites/@:/~", "drives/@/items/@:/~:/content", "teams/@/sites/root:/~:/lists", "teams/@/sites/@/getByPath(path='a')",
		"drives/@/root:/~:/children/@", "drives/@/root/children/Reports/children/Salaries/content",
		"drives/e/items/@:/~:/children/@", "sites/@:/~:/getByPath(path='hr')",
	}
	var b strings.Builder
	b.WriteString(oneOf(rt, "version", 80, "/v1.0/", "/beta/", "/beta/", "/V1.0/", "/v1.0//", "//v1.0/", "/v1.0/../v1.0/",
		"/v2.0/", "/", "/v1.0/myOrganization/", "/v1.0/"+tenant+"/",
		"/v1.0/fabrikam.com/"))
	for i, part := range strings.Split(rapid.SampledFrom(skeletons).Draw(rt, "skeleton"), "/") {
		part = colon(rt, part)
		name, isKeyed := strings.CutSuffix(part, "@")
		switch {
		case part == "@":
			b.WriteString(drawKey(rt, "/"))
			continue
		case strings.HasPrefix(part, "@"):
			b.WriteString(drawKey(rt, "/") + part[1:])
			continue
		case strings.HasPrefix(part, "~"):
			b.WriteString(oneOf(rt, "slash", 85, "/", "%2F", "%2f") + drawPath(rt) + colon(rt, part[1:]))
			continue
		case i > 0:
			b.WriteString(oneOf(rt, "separator", 92, "/", "//", "/./", "/x/../", "%2F", "%252F", `\`, "%5C", "/graph.user/",
				"/graph.user/", "/microsoft.graph.team/",
				"/microsoft.graph.team/", "/%2e/", ";/", "/;/", "%00/"))
		}
		b.WriteString(drawSpelling(rt, name))
		if isKeyed {
			b.WriteString(drawKey(rt, ""))
		}
	}
	b.WriteString(oneOf(rt, "end", 85, "", "/", "/", "//", "%20", ".", "()", ";x", "#", "%00", ":"))
	return b.String() + drawQuery(rt)
}

// colon escapes the colon at the end of a part now and then.
func colon(rt *rapid.T, part string) string {
	if before, found := strings.CutSuffix(part, ":"); found {
		return before + oneOf(rt, "colon", 85, ":", "%3A", "%3a")
	}
	return part
}

// oneOf draws plain in share of a hundred cases, else one of the others.
func oneOf(rt *rapid.T, label string, share int, plain string, others ...string) string {
	if rapid.IntRange(1, 100).Draw(rt, label+" is plain") <= share {
		return plain
	}
	return rapid.SampledFrom(others).Draw(rt, label)
}

// drawSpelling spells a name, usually so that Graph reads the same name.
func drawSpelling(rt *rapid.T, name string) string {
	switch rapid.IntRange(0, 60).Draw(rt, "spelling") {
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
		return name +
			rapid.SampledFrom([]string{"%20", ".", ";v=1", "%00", "%E2%80%8B", "%C0%AF", "%23", "%3F", "x", "(x='y')",
				"('y')"}).Draw(rt, "junk")
	case 10:
		return rapid.SampledFrom([]string{"%20", ".", "..", "%2e%2e", "delta", "$ref", "%24count", "getByIds", "*"}).Draw(rt,
			"instead")
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

// drawKey spells a key after slash, which is empty where the key must stand in parentheses.
func drawKey(rt *rapid.T, slash string) string {
	key := oneOf(rt, "key", 45,
		rapid.SampledFrom([]string{"adele@contoso.com", "no-reply@contoso.com", "7", "1f0a", "aaaa1", "D7", "inbox",
			"b!contoso"}).Draw(rt, "good"),
		"ceo@contoso.com", "CEO@contoso.com", "0f8fad5b-d9cb-469f-a165-70867728950e", "adele_fabrikam.com#EXT#@contoso.com",
		"adele@fabrikam.com", "o'neill", "a b",
		"delta", "getAllMessages", "$ref", "$count", "microsoft.graph.user", "graph.delta", "..", "x/messages", "é",
		"%2e%2e")
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
	switch rapid.IntRange(0, 9).Draw(rt, "escapes") {
	case 0:
		return key
	case 1, 2:
		return url.QueryEscape(key)
	case 3, 4:
		return escapeAt(key, rapid.IntRange(0, len(key)-1).Draw(rt, "at"))
	case 5:
		return url.PathEscape(url.PathEscape(key))
	}
	return url.PathEscape(key)
}

func drawPath(rt *rapid.T) string {
	good := []string{"Reports", "Reports", "Reports", "REPORTS", "%52eports", "Salaries", "salaries", "Salarie%73",
		"Public", "teams", "a.txt", "q1", "a%20b", "$ref", "a%23b", "100%25", "a;b", "é", "delta()"}
	parts := make([]string, rapid.IntRange(1, 4).Draw(rt, "parts"))
	for i := range parts {
		plain := rapid.SampledFrom(good[:len(good)-i*4]).Draw(rt, "good")
		parts[i] = oneOf(rt, "part", 92, plain, "..", ".", "", "%2e%2e", "x%2F..", "Salaries.", "Salaries%20",
			"%2553alaries", "a:b", `a\b`)
	}
	return strings.Join(parts, oneOf(rt, "slash", 85, "/", "%2F", "%2f"))
}

// drawQuery spells up to three query options.
func drawQuery(rt *rapid.T) string {
	n := rapid.SampledFrom([]int{0, 0, 0, 0, 1, 1, 2, 3}).Draw(rt, "options")
	query := ""
	for i := range n {
		separator := "?"
		if i > 0 {
			separator = oneOf(rt, "and", 80, "&", "&&", ";", "%26", "&amp;", "?", "&#")
		}
		name := rapid.SampledFrom([]string{"select", "select", "expand", "expand", "top", "filter", "orderby", "search", "x",
			"apply", "compute"}).Draw(rt, "option")
		query += separator + drawOptionName(rt, name)
		if value := rapid.SampledFrom(optionValues(name)).Draw(rt, "value"); value != "" {
			query += "=" + value
		}
	}
	return query
}

func drawOptionName(rt *rapid.T, name string) string {
	plain := rapid.SampledFrom([]string{"$" + name, "$" + name, name, "%24" + name, "$" + strings.ToUpper(name),
		strings.ToUpper(name[:1]) + name[1:], "$" + escapeAt(name, 0)}).Draw(rt, "good")
	return oneOf(rt, "name", 92, plain, "%2524"+name, "$$"+name, "%20$"+name, "$"+name+"%20", "+$"+name, "@"+name,
		"$"+name+"[]", "$"+name+"%00", "a;$"+name)
}

func optionValues(name string) []string {
	switch name {
	case "select":
		return []string{"id", "id", "id,displayName", "ID", "id%2CdisplayName", "", "*", "mail", "id,mail", "deviceId",
			"id;mail", "id,%20displayName", "%69d", "id%00", "id,*", "manager/id", "id,manager($select=id)",
			"manager($expand=directReports)", "members/mail", "memberOf/id", "extensions/id", "graph.user/id", "id,ID",
			"id%26$expand=owners", "id;$expand=owners"}
	case "expand":
		return []string{
			"manager", "manager", "manager($select=id)", "memberOf($select=id)", "members($select=id)",
			"members($select=id;$expand=manager)", "manager($levels=max;$select=id)", "*", "", "owners", "manager,extensions",
			"manager($expand=directReports)", "manager%28$expand%3Dextensions%29", "members($expand=owners)",
			"members($select=id;$expand=*)", "manager/directReports", "manager($select=directReports/id)",
			"members($select=id,manager/id)", "graph.user/manager", "manager($filter=a%20eq%20'x';$expand=extensions)",
			"manager($select=id,$expand=owners)", "m%61nager", "m%2561nager",
		}
	case "top":
		return []string{"5", "50", "51", "0", "-1", "", "5%30", "%35", "50;x", "1e9", "999"}
	case "filter", "search":
		return []string{"displayName%20eq%20'x'", "displayName+eq+'x'", "displayName%20eq%20'x'%20or%20true",
			"displayName%20eq%20'secret'", "a%26$expand=owners", "displayName%20eq%20'x;y'", "'", "x';$expand=owners", "R%26D",
			"displayName%20eq%20'x%26$select=mail%26'", "a%26%2524expand=owners", "%23", "a;top=999", "'x;$top=1'"}
	case "orderby":
		return []string{"displayName", "displayName%20desc", "mail"}
	}
	return []string{"", "y", "a?$expand=owners", "%23", "%zz", "%26$select=mail", "%26%20expand=owners", "a;$select=mail",
		"(a;$select=mail)"}
}
