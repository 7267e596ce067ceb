package throttle_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"graphproxy/proxy/throttle"
)

// silent are the refusals without Retry-After and RateLimit-*.
func silent() map[string]struct {
	status int
	header http.Header
} {
	return map[string]struct {
		status int
		header http.Header
	}{
		"429":                         {429, nil},
		"503":                         {503, nil},
		"509":                         {509, nil},
		"429 with garbage":            {429, headers("Retry-After: soon")},
		"429 with a date in the past": {429, headers("Retry-After: Mon, 02 Mar 2026 08:00:20 GMT")},
	}
}

func TestASilentRefusalHoldsTheResourceAlone(t *testing.T) {
	for _, test := range []struct {
		refused    string
		held, free []string
	}{
		{"GET /drives/b!1/root",
			[]string{"GET /drives/B!1/items/i/children", "PUT /drives('b!1')/root:/a:/content", "GET /sites/s/drives/b!1/root"},
			[]string{"GET /drives/b!2/root", "GET /sites/s/lists", "GET /sites/s/drives/b!2/root", "GET /users/u/drive/root",
				"GET /drives/b!1/items/i/workbook/tables"}},
		{"GET /sites/s/lists", []string{"GET /sites/S/drive/root", "POST /sites/s/lists"},
			[]string{"GET /sites/t/lists", "GET /drives/d/root", "GET /sites", "GET /sites/s/drives/d/root"}},
		{"GET /sites/contoso.sharepoint.com:/sites/hr:/lists",
			[]string{"GET /sites/contoso.sharepoint.com:/sites/HR:/drive/root"},
			[]string{"GET /sites/contoso.sharepoint.com:/sites/it:/lists", "GET /sites/contoso.sharepoint.com/lists"}},
		{"GET /users/u/drive/root", []string{"GET /users/U/drive/items/i"},
			[]string{"GET /users/v/drive/root", "GET /groups/u/drive/root", "GET /users/u", "GET /users/u/messages"}},
		{"GET /drives/d/items/i/workbook/tables", []string{"POST /drives/d/items/I/workbook/createSession"},
			[]string{"GET /drives/d/items/j/workbook/tables", "GET /drives/e/items/i/workbook/tables", "GET /drives/d/items/i"}},
		{"GET /drives/d/root:/A.xlsx:/workbook/tables", []string{"GET /drives/d/root:/a.xlsx:/workbook/names"},
			[]string{"GET /drives/d/root:/b.xlsx:/workbook/tables"}},
		{"GET /shares/s/driveItem", []string{"GET /shares/s/items"}, []string{"GET /shares/t/driveItem"}},
		{"GET /users/u", []string{"PATCH /users/u", "GET /users/u/manager"},
			[]string{"GET /users/v", "GET /groups/u", "GET /users"}},
		{"GET /users", []string{"GET /users/delta", "POST /users"}, []string{"GET /users/u", "GET /groups"}},
		{"GET /users/u/onenote/pages", []string{"GET /users/u/onenote/notebooks"}, []string{"GET /users/v/onenote/pages"}},
		{"GET /subscriptions/s", []string{"PATCH /subscriptions/s"}, []string{"POST /subscriptions"}},
	} {
		for name, answer := range silent() {
			t.Run(test.refused+" "+name, func(t *testing.T) {
				m := newMemory()
				m.Seen(start, scope(t, test.refused), nil, answer.status, answer.header)
				for _, request := range append(test.held, test.refused) {
					if m.Check(start, scope(t, request)).Wait != time.Second {
						t.Errorf("%s is not held back", request)
					}
				}
				for _, request := range test.free {
					if v := m.Check(start, scope(t, request)); v != (throttle.Verdict{}) {
						t.Errorf("%s is held back: %+v", request, v)
					}
				}
			})
		}
	}
}

func TestARefusalWithALimitHoldsTheService(t *testing.T) {
	for _, line := range []string{"Retry-After: 10", "RateLimit-Reset: 10", "RateLimit-Remaining: 0",
		"RateLimit-Limit: 1250"} {
		m := newMemory()
		m.Seen(start, scope(t, "GET /drives/d/root"), nil, 429, headers(line))
		if m.Check(start, scope(t, "GET /drives/e/root")).Wait == 0 {
			t.Errorf("%s does not hold the service", line)
		}
	}
	t.Run("but a workbook's holds its drive item", func(t *testing.T) {
		m := newMemory()
		m.Seen(start, scope(t, "PATCH /drives/d/items/i/workbook/worksheets/w/range"), nil, 429, headers("Retry-After: 10"))
		if v := m.Check(start, scope(t, "GET /drives/d/items/i/workbook/tables")); v.Wait != 10*time.Second {
			t.Errorf("the workbook: %+v", v)
		}
		for _, free := range []string{"GET /drives/d/items/j/workbook/tables", "GET /drives/d/items/i",
			"GET /me/drive/items/i/workbook/tables"} {
			if v := m.Check(start, scope(t, free)); v != (throttle.Verdict{}) {
				t.Errorf("%s: %+v", free, v)
			}
		}
	})
}

