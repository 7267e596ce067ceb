package match

import "graphproxy/policy/graph/odata"

// isCastType reports whether Graph's paths cast to a type, which is given without its namespace in lower case. OData
// 4.01 allows a cast without its namespace, too: members/user. The types come from Graph's metadata and API reference
// (v1.0 and beta). Each decision asks for nearly every segment, and a switch is the quickest answer.
func isCastType(name string) bool {
	switch name {
	case "aaduserconversationmember", "administrativeunit", "androidforworkapp", "androidlobapp",
		"androidmanagedstoreapp", "androidstoreapp", "application", "approleassignment", "building",
		"calendarsharingmessage", "countrynamedlocation", "desk", "device", "directoryrole", "driveprotectionunit",
		"endpoint", "event", "eventmessage", "eventmessagerequest", "eventmessageresponse",
		"externalusersselfservicesignupeventsflow", "fido2authenticationmethod", "fileattachment", "floor", "group",
		"ioslobapp", "iosstoreapp", "iosvppapp", "ipnamedlocation", "itemattachment", "macosdmgapp", "macoslobapp",
		"macospkgapp", "mailboxprotectionunit", "managedandroidlobapp", "managedioslobapp", "managedmobilelobapp",
		"message", "microsoftstoreforbusinessapp", "opentypeextension", "orgcontact", "phoneauthenticationmethod",
		"referenceattachment", "room", "roomlist", "serviceprincipal", "sitepage", "siteprotectionunit", "user",
		"win32lobapp", "wingetapp", "windowsappx", "windowsmobilemsi", "windowsphone81appx", "windowsstoreapp",
		"windowsuniversalappx", "windowswebapp", "workspace":
		return true
	}
	return false
}

// isBareCast reports whether the name of segment i, whose BareText is given, may be a cast without its namespace. Graph
// has no such cast after collections whose keys people choose: a list may be called Event, and an external item Group.
func isBareCast(segments []odata.Segment, i int, bare string) bool {
	s := &segments[i]
	if i == 0 || s.Call || s.Qualified || !isCastType(bare) {
		return false
	}
	return !odata.NamedByPeople(segments[i-1].Fold) && !hasNoCasts(segments[i-1].Fold)
}

// hasNoCasts reports whether Graph has no cast directly after a collection. Its keys may look like types.
func hasNoCasts(collection string) bool {
	switch collection {
	case "connections", "items", "sites", "domains", "hosts", "extensions":
		return true
	}
	return false
}

// isAmongMany reports whether a collection has resources of several types, so that a cast may follow it.
func isAmongMany(collection string) bool {
	switch collection {
	case "members", "owners", "memberof", "transitivemembers", "transitivememberof", "ownedobjects", "registeredusers",
		"registeredowners", "registereddevices",
		"owneddevices", "memberswithlicenseerrors", "deleteditems", "directreports", "createdobjects", "directoryobjects",
		"attachments", "places", "mobileapps":
		return true
	}
	return false
}
