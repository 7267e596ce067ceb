package odata_test

import (
	"testing"

	"graphproxy/policy/graph/odata"
)

func BenchmarkParse(b *testing.B) {
	for _, bench := range []struct{ name, path, query string }{
		{"key as segment", "/v1.0/users/adele@contoso.com/messages", "$select=id&$top=5"},
		{"key in parentheses", "/v1.0/users('adele@contoso.com')/messages", "$select=id&$top=5"},
		{"upper case", "/v1.0/Users/Adele@contoso.com/mailFolders/Inbox", "$select=id"},
		{"escapes", "/v1.0/users/adele%40contoso.com/messages", "%24filter=subject%20eq%20%27x%27"},
		{"drive path", "/v1.0/drives/b1/root:/Reports/2026/q1.xlsx:/content", ""},
		{"function", "/v1.0/reports/getEmailActivityUserDetail(period='D7')", ""},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := odata.Parse(bench.path, bench.query); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestParseAllocatesLittle(t *testing.T) {
	for _, target := range [][2]string{
		{"/v1.0/users/adele@contoso.com/messages", "$select=id&$top=5"},
		{"/v1.0/users/adele@contoso.com", "$select=id"},
		{"/v1.0/users('adele@contoso.com')", "$select=id"},
		{"/v1.0/users", "$top=5"},
		{"/v1.0/users", "$select=id&$top=5"},
	} {
		allocations := testing.AllocsPerRun(100, func() {
			if _, err := odata.Parse(target[0], target[1]); err != nil {
				t.Fatal(err)
			}
		})
		if allocations > 1 {
			t.Errorf("%s costs %v allocations, want 1", target, allocations)
		}
	}
}
