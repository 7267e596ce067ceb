package policy_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"graphproxy/policy"
	"graphproxy/proxy"
)

// contoso returns the files of docs/example.
func contoso(t *testing.T) []policy.File {
	t.Helper()
	root := os.DirFS("../docs/example")
	var files []policy.File
	for _, pattern := range []string{"policy.yaml", "teams/*.yaml", "*.txt"} {
		names, err := fs.Glob(root, pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range names {
			data, err := fs.ReadFile(root, name)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, policy.File{Name: name, Data: data, IsList: strings.HasSuffix(name, ".txt")})
		}
	}
	return files
}

func loadCompany(files []policy.File) (*policy.Policy, error) {
	return policy.ParseFiles(time.Time{}, policy.Files{All: files}, proxy.CheckEvidence)
}

func TestTheExampleOfACompanyLoads(t *testing.T) {
	p, err := loadCompany(contoso(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Callers()) != 5 || len(p.Test()) < 40 || len(p.Warnings()) > 0 {
		t.Errorf("%d callers, %d tests, %v", len(p.Callers()), len(p.Test()), p.Warnings())
	}
}

// mutation is a change of a file that its tests must notice.
type mutation struct {
	name string
	undo func()
}

// without takes an item out of a list, or a key with its value out of a mapping.
func without(n *yaml.Node, i, width int) func() {
	before := n.Content
	n.Content = append(append([]*yaml.Node{}, before[:i]...), before[i+width:]...)
	return func() { n.Content = before }
}

// mutations calls each with every item of identity, allow and deny taken out, and every condition of a rule.
func mutations(n *yaml.Node, at string, each func(mutation)) {
	switch n.Kind {
	case yaml.DocumentNode:
		mutations(n.Content[0], at, each)
	case yaml.SequenceNode:
		for i, item := range n.Content {
			if strings.HasSuffix(at, ".identity") || strings.HasSuffix(at, ".allow") || strings.HasSuffix(at, ".deny") {
				each(mutation{at + ": without " + first(item), without(n, i, 1)})
			}
			mutations(item, at+"["+first(item)+"]", each)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			switch key {
			case "tests", "bounds", "limits":
				continue
			case "where", "query", "body", "not":
				each(mutation{at + ": without " + key, without(n, i, 2)})
			}
			mutations(n.Content[i+1], at+"."+key, each)
		}
	}
}

// first returns the text that an item begins with.
func first(n *yaml.Node) string {
	for n.Kind != yaml.ScalarNode {
		if len(n.Content) == 0 {
			return ""
		}
		n = n.Content[0]
	}
	return n.Value
}

// A reviewer who takes anything out of the example's callers and rules is stopped by its own tests, or by the loader.
func TestTheTestsOfTheCompanyNoticeEveryChange(t *testing.T) {
	files, tried := contoso(t), 0
	for i := range files {
		if files[i].IsList {
			continue
		}
		var document yaml.Node
		if err := yaml.Unmarshal(files[i].Data, &document); err != nil {
			t.Fatal(err)
		}
		mutations(&document, files[i].Name, func(m mutation) {
			defer m.undo()
			tried++
			changed, err := yaml.Marshal(&document)
			if err != nil {
				t.Fatal(err)
			}
			all := append([]policy.File{}, files...)
			all[i].Data = changed
			if _, err := loadCompany(all); err == nil {
				t.Errorf("%s: it loads, and its tests pass", m.name)
			}
		})
	}
	if tried < 25 {
		t.Errorf("%d changes", tried)
	}
}
