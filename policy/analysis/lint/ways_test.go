package lint_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"graphproxy/policy"
	"graphproxy/policy/analysis/lint"
)

// boundedBy are rules that bound the operations of the table, by their last names.
var boundedBy = map[string]string{
	"sendmail":      `POST /users/{id}/sendMail: {body: {recipients: ["*@contoso.com"]}}`,
	"events":        `POST /users/{id}/events: {body: {recipients: ["*@contoso.com"]}}`,
	"createlink":    `POST /users/{id}/drive/items/{item}/createLink: {body: {scope: [organization]}}`,
	"invite":        `POST /users/{id}/drive/items/{item}/invite: {body: {recipients: ["*@contoso.com"]}}`,
	"subscriptions": `POST /subscriptions: {body: {notificationUrl: ["https://hooks.contoso.com/**"]}}`,
}

// paths are where the operations of the table are, by their first names.
func pathsOf(w lint.Way) []string {
	by := w.By
	for _, key := range []string{"{a}", "{b}", "{c}"} {
		by = strings.Replace(by, "{}", key, 1)
	}
	switch first, _, _ := strings.Cut(w.By, "/"); first {
	case "messages":
		return []string{"/users/{id}/" + by, "/users/{id}/mailFolders/{folder}/" + by}
	case "messageRules":
		return []string{"/users/{id}/mailFolders/inbox/" + by, "/users/{id}/mailFolders/{folder}/" + by}
	case "attachments":
		return []string{"/users/{id}/messages/{message}/" + by, "/users/{id}/mailFolders/{f}/messages/{message}/" + by}
	case "events":
		return []string{"/users/{id}/" + by, "/users/{id}/calendar/" + by, "/users/{id}/calendars/{calendar}/" + by}
	case "calendarPermissions":
		return []string{"/users/{id}/calendar/" + by, "/users/{id}/calendars/{calendar}/" + by}
	case "subscriptions":
		return []string{"/" + by}
	}
	return []string{"/users/{id}/drive/items/{item}/" + by}
}

// roundabout returns the warnings of ways round.
func roundabout(p *policy.Policy) []string {
	var all []string
	for _, text := range texts(lint.Check(p, lint.Options{})) {
		if strings.Contains(text, " gets round it: ") {
			all = append(all, text)
		}
	}
	return all
}

func TestEveryWayRoundABoundIsReportedForItsCaller(t *testing.T) {
	for _, w := range lint.EveryWay() {
		for _, path := range pathsOf(w) {
			other := w.Method + " " + path
			t.Run(w.Of+" "+other, func(t *testing.T) {
				bounded := boundedBy[w.Of]
				got := roundabout(app(t, "allow:\n  - "+bounded+"\n  - "+other+"\n"))
				if len(got) != 1 || !strings.Contains(got[0], w.Does+" ("+w.Source+")") || !strings.HasPrefix(got[0], "6: ") {
					t.Errorf("%q", got)
				}
				for _, denied := range []string{other, "ANY " + path, "ANY " + path + "/**"} {
					if got := roundabout(app(t, "allow:\n  - "+bounded+"\n  - "+other+"\ndeny:\n  - "+denied+"\n")); got != nil {
						t.Errorf("although %s is denied: %q", denied, got)
					}
				}
				two := load(t, "version: 1\ncallers:\n  one:\n    identity: [{network: 10.1.0.0/16}]\n    allow:\n      - "+bounded+
					"\n  two:\n    identity: [{network: 10.2.0.0/16}]\n    allow:\n      - "+other+"\n")
				if got := roundabout(two); got != nil {
					t.Errorf("of another caller: %q", got)
				}
			})
		}
	}
}

