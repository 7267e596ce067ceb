package policy_test

import (
	"strings"
	"testing"

	"graphproxy/policy"
)

// bodyPolicy returns a policy with one caller, whose allow and deny rules are given, indented by six.
func bodyPolicy(t *testing.T, allow, deny string) *policy.Policy {
	t.Helper()
	text := "version: 1\ncallers:\n  app:\n    identity: [anyone]\n    allow:\n" + allow + "\n"
	if deny != "" {
		text += "    deny:\n" + deny + "\n"
	}
	p, err := policy.Parse("policy.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

// sent returns a request with a JSON body; "" is none.
func sent(t *testing.T, request, text string) policy.Request {
	t.Helper()
	r, err := policy.ParseRequest("app", request)
	if err != nil {
		t.Fatal(err)
	}
	if text != "" {
		r.Body = &policy.Body{State: policy.BodyJSON, Text: []byte(text)}
	}
	return r
}

const mailRule = `
      - POST /users/{id}/sendMail:
          where: {id: [noreply@contoso.com]}
          body:
            recipients: ["*@contoso.com", team-alias]
            message/attachments: none
            message/importance: [low, normal]
            saveToSentItems: ["true"]`

const sendMail = "POST /users/noreply@contoso.com/sendMail"

func TestABodyIsBoundByItsConditions(t *testing.T) {
	rules := map[string]string{
		"mail":  mailRule,
		"patch": "\n      - PATCH /users/{id}: {body: {only: [jobTitle, department, manager/displayName]}}",
		"link": "\n      - POST /drives/{d}/items/{i}/createLink: " +
			"{body: {type: [view], scope: {values: [organization, users], required: true}}}",
		"hook": `
      - POST /subscriptions:
          body:
            notificationUrl: {values: ["https://hooks.contoso.com/**", "https://*.hooks.example/**"], required: true}
            lifecycleNotificationUrl: ["https://hooks.contoso.com/**"]
            resource: {targets: ["/users/{id}/messages"], required: true}`,
		"event": "\n      - POST /users/{id}/events: {body: {recipients: [\"*@contoso.com\"], isOnlineMeeting: " +
			"[\"false\"]}}",
		"invite": "\n      - POST /drives/{d}/items/{i}/invite: {body: {recipients: [\"*@contoso.com\", 11aa], " +
			"requireSignIn: [\"true\"]}}",
		"guest": "\n      - POST /invitations: {body: {recipients: [\"*@partner.example\"]}}",
		"inbox": "\n      - POST /users/{id}/mailFolders/inbox/messageRules: {body: {recipients: [\"*@contoso.com\"]}}",
		"max": "\n      - POST /x: {body: {list: {max: 2}, a/number: {max: 10}, a/b: {max: 1, values: [x]}, top: " +
			"{required: true}}}",
		"nested": "\n      - POST /x: {body: {message: {only: [subject, body/content]}, members/roles: [owner], l/v: " +
			"{required: true}}}",
		"post": "\n      - POST /groups/{g}/conversations: {body: {recipients: [\"*@contoso.com\"]}}",
		"none": "\n      - POST /x: {body: {recipients: none}}",
	}
	requests := map[string]string{
		"mail":   sendMail,
		"patch":  "PATCH /users/1",
		"link":   "POST /drives/d/items/i/createLink",
		"hook":   "POST /subscriptions",
		"event":  "POST /users/1/events",
		"invite": "POST /drives/d/items/i/invite",
		"guest":  "POST /invitations",
		"inbox":  "POST /users/1/mailFolders/inbox/messageRules",
		"max":    "POST /x",
		"nested": "POST /x",
		"post":   "POST /groups/g/conversations",
		"none":   "POST /x",
	}
	policies := map[string]*policy.Policy{}
	for name, text := range rules {
		policies[name] = bodyPolicy(t, text, "")
	}
	for _, c := range bodyCases {
		rule, verdict, _ := strings.Cut(c.name, ":")
		t.Run(c.name, func(t *testing.T) {
			d := policies[rule].Decide(sent(t, requests[rule], c.body))
			if want := strings.HasPrefix(verdict, " ok"); d.Allow != want {
				t.Errorf("Allow = %v, want %v (%s): %s", d.Allow, want, d.Reason, c.body)
			}
			if c.reason != "" && d.Reason != c.reason {
				t.Errorf("Reason = %q, want %q: %s", d.Reason, c.reason, c.body)
			}
		})
	}
}

// to is a message with these addresses.
func to(list string, addresses ...string) string {
	var all []string
	for _, a := range addresses {
		all = append(all, `{"emailAddress":{"address":"`+a+`"}}`)
	}
	return `{"message":{"subject":"s","` + list + `":[` + strings.Join(all, ",") + `]}}`
}

// bodyCases are named by the rule; reason is ok for allowed requests.
var bodyCases = []struct{ name, body, reason string }{
	{"mail: ok to a colleague", to("toRecipients", "a@contoso.com"), ""},
	{"mail: ok in another letter case", to("TORECIPIENTS", "A@Contoso.COM"), ""},
	{"mail: ok to an alias that is written", to("toRecipients", "team-alias"), ""},
	{"mail: ok with all that is bounded",
		`{"Message":{"importance":"Low","attachments":[],"toRecipients":null},"saveToSentItems":true}`, ""},
	{"mail: ok without a body", "", ""},
	{"mail: ok with an empty object", "{}", ""},
	{"mail: ok with attachments of null", `{"message":{"attachments":null}}`, ""},
	{"mail: ok with a message of null", `{"message":null}`, ""},
	{"mail: ok with other properties",
		`{"message":{"body":{"contentType":"HTML","content":"to evil@example.com"},"flag":[1,{"a":[]}]}}`, ""},
	{"mail: ok with a type", `{"message":{"@odata.type":"#microsoft.graph.message","toRecipients":[]}}`, ""},
	{"mail: ok with an escaped name", `{"message":{"\u0074oRecipients":[{"emailAddress":{"address":"a@contoso.com"}}]}}`,
		""},
	{"mail: to a stranger", to("toRecipients", "x@evil.example"), "body: recipients"},
	{"mail: to a stranger as the second", to("toRecipients", "a@contoso.com", "x@evil.example"), "body: recipients"},
	{"mail: cc", to("ccRecipients", "x@evil.example"), "body: recipients"},
	{"mail: bcc", to("BccRecipients", "x@evil.example"), "body: recipients"},
	{"mail: reply to", to("replyTo", "x@evil.example"), "body: recipients"},
	{"mail: from", `{"message":{"from":{"emailAddress":{"address":"x@evil.example"}}}}`, "body: recipients"},
	{"mail: sender", `{"message":{"sender":{"emailAddress":{"address":"x@evil.example"}}}}`, "body: recipients"},
	{"mail: beside the message", `{"toRecipients":[{"emailAddress":{"address":"x@evil.example"}}]}`, "body: recipients"},
	{"mail: in an escaped name", `{"message":{"\u0074oRecipients":[{"emailAddress":{"address":"x@evil.example"}}]}}`,
		"body: recipients"},
	{"mail: in a wide name", `{"message":{"ｔoRecipients":[{"emailAddress":{"address":"x@evil.example"}}]}}`,
		"body: recipients"},
	{"mail: in a name with a space", `{"message":{"toRecipients ":[]}}`, "body: recipients"},
	{"mail: in a name with an invisible character", `{"message":{"to\u200bRecipients":[]}}`, "body: recipients"},
	{"mail: two at signs", to("toRecipients", "x@evil.example@contoso.com"), "body: recipients"},
	{"mail: two addresses with a comma", to("toRecipients", "x@evil.example,a@contoso.com"), "body: recipients"},
	{"mail: two addresses with a semicolon", to("toRecipients", "x;a@contoso.com"), "body: recipients"},
	{"mail: angle brackets", to("toRecipients", "<x@evil.example>a@contoso.com"), "body: recipients"},
	{"mail: a blank", to("toRecipients", "x a@contoso.com"), "body: recipients"},
	{"mail: a control character", to("toRecipients", `x\u0000a@contoso.com`), "body: recipients"},
	{"mail: a new line", to("toRecipients", `x@evil.example\na@contoso.com`), "body: recipients"},
	{"mail: a wide at sign", to("toRecipients", "x＠evil.example@contoso.com"), "body: recipients"},
	{"mail: a scheme", to("toRecipients", "smtp:x@contoso.com"), "body: recipients"},
	{"mail: quotes", to("toRecipients", `\"x@evil.example\"@contoso.com`), "body: recipients"},
	{"mail: an alias that is not written", to("toRecipients", "alice"), "body: recipients"},
	{"mail: a domain alone", to("toRecipients", "@contoso.com"), "body: recipients"},
	{"mail: an address of null",
		`{"message":{"toRecipients":[{"emailAddress":{"address":null,"name":"x@evil.example"}}]}}`, "body: recipients"},
	{"mail: an empty address", to("toRecipients", ""), "body: recipients"},
	{"mail: a name alone", `{"message":{"toRecipients":[{"emailAddress":{"name":"x@evil.example"}}]}}`,
		"body: recipients"},
	{"mail: a recipient of nothing", `{"message":{"toRecipients":[{}]}}`, "body: recipients"},
	{"mail: a recipient of null", `{"message":{"toRecipients":[null]}}`, "body: recipients"},
	{"mail: a recipient as text", `{"message":{"toRecipients":["a@contoso.com"]}}`, "body: recipients"},
	{"mail: recipients as text", `{"message":{"toRecipients":"a@contoso.com"}}`, "body: recipients"},
	{"max: ok a list of texts", `{"list":["a","b"],"top":1}`, ""},
	{"max: ok a list of objects and numbers", `{"list":[{"x":1},5],"top":1}`, ""},
	{"max: a list of too many texts", `{"list":["a","b","c"],"top":1}`, "body: list"},
	{"max: a text in the place of a list", `{"list":"a","top":1}`, "body: list"},
	{"mail: recipients as one object",
		`{"message":{"toRecipients":{"emailAddress":{"address":"a@contoso.com"}}}}`, "body: recipients"},
	{"mail: copies as one object",
		`{"message":{"BCCRecipients":{"emailAddress":{"address":"a@contoso.com"}}}}`, "body: recipients"},
	{"mail: the sender as a list",
		`{"message":{"from":[{"emailAddress":{"address":"a@contoso.com"}}]}}`, "body: recipients"},
	{"mail: an address of mail as a list",
		`{"message":{"toRecipients":[{"emailAddress":{"address":["a@contoso.com"]}}]}}`, "body: recipients"},
	{"mail: an address as a list of one",
		`{"message":{"toRecipients":[{"emailAddress":[{"address":"a@contoso.com"}]}]}}`, "body: recipients"},
	{"mail: ok from and to as Graph has them", `{"message":{"from":{"emailAddress":{"address":"a@contoso.com"}},` +
		`"replyTo":[{"emailAddress":{"address":"b@contoso.com"}}]}}`, ""},
	{"event: attendees as one object", `{"attendees":{"emailAddress":{"address":"a@contoso.com"}}}`, "body: recipients"},
	{"invite: recipients as one object", `{"recipients":{"email":"a@contoso.com"},"requireSignIn":true}`,
		"body: recipients"},
	{"invite: an address as a list", `{"recipients":[{"email":["a@contoso.com"]}],"requireSignIn":true}`,
		"body: recipients"},
	{"guest: an address as a list", `{"invitedUserEmailAddress":["a@partner.example"]}`, "body: recipients"},
	{"guest: an address as an object", `{"invitedUserEmailAddress":{"address":"a@partner.example"}}`, "body: recipients"},
	{"inbox: a list as one object", `{"actions":{"forwardTo":{"emailAddress":{"address":"a@contoso.com"}}}}`,
		"body: recipients"},
	{
		"inbox: ok actions as Graph has them",
		`{"actions":{"forwardTo":[{"emailAddress":{"address":"a@contoso.com"}}]}}`,
		"",
	},
	{"post: threads as one object", `{"threads":{"posts":[]}}`, "body: recipients"},
	{"post: ok threads as Graph has them",
		`{"topic":"x","threads":[{"posts":[{"body":{"content":"x"},"newParticipants":[{"emailAddress":` +
			`{"address":"a@contoso.com"}}]}]}]}`, ""},
	{"mail: recipients as a number", `{"message":{"toRecipients":5}}`, "body: recipients"},
	{"mail: an address as a list of two",
		`{"message":{"toRecipients":[{"emailAddress":{"address":["a@contoso.com","x@evil.example"]}}]}}`, "body: recipients"},
	{"mail: an address as an object", `{"message":{"toRecipients":[{"emailAddress":{"address":{"a":"a@contoso.com"}}}]}}`,
		"body: recipients"},
	{"mail: one address of two in a recipient",
		`{"message":{"toRecipients":[{"emailAddress":{"address":"a@contoso.com"},"email":"x@evil.example"}]}}`,
		"body: recipients"},
	{"mail: a list within the list", `{"message":{"toRecipients":[[{"emailAddress":{"address":"x@evil.example"}}]]}}`,
		"body: recipients"},
	{"mail: recipients by reference",
		`{"message":{"toRecipients@odata.bind":["https://graph.microsoft.com/v1.0/users/x"]}}`, "body: recipients"},
	{"mail: recipients by difference",
		`{"message":{"toRecipients@delta":[{"emailAddress":{"address":"x@evil.example"}}]}}`, "body: recipients"},
	{"mail: the message by reference", `{"message":{"@odata.id":"https://graph.microsoft.com/v1.0/users/x/messages/1"}}`,
		""},
	{"mail: the message by bind", `{"message@odata.bind":"https://graph.microsoft.com/v1.0/users/x/messages/1"}`, ""},
	{"mail: an attachment", `{"message":{"attachments":[{"name":"x"}]}}`, "body: message/attachments"},
	{"mail: an attachment that is no list", `{"message":{"attachments":{"name":"x"}}}`, "body: message/attachments"},
	{"mail: an attachment in another letter case", `{"MESSAGE":{"Attachments":[{}]}}`, "body: message/attachments"},
	{"mail: attachments as text", `{"message":{"attachments":"x"}}`, "body: message/attachments"},
	{"mail: attachments by reference", `{"message":{"attachments@odata.bind":["x"]}}`, "body: message/attachments"},
	{"mail: two messages in a list", `{"message":[{"attachments":[]},{"attachments":[{}]}]}`, "body: message/attachments"},
	{"mail: a message as text", `{"message":"x"}`, "body: message/attachments"},
	{"mail: high importance", `{"message":{"importance":"high"}}`, "body: message/importance"},
	{"mail: importance of null", `{"message":{"importance":null}}`, "body: message/importance"},
	{"mail: importance as a list", `{"message":{"importance":["low","high"]}}`, "body: message/importance"},
	{"mail: importance as an object", `{"message":{"importance":{"low":"low"}}}`, "body: message/importance"},
	{"mail: importance as a number", `{"message":{"importance":0}}`, "body: message/importance"},
	{"mail: not saved", `{"saveToSentItems":false}`, "body: saveToSentItems"},
	{"mail: saved as text", `{"saveToSentItems":"true"}`, "body: saveToSentItems"},
	{"mail: a doubled key", `{"message":{"importance":"low","importance":"low"}}`, "body: unreadable"},
	{"mail: a doubled key in another letter case", `{"message":{"toRecipients":[],"ToRecipients":[]}}`,
		"body: unreadable"},
	{"mail: a doubled key far from the conditions", `{"x":[{"y":{"a":1,"A":1}}]}`, "body: unreadable"},
	{"mail: a doubled key behind escapes", `{"a\u0062":1,"aB":1}`, "body: unreadable"},
	{"mail: a list", `[{"message":{}}]`, "body: not JSON"},
	{"mail: a text", `"x"`, "body: not JSON"},
	{"mail: two values", `{} {}`, "body: unreadable"},
	{"mail: a comment", `{/**/}`, "body: unreadable"},
	{"mail: a comma at the end", `{"a":1,}`, "body: unreadable"},
	{"mail: half a surrogate pair", `{"a":"\ud800"}`, "body: unreadable"},
	{"mail: bytes that are not UTF-8", "{\"a\":\"\xff\"}", "body: unreadable"},
	{"mail: a byte order mark", "\xef\xbb\xbf{}", "body: unreadable"},
	{"mail: UTF-16", "{\x00}\x00", "body: unreadable"},
	{"mail: deep", strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70), "body: unreadable"},

	{"patch: ok", `{"jobTitle":"x","department":null,"manager":{"displayName":"y"}}`, ""},
	{"patch: ok in another letter case", `{"JOBTITLE":"x"}`, ""},
	{"patch: ok with a list of texts", `{"jobTitle":["a","b"]}`, ""},
	{"patch: ok with a manager of null", `{"manager":null}`, ""},
	{"patch: another property", `{"jobTitle":"x","accountEnabled":false}`, "body: only"},
	{"patch: another property of the manager", `{"manager":{"displayName":"y","id":"z"}}`, "body: only"},
	{"patch: an annotation", `{"@odata.type":"#microsoft.graph.user","jobTitle":"x"}`, "body: only"},
	{"patch: an annotation of a property", `{"jobTitle@odata.type":"String","jobTitle":"x"}`, "body: only"},
	{"patch: a property by reference", `{"manager@odata.bind":"https://graph.microsoft.com/v1.0/users/1"}`, "body: only"},
	{"patch: an object whose properties are not named", `{"jobTitle":{"x":1}}`, "body: only"},
	{"patch: an empty object", `{"jobTitle":{}}`, "body: only"},
	{"patch: an object in a list", `{"jobTitle":["a",{"x":1}]}`, "body: only"},
	{"patch: text where an object is named", `{"manager":"x"}`, "body: only"},
	{"patch: a name with a slash", `{"manager/displayName":"x"}`, "body: only"},
	{"patch: a wide name", `{"ｊobTitle":"x"}`, "body: only"},
	{"patch: an empty name", `{"":"x"}`, "body: only"},

	{"link: ok", `{"type":"view","scope":"organization"}`, ""},
	{"link: ok in any letter case", `{"Type":"VIEW","Scope":"Users"}`, ""},
	{"link: ok without a type", `{"scope":"users"}`, ""},
	{"link: without a scope", `{"type":"view"}`, "body: scope"},
	{"link: without a body", "", "body: scope"},
	{"link: a scope of null", `{"scope":null}`, "body: scope"},
	{"link: an empty scope", `{"scope":""}`, "body: scope"},
	{"link: an empty list", `{"scope":[]}`, "body: scope"},
	{"link: anonymous", `{"scope":"anonymous"}`, "body: scope"},
	{"link: anonymous in a list", `{"scope":["users","anonymous"]}`, "body: scope"},
	{"link: edit", `{"type":"edit","scope":"users"}`, "body: type"},
	{"link: a scope below", `{"x":{"scope":"users"}}`, "body: scope"},

	{"hook: ok", `{"notificationUrl":"https://hooks.contoso.com/a","resource":"/users/1/messages"}`, ""},
	{"hook: ok in other spellings",
		`{"notificationUrl":"https://a.hooks.example/x?y=z#w","resource":"v1.0/Users('1')/Messages"}`, ""},
	{"hook: ok with options",
		`{"notificationUrl":"https://hooks.contoso.com/a","resource":"users('1')/messages?$filter=a eq 'b'&$select=id"}`, ""},
	{"hook: with $expand",
		`{"notificationUrl":"https://hooks.contoso.com/a","resource":"users/1/messages?$expand=attachments"}`,
		"body: resource"},
	{"hook: beta", `{"notificationUrl":"https://hooks.contoso.com/a","resource":"/beta/users/1/messages"}`,
		"body: resource"},
	{"hook: another resource", `{"notificationUrl":"https://hooks.contoso.com/a","resource":"/users/1/events"}`,
		"body: resource"},
	{"hook: dots", `{"notificationUrl":"https://hooks.contoso.com/a","resource":"/users/1/messages/../events"}`,
		"body: resource"},
	{"hook: an escaped slash",
		`{"notificationUrl":"https://hooks.contoso.com/a","resource":"/users/1%2Fevents/messages"}`, "body: resource"},
	{"hook: a fragment", `{"notificationUrl":"https://hooks.contoso.com/a","resource":"/users/1/messages#x"}`,
		"body: resource"},
	{"hook: a whole address",
		`{"notificationUrl":"https://hooks.contoso.com/a","resource":"https://graph.microsoft.com/v1.0/users/1/messages"}`,
		"body: resource"},
	{"hook: all messages of all", `{"notificationUrl":"https://hooks.contoso.com/a","resource":"/users/messages"}`,
		"body: resource"},
	{"hook: a resource that is a list",
		`{"notificationUrl":"https://hooks.contoso.com/a","resource":["/users/1/messages","/users/1/events"]}`,
		"body: resource"},
	{"hook: a resource of null", `{"notificationUrl":"https://hooks.contoso.com/a","resource":null}`, "body: resource"},
	{"hook: another host", `{"notificationUrl":"https://evil.example/","resource":"/users/1/messages"}`,
		"body: notificationUrl"},
	{"hook: a host that goes on",
		`{"notificationUrl":"https://hooks.contoso.com.evil.example/","resource":"/users/1/messages"}`,
		"body: notificationUrl"},
	{"hook: a user in front of the host",
		`{"notificationUrl":"https://hooks.contoso.com@evil.example/","resource":"/users/1/messages"}`,
		"body: notificationUrl"},
	{"hook: a fragment in front of the host",
		`{"notificationUrl":"https://evil.example#.hooks.example/","resource":"/users/1/messages"}`, "body: notificationUrl"},
	{"hook: a question in front of the host",
		`{"notificationUrl":"https://evil.example?.hooks.example/","resource":"/users/1/messages"}`, "body: notificationUrl"},
	{"hook: a backslash", `{"notificationUrl":"https://evil.example\\.hooks.example/","resource":"/users/1/messages"}`,
		"body: notificationUrl"},
	{"hook: without TLS", `{"notificationUrl":"http://hooks.contoso.com/","resource":"/users/1/messages"}`,
		"body: notificationUrl"},
	{"hook: another host of the lifecycle",
		`{"notificationUrl":"https://hooks.contoso.com/a","lifecycleNotificationUrl":"https://evil.example/",` +
			`"resource":"/users/1/messages"}`, "body: lifecycleNotificationUrl"},

	{"event: ok",
		`{"attendees":[{"type":"required","emailAddress":{"address":"a@contoso.com","name":"A"}}],"isOnlineMeeting":false}`,
		""},
	{"event: an outsider",
		`{"attendees":[{"emailAddress":{"address":"a@contoso.com"}},{"emailAddress":{"address":"x@evil.example"}}]}`,
		"body: recipients"},
	{"event: online", `{"isOnlineMeeting":true}`, "body: isOnlineMeeting"},
	{"invite: ok",
		`{"recipients":[{"email":"a@contoso.com"},{"objectId":"11AA"}],"message":"see evil@example.com",` +
			`"requireSignIn":true}`, ""},
	{"invite: an outsider", `{"recipients":[{"email":"x@evil.example"}]}`, "body: recipients"},
	{"invite: an alias", `{"recipients":[{"alias":"alice"}]}`, "body: recipients"},
	{"invite: another id", `{"recipients":[{"email":"a@contoso.com","objectId":"22bb"}]}`, "body: recipients"},
	{"invite: nothing", `{"recipients":[{}]}`, "body: recipients"},
	{"guest: ok",
		`{"invitedUserEmailAddress":"a@partner.example",` +
			`"invitedUserMessageInfo":{"ccRecipients":[{"emailAddress":{"address":"b@partner.example"}}]}}`, ""},
	{"guest: a stranger", `{"invitedUserEmailAddress":"a@evil.example"}`, "body: recipients"},
	{"guest: a copy to a stranger",
		`{"invitedUserEmailAddress":"a@partner.example",` +
			`"invitedUserMessageInfo":{"ccRecipients":[{"emailAddress":{"address":"b@evil.example"}}]}}`, "body: recipients"},
	{"inbox: ok", `{"actions":{"forwardTo":[{"emailAddress":{"address":"b@contoso.com"}}]}}`, ""},
	{"inbox: forward", `{"actions":{"forwardTo":[{"emailAddress":{"address":"b@evil.example"}}]}}`, "body: recipients"},
	{"inbox: redirect", `{"actions":{"redirectTo":[{"emailAddress":{"address":"b@evil.example"}}]}}`, "body: recipients"},
	{"inbox: forward as attachment",
		`{"Actions":{"ForwardAsAttachmentTo":[{"emailAddress":{"address":"b@evil.example"}}]}}`, "body: recipients"},
	{"post: a stranger in a thread",
		`{"threads":[{"posts":[{"newParticipants":[{"emailAddress":{"address":"b@evil.example"}}]}]}]}`, "body: recipients"},
	{"none: ok", `{"toRecipients":[]}`, ""},
	{"none: anyone", `{"toRecipients":[{"emailAddress":{"address":"a@contoso.com"}}]}`, "body: recipients"},

	{"max: ok", `{"top":1,"list":[1,2],"a":{"number":10}}`, ""},
	{"max: ok with none of them", `{"top":false,"list":null}`, ""},
	{"max: too long", `{"top":1,"list":[1,2,3]}`, "body: list"},
	{"max: too large", `{"top":1,"a":{"number":10.5}}`, "body: a/number"},
	{"max: too large to read", `{"top":1,"a":{"number":1e999}}`, "body: a/number"},
	{"max: a text", `{"top":1,"a":{"number":"5"}}`, "body: a/number"},
	{"max: a boolean", `{"top":1,"a":{"number":true}}`, "body: a/number"},
	{"max: an object", `{"top":1,"list":{}}`, "body: list"},
	{"max: too large in a list on the way", `{"top":1,"a":[{"number":1},{"number":11}]}`, "body: a/number"},
	{"max: not there", `{"list":[]}`, "body: top"},

	{"nested: ok",
		`{"message":{"subject":"s","body":{"content":"c"}},"members":[{"roles":["owner"]}],"l":[{"v":1}],"other":1}`, ""},
	{"nested: another property", `{"message":{"subject":"s","x":1},"l":{"v":1}}`, "body: message: only"},
	{"nested: another property below", `{"message":{"body":{"contentType":"c"}},"l":{"v":1}}`, "body: message: only"},
	{"nested: an element of another value", `{"members":[{"roles":["owner"]},{"roles":["owner","guest"]}],"l":{"v":1}}`,
		"body: members/roles"},
	{"nested: an element without what must be there", `{"l":[{"v":1},{}]}`, "body: l/v"},
	{"nested: an element of null", `{"l":[{"v":1},null]}`, "body: l/v"},
	{"nested: an empty list", `{"l":[]}`, "body: l/v"},
}

// A number is the same however it is written, and a deny rule looks at the number.
func TestADenyRuleTakesANumberInEverySpelling(t *testing.T) {
	p := bodyPolicy(t, "      - POST /users/{id}/events", "      - POST /users/{id}/events: {body: {priority: [1, 250]}}")
	for text, want := range map[string]bool{
		"1": false, "1.0": false, "1e0": false, "10e-1": false, "0.01E+2": false, "250": false, "2.5e2": false,
		"2": true, "-1": true, "1.5": true, "25": true, "0": true,
	} {
		if d := p.Decide(sent(t, "POST /users/u/events", `{"priority":`+text+`}`)); d.Allow != want {
			t.Errorf("%s: allowed is %v", text, d.Allow)
		}
	}
}
