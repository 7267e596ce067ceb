package main

import (
	"fmt"
	"strings"

	"graphproxy/proxy/graphtest"
)

// try is one thing to try in the sandbox: its description, and the line to paste.
type try struct{ shows, line string }

// tries are in an order in which each does what its description announces when pasted into a new sandbox. URLs are
// quoted, because sh would otherwise read "$top" as a variable.
func (s *sandbox) tries() []try {
	plain, tls, health := "http://"+reachable(s.plain), "https://"+reachable(s.tls), "http://"+reachable(s.health)
	get := func(url string) string { return "curl -sS -i '" + url + "'" }
	return []try{
		{"A user: allowed, because the policy has the rule GET /users/{id}.", get(plain + "/v1.0/users/adele@contoso.com")},
		{"Another spelling of the same user: still that rule.",
			"curl -sS -i \"" + plain + "/v1.0/Users('adele@contoso.com')\""},
		{"A page of users, with a link to the next one.", get(plain + "/v1.0/users?$select=displayName&$top=3")},
		{"Members of a group: the rule demands $select and bounds it. Without it, or with more in it: 403.",
			get(plain + "/v1.0/groups/" + graphtest.ID("Marketing") + "/members?$select=id,displayName")},
		{"Denied (403): messages of a user whom a deny rule protects.", get(plain + "/v1.0/users/ceo@contoso.com/messages")},
		{"Denied (403): $expand reaches other resources, and no rule names it here.",
			get(plain + "/v1.0/users/adele@contoso.com?$expand=manager")},
		{"Denied (403): no rule lets this caller change a user.",
			"curl -sS -i -X PATCH -H 'Content-Type: application/json' -d '{\"jobTitle\":\"CEO\"}' '" + plain +
				"/v1.0/users/adele@contoso.com'"},
		{"Refused (400): a target with two readings. Is it one user's id, or the messages of a user?",
			get(plain + "/v1.0/users/adele@contoso.com%2Fmessages")},
		{"A batch of two: each is judged by itself, so one is answered and the other is 403 in its place.",
			"curl -sS -i -H 'Content-Type: application/json' -d '" + sandboxBatch + "' '" + plain + "/v1.0/$batch'"},
		{"Limited (429): six requests, but the rule's limit allows two; the answers to the others name the time to wait.",
			"curl -sS -i -w '\\n' '" + plain + "/v1.0/groups?$top=[1-6]'"},
		{"A caller with a key may send mail from one mailbox, and gets 202.",
			"curl -sS -i -H 'X-Api-Key: " + sandboxKey + "' -H 'Content-Type: application/json' -d '" + sandboxMail + "' '" +
				plain + "/v1.0/users/no-reply@contoso.com/sendMail'"},
		{"A wrong key (401) does not fall back to what the caller's address alone would allow.",
			"curl -sS -i -H 'X-Api-Key: wrong' '" + plain + "/v1.0/users/adele@contoso.com'"},
		{"The same over HTTPS, for SDKs that insist on it.",
			"curl -sS -i --cacert " + quoteForShell(s.caFile) + " '" + tls +
				"/v1.0/users/adele@contoso.com/drive/root/children'"},
		{"A month of a calendar.",
			get(plain + "/v1.0/users/adele@contoso.com/calendarView?startDateTime=2026-02-01T00:00:00Z&" +
				"endDateTime=2026-03-01T00:00:00Z&$select=subject")},
		{"An upload: graphproxy answers with an address at the storage, and the file goes there without a key.",
			s.uploadLine(plain)},
		{"The proxy's health: is there a token, which policy is in force?", get(health + "/readyz")},
	}
}

// triesOfAnyPolicy are for a policy that is not the demonstration's: only its owner knows what it allows.
func (s *sandbox) triesOfAnyPolicy() []try {
	return []try{
		{"A page of users: put the key of one of your callers in, or leave the header out for one that is known by its " +
			"address.",
			"curl -sS -i -H 'Authorization: Bearer KEY' 'http://" + reachable(s.plain) + "/v1.0/users?$top=3'"},
		{"The proxy's health: is there a token, which policy is in force?",
			"curl -sS -i 'http://" + reachable(s.health) + "/readyz'"},
	}
}

// uploadLine creates an upload session, and uploads a file of five bytes to its address.
func (s *sandbox) uploadLine(plain string) string {
	session := "curl -sS -H 'Authorization: Bearer " + sandboxAppKey + "' -H 'Content-Type: application/json' -d '{}' '" +
		plain +
		"/v1.0/users/adele@contoso.com/drive/root:/hello.txt:/createUploadSession'"
	return `curl -sS -i -X PUT -H 'Content-Range: bytes 0-4/5' -d hello "$(` + session +
		` | sed 's/.*"uploadUrl":"\([^"]*\)".*/\1/')"`
}

// quoteForShell quotes text with any characters, such as the name of a file.
func quoteForShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

const sandboxBatch = `{"requests":[{"id":"1","method":"GET","url":"/users/adele@contoso.com"},{"id":"2",` +
	`"method":"DELETE","url":"/users/adele@contoso.com"}]}`

const sandboxMail = `{"message":{"subject":"Hello","body":{"contentType":"Text","content":"Hello, Adele"},` +
	`"toRecipients":[{"emailAddress":{"address":"adele@contoso.com"}}]}}`

// explain prints the addresses and the lines to try.
func (s *sandbox) explain() {
	var b strings.Builder
	fmt.Fprintf(&b,
		`graphproxy sandbox: a proxy in front of a demonstration tenant, Contoso. It needs no Azure and keeps nothing.
  callers  http://%s and https://%s
  CA       %s (of the HTTPS certificate)
  policy   %s (edit it: changes count within 2 seconds)
  health   http://%s/readyz and /metrics
  console  http://%s/
`, reachable(s.plain), reachable(s.tls), s.caFile, s.policyFile, reachable(s.health), reachable(s.console))
	tries := s.tries()
	if s.demo {
		fmt.Fprintf(&b, "For the recipes of docs/sdks.md: export GRAPHPROXY_URL=http://%s GRAPHPROXY_KEY=%s\n",
			reachable(s.plain), sandboxAppKey)
	} else {
		tries = s.triesOfAnyPolicy()
	}
	fmt.Fprintln(&b, "Ctrl-C ends it. Paste these lines into another terminal:")
	for _, t := range tries {
		fmt.Fprintf(&b, "\n%s\n%s\n", t.shows, t.line)
	}
	fmt.Fprint(s.stdout, b.String())
}