func TestWaysRoundABound(t *testing.T) {
	const (
		mail = `POST /users/{id}/sendMail: {body: {recipients: ["*@contoso.com"], message/attachments: none}}`
		from = `POST /users/{id}/sendMail: {where: {id: [a@contoso.com]}, body: {recipients: ["*@contoso.com"]}}`
		hr   = `PATCH /users/{id}: {body: {only: [jobTitle]}}`
		hook = `POST /subscriptions: {body: {notificationUrl: ["https://hooks.contoso.com/**"]}}`
		link = `POST /drives/{d}/items/{i}/createLink: {body: {scope: [organization]}}`
	)
	for _, c := range []struct {
		name, bounded, other, want string // want is part of the warning; "": none
	}{
		{"everything of a mailbox", mail, "ANY /users/{id}/**", "makes a draft"},
		{"everything of users", mail, "ANY /users/**", "makes a draft"},
		{"everything below messages", mail, "POST /users/{id}/messages/**", "makes a draft"},
		{"everything below one message", mail, "POST /users/{id}/messages/{m}/**", "sends a draft"},
		{"everything below a folder of mail", mail, "POST /users/{id}/mailFolders/{f}/**", "makes a draft"},
		{"everything below the inbox", mail, "POST /users/{id}/mailFolders/inbox/**", "makes a draft"},
		{"everything below folders of mail", mail, "POST /users/{id}/mailFolders/**", "makes a draft"},
		{"reading a mailbox", mail, "GET /users/{id}/**", ""},
		{"what only reads", mail, "READ /users/{id}/**", ""},
		{"drafts in beta", mail, "POST /beta/users/{id}/messages", "makes a draft"},
		{"the same in beta", mail, "POST /beta/users/{id}/sendMail", "it does the same in beta"},
		{"the same, bounded alike, in beta", mail, strings.Replace(mail, "/users", "/beta/users", 1), ""},
		{"drafts that are bounded alike", mail,
			`POST /users/{id}/messages: {body: {recipients: ["*@contoso.com"], attachments: none}}`, ""},
		{"drafts that are bounded, but for attachments", mail,
			`POST /users/{id}/messages: {body: {recipients: ["*@contoso.com"]}}`, "makes a draft"},
		{"drafts that are bounded in something else", mail,
			`POST /users/{id}/messages: {body: {importance: [low], attachments: none}}`, "makes a draft"},
		{"drafts with nothing but a subject", mail, "POST /users/{id}/messages: {body: {only: [subject]}}", ""},
		{"drafts in another mailbox", from, "POST /users/{id}/messages: {where: {id: [b@contoso.com]}}", ""},
		{"drafts in the same mailbox", from, "POST /users/{id}/messages: {where: {id: [A@contoso.com]}}", "makes a draft"},
		{"drafts in mailboxes by a star", from, "POST /users/{id}/messages: {where: {id: [\"*@contoso.com\"]}}",
			"makes a draft"},
		{"PUT", hr, "PUT /users/{id}", "PUT changes the same"},
		{"ANY", hr, "ANY /users/{id}", "PUT changes the same"},
		{"a wider rule", hr, "PATCH /users/**", "it allows the same without the bound"},
		{"the same in beta, PATCH", hr, "PATCH /beta/users/{id}", "it does the same in beta"},
		{"another resource", hr, "PATCH /groups/{id}", ""},
		{"below it", hr, "PATCH /users/{id}/messages/{m}", ""},
		{"reading it", hr, "GET /users/{id}", ""},
		{"a subscription in beta", hook, "POST /beta/subscriptions", "it does the same in beta"},
		{"a subscription that is changed", hook, "PATCH /subscriptions/{id}", "changes where notifications go"},
		{"a subscription that is renewed", hook, "PATCH /subscriptions/{id}: {body: {only: [expirationDateTime]}}", ""},
		{"a subscription that is deleted", hook, "DELETE /subscriptions/{id}", ""},
		{"a link by another path", link, "POST /sites/{s}/drive/items/{i}/createLink", "makes a link"},
		{"a link by another path that is bounded alike", link,
			"POST /sites/{s}/drive/items/{i}/createLink: {body: {scope: [organization]}}", ""},
		{"everything of a drive", link, "ANY /drives/{d}/**", "shares with anyone"},
		{"everything of a site", link, "ANY /sites/{s}/**", "shares with anyone"},
		{"everything below items", link, "POST /drives/{d}/items/**", "shares with anyone"},
		{"everything below one item", link, "POST /drives/{d}/items/{i}/**", "shares with anyone"},
		{"uploading", link, "PUT /drives/{d}/items/{i}/content", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, order := range []string{c.bounded + "\n  - " + c.other, c.other + "\n  - " + c.bounded} {
				got := strings.Join(roundabout(app(t, "allow:\n  - "+order+"\n")), "\n")
				if c.want == "" && got != "" || !strings.Contains(got, c.want) {
					t.Errorf("%q", got)
				}
			}
		})
	}
}

func TestTheWaysRoundAreInTheDocuments(t *testing.T) {
	text, err := os.ReadFile("../../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "<!-- ways: begin")
	table, _, _ = strings.Cut(table, "<!-- ways: end")
	rows := map[string]bool{}
	for _, w := range lint.EveryWay() {
		row := fmt.Sprintf("| `%s` | `%s %s` | %s | <%s> |\n", w.Of, w.Method, w.By, w.Does, w.Source)
		rows[row] = true
		if !strings.Contains(table, row) {
			t.Errorf("docs/policy.md lacks the row\n%s", row)
		}
	}
	if n := strings.Count(table, "\n| `"); n != len(rows) {
		t.Errorf("docs/policy.md has %d rows, want %d", n, len(rows))
	}
}
