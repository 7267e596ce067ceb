package console

import (
	"bytes"
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"graphproxy/policy/analysis/audit"
	"graphproxy/policy/analysis/suggest"
)

// The bounds of the page.
const (
	mostRefusals  = 2000 // the newest are looked at
	mostProposed  = 20   // callers
	mostProposals = 50   // of a caller
	mostRefused   = 50   // of a caller: groups without a proposal
)

// deniedData is what denied.html shows.
type deniedData struct {
	Caller   string // only this one; "": all
	Callers  []*deniedCaller
	More     int // callers that are not shown
	Requests int // refusals that were looked at
	Older    bool
	Kept     int
	AllRoles bool // the roles are from Microsoft's own list
}

// deniedCaller is the refusals of a caller, and what the policy would need to allow them.
type deniedCaller struct {
	Name      string
	Known     bool // the policy has it
	Mode      string
	Proposals []*proposal
	More      int // proposals that are not shown
	Refused   []*refusedGroup
	MoreRest  int // groups that are not shown
	Notes     []string
	Problem   string // why the policy does not load with the proposals
	Patch     string // the address of the patch with all proposals

	tenant, app string
	lines       []audit.Line
	patch       []byte
}

// proposal is a rule that would allow refused requests.
type proposal struct {
	suggest.Rule
	YAML       string // to copy
	LetThrough int    // by report mode
	Reasons    []string
	Examples   []example
	Gains      []string // what the caller may do with it, as policy diff prints it
	Roles      rolesNeeded
	Patch      string // the address of the patch

	patch []byte
}

// refusedGroup is refused requests for which there is no proposal.
type refusedGroup struct {
	Method, Path string
	Reason       string
	Rule, Link   string // that denies; "": none does
	Count        int
	Examples     []example
}

// proposals are what the page shows, made once for each state of the policy and of the records.
type proposals struct {
	mu     sync.Mutex
	hash   string
	newest uint64
	tokens string
	data   *deniedData
}

// deniedPage shows the refusals by caller, with the rules that would allow them.
func (c *Console) deniedPage(r *http.Request) (any, error) {
	all, err := c.proposed()
	if err != nil {
		return nil, err
	}
	d := *all
	if d.Caller = strings.TrimSpace(r.URL.Query().Get("caller")); len(d.Caller) > mostFilter {
		return nil, &answer{http.StatusBadRequest, "A caller's name has at most 64 characters."}
	}
	if d.Caller != "" {
		d.Callers = slices.DeleteFunc(slices.Clone(all.Callers), func(one *deniedCaller) bool { return one.Name != d.Caller })
	}
	if d.More = max(0, len(d.Callers)-mostProposed); d.More > 0 {
		d.Callers = d.Callers[:mostProposed]
	}
	for _, one := range d.Callers {
		if err := c.complete(one); err != nil {
			return nil, err
		}
	}
	return &d, nil
}

// servePatch sends a patch that adds the proposals for a caller, or one of them, to the policy.
func (c *Console) servePatch(w http.ResponseWriter, r *http.Request) {
	patch, err := c.patchFor(r.URL.Query().Get("caller"), r.URL.Query().Get("rule"))
	if err != nil {
		c.serveError(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/x-patch; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="graphproxy-policy.patch"`)
	_, _ = w.Write(patch)
}

func (c *Console) patchFor(caller, rule string) ([]byte, error) {
	all, err := c.proposed()
	if err != nil {
		return nil, err
	}
	for _, one := range all.Callers {
		if one.Name != caller {
			continue
		}
		if err := c.complete(one); err != nil {
			return nil, err
		}
		if rule == "" && len(one.patch) > 0 {
			return one.patch, nil
		}
		for _, p := range one.Proposals {
			if p.Text == rule && len(p.patch) > 0 {
				return p.patch, nil
			}
		}
	}
	return nil, &answer{http.StatusNotFound, "There is no such proposal any more. Open the page Denied again."}
}

// proposed returns the refusals by caller. What takes long is made by complete, for the callers that are shown.
func (c *Console) proposed() (*deniedData, error) {
	state := c.source.State()
	hash, newest := state.Policy.Policy.Hash(), c.records.Newest()
	tokens := rolesOfAll(state.Tokens)
	c.proposals.mu.Lock()
	defer c.proposals.mu.Unlock()
	if p := &c.proposals; p.data != nil && p.hash == hash && p.newest == newest && p.tokens == tokens {
		return p.data, nil
	}
	d := &deniedData{Kept: MostRecords, AllRoles: c.allRoles}
	callers := make(map[string]*deniedCaller)
	lines, older, err := c.refusals()
	if err != nil {
		return nil, err
	}
	d.Older, d.Requests = older, len(lines)
	for _, l := range lines {
		one := callers[l.Caller]
		if one == nil {
			one = &deniedCaller{Name: l.Caller}
			callers[l.Caller] = one
		}
		one.lines = append(one.lines, l)
	}
	d.Callers = slices.SortedFunc(maps.Values(callers), func(a, b *deniedCaller) int {
		return cmp.Or(len(b.lines)-len(a.lines), cmp.Compare(a.Name, b.Name))
	})
	c.proposals.hash, c.proposals.newest, c.proposals.tokens, c.proposals.data = hash, newest, tokens, d
	return d, nil
}

// refusals returns the newest requests that the policy denied, in either mode, oldest first.
func (c *Console) refusals() (lines []audit.Line, older bool, err error) {
	var text [][]byte
	for before := c.records.Newest() + 1; len(text) < mostRefusals; {
		part := c.records.Before(before)
		if len(part) == 0 {
			break
		}
		for _, r := range slices.Backward(part) {
			if isRefusal(r.Line) && len(text) < mostRefusals {
				text = append(text, r.Line)
			}
		}
		before = part[0].Number
		older = len(text) == mostRefusals
	}
	slices.Reverse(text)
	_, err = audit.Read(bytes.NewReader(bytes.Join(text, []byte("\n"))), func(l audit.Line) error {
		if !l.IsEnvelope() && (l.Decision == audit.Deny || l.WouldDeny) {
			lines = append(lines, l)
		}
		return nil
	})
	return lines, older, err
}

// rolesOfAll is the state of the tokens as far as the page depends on it.
func rolesOfAll(all []Token) string {
	var b strings.Builder
	for _, t := range all {
		b.WriteString(t.App + " " + t.Tenant + " " + strings.Join(t.Roles, ",") + "\n")
	}
	return b.String()
}

// patchAddress is the address of the patch with a proposal; with rule "", of the one with all of the caller's.
func patchAddress(caller, rule string) string {
	v := url.Values{"caller": {caller}}
	if rule != "" {
		v.Set("rule", rule)
	}
	return "/denied/patch?" + v.Encode()
}
