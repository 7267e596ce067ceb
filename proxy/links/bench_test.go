package links_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"graphproxy/proxy/links"
)

const (
	graph  = "https://graph.microsoft.com"
	public = "https://graph.contoso.com"
)

func rewriter(t testing.TB) *links.Rewriter {
	t.Helper()
	r, err := links.New(graph, public)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// user is an object as in Graph's list of users.
func user(n int) string {
	return fmt.Sprintf(`{"businessPhones":["+1 425 555 01%02d"],"displayName":"Adele Vance %d","givenName":"Adele",`+
		`"jobTitle":null,`+
		`"mail":"adele.vance.%d@contoso.com","mobilePhone":null,"officeLocation":"18/2111","preferredLanguage":"en-US",`+
		`"surname":"Vance","userPrincipalName":"adele.vance.%d@contoso.com","id":"87d349ed-44d7-43e1-9a83-%012x"}`, n%100, n,
		n, n, n)
}

// page is a list of users as Graph answers it, of about that many bytes.
func page(size int) []byte {
	text := []byte(`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users",` +
		`"@odata.nextLink":"https://graph.microsoft.com/v1.0/users?$skiptoken=RFNwdAIAAQAAAB","value":[`)
	for n := 0; len(text) < size; n++ {
		if n > 0 {
			text = append(text, ',')
		}
		text = append(text, user(n)...)
	}
	return append(text, "]}"...)
}

// endless is a list of users that goes on until most bytes have been read.
type endless struct {
	part []byte
	rest []byte
	most int64
}

func (e *endless) Read(p []byte) (n int, err error) {
	if e.most <= 0 {
		return 0, io.EOF
	}
	for n < len(p) && e.most > 0 {
		if len(e.rest) == 0 {
			e.rest = e.part
		}
		k := copy(p[n:], e.rest)
		e.rest, n, e.most = e.rest[k:], n+k, e.most-int64(k)
	}
	return n, nil
}

// benchmarkReader reads answers of that many bytes through a reader.
func benchmarkReader(b *testing.B, size int64, answer func() io.Reader) {
	r, buffer := rewriter(b), make([]byte, 32<<10)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		body := r.NewReader(io.NopCloser(answer()), links.Options{})
		for {
			if _, err := body.Read(buffer); err != nil {
				break
			}
		}
	}
}

func BenchmarkPageOf60kB(b *testing.B) {
	text := page(60_000)
	benchmarkReader(b, int64(len(text)), func() io.Reader { return bytes.NewReader(text) })
}

func BenchmarkPageOf60kBWithALinkInEachObject(b *testing.B) {
	text := bytes.ReplaceAll(page(60_000), []byte(`{"businessPhones"`),
		[]byte(`{"@odata.id":"https://graph.microsoft.com/v1.0/users/1","businessPhones"`))
	benchmarkReader(b, int64(len(text)), func() io.Reader { return bytes.NewReader(text) })
}

func BenchmarkStreamOf100MB(b *testing.B) {
	const size = 100_000_000
	part := []byte(strings.Repeat(user(7)+",", 50))
	benchmarkReader(b, size, func() io.Reader {
		return io.MultiReader(strings.NewReader(`{"value":[`), &endless{part: part, most: size})
	})
}
