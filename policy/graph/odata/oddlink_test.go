package odata_test

import (
	"testing"

	"graphproxy/policy/graph/odata"
)

func TestLinksThatGraphWritesOddlyHaveOneReading(t *testing.T) {
	for _, tt := range []struct{ path, query, sent string }{
		{"/v1.0/me/drive/root/delta", "(token='1230919asd190410jlka')",
			"/v1.0/me/drive/root/delta?token=1230919asd190410jlka"},
		{"/v1.0/drives/b/root/microsoft.graph.delta", "(Token='a%3D')&$top=5",
			"/v1.0/drives/b/root/microsoft.graph.delta?token=a%3D&$top=5"},
		{"/v1.0/me/drive/root/search(query='contoso%20project')&skipToken=s!MT", "",
			"/v1.0/me/drive/root/search(query='contoso%20project')?skipToken=s!MT"},
		{"/v1.0/me/drive/root/search(q='it''s')&$skiptoken=x", "", "/v1.0/me/drive/root/search(q='it''s')?$skiptoken=x"},
		{"/v1.0/me/drive/root/search(q='a)&skipToken=b')", "", "/v1.0/me/drive/root/search(q='a)%26skipToken=b')"},
		{"/v1.0/me/calendarView", "startDateTime=2017-01-01T19%3a00%3a00",
			"/v1.0/me/calendarView?startDateTime=2017-01-01T19%3a00%3a00"},
	} {
		t.Run(tt.path+"?"+tt.query, func(t *testing.T) {
			target, err := odata.Parse(tt.path, tt.query)
			if err != nil {
				t.Fatal(err)
			}
			got := target.EscapedPath()
			if q := target.RawQuery(); q != "" {
				got += "?" + q
			}
			if got != tt.sent {
				t.Errorf("sent as %s, want %s", got, tt.sent)
			}
		})
	}
}

func TestWhatOnlyLooksLikeAnOddLinkIsRefused(t *testing.T) {
	for _, tt := range [][2]string{
		{"/v1.0/users", "(token='x')"},
		{"/v1.0/users/deltas", "(token='x')"},
		{"/v1.0/users/delta", "(token='x')$expand=manager"},
		{"/v1.0/users/delta", "(token='x'')&$expand=manager')"},
		{"/v1.0/users/delta", "(token='x%27)&$expand=manager')"},
		{"/v1.0/users/delta", "(token=x)"},
		{"/v1.0/users/delta", "(other='x')"},
		{"/v1.0/users/delta", "(token='x')&token=y"},
		{"/v1.0/users/delta", "(token='x%26$expand=manager')"},
		{"/v1.0/users/delta", "(token='x%26expand=manager')&$top=5"},
		{"/v1.0/users/delta", "(token='x;$expand=manager')"},
		{"/v1.0/users/delta", "(token='x%23')&$select=id"},
		{"/v1.0/me/drive/root/search(q='x')&skipToken=y%26$expand=children", ""},
		{"/v1.0/me/drive/root/search(q='x')&skipToken=y;$expand=children", ""},
		{"/v1.0/me/drive/root/search(q='x')&$expand=children", ""},
		{"/v1.0/me/drive/root/search(q='x')&skipToken=a/../b", ""},
		{"/v1.0/me/drive/root/search(q='x')&skipToken=a&$expand=children", ""},
		{"/v1.0/me/drive/root/search(q='x')&skipToken=a", "$expand=children"},
	} {
		t.Run(tt[0]+"?"+tt[1], func(t *testing.T) {
			if target, err := odata.Parse(tt[0], tt[1]); err == nil {
				t.Errorf("read as %s?%s", target.EscapedPath(), target.RawQuery())
			}
		})
	}
}
