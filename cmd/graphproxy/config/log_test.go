package config_test

import (
	"bytes"
	"strings"
	"testing"

	"graphproxy/cmd/graphproxy/config"
)

func TestALogShowsNoCharacterThatIsNotDisplayedAsItself(t *testing.T) {
	for _, format := range []config.Format{"json", "text"} {
		var out bytes.Buffer
		c := config.Config{LogFormat: format}
		c.Log(&out).Info("caller refused", "subject", "a\u202ecba\u2066")
		if got := out.String(); strings.ContainsAny(got, "\u202e\u2066") || !strings.Contains(got, `\u202e`) {
			t.Errorf("%s: %+q", format, got)
		}
	}
}
