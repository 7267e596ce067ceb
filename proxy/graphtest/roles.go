package graphtest

// The app roles that operations need: any one of a list suffices. A selection from Microsoft's permissions reference.

func userRead() []string {
	return []string{"User.ReadBasic.All", "User.Read.All", "User.ReadWrite.All", "Directory.Read.All",
		"Directory.ReadWrite.All"}
}

func userWrite() []string { return []string{"User.ReadWrite.All", "Directory.ReadWrite.All"} }

func groupRead() []string {
	return []string{"Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
}

func groupWrite() []string { return []string{"Group.ReadWrite.All", "Directory.ReadWrite.All"} }

func memberRead() []string {
	return append(groupRead(), "GroupMember.Read.All", "GroupMember.ReadWrite.All")
}

func memberWrite() []string { return append(groupWrite(), "GroupMember.ReadWrite.All") }

func objectRead() []string {
	return []string{"Directory.Read.All", "Directory.ReadWrite.All", "User.Read.All", "User.ReadWrite.All",
		"Group.Read.All", "Group.ReadWrite.All"}
}

func applicationRead() []string {
	return []string{"Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
}

func organizationRead() []string {
	return []string{"Organization.Read.All", "Organization.ReadWrite.All", "Domain.Read.All", "Directory.Read.All",
		"Directory.ReadWrite.All"}
}

func mailRead() []string { return []string{"Mail.ReadBasic.All", "Mail.Read", "Mail.ReadWrite"} }

func mailWrite() []string { return []string{"Mail.ReadWrite"} }

func notesRead() []string { return []string{"Notes.Read.All", "Notes.ReadWrite.All"} }

func mailSend() []string { return []string{"Mail.Send"} }

func calendarRead() []string {
	return []string{"Calendars.ReadBasic.All", "Calendars.Read", "Calendars.ReadWrite"}
}

func calendarWrite() []string { return []string{"Calendars.ReadWrite"} }

func photoRead() []string {
	return append(userRead(), "ProfilePhoto.Read.All", "ProfilePhoto.ReadWrite.All")
}

func photoWrite() []string { return append(userWrite(), "ProfilePhoto.ReadWrite.All") }

func fileRead() []string {
	return []string{"Files.Read.All", "Files.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All"}
}

func fileWrite() []string { return []string{"Files.ReadWrite.All", "Sites.ReadWrite.All"} }

func siteRead() []string { return []string{"Sites.Read.All", "Sites.ReadWrite.All"} }

func reportRead() []string { return []string{"Reports.Read.All"} }

func teamCreate() []string {
	return []string{"Team.Create", "Group.ReadWrite.All", "Directory.ReadWrite.All"}
}
