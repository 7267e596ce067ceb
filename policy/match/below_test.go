package match_test

import (
	"slices"
	"testing"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/match"
)

// finds reports whether a rule matches a target as an allow rule and as a deny rule.
func finds(t *testing.T, r *match.Rule, path string) (narrow, wide bool) {
	t.Helper()
	target, err := odata.Parse("/v1.0"+path, "")
	if err != nil {
		t.Fatal(err)
	}
	var n match.AllowSet
	n.Add(r)
	var w match.DenySet
	w.Add(r)
	_, wide = w.First(target, match.Get)
	return n.Find(target, match.Get).Index == 0, wide
}

// An allow rule with /** includes only the item or site that it names. A deny rule includes more.
func TestWhatIsBelowARule(t *testing.T) {
	for name, c := range map[string]struct {
		rule   string
		values []string // for the rule's first variable
		in     []string
		out    []string
	}{
		"a site": {
			rule: "/sites/{site}/**",
			in: []string{"/sites/h", "/sites/h/lists/l/items/1", "/sites/h/drive/root:/a:/children", "/sites/h/drives/d/root:/a",
				"/sites/h/drives('d')/items/1:/a:/content", "/sites/h/sites/k/lists", "/sites/root/lists"},
			out: []string{"/sites/h:/a", "/sites('h'):/a:/lists", "/sites/root:/a:/drive/root:/b", "/sites/h/sites/k:/a",
				"/sites/h/getByPath(path='a')", "/sites/h/graph.getByPath(path='a')/lists", "/sites/h/sites/k/getByPath(path='a')",
				"/sites/h/lists:/a"},
		},
		"a special folder that is named": {
			rule:   "/drives/d/special/{name}/**",
			values: []string{"approot"},
			in: []string{"/drives/d/special/approot", "/drives/d/special/approot:/a/b:/content",
				"/drives/d/special/approot/children"},
			out: []string{"/drives/d/special/approot/children/1", "/drives/d/special/approot:/a:/children/1",
				"/drives/d/special/approot/items/1:/a"},
		},
		"an item that is named by its path, and other spellings of names": {
			rule:   "/drives/d/root:/{path}:/**",
			values: []string{"a"},
			in:     []string{"/drives/d/root:/a:/permissions/1"},
			out: []string{"/drives/d/root:/a:/ｃhildren/1", "/drives/d/root:/a:/childrén/1",
				"/drives/d/root:/a:/drive/root:/b", "/drives/d/root:/a:/special/x:/b", "/drives/d/root:/a:/items/x:/b"},
		},
		"a site that is named": {
			rule:   "/sites/{site}/**",
			values: []string{"h"},
			in:     []string{"/sites/h/sites", "/sites/h/sites/$count", "/sites('h')/lists"},
			out:    []string{"/sites/h/sites/k", "/sites/h/sites('k')/lists", "/sites/h:/a"},
		},
		"the site of the tenant": {
			rule: "/sites/root/**",
			in:   []string{"/sites/root", "/sites/root/drive/root:/a"},
			out:  []string{"/sites/root:/sites/hr", "/sites/root/sites/k"},
		},
		"a site by its path": {
			rule: "/sites/{host}:/{path}:/**",
			in: []string{"/sites/h:/a", "/sites/h:/a/b:/lists/l", "/sites/h:/a:/drive/root:/c:/children",
				"/sites/h:/a:/drive/items/1:/b"},
			out: []string{"/sites/h:/a:/sites/k", "/sites/h:/a:/getByPath(path='b')", "/sites/h:/a:/lists:/b",
				"/sites/h:/a:/sites/k:/b"},
		},
		"a site by a function": {
			rule: "/sites/{site}/getByPath(path={path})/**",
			in: []string{"/sites/h/getByPath(path='a')", "/sites/h/getByPath(path='a')/lists",
				"/sites/h/getByPath(path='a')/drive/root:/b"},
			out: []string{"/sites/h/getByPath(path='a')/getByPath(path='b')", "/sites/h/getByPath(path='a')/sites/k"},
		},
		"every site": {
			rule: "/sites/**",
			in: []string{"/sites", "/sites/h:/a", "/sites/h:/a:/drive/root:/b", "/sites/h/getByPath(path='a')",
				"/sites/h/sites/k:/a"},
			out: []string{"/sites/h:/a:/b:/c", "/sites/h/lists:/a"},
		},
		"a group, which has a site": {
			rule: "/groups/{group}/**",
			in:   []string{"/groups/g/sites/root/lists", "/groups/g/drive/root:/a", "/groups/g/sites/root/drive/root:/a"},
			out: []string{"/groups/g/sites/root:/a", "/groups/g/sites/root:/a:/drive/root:/b",
				"/groups/g/sites/h/getByPath(path='a')", "/groups/g:/a"},
		},
		"a user called root": {
			rule: "/users/{user}/**",
			in:   []string{"/users/root/drive/root:/a", "/users/u/drive/special/approot:/a.json:/content"},
			out:  []string{"/users/root:/a", "/users/u:/a", "/users/u/messages:/a"},
		},
		"the root of a drive": {
			rule: "/drives/{drive}/root/**",
			in:   []string{"/drives/d/root:/a", "/drives/d/root:/a:/children/1", "/drives('d')/root:/a:/content"},
			out:  []string{"/drives/d/root:/a:/children:/b"},
		},
		"the root of a shared item": {
			rule: "/shares/{share}/root/**",
			in:   []string{"/shares/s/root:/a:/content"},
			out:  []string{"/shares/s/root/children:/a"},
		},
		"a file by its path": {
			rule: "/drives/{drive}/root:/{path}:/**",
			in: []string{"/drives/d/root:/a", "/drives/d/root:/a:/children", "/drives/d/root:/a:/children/$count",
				"/drives/d/root:/a:/versions/1.0", "/drives/d/root:/a:/workbook/names/children/range"},
			out: []string{"/drives/d/root:/a:/children/1", "/drives/d/root:/a:/children('1')/content",
				"/drives/d/root:/a:/root:/b", "/drives/d/root:/a:/listItem/driveItem/children/1", "/drives/d/root:/a:/items/1",
				"/drives/d/root:/a:/workbook/worksheets:/b"},
		},
		"a folder below an item": {
			rule: "/drives/{drive}/items/{item}:/{path}:/**",
			in:   []string{"/drives/d/items/1:/a:/children"},
			out:  []string{"/drives/d/items/1:/a:/children/2/content", "/drives/d/items/1:/a:/children/2:/b"},
		},
		"an item that is written out": {
			rule: "/drives/{drive}/items/1/**",
			in:   []string{"/drives/d/items/1/children", "/drives/d/items/1:/a/b:/content", "/drives/d/items('1')/versions/2"},
			out:  []string{"/drives/d/items/1/children/2", "/drives/d/items/1/children('2')/content"},
		},
		"any item": {
			rule: "/drives/{drive}/items/{item}/**",
			in:   []string{"/drives/d/items/1/children/2", "/drives/d/items/root/children", "/drives/d/items/1:/a:/children/2"},
			// the rule must be for a path
			out: []string{"/drives/d/items/root:/a", "/drives/d/items/root%3A%2Fa%3A/content", "/drives/d/root:/a",
				"/drives/d/root"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range append(c.in, c.out...) {
				narrow, wide := finds(t, ruleOf(t, c.rule, c.values...), path)
				if want := slices.Contains(c.in, path); narrow != want {
					t.Errorf("%s: allowed is %v, want %v", path, narrow, want)
				}
				if !wide {
					t.Errorf("%s is not denied", path)
				}
			}
		})
	}
}

