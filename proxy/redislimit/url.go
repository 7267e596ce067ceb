package redislimit

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

const spellings = "redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or " +
	"rediss+cluster://"

// parse reads the address of a Redis. It is strict, because a misread address would show only when limits are no longer
// shared. Its errors hold no part of the address, because any part may be a password that was not escaped.
func parse(address string) (*redis.UniversalOptions, error) {
	scheme, rest, found := strings.Cut(address, "://")
	if !found {
		return nil, errors.New("no scheme; write " + spellings)
	}
	hosts := ""
	if scheme != "unix" {
		// net/url knows one host and port only, so several are taken out before it looks.
		hosts, rest = cutHosts(rest)
	}
	u, err := url.Parse(strings.ReplaceAll(scheme, "-", "+") + "://" + rest)
	if err != nil {
		return nil, errors.New("not an address; characters such as @ / # % in a password are written as %40 %2F %23 %25")
	}
	o := &redis.UniversalOptions{}
	if err := setCredentials(o, u); err != nil {
		return nil, err
	}
	if err := setPlace(o, u, hosts); err != nil {
		return nil, err
	}
	return o, nil
}

// cutHosts takes "host:1,host:2" out of "user:password@host:1,host:2/path", and leaves "host" in their place.
func cutHosts(rest string) (hosts, without string) {
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	at := strings.LastIndexByte(authority, '@') + 1
	return authority[at:], authority[:at] + "host" + tail
}

func setCredentials(o *redis.UniversalOptions, u *url.URL) error {
	if u.User != nil {
		o.Username = u.User.Username()
		o.Password, _ = u.User.Password()
		if o.Password == "" {
			return errors.New("a user without a password; write user:password@, or :password@ for the default user")
		}
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("the options after ? cannot be read")
	}
	for name, values := range query {
		if len(values) != 1 || values[0] == "" {
			return errors.New("an option after ? that is there twice, or without a value")
		}
		switch {
		case name == "db" && u.Scheme == "unix":
			if o.DB, err = database(values[0]); err != nil {
				return err
			}
		case name == "sentinel_username" && strings.HasSuffix(u.Scheme, "+sentinel"):
			o.SentinelUsername = values[0]
		case name == "sentinel_password" && strings.HasSuffix(u.Scheme, "+sentinel"):
			o.SentinelPassword = values[0]
		default:
			return errors.New("an unknown option after ?; there are db (unix), sentinel_username and sentinel_password " +
				"(sentinel). In a password ? is written %3F")
		}
	}
	if u.Fragment != "" {
		return errors.New("a # and something after it; in a password it is written %23")
	}
	return nil
}

// setPlace sets the servers, the database and TLS.
func setPlace(o *redis.UniversalOptions, u *url.URL, hosts string) error {
	path := strings.Split(strings.Trim(u.Path, "/"), "/")
	if scheme, secure := strings.CutPrefix(u.Scheme, "rediss"); secure {
		u.Scheme = "redis" + scheme
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12} // the name to check is the server's of each connection
	}
	port := "6379"
	var err error
	switch u.Scheme {
	case "unix":
		return setSocket(o, u)
	case "redis":
		if strings.Contains(hosts, ",") {
			return errors.New("several hosts; write redis+sentinel:// or redis+cluster://")
		}
		err = setDatabase(o, path)
	case "redis+cluster":
		o.IsClusterMode = true
		if path[0] != "" {
			err = errors.New("a database; a cluster has only one")
		}
	case "redis+sentinel":
		port = "26379"
		if o.MasterName = path[0]; o.MasterName == "" {
			return errors.New("no name of the master; write redis+sentinel://host1,host2/mymaster")
		}
		err = setDatabase(o, path[1:])
	default:
		return errors.New("unknown scheme; write " + spellings)
	}
	if err != nil {
		return err
	}
	o.Addrs, err = addresses(hosts, port)
	return err
}

func setSocket(o *redis.UniversalOptions, u *url.URL) error {
	if u.Host != "" || u.Path == "" || u.Path == "/" {
		return errors.New("no path; write unix:///run/redis.sock, or unix://user:password@/run/redis.sock")
	}
	o.Addrs = []string{u.Path}
	return nil
}

func setDatabase(o *redis.UniversalOptions, path []string) (err error) {
	if len(path) > 1 {
		return errors.New("more in the path than the number of a database")
	}
	if len(path) == 1 && path[0] != "" {
		o.DB, err = database(path[0])
	}
	return err
}

func database(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, errors.New("the database is not a number")
	}
	return int(n), nil
}

// addresses splits host:port,host:port; the port may be missing.
func addresses(hosts, port string) ([]string, error) {
	var all []string
	for h := range strings.SplitSeq(hosts, ",") {
		name, number, err := net.SplitHostPort(h)
		if err != nil {
			name, number, err = net.SplitHostPort(h + ":" + port)
		}
		if _, bad := strconv.ParseUint(number, 10, 16); err != nil || bad != nil || name == "" {
			return nil, errors.New("a host that is not a name or an address, with a port from 1 to 65535 if any")
		}
		all = append(all, net.JoinHostPort(name, number))
	}
	return all, nil
}
