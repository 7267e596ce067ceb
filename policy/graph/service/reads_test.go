package service_test

import (
	"os"
	"strings"
	"testing"

	"graphproxy/policy/graph/odata"
	"graphproxy/policy/graph/service"
)

func TestAPostThatOnlyReadsIsKnownByItsName(t *testing.T) {
	for target, want := range map[string]bool{
		"/v1.0/directoryObjects/getByIds":               true,
		"/v1.0/groups/microsoft.graph.getByIds":         true,
		"/v1.0/users/1/checkMemberGroups":               true,
		"/v1.0/users('1')/getMemberObjects":             true,
		"/v1.0/users/1/calendar/getSchedule":            true,
		"/v1.0/users/1/calendars/2/getSchedule":         true,
		"/beta/users/1/FINDMEETINGTIMES":                true,
		"/v1.0/search/query":                            true,
		"/v1.0/users/1/getMailTips":                     true,
		"/v1.0/users/1/translateExchangeIds":            true,
		"/v1.0/directoryObjects/validateProperties":     true,
		"/v1.0/drives/d/items/i/workbook/functions/pmt": true,
		"/v1.0/users":                                                             false,
		"/v1.0/users/1/sendMail":                                                  false,
		"/v1.0/users/1/messages/getSchedule":                                      false,
		"/v1.0/users/1/messages/2/getByIds":                                       false,
		"/v1.0/getByIds":                                                          false,
		"/v1.0/users/1/getMailTips/x":                                             false,
		"/v1.0/drives/d/items/i/workbook/functions":                               false,
		"/v1.0/drives/d/items/i/workbook/names/functions/add":                     false,
		"/v1.0/drives/d/root:/workbook/functions/pmt":                             false,
		"/v1.0/groups/1/checkMemberGroups/$ref":                                   false,
		"/v1.0/drives/d/items/i/workbook/worksheets/1/range(address='A1')/insert": false,
	} {
		path, err := odata.Parse(target, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := service.Reads(path.Segments); got != want {
			t.Errorf("Reads(%s) = %v", target, got)
		}
	}
}

func TestTheListOfReadsIsInTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "<!-- reads: begin")
	table, _, found := strings.Cut(table, "<!-- reads: end")
	rows := strings.Count(table, "\n| `")
	if all := service.Readings(); !found || rows != len(all) {
		t.Errorf("the table has %d rows, and the code %d", rows, len(all))
	}
	for _, r := range service.Readings() {
		row := "| `" + r.Operation + "` | "
		_, rest, found := strings.Cut(table, row)
		line, _, _ := strings.Cut(rest, "\n")
		if !found || !strings.Contains(line, "<"+r.Source+">") {
			t.Errorf("%s has no row with its source", r.Operation)
		}
		for _, on := range r.On {
			if !strings.Contains(line, "`"+on+"`") {
				t.Errorf("the row of %s lacks %s", r.Operation, on)
			}
		}
	}
}