func TestARuleThatStopsBeforeTheTargetIsExplained(t *testing.T) {
	target, err := odata.Parse("/v1.0/sites/h:/a:/lists", "")
	if err != nil {
		t.Fatal(err)
	}
	var n match.AllowSet
	n.Add(ruleOf(t, "/sites/{site}/**"))
	index, clause, found := n.Nearest(target, match.Get)
	if index != 0 || !found || clause != "whose /** does not reach the other item or site that the path names" {
		t.Errorf("%d %q %v", index, clause, found)
	}
}

// A variable is no cast, and matches text that only looks like a cast.
func TestWhatIsACast(t *testing.T) {
	for path, want := range map[string]bool{
		"/groups/g/members/9":                                                         true,
		"/groups/g/members('user')":                                                   true,
		"/groups/g/members/user":                                                      false,
		"/groups/g/members/ServicePrincipal":                                          false,
		"/groups/g/members/Microsoft.DirectoryServices.User":                          false,
		"/groups/g/members/microsoft.user":                                            false,
		"/groups/g/members/microsoft.user@contoso.com":                                true,
		"/sites/h/lists/Event":                                                        true,
		"/sites/h/lists/graph.api.calls":                                              true,
		"/external/connections/device":                                                true,
		"/external/connections/c/items/group":                                         true,
		"/users/u/extensions/microsoft.graph.openTypeExtension.com.contoso.x":         true,
		"/users/u/extensions/microsoft.graph.openTypeExtension":                       false,
		"/domains/graph.contoso.com":                                                  true,
		"/domains/graph.io":                                                           true,
		"/domains/microsoft.graph.domain":                                             false,
		"/sites/graph.sharepoint.com":                                                 true,
		"/sites/graph.sharepoint.com,2c712604-1370-44e7-a1f5-426573fda80a,2d2244c3-0": true,
		"/sites/microsoft.graph.getAllSites":                                          false,
		"/security/threatIntelligence/hosts/microsoft.contoso.com":                    true,
		"/roleManagement/directory/resourceNamespaces/microsoft.directory":            true,
	} {
		t.Run(path, func(t *testing.T) {
			target, err := odata.Parse("/v1.0"+path, "")
			if err != nil {
				t.Fatal(err)
			}
			rule, last := "/v1.0", len(target.Segments)-1
			for i, s := range target.Segments[:last] {
				if i == last-1 && target.Segments[last].Kind == odata.Key || s.Kind == odata.Name {
					rule += "/" + s.Text
				}
			}
			if narrow, _ := finds(t, ruleOf(t, rule+"/{id}"), path); narrow != want {
				t.Errorf("%s/{id} takes it: %v, want %v", rule, narrow, want)
			}
		})
	}
}

