package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Links between pages lead to existing files and headings.
func TestTheLinksOfTheDocumentationLeadSomewhere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	pages := []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/README.md"}
	entries, err := os.ReadDir("../../docs")
	must(t, err)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".md") {
			pages = append(pages, "docs/"+e.Name())
		}
	}
	for _, page := range pages {
		text, err := os.ReadFile("../../" + page)
		must(t, err)
		for _, m := range link.FindAllStringSubmatch(withoutCode(string(text)), -1) {
			file, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(m[1], "://") {
				continue
			}
			at := page
			if file != "" {
				at = page[:strings.LastIndex("/"+page, "/")] + file
			}
			target, err := os.Stat("../../" + at)
			if err != nil {
				t.Errorf("%s: %s leads nowhere", page, m[1])
				continue
			}
			if heading != "" && !target.IsDir() && !hasHeading(t, at, heading) {
				t.Errorf("%s: %s has no such heading", page, m[1])
			}
		}
	}
}

// withoutCode removes code: fenced blocks, and code in a line.
func withoutCode(text string) string {
	text = regexp.MustCompile("(?s)```.*?```").ReplaceAllString(text, "")
	return regexp.MustCompile("`[^`\n]*`").ReplaceAllString(text, "code")
}

// hasHeading reports whether a page has a heading with this anchor, as GitHub makes them.
func hasHeading(t *testing.T, page, anchor string) bool {
	t.Helper()
	text, err := os.ReadFile("../../" + page)
	must(t, err)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(string(text), -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		if strings.ReplaceAll(name, " ", "-") == anchor {
			return true
		}
	}
	return false
}
