package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// instruction is a line of a Dockerfile, continued lines joined.
type instruction struct{ name, rest string }

func dockerfile(t *testing.T) []instruction {
	t.Helper()
	text, err := os.ReadFile("../../Dockerfile")
	must(t, err)
	var all []instruction
	joined := strings.ReplaceAll(string(text), "\\\n", " ")
	for line := range strings.Lines(joined) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		all = append(all, instruction{name, strings.TrimSpace(rest)})
	}
	return all
}

// of returns the text after each instruction of a name.
func of(all []instruction, name string) []string {
	var found []string
	for _, i := range all {
		if i.name == name {
			found = append(found, i.rest)
		}
	}
	return found
}

// finalStage is the part that becomes the image.
func finalStage(all []instruction) []instruction {
	last := 0
	for n, i := range all {
		if i.name == "FROM" {
			last = n
		}
	}
	return all[last:]
}

// These are rules of hadolint (https://github.com/hadolint/hadolint#rules), and promises of the image.
func TestTheDockerfileKeepsToTheRules(t *testing.T) {
	t.Parallel()
	all := dockerfile(t)
	known := []string{"FROM", "WORKDIR", "COPY", "RUN", "ARG", "LABEL", "USER", "ENV", "EXPOSE", "STOPSIGNAL",
		"HEALTHCHECK", "ENTRYPOINT", "CMD"}
	for _, i := range all {
		if !slices.Contains(known, i.name) {
			t.Errorf("%s %s: ADD, MAINTAINER, ONBUILD and SHELL are not used, and instructions are in capitals", i.name, i.rest)
		}
	}
	from := of(all, "FROM")
	pinned := regexp.MustCompile(`^(--platform=\$BUILDPLATFORM )?[a-z/]+:[0-9]+\.[0-9]+\.[0-9]+(-[a-z]+)? AS [a-z]+$`)
	if len(from) != 2 || !pinned.MatchString(from[0]) || from[1] != "scratch" {
		t.Errorf("the stages are %q", from)
	}
	final := finalStage(all)
	if run := of(final, "RUN"); len(run) > 0 {
		t.Errorf("the image has no shell to run %q", run)
	}
	if user := of(final, "USER"); len(user) != 1 || !regexp.MustCompile(`^[1-9][0-9]*:[1-9][0-9]*$`).MatchString(user[0]) {
		t.Errorf("the user is %q: runAsNonRoot needs a number that is not 0", user)
	}
	if len(of(final, "HEALTHCHECK")) != 1 || len(of(final, "ENTRYPOINT")) != 1 || len(of(final, "CMD")) != 1 {
		t.Error("HEALTHCHECK, ENTRYPOINT and CMD stand once each")
	}
	for _, i := range final {
		command := i.rest
		if i.name == "HEALTHCHECK" {
			_, command, _ = strings.Cut(i.rest, "CMD ")
		}
		if slices.Contains([]string{"HEALTHCHECK", "CMD", "ENTRYPOINT"}, i.name) && !strings.HasPrefix(command, "[") {
			t.Errorf("%s %s: only the exec form works without a shell", i.name, i.rest)
		}
		if i.name == "COPY" && !strings.HasPrefix(i.rest, "--from=build ") {
			t.Errorf("COPY %s: the image gets what the first stage made, and nothing else", i.rest)
		}
		if (i.name == "ENV" || i.name == "ARG") && regexp.MustCompile(`(?i)secret|password|token|key=`).MatchString(i.rest) {
			t.Errorf("%s %s: a secret in the image", i.name, i.rest)
		}
	}
	for _, i := range all {
		if i.name == "WORKDIR" && !strings.HasPrefix(i.rest, "/") {
			t.Errorf("WORKDIR %s is relative", i.rest)
		}
		if i.name == "RUN" && regexp.MustCompile(`\b(sudo|apt|apt-get|curl|wget|cd)\b`).MatchString(i.rest) {
			t.Errorf("RUN %s", i.rest)
		}
	}
	labels := strings.Join(of(final, "LABEL"), " ")
	for _, name := range []string{"title", "description", "licenses", "version", "revision", "created"} {
		if !strings.Contains(labels, "org.opencontainers.image."+name+"=") {
			t.Errorf("there is no label %s", name)
		}
	}
	build := strings.Join(of(all, "RUN"), "\n")
	for _, want := range []string{"CGO_ENABLED=0", "-trimpath", "main.version=", "main.commit=", "main.date=",
		"GOOS=${TARGETOS}", "GOARCH=${TARGETARCH}"} {
		if !strings.Contains(build, want) {
			t.Errorf("the build lacks %s", want)
		}
	}
}

// The base image must have the Go that go.mod asks for.
func TestTheDockerfileBuildsWithTheGoOfTheModule(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("../../go.mod")
	must(t, err)
	wanted := regexp.MustCompile(`(?m)^go ([0-9]+\.[0-9]+)`).FindStringSubmatch(string(mod))
	if from := of(dockerfile(t), "FROM")[0]; wanted == nil || !strings.Contains(from, "golang:"+wanted[1]+".") {
		t.Errorf("go.mod says %v, the Dockerfile %q", wanted, from)
	}
}

// The files that the Dockerfile copies exist, and .dockerignore does not exclude files that the build needs.
func TestTheContextOfTheBuildIsComplete(t *testing.T) {
	t.Parallel()
	ignored, err := os.ReadFile("../../.dockerignore")
	must(t, err)
	for line := range strings.Lines(string(ignored)) {
		pattern := strings.TrimSpace(line)
		for _, needed := range []string{"go.mod", "go.sum", "cmd", "proxy", "auth", "policy", "main.go", "sandbox.yaml"} {
			if ok, _ := filepath.Match(strings.TrimPrefix(pattern, "**/"), needed); ok {
				t.Errorf(".dockerignore leaves out %s", needed)
			}
		}
	}
}
