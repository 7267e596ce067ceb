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
	headings := anchors{}
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
			if heading != "" && !target.IsDir() && !headings.of(t, at)[heading] {
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

// anchors are those of a page's headings, as GitHub makes them, by page.
type anchors map[string]map[string]bool

var (
	headingLine = regexp.MustCompile(`(?m)^#+ (.+)$`)
	noAnchor    = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

func (a anchors) of(t *testing.T, page string) map[string]bool {
	t.Helper()
	if a[page] != nil {
		return a[page]
	}
	text, err := os.ReadFile("../../" + page)
	must(t, err)
	a[page] = map[string]bool{}
	for _, m := range headingLine.FindAllStringSubmatch(string(text), -1) {
		a[page][strings.ReplaceAll(noAnchor.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	return a[page]
}