// A deny rule for a collection also applies to a cast of it without a namespace, and a deny rule for an element
// of a list to the list.
func TestWhatADenyRuleReaches(t *testing.T) {
	for rule, path := range map[string]string{
		"/groups/{id}/members":             "/groups/g/members/user",
		"/groups/{id}/members/{member}/**": "/groups/g/members/user/9/messages",
		"/groups/{id}/members/graph.user":  "/groups/g/members/user",
		"/drives/{d}/items/{i}/workbook/worksheets/{sheet}/usedRange": "/drives/d/items/1/workbook/" +
			"worksheets/domains/graph.usedRange",
		"/users/{id}/{x}/graph.security.block":      "/users/u/lists/microsoft.graph.security.block",
		"/domains/microsoft.contoso.com":            "/domains('microsoft.contoso.com')",
		"/x/f(ids='b')":                             `/x/f(ids=["a","B"])`,
		"/sites/{site}/**":                          "/sites/h%3A%2Fa%3A/lists",
		"/drives/{d}/root:/Salaries:/**":            "/drives/d/root%3A%2FSalaries%3A/children/1",
		"/sites/{host}:/{path}:/**":                 "/sites/h:/a:/sites/k:/b",
		"/drives/{d}/items/{i}/workbook/tables/add": "/drives/d/items/1/workbook/tables/$/add",
	} {
		if _, wide := finds(t, ruleOf(t, rule), path); !wide {
			t.Errorf("%s does not deny %s", rule, path)
		}
	}
}