func TestTheServiceIsHeldWhenAnotherResourceIsRefusedToo(t *testing.T) {
	third := "GET /drives/c/root"
	refuse := func(m *throttle.Memory, after time.Duration, request string) {
		m.Seen(at(after), scope(t, request), nil, 429, nil)
	}
	t.Run("within ten seconds", func(t *testing.T) {
		m := newMemory()
		refuse(m, 0, "GET /drives/a/root")
		refuse(m, 9*time.Second, "GET /drives/b/root")
		if v := m.Check(at(9*time.Second), scope(t, third)); v.Wait != time.Second {
			t.Errorf("%+v", v)
		}
		if v := m.Check(at(9*time.Second), scopeFor(t, "hr", "contoso", third)); v != (throttle.Verdict{}) {
			t.Errorf("another app's: %+v", v)
		}
	})
	t.Run("not later", func(t *testing.T) {
		m := newMemory()
		refuse(m, 0, "GET /drives/a/root")
		refuse(m, 11*time.Second, "GET /drives/b/root")
		if v := m.Check(at(11*time.Second), scope(t, third)); v != (throttle.Verdict{}) {
			t.Errorf("%+v", v)
		}
	})
	t.Run("not by the same one, however often", func(t *testing.T) {
		m := newMemory()
		for i := range 100 {
			refuse(m, time.Duration(i)*100*time.Millisecond, "GET /drives/a/root")
		}
		if v := m.Check(at(10*time.Second), scope(t, third)); v != (throttle.Verdict{}) {
			t.Errorf("%+v", v)
		}
	})
	t.Run("not by another service's", func(t *testing.T) {
		m := newMemory()
		refuse(m, 0, "GET /drives/a/root")
		refuse(m, 0, "GET /users/u/onenote/pages")
		if v := m.Check(at(0), scope(t, third)); v != (throttle.Verdict{}) {
			t.Errorf("%+v", v)
		}
	})
	t.Run("and goes on when a request of it is taken", func(t *testing.T) {
		m := newMemory()
		refuse(m, 0, "GET /drives/a/root")
		refuse(m, 0, "GET /drives/b/root")
		probe := m.Check(at(time.Second), scope(t, third)).Probe
		m.Seen(at(time.Second), scope(t, third), probe, 200, nil)
		if v := m.Check(at(time.Second), scope(t, "GET /drives/d/root")); probe == nil || v != (throttle.Verdict{}) {
			t.Errorf("probe %v, then %+v", probe, v)
		}
		if v := m.Check(at(time.Second), scope(t, "GET /drives/a/root")); v.Probe == nil {
			t.Errorf("the blocked drive: %+v", v)
		}
	})
}

// Requests for a drive that is blocked for ever, one every two seconds, do not hold requests for other drives. Before,
// 60 % of them were held.
func TestABlockedDriveTakesNothingFromOthers(t *testing.T) {
	m := newMemory()
	blocked, good := scope(t, "GET /drives/blocked/root"), scope(t, "GET /drives/good/root")
	sentGood, refused, sent := 0, 0, 0
	for now := time.Duration(0); now < 10*time.Minute; now += 100 * time.Millisecond {
		if now%(2*time.Second) == 0 {
			if v := m.Check(at(now), blocked); v.Wait == 0 {
				sent++
				m.Seen(at(now), blocked, v.Probe, 429, nil)
			}
		}
		sentGood++
		v := m.Check(at(now), good)
		if v.Wait > 0 {
			refused++
			continue
		}
		m.Seen(at(now), good, v.Probe, 200, nil)
	}
	if refused > 0 {
		t.Errorf("%d of %d good requests were held back", refused, sentGood)
	}
	if sent > 20 {
		t.Errorf("the blocked drive got %d requests in ten minutes", sent)
	}
}

func TestAHoldOfAResourceReachesOtherReplicas(t *testing.T) {
	for _, request := range []string{
		"GET /drives/b!-_%20x/root", "GET /sites/contoso.sharepoint.com:/sites/hr:/lists",
		"GET /drives/d/root:/A%25/b.xlsx:/workbook/tables", "GET /users", "GET /drives/" + strings.Repeat("x", 300) + "/root",
	} {
		var key string
		here := newMemory(func(o *throttle.Options) { o.OnHold = func(s throttle.Scope, _ time.Time) { key = s.Key() } })
		here.Seen(start, scope(t, request), nil, 429, nil)
		s, err := throttle.ParseScope(key)
		if err != nil {
			t.Fatal(request, err)
		}
		there := newMemory()
		there.Adopt(start, s, at(5*time.Second))
		if v := there.Check(start, scope(t, request)); v.Wait != 5*time.Second {
			t.Errorf("%s, adopted as %s: %+v", request, key, v)
		}
		if v := there.Check(start, scope(t, "GET /drives/other/root")); v != (throttle.Verdict{}) {
			t.Errorf("%s, adopted as %s, holds others back: %+v", request, key, v)
		}
	}
}

func TestResourcesAreForgottenAndBounded(t *testing.T) {
	m := newMemory(func(o *throttle.Options) { o.MaxScopes = 10 })
	for i := range 1000 {
		m.Seen(at(time.Duration(i)*20*time.Second), scope(t, fmt.Sprintf("GET /drives/%d/root", i)), nil, 429, nil)
	}
	if v := m.Check(at(10*time.Hour), scope(t, "GET /drives/5/root")); v.Wait != 0 {
		t.Errorf("%+v", v)
	}
}
