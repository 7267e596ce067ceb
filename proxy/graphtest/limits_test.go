package graphtest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"graphproxy/proxy/graphtest"
)

// clock is a time that tests set.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time       { return time.Unix(1_770_000_000, c.ns.Load()) }
func (c *clock) pass(d time.Duration) { c.ns.Add(int64(d)) }

func limited(t *testing.T, l graphtest.Limits) (*graphtest.Server, *clock) {
	t.Helper()
	s, c := newGraph(t, graphtest.Options{}), &clock{}
	l.Now = c.now
	s.Limit(l)
	return s, c
}

func TestTheDirectoryIsLimitedByResourceUnits(t *testing.T) {
	s, c := limited(t, graphtest.Limits{Directory: graphtest.Rate{Units: 10, Per: 10 * time.Second}})
	get := func(target string) answer { return call(t, s, "GET", target, "") }
	for i := range 8 {
		if a := get("/v1.0/users/adele@contoso.com"); a.status != 200 ||
			a.header.Get("x-ms-throttle-limit-percentage") != "" || a.header.Get("x-ms-resource-unit") != "1" {
			t.Fatalf("request %d: %d %v", i, a.status, a.header)
		}
	}
	if a := get("/v1.0/users/adele@contoso.com"); a.status != 200 ||
		a.header.Get("x-ms-throttle-limit-percentage") != "0.90" {
		t.Errorf("near the limit: %d %v", a.status, a.header)
	}
	refused := get("/v1.0/users") // 2 units
	if refused.status != 429 || refused.code() != "TooManyRequests" || refused.header.Get("Retry-After") != "6" ||
		refused.header.Get("x-ms-resource-unit") != "2" ||
		refused.header.Get("x-ms-throttle-limit-percentage") != "1.10" ||
		refused.header.Get("x-ms-throttle-information") != "ResourceUnitLimitExceeded" {
		t.Errorf("over it: %d %v %s", refused.status, refused.header, refused.body)
	}
	t.Run("other services and other apps go on", func(t *testing.T) {
		for _, a := range []answer{
			get("/v1.0/users/adele@contoso.com/messages"), get("/v1.0/users/adele@contoso.com/drive/root"),
			call(t, s, "GET", "/v1.0/users", "", "Authorization: Bearer another"),
		} {
			if a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
	})
	t.Run("refused requests count, down to 1.8 of the limit", func(t *testing.T) {
		var last answer
		for range 10 {
			last = get("/v1.0/users")
		}
		if last.status != 429 || last.header.Get("x-ms-throttle-limit-percentage") != "1.80" ||
			last.header.Get("Retry-After") != "13" {
			t.Errorf("%d %v", last.status, last.header)
		}
		c.pass(9 * time.Second)
		if a := get("/v1.0/users"); a.status != 429 {
			t.Errorf("too early: %d", a.status)
		}
		c.pass(10 * time.Second)
		if a := get("/v1.0/users"); a.status != 200 {
			t.Errorf("in time: %d %v", a.status, a.header)
		}
	})
	t.Run("until healed", func(t *testing.T) {
		s.Heal()
		for range 20 {
			if a := get("/v1.0/users"); a.status != 200 {
				t.Fatalf("%d", a.status)
			}
		}
	})
}

func TestWritesToTheDirectoryHaveALimitOfTheirOwn(t *testing.T) {
	s, _ := limited(t, graphtest.Limits{Writes: graphtest.Rate{Units: 1, Per: time.Minute}})
	patch := func() answer { return call(t, s, "PATCH", "/v1.0/users/adele@contoso.com", `{"jobTitle":"x"}`) }
	patch()
	if a := patch(); a.status != 429 || a.header.Get("x-ms-throttle-scope") == "" ||
		a.header.Get("x-ms-throttle-information") != "WriteLimitExceeded" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if a := call(t, s, "GET", "/v1.0/users/adele@contoso.com", ""); a.status != 200 {
		t.Errorf("a read: %d", a.status)
	}
}

func TestAMailboxIsOneByIDAndByName(t *testing.T) {
	s, c := limited(t, graphtest.Limits{Mailbox: graphtest.Rate{Units: 2, Per: 10 * time.Second}})
	id, _ := call(t, s, "GET", "/v1.0/users/adele@contoso.com", "").json["id"].(string)
	for i, key := range []string{"adele@contoso.com", id, "Adele@Contoso.com"} {
		a := call(t, s, "GET", "/v1.0/users/"+key+"/messages", "")
		if want := []int{200, 200, 429}[i]; a.status != want {
			t.Errorf("%s: %d, want %d", key, a.status, want)
		}
	}
	if a := call(t, s, "GET", "/v1.0/users/alex@contoso.com/messages", ""); a.status != 200 {
		t.Errorf("another mailbox: %d", a.status)
	}
	c.pass(time.Minute)
	t.Run("items of a batch are refused in their place", func(t *testing.T) {
		body := `{"requests":[`
		for i := range 3 {
			body += fmt.Sprintf(`{"id":"%d","method":"GET","url":"/users/adele@contoso.com/messages"},`, i)
		}
		a := call(t, s, "POST", "/v1.0/$batch", body[:len(body)-1]+"]}")
		var got struct {
			Responses []struct {
				ID      string
				Status  int
				Headers map[string]string
			}
		}
		must(t, json.Unmarshal([]byte(a.body), &got))
		refused := 0
		for _, item := range got.Responses {
			if item.Status == 429 && item.Headers["Retry-After"] != "" {
				refused++
			}
		}
		if a.status != 200 || refused != 1 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

func TestAMailboxTakesFewRequestsAtOnce(t *testing.T) {
	s, _ := limited(t, graphtest.Limits{Concurrent: 1})
	// One request whose body is under way occupies the mailbox.
	body, more := io.Pipe()
	done := make(chan int)
	req, err := http.NewRequest("POST", s.URL()+"/v1.0/users/adele@contoso.com/sendMail", body)
	must(t, err)
	req.Header.Set("Authorization", "Bearer any")
	go func() {
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Error(err)
			done <- 0
			return
		}
		_ = res.Body.Close()
		done <- res.StatusCode
	}()
	_, err = more.Write([]byte("{")) // returns when the transport reads, which may be before Graph does
	must(t, err)
	other := answer{status: 200}
	for other.status == 200 {
		other = call(t, s, "GET", "/v1.0/users/adele@contoso.com/messages", "")
	}
	if other.status != 429 || other.code() != "ApplicationThrottled" || other.header.Get("Retry-After") != "" {
		t.Errorf("%d %v %s", other.status, other.header, other.body)
	}
	must(t, more.Close())
	if status := <-done; status != 400 {
		t.Errorf("the first: %d", status)
	}
	for other.status == 429 {
		other = call(t, s, "GET", "/v1.0/users/adele@contoso.com/messages", "")
	}
}

func TestSharePointReportsWhatIsLeftNearTheLimit(t *testing.T) {
	s, c := limited(t, graphtest.Limits{Files: graphtest.Rate{Units: 10, Per: time.Minute}})
	get := func(target string) answer {
		return call(t, s, "GET", "/v1.0/users/adele@contoso.com/drive/root"+target, "")
	}
	for range 3 {
		if a := get("/children"); a.status != 200 || a.header.Get("RateLimit-Limit") != "" {
			t.Fatalf("%d %v", a.status, a.header)
		}
	}
	c.pass(20 * time.Second)
	if a := get("/children"); a.status != 200 || a.header.Get("RateLimit-Limit") != "10" ||
		a.header.Get("RateLimit-Remaining") != "2" || a.header.Get("RateLimit-Reset") != "40" {
		t.Errorf("at 80 %%: %d %v", a.status, a.header)
	}
	get("")
	get("")
	if a := get(""); a.status != 429 || a.code() != "activityLimitReached" || a.header.Get("Retry-After") != "40" ||
		a.header.Get("RateLimit-Remaining") != "0" {
		t.Errorf("over it: %d %v %s", a.status, a.header, a.body)
	}
	c.pass(40 * time.Second)
	if a := get(""); a.status != 200 || a.header.Get("RateLimit-Limit") != "" {
		t.Errorf("in the next window: %d %v", a.status, a.header)
	}
}

func TestPublishedLimitsLetAnHonestAppBe(t *testing.T) {
	s := newGraph(t, graphtest.Options{})
	s.Limit(graphtest.Published())
	for _, target := range []string{"/v1.0/users", "/v1.0/users/adele@contoso.com/messages",
		"/v1.0/users/adele@contoso.com/drive/root"} {
		if a := call(t, s, "GET", target, ""); a.status != 200 {
			t.Errorf("%s: %d", target, a.status)
		}
	}
}
