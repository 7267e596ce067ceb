package odata

import (
	"strings"
	"time"
)

// Continues reports whether a target goes on with a delta query by a token, which holds the options that the query
// was begun with: they need not stand in the target any more, and the token's are the ones that count
// (https://learn.microsoft.com/graph/delta-query-overview). Latest is no such token, and neither is a time, which
// OneDrive takes in the place of one (https://learn.microsoft.com/graph/api/driveitem-delta): both begin a query
// with the options beside them.
//
// A token is a $deltatoken on any path, and behind a segment "delta" also a $skiptoken, an option "token" and an
// argument "token". Whether the segment is the function or a key of that name is not known here: it counts as the
// function.
func (t *Target) Continues() bool {
	for i := range t.Query {
		if IsToken(t.Query[i].Fold) && !beginsQuery(t.Query[i].Fold, t.Query[i].Value) &&
			(t.Query[i].Fold == optionDeltaToken || t.hasDelta()) {
			return true
		}
	}
	for i := range t.Segments {
		for j := range t.Segments[i].Args {
			a := &t.Segments[i].Args[j]
			if i > 0 && t.Segments[i-1].Base == "delta" && a.Fold == "token" && !beginsQuery(a.Fold, a.Value) {
				return true
			}
		}
	}
	return false
}

const optionDeltaToken, optionSkipToken, optionToken = "$deltatoken", "$skiptoken", "token"

// IsToken reports whether an option, by its Fold, is a token of a delta query, and so none that a token holds.
func IsToken(fold string) bool {
	return fold == optionDeltaToken || fold == optionSkipToken || strings.TrimPrefix(fold, "$") == optionToken
}

// beginsQuery reports whether the value of a token begins a query with the options beside it.
func beginsQuery(fold, value string) bool {
	if fold == optionSkipToken {
		return false
	}
	if strings.EqualFold(value, "latest") {
		return true
	}
	if fold == optionDeltaToken || len(value) < 5 || value[4] != '-' {
		return false // time.Parse copies what it cannot read, and a token may be long
	}
	_, err := time.Parse(time.RFC3339, value)
	return err == nil
}

// IsDelta reports whether a target may be a delta query, or go on with one: whether its answer may have links with a
// token.
func (t *Target) IsDelta() bool { return t.hasDelta() || t.Continues() }

func (t *Target) hasDelta() bool {
	for i := range t.Segments {
		if t.Segments[i].Base == "delta" {
			return true
		}
	}
	return false
}

// Without returns the target without an option, by the name as Option takes it, and the option's value. The target is
// itself if it has none.
func (t *Target) Without(fold string) (rest *Target, value string, err error) {
	value, found := t.Option(fold)
	if !found {
		return t, "", nil
	}
	options := make([]Option, 0, len(t.Query))
	for i := range t.Query {
		if t.Query[i].Fold != fold {
			options = append(options, t.Query[i])
		}
	}
	rest, err = Parse(t.tenantPath(), string(appendQuery(nil, options)))
	return rest, value, err
}

// tenantPath returns the canonical path with the tenant that Parse took off.
func (t *Target) tenantPath() string {
	path := t.EscapedPath()
	if t.Tenant == "" {
		return path
	}
	return "/" + t.Version + "/" + t.Tenant + strings.TrimPrefix(path, "/"+t.Version)
}

// WriteSelection writes options as a query, without tokens: what a delta query that is begun with them selects.
func WriteSelection(options []Option) string {
	rest := make([]Option, 0, len(options))
	for i := range options {
		if !IsToken(options[i].Fold) {
			rest = append(rest, options[i])
		}
	}
	return string(appendQuery(nil, rest))
}
