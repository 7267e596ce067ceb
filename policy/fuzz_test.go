package policy_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"graphproxy/policy"
)

// For any bytes, Parse returns a policy or problems, and a policy denies unknown callers.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "testdata/example.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	unknown := request(f, "nobody", "GET /users")
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := policy.Parse("policy.yaml", data)
		if err != nil {
			var errs policy.Errors
			if p != nil || !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatalf("%v, %v", p, err)
			}
			for i, e := range errs {
				if e.Line < 1 || e.Message == "" || i > 0 && e.Line < errs[i-1].Line {
					t.Fatalf("%v", errs)
				}
			}
			return
		}
		if _, known := names(p)["nobody"]; !known && p.Decide(unknown).Allow {
			t.Fatal("an unknown caller is allowed")
		}
		for name, c := range names(p) {
			if len(c.Identities) == 0 {
				t.Fatalf("nothing proves %s", name)
			}
			r := unknown
			r.Caller = name
			p.Charges(nil, r, p.Decide(r))
		}
	})
}

func names(p *policy.Policy) map[string]policy.Caller {
	all := make(map[string]policy.Caller)
	for _, c := range p.Callers() {
		all[c.Name] = c
	}
	return all
}
