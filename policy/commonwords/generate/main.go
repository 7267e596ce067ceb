// Command generate makes the embedded list of package commonwords from the frequency lists of zxcvbn, as the Go module
// github.com/trustelem/zxcvbn has them (MIT). Its argument is frequency/lists.go of that module. The same source gives
// the same bytes.
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	const usage = "usage: generate LISTS.GO OUT"
	if len(args) != 2 {
		return fmt.Errorf("%s", usage)
	}
	source, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	words, err := read(string(source))
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write([]byte(strings.Join(words, "\n"))); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(args[1], packed.Bytes(), 0o644)
}

// read returns the first words of each list, the commonest first, each once.
func read(source string) ([]string, error) {
	var all []string
	seen := make(map[string]bool)
	for _, list := range []struct {
		name string
		most int
	}{{"passwords", 12_000}, {"english_wikipedia", 8000}, {"female_names", 1000}, {"male_names", 1000}} {
		found := regexp.MustCompile(`(?m)^\s*"` + list.name + `":\s*\{(.*)\},?$`).FindStringSubmatch(source)
		if found == nil {
			return nil, fmt.Errorf("the source has no list %s", list.name)
		}
		words := regexp.MustCompile(`"(?:[^"\\]|\\.)*"`).FindAllString(found[1], list.most)
		for _, quoted := range words {
			word, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, fmt.Errorf("the word %s: %w", quoted, err)
			}
			if !seen[word] && !strings.Contains(word, "\n") {
				seen[word] = true
				all = append(all, word)
			}
		}
	}
	return all, nil
}
