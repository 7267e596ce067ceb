package graphtest

import (
	"fmt"
	"net/http"
)

// OneNote returns the addresses of parts of a page or a notebook in properties of its own, and those of pictures in
// the HTML of a page. All are at Graph (https://learn.microsoft.com/graph/api/resources/onenotepage).

// notePages are the pages that each user has.
const notePages = 2

// notePicture is the picture that each page shows: a PNG of one pixel.
const notePicture = "\x89PNG\r\n\x1a\n"

func onenoteRoutes() []route {
	return []route{
		{method: "GET", pattern: "users/{user}/onenote/notebooks", handle: (*call).listNotebooks, need: notesRead()},
		{method: "GET", pattern: "users/{user}/onenote/pages", handle: (*call).listNotePages, need: notesRead()},
		{method: "GET", pattern: "users/{user}/onenote/pages/{page}/content", handle: (*call).getNotePage, need: notesRead()},
		{method: "GET", pattern: "users/{user}/onenote/resources/{resource}/content", handle: (*call).getNoteResource,
			need: notesRead()},
	}
}

// onenote is the address of what a user has in OneNote.
func (c *call) onenote() (string, error) {
	u, err := c.user()
	if err != nil {
		return "", err
	}
	return c.root() + "/users/" + u.id + "/onenote", nil
}

func (c *call) listNotebooks() (answer, error) {
	base, err := c.onenote()
	if err != nil {
		return answer{}, err
	}
	notebook := base + "/notebooks/1-note"
	return ok(object{
		"@odata.context": c.root() + "/$metadata#notebooks",
		"value": []object{
			{
				"id":               "1-note",
				"displayName":      "Notes",
				"self":             notebook,
				"sectionsUrl":      notebook + "/sections",
				"sectionGroupsUrl": notebook + "/sectionGroups",
				"links":            object{"oneNoteWebUrl": object{"href": "https://contoso.sharepoint.com/notes"}},
			},
		},
	}), nil
}

func (c *call) listNotePages() (answer, error) {
	base, err := c.onenote()
	if err != nil {
		return answer{}, err
	}
	var pages []object
	for i := range notePages {
		page := fmt.Sprintf("%s/pages/1-page%d", base, i+1)
		pages = append(pages, object{
			"id":         fmt.Sprintf("1-page%d", i+1),
			"title":      fmt.Sprintf("Page %d", i+1),
			"self":       page,
			"contentUrl": page + "/content",
			"parentSection": object{
				"id":       "1-section",
				"self":     base + "/sections/1-section",
				"pagesUrl": base + "/sections/1-section/pages",
			},
		})
	}
	return ok(object{"@odata.context": c.root() + "/$metadata#pages", "value": pages}), nil
}

// getNotePage is HTML, with the address of a picture as OneNote writes it.
func (c *call) getNotePage() (answer, error) {
	base, err := c.onenote()
	if err != nil {
		return answer{}, err
	}
	picture := base + "/resources/1-picture/content"
	text := fmt.Sprintf(`<html><head><title>Page</title></head><body><img src=%q data-fullres-src=%q /></body></html>`,
		picture, picture)
	return answer{status: http.StatusOK, raw: []byte(text), contentType: "text/html"}, nil
}

func (c *call) getNoteResource() (answer, error) {
	if _, err := c.user(); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, raw: []byte(notePicture), contentType: "image/png"}, nil
}
