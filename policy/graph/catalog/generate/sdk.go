package main

import (
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"graphproxy/policy/graph/catalog"
	"graphproxy/policy/graph/odata"
)

// braces matches the parts of paths that differ between lists: names of variables, and quotes.
var braces = regexp.MustCompile(`\{[^}]*\}|'`)

// language is how Microsoft's generator (Kiota) writes a request builder in one language.
type language struct {
	file     string         // pattern of the names of files with request builders
	template *regexp.Regexp // name, URI template
	request  *regexp.Regexp // method; name of a template or a template
	options  *regexp.Regexp // method that takes query options
	call     *regexp.Regexp // marks a function or action
	page     *regexp.Regexp // page of Graph's reference, method
}

func languages() []language {
	return []language{
		{
			file:     "*_request_builder.go",
			template: regexp.MustCompile(`New(BaseRequestBuilder)\(requestAdapter, "\{\+baseurl\}([^"]*)"`),
			request: regexp.MustCompile(`AndPathParameters\(\w+\.(GET|POST|PUT|PATCH|DELETE), ` +
				`(?:m\.(BaseRequestBuilder)\.UrlTemplate|"\{\+baseurl\}([^"]*)"),`),
			options: regexp.MustCompile(`(?m)^type \w+RequestBuilder(Get|Post|Put|Patch|Delete)QueryParameters struct`),
			call:    regexp.MustCompile(`(?m)^// \w+RequestBuilder provides operations to call the \w+ method`),
			page:    regexp.MustCompile(`/graph/api/([\w-]+)\S*\nfunc \(m \*\w+\) (Get|Post|Put|Patch|Delete)\(`),
		},
		{
			file:     "index.ts",
			template: regexp.MustCompile(`const (\w+UriTemplate) = "\{\+baseurl\}([^"]*)"`),
			request:  regexp.MustCompile(`(?m)^    (get|post|put|patch|delete): \{\n        uriTemplate: (\w+)()`),
			options:  regexp.MustCompile(`(?m)^export interface \w+RequestBuilder(Get|Post|Put|Patch|Delete)QueryParameters `),
			call:     regexp.MustCompile(`(?m)^ \* Provides operations to call the \w+ method`),
			page:     regexp.MustCompile(`/graph/api/([\w-]+)[^\n]*\n\s*\*/\n\s+(get|post|put|patch|delete)\(`),
		},
	}
}

// readSDKs returns the operations of SDKs, sorted, each once. It leaves out /me, because an app has no signed-in
// user.
func readSDKs(dirs []string, version string) ([]catalog.Operation, error) {
	byName := make(map[string]catalog.Operation)
	for _, dir := range dirs {
		if err := readSDK(os.DirFS(dir), version, byName); err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
	}
	return slices.SortedFunc(maps.Values(byName), catalog.Compare), nil
}

func readSDK(sdk fs.FS, version string, byName map[string]catalog.Operation) error {
	return fs.WalkDir(sdk, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		for _, l := range languages() {
			if is, _ := path.Match(l.file, path.Base(name)); !is {
				continue
			}
			text, err := fs.ReadFile(sdk, name)
			if err != nil {
				return err
			}
			operations, err := l.read(string(text), version)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			for _, o := range operations {
				key := braces.ReplaceAllString(strings.ToLower(o.Path), "{}") + " " + o.Method
				if before, found := byName[key]; !found || len(before.Options) < len(o.Options) {
					byName[key] = o
				}
			}
		}
		return nil
	})
}

// read returns the operations of one request builder.
func (l language) read(text, version string) ([]catalog.Operation, error) {
	templates := make(map[string]string)
	for _, m := range l.template.FindAllStringSubmatch(text, -1) {
		templates[m[1]] = m[2]
	}
	takes, pages := l.byMethod(l.options, text, 1, 1), l.byMethod(l.page, text, 2, 1)
	isCall := l.call.MatchString(text)
	var operations []catalog.Operation
	for _, m := range l.request.FindAllStringSubmatch(text, -1) {
		method, uri := strings.ToUpper(m[1]), m[3]
		if uri == "" {
			uri = templates[m[2]]
		}
		p, err := pathOf(uri, version)
		if err != nil {
			return nil, err
		}
		if p == "" {
			continue
		}
		o := catalog.Operation{Method: method, Path: p, Page: pages[method]}
		if takes[method] != "" || strings.Contains(uri, "?@") {
			o.Options = optionsOf(uri)
		}
		switch {
		case !isCall:
		case method == "GET":
			o.Kind = catalog.Function
		default:
			o.Kind = catalog.Action
		}
		operations = append(operations, o)
	}
	return operations, nil
}

// byMethod returns the matches of a pattern, by the method in its group method.
func (l language) byMethod(pattern *regexp.Regexp, text string, method, value int) map[string]string {
	found := make(map[string]string)
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		found[strings.ToUpper(m[method])] = m[value]
	}
	return found
}

// optionsOf returns the query options of a URI template, sorted.
func optionsOf(uri string) []string {
	var names []string
	add := func(list string) {
		for name := range strings.SplitSeq(list, ",") {
			if name, err := url.PathUnescape(strings.TrimSuffix(name, "*")); err == nil && name != "" {
				names = append(names, name)
			}
		}
	}
	if path, list, found := strings.Cut(uri, "{?"); found {
		uri = path
		add(strings.TrimSuffix(list, "}"))
	} else if path, list, found := strings.Cut(uri, "{&"); found {
		uri = path
		add(strings.TrimSuffix(list, "}"))
	}
	if _, required, found := strings.Cut(uri, "?"); found {
		for option := range strings.SplitSeq(required, "&") {
			name, _, _ := strings.Cut(option, "=")
			add(name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// pathOf returns the path of a URI template in the form of Graph's reference, with variables in braces; "" for a
// path of the signed-in user.
func pathOf(uri, version string) (string, error) {
	p, _, _ := strings.Cut(uri, "{?")
	p, _, _ = strings.Cut(p, "?")
	p, err := url.PathUnescape(p)
	if err != nil {
		return "", err
	}
	if p == "" || p == "/me" || strings.HasPrefix(p, "/me/") {
		return "", nil
	}
	t, err := odata.ParseTemplate("/" + version + p)
	if err != nil {
		return "", fmt.Errorf("%q: %w", p, err)
	}
	return strings.TrimPrefix(t.Text, "/"+version), nil
}
