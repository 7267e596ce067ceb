package body_test

import (
	"fmt"
	"strings"
	"testing"

	"graphproxy/policy/body"
	"graphproxy/policy/match"
)

// mail is a sendMail of about 10 kB to some colleagues.
func mail(colleagues int) *match.Body {
	var to []string
	for i := range colleagues {
		to = append(to, fmt.Sprintf(`{"emailAddress":{"address":"user%d@contoso.com","name":"User %d"}}`, i, i))
	}
	text := fmt.Sprintf(`{"message":{"subject":"Report","importance":"low","body":{"contentType":"Text","content":%q},`+
		`"toRecipients":[%s],"attachments":[]},"saveToSentItems":true}`,
		strings.Repeat("All is well today. ", 480), strings.Join(to, ","))
	return &match.Body{State: match.BodyJSON, Text: []byte(text)}
}

func fiveConditions(tb testing.TB) *body.Bounds {
	tb.Helper()
	bounds, err := body.New([]body.Condition{
		{Path: "message/importance", Values: []string{"low", "normal"}, Max: -1},
		{Path: "message/attachments", None: true, Max: -1},
		{Path: "message/subject", Required: true, Max: -1},
		{Path: "saveToSentItems", Values: []string{"true"}, Max: -1},
	}, []string{"*@contoso.com"})
	if err != nil {
		tb.Fatal(err)
	}
	return bounds
}

// mostJudged is how many allocations judging a mail may have.
const mostJudged = 5

func TestJudgingAMailAllocatesLittle(t *testing.T) {
	bounds := fiveConditions(t)
	for _, colleagues := range []int{1, 10, 100} {
		sent := mail(colleagues)
		if failure := bounds.Judge(sent); failure.Reason != "" {
			t.Fatalf("%+v", failure)
		}
		if n := testing.AllocsPerRun(100, func() { bounds.Judge(sent) }); n > mostJudged {
			t.Errorf("%.0f allocations to judge a mail to %d colleagues by five conditions, %d are the most",
				n, colleagues, mostJudged)
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	bounds, sent := fiveConditions(b), mail(10)
	b.SetBytes(int64(len(sent.Text)))
	b.ReportAllocs()
	for b.Loop() {
		bounds.Judge(sent)
	}
}
