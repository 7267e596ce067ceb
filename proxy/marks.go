package proxy

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"

	"graphproxy/auth"
	"graphproxy/policy"
	"graphproxy/policy/graph/odata"
	"graphproxy/proxy/links"
)

// The links of a delta query have the options of its first request in a token, which graphproxy cannot read. If a rule
// bounds them, graphproxy adds a mark to the links that it returns: the options, and a sum that cannot be computed
// without the key. A request with the mark is judged by the options in it. The mark is not sent to Graph.

// markOption is the query option with the mark of a link.
const markOption = "graphproxy-mark"

// maxSelection bounds the options of a delta query that a mark holds, in bytes. A link grows by four thirds of them.
const maxSelection = 8 << 10

// markFormat is the first byte of a mark.
const markFormat = 1

// takeMark takes the mark off a target. A mark where there is no token is refused: it is from another link.
func takeMark(t *odata.Target) (rest *odata.Target, mark string, err error) {
	rest = t
	for _, name := range [...]string{markOption, "$" + markOption} {
		if _, found := rest.Option(name); !found {
			continue
		}
		if rest, mark, err = rest.Without(name); err != nil {
			return nil, "", unreadable(err)
		}
		if !rest.Continues() {
			return nil, "", badRequest("badLink", "the option %s belongs into the nextLink or deltaLink that graphproxy "+
				"returned it in, beside its token; follow links whole, or leave it out", markOption)
		}
	}
	return rest, mark, nil
}

// selectionOf returns what the token of a request holds, if its mark proves that this caller was given it by
// graphproxy; nil if it does not.
func (h *Handler) selectionOf(x *exchange, r policy.Request, mark string) *policy.Selection {
	data, err := base64.RawURLEncoding.Strict().DecodeString(mark)
	if err != nil || len(data) <= sha256.Size || data[0] != markFormat {
		return nil
	}
	sum, query := data[1:1+sha256.Size], string(data[1+sha256.Size:])
	for _, ref := range x.authorization.policy.Origins(r.Caller) {
		app := h.apps.App(ref.Name, ref.Tenant)
		if app == nil {
			continue
		}
		text := markedText(r.Caller, ref.Name, app.Tenant, r.Target, query)
		if !slices.ContainsFunc(app.linkKeys(), func(k auth.LinkKey) bool { return k.Verify(text, sum) }) {
			continue
		}
		begun, err := odata.Parse(r.Target.EscapedPath(), query)
		if err != nil {
			return nil
		}
		return &policy.Selection{Options: begun.Query, App: ref.Name, Tenant: ref.Tenant}
	}
	return nil
}

// markedText is what the sum of a mark is about: who may follow the link, with which app in which tenant, the link
// itself with its token, and what the token holds.
func markedText(caller, app, tenant string, t *odata.Target, query string) []byte {
	fields := []string{caller, app, strings.ToLower(tenant), t.EscapedPath()}
	options := slices.SortedFunc(
		slices.Values(t.Query),
		func(a, b odata.Option) int { return strings.Compare(a.Fold, b.Fold) },
	)
	for _, o := range options {
		fields = append(fields, o.Fold, o.Value)
	}
	fields = append(fields, query)
	text := []byte{markFormat}
	for _, field := range fields {
		text = binary.AppendUvarint(text, uint64(len(field)))
		text = append(text, field...)
	}
	return text
}

// checkSelection refuses to begin a delta query with more options than a mark may hold: its links could not be
// followed.
func checkSelection(r policy.Request, d policy.Decision) error {
	if !d.Allow || !d.Selects || r.Selection != nil || r.Target.Continues() {
		return nil
	}
	if n := len(odata.WriteSelection(r.Target.Query)); n > maxSelection {
		return badRequest("selectionTooLong", "the policy bounds the options of this delta query, so its links have to "+
			"carry them, and these have %d bytes; at most %d are carried: shorten them", n, maxSelection)
	}
	return nil
}

// marker returns what marks the links of the answer to a request; nil if they need none, or there is no key.
func (a *admission) marker() links.Mark {
	if !a.decision.Selects {
		return nil
	}
	keys := a.app.linkKeys()
	if len(keys) == 0 {
		return nil
	}
	options := a.request.Target.Query
	if a.request.Selection != nil {
		options = a.request.Selection.Options
	}
	query := odata.WriteSelection(options)
	return func(link string) string {
		path, rest, hasQuery := strings.Cut(link, "?")
		t, err := odata.Parse(path, rest)
		if err != nil || !t.Continues() {
			return ""
		}
		separator := "?"
		if hasQuery {
			separator = "&"
		}
		sum := keys[0].Sum(markedText(a.request.Caller, a.decision.App, a.app.Tenant, t, query))
		data := slices.Concat([]byte{markFormat}, sum, []byte(query))
		return separator + markOption + "=" + base64.RawURLEncoding.EncodeToString(data)
	}
}

// linkKeys returns the keys that links are marked with, the one for new marks first.
func (a *App) linkKeys() []auth.LinkKey {
	if a == nil || a.LinkKeys == nil {
		return nil
	}
	return a.LinkKeys()
}

// noLinkKey reports whether none of the apps that a caller uses gives a key, so that no link of it can be marked.
func (h *Handler) noLinkKey(p *policy.Policy, caller string) bool {
	return !slices.ContainsFunc(p.Origins(caller), func(ref policy.AppRef) bool {
		return len(h.apps.App(ref.Name, ref.Tenant).linkKeys()) > 0
	})
}
