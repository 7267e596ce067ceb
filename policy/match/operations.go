package match

import (
	"slices"
	"strings"

	"graphproxy/policy/graph/odata"
)

// operations are the functions and actions that, in Graph's API reference (v1.0 and beta), stand beside the
// keys of a collection and can be called without parentheses: /users/delta is not a user. Lower case, sorted.
// Operations that need arguments are missing, because their parentheses identify them.
//
// A key that is spelled like one of them can still be written in parentheses, users('delta').
var operations = [...]string{
	"activate", "add", "addcopy", "addcopyfromcontenttypehub", "addformulalocal", "additionalaccess",
	"admitallfromlobby", "allmessages", "applyconfig", "applyhold", "archive", "areglobalscriptsavailable",
	"ashierarchy", "assign", "assignandactivate", "assignandactivatebyserialnumber", "assignnumber",
	"availableprovidertypes", "cancelmyrequest", "cansignup", "caseexportoperation", "categories", "clockin",
	"completesetup", "computerightsandinheritance", "confirmcompromised", "confirmsafe", "connect", "count",
	"create", "createenrollmentnotificationconfiguration", "createmigrationreport", "createorget",
	"createuploadsession", "creationoptions", "delete", "deletetiindicators", "deletetiindicatorsbyexternalid",
	"delta", "disconnect", "discovercopilottools", "dismiss", "downloadappdiagnostics",
	"downloadpowerliftappdiagnostic", "enable", "enableglobalscripts", "enrollassets", "enrollassetsbyid",
	"evaluate", "evaluateapplication", "evaluateclassificationresults", "evaluatedynamicmembership",
	"evaluateremoval", "executeaction", "export", "extractlabel", "favorite", "filterbycurrentuser", "forwardtochat",
	"getactivitiesbyinterval", "getallenterpriseinteractions", "getallmessages", "getallrecordings",
	"getallretainedmessages", "getallsites", "getalltranscripts", "getauditactivitytypes", "getauditcategories",
	"getavailableextensionproperties", "getbyids", "getbypath", "getcompatiblehubcontenttypes",
	"getdeploymentaccesskey", "getdeploymentpackageuri", "getdevicesscheduledtoretire", "gethistoricalresults",
	"getiosavailableupdateversions", "getmanagedappblockedusers", "getmanagedappdiagnosticstatuses",
	"getmanagedapppolicies", "getnoncompliantdevicestoretire", "getnotebookfromweburl", "getobjectsbyid",
	"getopenshifts", "getorder", "getpolicysets", "getportalnotifications", "getrecentnotebooks",
	"getremediationsummary", "getrolescopetagsbyid", "getrolescopetagsbyids", "getshifts", "getsourceimages",
	"getstate", "getstatistics", "getsubscriptions", "gettargetedusersanddevices", "getteamslicensingdetails",
	"gettimesoff", "getuseridswithflaggedappregistration", "getuserownedobjects", "getvapidpublickey",
	"hascustomrolescopetag", "haspayloadlinks", "import", "importdeviceidentitylist",
	"importoffice365deviceconfigurationpolicies", "importsnapshot", "ingesttelemetry", "invite", "issignedup",
	"listoperations", "logteleconferencedevicequality", "markread", "markunread", "mergeincidents", "migrate",
	"movealerts", "movedevicestoou", "muteall", "my", "myrequests", "publish", "purgeimportedsnapshot",
	"querybyplatformtype", "recent", "recordalldecisions", "refresh", "refreshall",
	"refreshdevicecompliancereportsummarization", "regeneratedeploymentaccesskey", "register", "remediate", "remove",
	"removehold", "renewgroup", "replywithquote", "reprocessassignments", "reset", "restore",
	"retrieveapprovableoperations", "retrievecloudpccountbystatus", "retrievemyrequests",
	"retrieveoperationsrequiringapproval", "retrieverequeststatus", "search", "searchexistingidentities",
	"setcurrentlocation", "setorder", "setscheduledretirestate", "signup", "start", "submittiindicators",
	"synclicensecounts", "tenantsearch", "unarchive", "unassign", "unassignnumber", "unenrollassets", "unfavorite",
	"unpublish", "updatealerts", "updateindex", "updatenumber", "updatetiindicators",
	"validateauthenticationconfiguration", "validatebulkresize", "validatecompliancescript", "validatecredentials",
	"validatefilter", "validatepassword", "validateproperties", "validatexml", "verifywindowsenrollmentautodiscovery",
	"whatif",
}

// isOperation reports whether the name of segment i, written plainly, calls a function or action at its place.
func isOperation(segments []odata.Segment, i int) bool {
	return isOperationNamed(segments[i].Base, segments, i)
}

// mayBeCalled reports whether a server may read the name of segment i, whose BareText is given, as a function, an
// action or a cast: also "delta " and "ｄelta", which are certainly not operations.
func mayBeCalled(segments []odata.Segment, i int, bare string) bool {
	if bare == segments[i].Fold || bare == "" {
		return isOperation(segments, i)
	}
	local, isCast := withoutNamespace(bare)
	isCast = isCast && (i == 0 || !hasNoCasts(segments[i-1].Fold) && !odata.NamedByPeople(segments[i-1].Fold))
	before, _, _ := strings.Cut(bare, ";") // after which some servers read a parameter
	return isCast || bare[0] == '$' || isOperationNamed(local, segments, i) ||
		isOperationNamed(odata.Bare(before), segments, i)
}

// isOperationNamed is isOperation for a name at the place of segment i.
func isOperationNamed(name string, segments []odata.Segment, i int) bool {
	if !isWord(name) {
		return false
	}
	if _, found := slices.BinarySearch(operations[:], name); !found {
		return false
	}
	return i == 0 || !odata.NamedByPeople(segments[i-1].Fold) && !isOfConnector(segments, i) || odata.IsBesideNames(name)
}

// isOfConnector reports whether segment i is the id of an external connection, or of an item or group in one. A
// connector chooses these ids.
func isOfConnector(segments []odata.Segment, i int) bool {
	if segments[0].Fold != "external" {
		return false
	}
	switch segments[i-1].Fold {
	case "connections", "items", "groups":
		return true
	}
	return false
}

// isWord is a quick way to distinguish GUIDs, addresses and other ids from names.
func isWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
