package console

import (
	"net/http"
	"strconv"
	"strings"

	"graphproxy/cmd/graphproxy/policycmd"
	"graphproxy/policy"
	"graphproxy/policy/analysis/audit"
)

// explanationData is what explanation.html shows.
type explanationData struct {
	ID    string
	Lines []explainedLine
}

// explainedLine is one request, or one item of a batch.
type explainedLine struct {
	audit.Line
	Text     string // what policy explain --request-id prints of it
	Excerpts []excerpt
	Changed  bool // another policy than the present one decided
}

// explainPage shows what policy explain --request-id prints of a record, and the lines of the file.
func (c *Console) explainPage(w http.ResponseWriter, r *http.Request) {
	data, err := c.explanation(r.PathValue("id"))
	if err != nil {
		c.serveError(w, r, err)
		return
	}
	c.render(w, r, http.StatusOK, "explanation.html", "Why", data)
}

func (c *Console) explanation(id string) (*explanationData, error) {
	if len(id) > mostFilter {
		return nil, &answer{http.StatusBadRequest, "This is no request id: it is too long."}
	}
	lines, err := audit.Find(c.records.Reader(), id)
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return nil, &answer{http.StatusNotFound, "The records that are kept have no request with this id. An older part " +
			"of the audit log may have it: graphproxy policy explain --request-id ID --audit FILE."}
	}
	state := c.source.State().Policy
	data := &explanationData{ID: id}
	for i := range lines {
		x, err := policycmd.ExplainLine(state.Policy, &lines[i])
		if err != nil {
			return nil, err
		}
		one := explainedLine{Line: lines[i], Text: x.String(), Changed: lines[i].Policy != state.Policy.Hash()}
		for _, where := range x.Places() {
			if e, ok := excerptOf(state.Files, where); ok {
				one.Excerpts = append(one.Excerpts, e)
			}
		}
		data.Lines = append(data.Lines, one)
	}
	return data, nil
}

// excerpt is a few lines of a policy file.
type excerpt struct {
	File  string
	Line  int
	Link  string // to the line on the page of the policy
	Lines []fileLine
}

// fileLine is one line of a policy file.
type fileLine struct {
	Number int
	Text   string
	IsIt   bool // the line that the excerpt is about
}

// around is how many lines an excerpt has before and behind the line that it is about.
const around = 3

// excerptOf returns the lines around a place such as policy.yaml:12; false if the files do not have it.
func excerptOf(files policy.Files, where string) (excerpt, bool) {
	i := strings.LastIndexByte(where, ':')
	line, err := strconv.Atoi(where[i+1:])
	if i < 0 || err != nil {
		return excerpt{}, false
	}
	for n, f := range files.All {
		if files.Prefix+f.Name != where[:i] && f.Name != where[:i] {
			continue
		}
		text := strings.Split(string(f.Data), "\n")
		if line < 1 || line > len(text) {
			return excerpt{}, false
		}
		e := excerpt{File: f.Name, Line: line, Link: "/policy#" + anchor(n, line)}
		for number := max(1, line-around); number <= min(len(text), line+around); number++ {
			e.Lines = append(e.Lines, fileLine{number, withoutHashes(text[number-1]), number == line})
		}
		return e, true
	}
	return excerpt{}, false
}

// anchor is the id of a line on the page of the policy.
func anchor(file, line int) string {
	return "f" + strconv.Itoa(file) + "-" + strconv.Itoa(line)
}