func TestWhatIsSureOfRulesForSites(t *testing.T) {
	for name, c := range map[string]struct {
		a, b string
		want bool
	}{
		"a site and its lists":                 {"/sites/{site}/**", "/sites/{s}/lists/{l}", true},
		"a site and one by its path":           {"/sites/{site}/**", "/sites/{s}:/{p}", false},
		"a site and all below one by its path": {"/sites/{site}/**", "/sites/{s}:/{p}:/**", false},
		"every site and one by its path":       {"/sites/**", "/sites/{s}:/{p}:/**", true},
		"a site and every site":                {"/sites/{site}/**", "/sites/**", false},
		"a site by its path and its drive":     {"/sites/{h}:/{p}:/**", "/sites/{h}:/{p}:/drive/root:/{q}", true},
		"a site by its path and another of it": {"/sites/{h}:/{p}:/**", "/sites/{h}:/{p}:/sites/{s}", false},
		"a site by its path and itself":        {"/sites/{h}:/{p}:/**", "/sites/{host}:/{path}:/**", true},
		"a site and getByPath":                 {"/sites/{site}/**", "/sites/{s}/getByPath(path={p})", false},
		"a folder and its children":            {"/drives/{d}/root:/{p}:/**", "/drives/{d}/root:/{p}:/children", true},
		"a folder and one of its children": {
			"/drives/{d}/root:/{p}:/**", "/drives/{d}/root:/{p}:/children/{c}", false,
		},
		"a folder and all below its list's item": {
			"/drives/{d}/root:/{p}:/**", "/drives/{d}/root:/{p}:/listItem/**", false,
		},
		"a folder and itself":                        {"/drives/{d}/root:/{p}:/**", "/drives/{d}/root:/Reports:/**", true},
		"the root and a folder":                      {"/drives/{d}/root/**", "/drives/{d}/root:/{p}:/**", true},
		"a group and its site's lists":               {"/groups/{g}/**", "/groups/{g}/sites/{s}/lists", true},
		"a group and a site of its host":             {"/groups/{g}/**", "/groups/{g}/sites/root:/{p}", false},
		"an item that is named and what is not":      {"/drives/{d}/items/1/**", "/drives/{d}/items/{i}/**", false},
		"any item and one":                           {"/drives/{d}/items/{i}/**", "/drives/{d}/items/1/**", true},
		"a user and a path that Graph does not have": {"/users/{u}/**", "/users/{u}:/{p}", false},
	} {
		if got := match.Covers(ruleOf(t, c.a), ruleOf(t, c.b)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A deny rule for a path also applies to addresses that name the path part by part. An allow rule does not.
func TestAPathIsDeniedByItsParts(t *testing.T) {
	for rule, c := range map[string]struct {
		values  []string
		in, out []string
	}{
		"/drives/{drive}/root:/{path}:/**": {
			values: []string{"Reports/Salaries/**"},
			in: []string{
				"/drives/d/root/children/Reports/children/Salaries",
				"/drives/d/root/children('Reports')/children('Salaries')/content",
				"/drives/d/root:/Reports:/children/Salaries",
				"/drives/d/root/children/Reports/children/Salaries/children/x/permissions/1",
				"/drives/d/items/root/children/Reports/children/Salaries",
				"/drives/d/root/children(name='Reports')/children/SALARIES",
			},
			out: []string{
				"/drives/d/root/children",
				"/drives/d/root/children/Reports",
				"/drives/d/root/children/Salaries",
				"/drives/d/root/children/Reports/children/$count",
				"/drives/d/root/children/Reports/permissions/Salaries",
				"/drives/d/children/Reports/children/Salaries",
			},
		},
		"/sites/{host}:/{path}:/lists": {
			values: []string{"sites/hr"},
			in: []string{
				"/sites/h:/sites:/getByPath(path='hr')/lists",
				"/sites/h/getByPath(path='sites')/graph.getByPath(path='HR')/lists",
			},
			out: []string{
				"/sites/h/getByPath(path='hr')/lists",
				"/sites/h:/sites:/getByPath(path='hr')",
				"/sites/h:/sites:/getByPath/hr/lists",
			},
		},
		"/drives/{drive}/root:/{path}:/children": {
			values: []string{"Reports"},
			in:     []string{"/drives/d/root/children/Reports/children"},
			out:    []string{"/drives/d/root/children/Reports/children/x"},
		},
	} {
		template, err := odata.ParseTemplate(rule)
		if err != nil {
			t.Fatal(err)
		}
		key, _ := match.NewKey(template, "path", c.values)
		for _, path := range slices.Concat(c.in, c.out) {
			r := &match.Rule{Methods: match.Get, Template: template, Keys: []match.Key{key}}
			narrow, wide := finds(t, r, path)
			if want := slices.Contains(c.in, path); wide != want || narrow {
				t.Errorf("%s: %s: denied %v, want %v; allowed %v", rule, path, wide, want, narrow)
			}
		}
	}
}
