package redislimit_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"graphproxy/proxy/redislimit"
)

func TestOpenReadsAddresses(t *testing.T) {
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	for name, tt := range map[string]struct {
		address string
		want    redis.UniversalOptions
	}{
		"a host": {"redis://redis.contoso.com", redis.UniversalOptions{Addrs: []string{"redis.contoso.com:6379"}}},
		"everything": {"redis://graphproxy:p%40s%2Fs@redis.contoso.com:6380/3",
			redis.UniversalOptions{Addrs: []string{"redis.contoso.com:6380"}, Username: "graphproxy", Password: "p@s/s", DB: 3}},
		"the default user": {"redis://:secret@10.0.0.1/",
			redis.UniversalOptions{Addrs: []string{"10.0.0.1:6379"}, Password: "secret"}},
		"an IPv6 address":  {"redis://[fd00::1]:6379/0", redis.UniversalOptions{Addrs: []string{"[fd00::1]:6379"}}},
		"one without port": {"redis://[fd00::1]", redis.UniversalOptions{Addrs: []string{"[fd00::1]:6379"}}},
		"TLS": {"rediss://redis.contoso.com",
			redis.UniversalOptions{Addrs: []string{"redis.contoso.com:6379"}, TLSConfig: secure}},
		"a socket": {"unix:///run/redis/redis.sock", redis.UniversalOptions{Addrs: []string{"/run/redis/redis.sock"}}},
		"a socket with all": {"unix://graphproxy:secret@/run/redis.sock?db=2",
			redis.UniversalOptions{Addrs: []string{"/run/redis.sock"}, Username: "graphproxy", Password: "secret", DB: 2}},
		"sentinels": {"redis+sentinel://graphproxy:secret@s1,s2:26380,s3/mymaster/1?sentinel_username=a&sentinel_password=b",
			redis.UniversalOptions{
				Addrs:            []string{"s1:26379", "s2:26380", "s3:26379"},
				MasterName:       "mymaster",
				Username:         "graphproxy",
				Password:         "secret",
				DB:               1,
				SentinelUsername: "a",
				SentinelPassword: "b",
			}},
		"sentinels, as other clients write": {"redis-sentinel://s1:26379,s2/mymaster",
			redis.UniversalOptions{Addrs: []string{"s1:26379", "s2:26379"}, MasterName: "mymaster"}},
		"sentinels over TLS": {"rediss+sentinel://s1/mymaster",
			redis.UniversalOptions{Addrs: []string{"s1:26379"}, MasterName: "mymaster", TLSConfig: secure}},
		"a cluster": {"redis+cluster://graphproxy:secret@c1,c2:6380,[fd00::3]:6379", redis.UniversalOptions{
			Addrs:         []string{"c1:6379", "c2:6380", "[fd00::3]:6379"},
			IsClusterMode: true,
			Username:      "graphproxy",
			Password:      "secret",
		}},
		"a cluster over TLS, with a slash": {"rediss+cluster://c1/",
			redis.UniversalOptions{Addrs: []string{"c1:6379"}, IsClusterMode: true, TLSConfig: secure}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := redislimit.Parse(tt.address)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, &tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, &tt.want)
			}
		})
	}
}

func TestOpenRefusesWhatItCannotRead(t *testing.T) {
	for name, tt := range map[string]struct{ address, want string }{
		"no scheme":                          {"redis.contoso.com:6379", "no scheme"},
		"another scheme":                     {"http://:hunter2@redis.contoso.com", "unknown scheme"},
		"an unescaped slash in the password": {"redis://u:hunter2/x@redis.contoso.com:6379", "address of redis"},
		"an unescaped at sign in the port":   {"redis://u:hunter2@x@redis.contoso.com:99999", "a host that is not"},
		"an unescaped hash in the password":  {"redis://u:hunter2#x@redis.contoso.com", "address of redis"},
		"an unescaped question mark":         {"redis://u:x?hunter2=@redis.contoso.com", "address of redis"},
		"an escape that is none":             {"redis://u:hunter2%zz@redis.contoso.com", "not an address"},
		"a user without a password":          {"redis://graphproxy@redis.contoso.com", "user without a password"},
		"a database with letters":            {"redis://:hunter2@redis.contoso.com/x", "not a number"},
		"a path":                             {"redis://:hunter2@redis.contoso.com/0/1", "more in the path"},
		"several hosts":                      {"redis://:hunter2@a,b", "several hosts"},
		"a host that is missing":             {"redis+cluster://:hunter2@a,,b", "a host that is not"},
		"no host":                            {"redis://", "a host that is not"},
		"a database of a cluster":            {"redis+cluster://:hunter2@a/1", "only one"},
		"no master":                          {"redis+sentinel://:hunter2@a,b", "no name of the master"},
		"no socket":                          {"unix://", "no path"},
		"a socket with a host":               {"unix://run/redis.sock", "no path"},
		"an option that is not there":        {"redis://:hunter2@a?pool_size=hunter2", "unknown option"},
		"a check of certificates turned off": {"rediss://:hunter2@a?skip_verify=true", "unknown option"},
		"an option twice":                    {"unix:///s?db=1&db=2", "there twice"},
		"an option of sentinels":             {"redis://a?sentinel_password=hunter2", "unknown option"},
		"options that cannot be read":        {"unix:///s?db=1;x=hunter2", "cannot be read"},
		"a fragment":                         {"redis://a/0#hunter2", "%23"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := redislimit.ParseAddress(tt.address)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want one with %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}

func TestOpenNeedsAnAddressAndAClock(t *testing.T) {
	at, err := redislimit.ParseAddress("redis://a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := redislimit.Open(at, redislimit.Options{}); err == nil || !strings.Contains(err.Error(), "time.Now") {
		t.Errorf("no clock: %v", err)
	}
	if _, err := redislimit.Open(redislimit.Address{}, redislimit.Options{Now: time.Now}); err == nil {
		t.Error("no address, and no error")
	}
}

func TestAnAddressNeverPrints(t *testing.T) {
	at, err := redislimit.ParseAddress("redis://:hunter2@a")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"at": at, "in": struct{ A redislimit.Address }{at}})
	if err != nil {
		t.Fatal(err)
	}
	printed := string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%t", "%p", "%f"} {
		printed += fmt.Sprintf(verb+verb+verb, at, struct{ a redislimit.Address }{at}, []any{&at})
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "at", at)
	if printed += log.String(); strings.Contains(printed, "hunter2") {
		t.Error(printed)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add("redis://", "hunter2", "@redis.contoso.com:6379/0")
	f.Add("rediss+sentinel://u:", "p%40ss", "@a,b:1,[::1]/mymaster/1?sentinel_password=x")
	f.Add("redis-cluster://", "", "a,b")
	f.Add("unix://u:", "hunter2#", "@/run/redis.sock?db=1")
	f.Fuzz(func(t *testing.T, before, secret, after string) {
		o, err := redislimit.Parse(before + secret + after)
		if err != nil {
			if len(secret) > 20 && strings.Contains(err.Error(), secret) {
				t.Fatalf("%v holds a part of %q", err, secret)
			}
			return
		}
		for _, a := range o.Addrs {
			if _, port, err := net.SplitHostPort(a); a == "" || !strings.HasPrefix(a, "/") && (err != nil || port == "") {
				t.Errorf("address %q", a)
			}
		}
		if len(o.Addrs) == 0 || o.DB < 0 {
			t.Errorf("%+v", o)
		}
	})
}
